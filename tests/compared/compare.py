"""Compare the reference library with this one: ``python -m tests.compared.compare``.

Both run on one Docker engine, in turns: ours, theirs, ours, theirs, so that what else
the machine does meets both. Each turn has a runtime and a fleet of its own. A table is
printed, then all that was measured, as one line of JSON. ``sides`` says what each
number contains.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from tests.bench.engine import Engine, started
from tests.bench.machine import RELEASES, why_not
from tests.compared.sides import SIDES, Measured, Plan, Side, install, ours, theirs

__all__ = ("Comparison", "compared", "machine", "main", "table")

LATE: Final = "0.3"
DEAF_AMONG: Final = 5

Rounds: TypeAlias = tuple[dict[Side, Measured], ...]


@attrs.frozen(kw_only=True)
class Comparison:
    """What was measured, in turns, under each heading."""

    n: int
    runs: dict[str, Rounds]


async def compared(
    engine: Engine, *, n: int, runs: int, healthy: int, deaf: bool
) -> Comparison:
    """Measure both sides."""
    plans = {
        "at once": Plan(n=n, healthy=healthy),
        "late": Plan(n=n, words=("late", LATE), healthy=healthy),
    }
    found: dict[str, Rounds] = {}
    for title, plan in plans.items():
        found[title] = tuple([await _round(engine, plan) for _ in range(runs)])
    if deaf:
        found["deaf"] = (await _round(engine, Plan(n=DEAF_AMONG, deaf=True)),)
    return Comparison(n=n, runs=found)


async def _round(engine: Engine, plan: Plan) -> dict[Side, Measured]:
    with tempfile.TemporaryDirectory(dir=engine.folder) as folder:
        measured: dict[Side, Measured] = {
            "ours": await ours(engine, Path(folder), plan),
            "theirs": await theirs(engine, plan),
        }
    for side, one in measured.items():
        print(f"{side}: {plan}: {one.cold_ms:.0f} ms", file=sys.stderr, flush=True)
    return measured


Pick: TypeAlias = Callable[[Measured], float]


def _cold(one: Measured) -> float:
    return one.cold_ms


def _over_http(one: Measured) -> float:
    return statistics.median(one.over_http_ms)


def _within(one: Measured) -> float:
    return statistics.median(one.within_ms or (float("nan"),))


def _rows(found: Comparison) -> Iterator[tuple[str, Rounds, Pick]]:
    n, runs = found.n, found.runs
    yield f"cold, {n}, listening at once", runs["at once"], _cold
    yield f"cold, {n}, listening after {LATE} s", runs["late"], _cold
    healthy = runs["at once"] + runs["late"]
    yield f"healthy, {n}, over HTTP", healthy, _over_http
    yield f"healthy, {n}, within the runtime", healthy, _within
    if "deaf" in runs:
        yield "four ready, the first of 5 never", runs["deaf"], _cold


def table(found: Comparison) -> str:
    """Show medians and extremes in ms, and how many times as long theirs takes.

    The ratio is of each turn with the turn beside it.
    """
    lines = [("", *SIDES, "theirs / ours")]
    for title, rounds, pick in _rows(found):
        both = {side: [pick(turn[side]) for turn in rounds] for side in SIDES}
        ratios = [
            other / own for own, other in zip(both["ours"], both["theirs"], strict=True)
        ]
        cells = [
            _spread(both[side], ".0f" if pick is _cold else ".1f") for side in SIDES
        ]
        lines.append((title, *cells, _spread(ratios, ".2f")))
    widths = [max(len(line[at]) for line in lines) for at in range(4)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )


def _spread(numbers: list[float], form: str) -> str:
    """Show a median, the least and the greatest.

    >>> _spread([3.0, 1.0, 2.0], ".0f")
    '2 (1-3)'

    """
    if any(number != number for number in numbers):  # noqa: PLR0124 - not a number
        return "-"
    middle, least, most = statistics.median(numbers), min(numbers), max(numbers)
    return f"{middle:{form}} ({least:{form}}-{most:{form}})"


def machine(engine: Engine) -> dict[str, Any]:
    docker = json.loads(engine.docker.must("GET", "/version"))
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "system": platform.freedesktop_os_release()["PRETTY_NAME"],
        "kernel": platform.release(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "docker": docker["Version"],
        "miniflare": RELEASES["pinned"].miniflare,
    }


def main(words: list[str]) -> int:
    """Measure, and print; the exit code is 2 where it cannot be measured."""
    parser = argparse.ArgumentParser(prog="compare", description=__doc__)
    parser.add_argument("--n", type=int, default=20, help="containers of a fleet")
    parser.add_argument("--runs", type=int, default=3, help="turns of each side")
    parser.add_argument("--healthy", type=int, default=15, help="reconciles of a turn")
    parser.add_argument(
        "--no-deaf", action="store_true", help="leave out the minute of the last row"
    )
    given = parser.parse_args(words)
    if reason := why_not() or install():
        print(reason, file=sys.stderr)
        return 2
    load = [os.getloadavg()[0]]
    with started() as engine:
        facts = machine(engine)
        measuring = compared(
            engine,
            n=given.n,
            runs=given.runs,
            healthy=given.healthy,
            deaf=not given.no_deaf,
        )
        found = asyncio.run(measuring)
    load.append(os.getloadavg()[0])
    print(table(found))
    print(json.dumps({**facts, "load": load, **attrs.asdict(found)}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
