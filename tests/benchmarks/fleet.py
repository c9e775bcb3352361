"""A fleet of many sizes in one process, phase by phase, each beside the smallest.

What follows what changes costs the same for each row, however large the fleet is; what
follows what exists (a boot, a look) may grow with it, and must not hold up the loop.
Each size is a process of its own (``fleet_life``), run once: it takes minutes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, Final

from tests.benchmarks.figures import Asked, Figures, Reached, Sheet, told
from tests.benchmarks.harness import Goal, Spread
from tests.benchmarks.runs import ROOT

__all__ = ("ABOUT", "figures")

ABOUT: Final = (
    "Boot, settle, a look, a storm of 1 %, and a restart, at each size of a fleet on"
    " the simulated platform with a SQLite journal."
)

SIZES: Final = (1_000, 10_000, 100_000)
LIMIT_S: Final = 3_600
GB_KB: Final = 1_000_000
LOOK: Final = "a look that finds nothing"
HELD_MS: Final = 50.0

_Phases = dict[str, dict[str, Any]]


def _run(count: int) -> _Phases:
    line = [sys.executable, "-m", "tests.benchmarks.fleet_life", str(count)]
    ran = subprocess.run(
        line, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    if ran.returncode:
        raise RuntimeError(ran.stderr.strip().splitlines()[-1])
    return {each["name"]: each for each in json.loads(ran.stdout)}


def _rows(count: int, phases: _Phases) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            told(count),
            name,
            told(each["rows"]) if each["rows"] else "-",
            told(_rate(each)) if each["rows"] else "-",
            told(each["cpu_s"]),
            told(each["wall_s"]),
            told(each["peak_kb"] / 1_000),
            told(each["held_ms"]),
            told(each["busy_ms"]),
        )
        for name, each in phases.items()
    )


def _rate(phase: dict[str, Any]) -> float:
    """Return rows for each second of the processor."""
    return float(phase["rows"] / phase["cpu_s"])


def _once(value: float) -> Spread:
    return Spread(median=value, least=value, most=value)


def figures(asked: Asked) -> Figures:
    """Run each size once, the smallest first."""
    sizes: tuple[int, ...] = (20, 60) if asked.smoke else SIZES
    if asked.containers is not None:
        sizes = (*(each for each in sizes if each < asked.containers), asked.containers)
    found = {count: _run(count) for count in sizes}
    small, large = found[sizes[0]], found[sizes[-1]]
    growth = {
        f"rows a second in {name}": _once(_rate(large[name]) / _rate(small[name]))
        for name in ("settle", "storm of 1 %")
    }
    settles = growth.pop("rows a second in settle")
    peak = max(each["peak_kb"] for each in large.values())
    columns = ("containers", "phase", "rows", "rows / CPU s", "CPU s", "s")
    memory = ("most MB", "loop held, ms", "of its CPU, ms")
    return Figures(
        sheets=(
            Sheet(
                title="A fleet, phase by phase",
                columns=(*columns, *memory),
                rows=tuple(
                    row for count in sizes for row in _rows(count, found[count])
                ),
            ),
        ),
        reached=(
            _reached("rows a second, largest fleet", "smallest", 0.5, settles),
            _reached("all memory, largest fleet", "1 GB", 1.0, _once(GB_KB / peak)),
            _reached(
                "a look holds the loop, largest fleet",
                "50 ms",
                1.0,
                _once(HELD_MS / max(1.0, large[LOOK]["held_ms"])),
            ),
        ),
        ratios={f"{name}, largest / smallest": each for name, each in growth.items()},
    )


def _reached(case: str, limit: str, least: float, speed: Spread) -> Reached:
    return Reached(goal=Goal(case=case, limit=limit, least=least), speed=speed)
