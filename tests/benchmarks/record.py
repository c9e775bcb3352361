"""``record``: areas are measured, and kept; the page and the chart follow.

What is kept of an area is all that it has found, with the date, the machine, and the
command that repeats it. Areas that were not measured now, or have failed, keep what
they had. How much worse each ratio may become is kept beside it: a quarter, or more
where the rounds themselves were further apart.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import attrs

from tests.benchmarks.chart import chart_of
from tests.benchmarks.figures import Asked
from tests.benchmarks.page import written_anew
from tests.benchmarks.runs import ROOT, Ran, runs_of

__all__ = (
    "PLACES",
    "Places",
    "machine",
    "merged",
    "read",
    "recorded",
    "tolerance",
    "written",
)

TOLERANCE: Final = 0.25
TOLERANCE_MAX: Final = 0.6
SPREADS: Final = 1.5
"""A ratio may become worse by so many times the way from its median to its least."""

COMPARED: Final = (
    "aiohttp",
    "attrs",
    "cattrs",
    "immutables",
    "orjson",
    "returns",
    "uvloop",
    "transitions",
    "python-statemachine",
    "eventsourcing",
)


@attrs.frozen(kw_only=True)
class Places:
    """The files that are written."""

    recorded: Path
    page: Path
    chart: Path


PLACES: Final = Places(
    recorded=ROOT / "tests" / "benchmarks" / "recorded.json",
    page=ROOT / "docs" / "explanation" / "performance.md",
    chart=ROOT / "docs" / "pictures" / "cost-by-fleet-size.svg",
)


def read(places: Places = PLACES) -> dict[str, Any]:
    """Return what was recorded, by area."""
    if not places.recorded.exists():
        return {}
    areas: dict[str, Any] = json.loads(places.recorded.read_text(encoding="utf-8"))
    return areas


def written(areas: Mapping[str, Any], places: Places = PLACES) -> None:
    """Write what was recorded, and all that is made of it."""
    text = json.dumps(areas, indent=1, sort_keys=True)
    places.recorded.write_text(f"{text}\n", encoding="utf-8")
    page = places.page.read_text(encoding="utf-8")
    places.page.write_text(written_anew(page, areas), encoding="utf-8")
    places.chart.write_text(chart_of(areas), encoding="utf-8")


def recorded(names: Sequence[str], asked: Asked, places: Places = PLACES) -> int:
    """Measure areas, and keep each as soon as it has ended; 1 if one has failed."""
    failed: list[str] = []
    for ran in runs_of(names, asked):
        if ran.found is None:
            failed.append(ran.name)
        else:
            written(merged(read(places), ran, asked), places)
    for name in failed:
        print(f"{name} has failed: what was recorded of it stays", file=sys.stderr)
    return 1 if failed else 0


def merged(areas: Mapping[str, Any], ran: Ran, asked: Asked) -> dict[str, Any]:
    """Return what is kept, with the entry of one area in place of its old one."""
    assert ran.found is not None, ran
    options = {
        name: value
        for name in ("containers", "events", "minutes")
        if (value := getattr(asked, name)) is not None
    }
    command = f"python -m tests.benchmarks {ran.name}"
    for name, value in {"rounds": asked.rounds, **options}.items():
        if (name, value) != ("rounds", attrs.fields(Asked).rounds.default):
            command += f" --{name} {value}"
    kept = {key: value for key, value in ran.found.items() if key != "area"}
    entry = {
        **kept,
        "asked": {"rounds": asked.rounds, **options},
        "command": command,
        "date": f"{datetime.now(UTC).date()}",
        "machine": machine(),
        "took_s": round(ran.took_s),
        "tolerances": {
            name: tolerance(speed) for name, speed in ran.found["ratios"].items()
        },
    }
    return {**areas, ran.name: entry}


def tolerance(speed: Mapping[str, float]) -> float:
    """Return by how much a ratio may be worse: its rounds may say more than usual.

    >>> tolerance({"median": 1.0, "least": 0.95, "most": 1.1})
    0.25
    >>> tolerance({"median": 1.0, "least": 0.8, "most": 1.1})
    0.3

    """
    if speed["median"] <= 0:
        return TOLERANCE
    apart = (speed["median"] - speed["least"]) / speed["median"]
    return round(min(max(TOLERANCE, SPREADS * apart), TOLERANCE_MAX), 2)


def machine() -> dict[str, Any]:
    """Say what this machine is, and what is compared on it."""
    versions: dict[str, str] = {}
    for name in COMPARED:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "versions": versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    models = [line.partition(":")[2] for line in lines if line.startswith("model name")]
    return " ".join(models[0].split()) if models else platform.machine()
