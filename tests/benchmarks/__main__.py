"""``python -m tests.benchmarks [NAME]``: run a benchmark, and print its tables.

``api`` asks an operator for reads at an even pace, beside a bare handler. ``replay``
(where nothing is said) folds a journal again in all the ways there are, beside their
limits. ``--events``, ``--containers`` and ``--rounds`` say how much: a smoke run takes
seconds, the figures of the docs take minutes. ``--json`` prints the same for programs.
Journals are kept in ``--directory`` from one run to the next.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import attrs

from tests.benchmarks import api
from tests.benchmarks.harness import Goal, Spread
from tests.benchmarks.recovery import recovery_of
from tests.benchmarks.replay import (
    GOALS,
    memory_of,
    replay_of,
    stored,
)
from tests.benchmarks.trace import written

RECOVERY = Goal(case="recover", limit="recover whole", least=20.0)
KEPT = Path(tempfile.gettempdir()) / "orchestrator-benchmarks"


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", default="replay", choices=["replay", "api"])
    parser.add_argument("--events", type=int, default=100_000, help="rows of a journal")
    parser.add_argument("--containers", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=20_000, help="reads of a round")
    parser.add_argument("--readers", type=int, default=100, help="of live events")
    parser.add_argument(
        "--changes", type=float, default=100.0, help="restarts a second, asked for"
    )
    parser.add_argument(
        "--long", type=int, default=10, help="so many times the rows, for memory"
    )
    parser.add_argument(
        "--only",
        default="",
        help="parts, with commas: timing (or its half, files), memory, recovery",
    )
    parser.add_argument("--directory", type=Path, default=KEPT)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def measured(asked: argparse.Namespace) -> dict[str, Any]:
    """Run what was asked for; return it as plain JSON."""
    parts = asked.only.split(",") if asked.only else ["timing", "memory", "recovery"]
    found: dict[str, Any] = {"rows": asked.events, "containers": asked.containers}
    if "timing" in parts or "files" in parts:
        timing = replay_of(
            asked.directory,
            asked.events,
            asked.containers,
            asked.rounds,
            whole="timing" in parts,
        ).timing
        found["cost_ns"] = {
            name: attrs.asdict(timing.cost(name)) for name in timing.rounds
        }
        goals = [goal for goal in GOALS if {goal.case, goal.limit} <= {*timing.rounds}]
        found["goals"] = [_told(goal, timing.speed(goal)) for goal in goals]
    long = asked.events * asked.long
    if "memory" in parts:
        short = written(asked.directory, asked.events, asked.containers)
        longer = written(asked.directory, long, asked.containers)
        found["memory_bytes"] = {
            str(asked.events): memory_of(short),
            str(long): memory_of(longer),
        }
    if "recovery" in parts:
        database = stored(written(asked.directory, long, asked.containers))
        timing = recovery_of(database, rounds=min(asked.rounds, 3))
        found["recovery_ns"] = {
            name: attrs.asdict(timing.cost(name)) for name in timing.rounds
        }
        told = _told(RECOVERY, timing.speed(RECOVERY))
        found.setdefault("goals", []).append(told)
    return found


def _told(goal: Goal, speed: Spread) -> dict[str, Any]:
    return {
        "case": goal.case,
        "limit": goal.limit,
        "goal": goal.least,
        "speed": attrs.asdict(speed),
        "met": speed.median >= goal.least,
    }


def printed(found: dict[str, Any]) -> None:
    """Print the tables, in Markdown."""
    print(f"{found['rows']} rows, {found['containers']} containers\n")
    if "cost_ns" in found:
        print("| case | ns a row: median | least | most |\n|---|---|---|---|")
        for name, cost in found["cost_ns"].items():
            figures = " | ".join(f"{cost[key]:.0f}" for key in cost)
            print(f"| {name} | {figures} |")
        print()
    if found.get("goals"):
        print("| speed of | as a part of | goal | median | least | most | met |")
        print("|---|---|---|---|---|---|---|")
        for goal in found["goals"]:
            figures = " | ".join(f"{part:.3f}" for part in goal["speed"].values())
            met = "yes" if goal["met"] else "no"
            start = f"| {goal['case']} | {goal['limit']} | {goal['goal']}"
            print(f"{start} | {figures} | {met} |")
        print()
    for rows, peak in found.get("memory_bytes", {}).items():
        print(f"most memory for {rows} rows: {peak / 2**20:.0f} MiB")
    for name, cost in found.get("recovery_ns", {}).items():
        print(f"{name}: {cost['median'] / 1e9:.2f} s")


def main() -> None:
    """Run what the command line asks for."""
    asked = _asked()
    if asked.name == "api":
        load = api.Load(
            containers=min(asked.containers, 1_000),
            requests=asked.requests,
            readers=asked.readers,
            changes_a_second=asked.changes,
        )
        found = api.measured(load, asked.rounds)
    else:
        found = measured(asked)
    if asked.json:
        print(json.dumps(found, indent=2))
    elif asked.name == "api":
        api.printed(found)
    else:
        printed(found)


if __name__ == "__main__":
    main()
