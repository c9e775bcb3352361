"""The area ``long``: an operator with a fleet that crashes, for an hour."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.figures import Asked, Figures, Reached, Sheet, told
from tests.benchmarks.harness import Goal, Spread
from tests.benchmarks.long_curve import drawn
from tests.benchmarks.long_run import Plan, run

__all__ = ("ABOUT", "figures", "shown")

ABOUT: Final = (
    "An operator of its own with 200 local processes that crash by script, while its"
    " journal is compacted: its memory at the end beside that at a quarter of the time,"
    " its journal beside what it is to keep, and whether journal, API and processes"
    " agree."
)

PROCESSES: Final = 200
MINUTES: Final = 60.0
SMOKE: Final = (10, 0.2)
"""How many processes, for so many minutes, where it is only to run."""

KEEP_ROWS: Final = 2_000
JOURNAL: Final = f"keep_rows = {KEEP_ROWS}\narchive = true"

MEMORY: Final = Goal(case="memory before", limit="memory at the end", least=1 / 1.05)
"""The median of the second quarter, as a part of that of the last."""

ROWS: Final = Goal(case="rows to keep", limit="most rows kept", least=0.75)
"""A tenth is let pile up, and what comes between two looks beside that."""

_COLUMNS: Final = (
    ("s", "s", 1.0),
    ("rss_kb", "MB of memory", 1 / 1_024),
    ("blocks", "thousands of objects", 1 / 1_000),
    ("heap_used_kb", "MB in the C library", 1 / 1_024),
    ("heap_free_kb", "MB free there", 1 / 1_024),
    ("files", "files", 1.0),
    ("threads", "threads", 1.0),
    ("tasks", "tasks", 1.0),
    ("seq", "newest row", 1.0),
    ("rows", "rows kept", 1.0),
    ("db_bytes", "kB of journal", 1 / 1_024),
    ("restarts", "restarts", 1.0),
    ("looks", "looks", 1.0),
    ("processes", "processes", 1.0),
    ("zombies", "zombies", 1.0),
)
LINES: Final = 20
"""Of the table; every sample is in ``samples.jsonl``."""


def figures(asked: Asked) -> Figures:
    """Run it, and say what came of it."""
    processes, minutes = SMOKE if asked.smoke else (PROCESSES, MINUTES)
    asked.directory.mkdir(parents=True, exist_ok=True)
    plan = Plan(
        folder=Path(tempfile.mkdtemp(prefix="long-", dir=asked.directory)),
        processes=asked.containers or processes,
        minutes=asked.minutes or minutes,
        every_s=2.0 if asked.smoke else 10.0,
        journal=JOURNAL,
    )
    found = run(plan)
    if asked.smoke:
        wrong = [*found["differing_at_the_end"], *found["left"], *found["log"]]
        assert not wrong, wrong
    return shown(found, is_judged=not asked.smoke)


def shown(found: Mapping[str, Any], *, is_judged: bool = True) -> Figures:
    """Return what a run has found as tables; *is_judged*: as goals, too."""
    samples = found["samples"]
    sheets = (
        Sheet(
            title=f"{told(found['seconds'])} s",
            columns=tuple(name for _, name, _ in _COLUMNS),
            rows=tuple(map(_line, _some(samples))),
        ),
        Sheet(
            title="At the end",
            columns=("what", "found"),
            rows=tuple(_end(found)),
        ),
    )
    reached = tuple(_reached(samples)) if is_judged else ()
    return Figures(sheets=sheets, reached=reached, remarks=(drawn(samples),))


def _some(samples: Sequence[Any]) -> list[Any]:
    """Return samples that are evenly spread, the first and the last among them."""
    last = len(samples) - 1
    wanted = {round(place * last / (LINES - 1)) for place in range(LINES)}
    return [samples[place] for place in sorted(wanted)] if samples else []


def _line(sample: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(f"{sample.get(key, 0) * scale:,.0f}" for key, _, scale in _COLUMNS)


def _end(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    exit_code, *_ = found["down"]
    return [
        ("drift between the processes and the API", _of(found["drift"])),
        (
            "differences between journal, API and processes",
            _of(found["differing_at_the_end"]),
        ),
        ("`down`, the operator", f"exit codes {exit_code}, {found['operator_exit']}"),
        ("processes that are left", _of(found["left"])),
        *((f"journal: {key}", each) for key, each in found["journal"].items()),
        ("lines of trouble in its log", _of(found["log"])),
        *((f"answers: {key}", str(n)) for key, n in sorted(found["answers"].items())),
    ]


def _of(wrong: Sequence[str]) -> str:
    return "none" if not wrong else f"{len(wrong)}: {wrong[0]}"


def _reached(samples: Sequence[Mapping[str, Any]]) -> list[Reached]:
    quarter = max(1, len(samples) // 4)
    before = [each["rss_kb"] for each in samples[quarter : 2 * quarter]]
    at_the_end = [each["rss_kb"] for each in samples[-quarter:]]
    memory = statistics.median(before) / statistics.median(at_the_end)
    kept = [each["rows"] for each in samples[quarter:]]
    return [
        Reached(
            goal=MEMORY,
            speed=Spread(
                median=memory,
                least=min(before) / max(at_the_end),
                most=max(before) / min(at_the_end),
            ),
        ),
        Reached(
            goal=ROWS,
            speed=Spread(
                median=KEEP_ROWS / max(kept),
                least=KEEP_ROWS / max(kept),
                most=KEEP_ROWS / min(kept),
            ),
        ),
    ]
