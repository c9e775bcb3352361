"""The benchmarks run, and measure what they say; how fast is not a test's matter."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import orjson
import pytest

from orchestrator.codec.wire import decode_event
from orchestrator.core.reduce import fold
from orchestrator.core.state import empty_fleet
from tests.benchmarks.areas import everywhere
from tests.benchmarks.figures import CURVES, Asked, markdown
from tests.benchmarks.harness import Case, Goal, Timing, interleaved
from tests.benchmarks.loop import Loop, differing
from tests.benchmarks.runs import run_area
from tests.benchmarks.trace import rows, steps

ROOT = Path(__file__).parents[2]


def test_a_trace_is_the_same_every_time_and_looks_like_life() -> None:
    first, again = list(rows(1_500, 60)), list(rows(1_500, 60))
    assert first == again
    kinds = {orjson.loads(row.event)["type"] for row in first}
    assert kinds >= {
        "spec_applied",
        "container_started",
        "container_ready",
        "container_ended",
        "command_accepted",
        "command_failed",
        "health_changed",
        "time_reached",
        "stop_requested",
    }


def test_the_loop_by_hand_comes_to_the_same_records() -> None:
    events = [step.event for step in steps(3_000, 60)]
    trees = [orjson.loads(row.event) for row in rows(3_000, 60)]
    assert [decode_event(orjson.dumps(tree)).unwrap() for tree in trees] == events
    fleet = fold(empty_fleet("fleet"), events)
    loop = Loop().fold(trees)
    assert len(loop.records) == 60
    assert differing(loop, fleet) == []
    loop.records["steady-000000"].run += 1
    assert differing(loop, fleet) == ["steady-000000"]


def test_every_case_runs_once_a_round() -> None:
    ran: list[str] = []
    cases = [Case(name=name, items=1, run=partial(ran.append, name)) for name in "abc"]
    timing = interleaved(cases, rounds=3)
    assert sorted(ran[:3]) == sorted(ran[3:6]) == ["a", "b", "c"]
    assert all(len(timing.rounds[name]) == 3 for name in "abc")


def test_a_speed_is_taken_within_a_round() -> None:
    timing = Timing(rounds={"limit": (10.0, 100.0), "case": (20.0, 400.0)})
    speed = timing.speed(Goal(case="case", limit="limit", least=0.5))
    assert (speed.least, speed.most) == (0.25, 0.5)


@pytest.mark.parametrize("name", everywhere())
def test_an_area_runs_and_finds_what_it_says(name: str, tmp_path: Path) -> None:
    ran = run_area(name, Asked(directory=tmp_path, smoke=True), limit_s=300)
    assert ran.found is not None, ran.wrong
    assert ran.found["about"]
    assert ran.found["sheets"]
    assert ran.found["ratios"]
    for curve in ran.found["curves"]:
        assert curve["name"] in CURVES
    assert markdown(ran.found)


def test_an_area_that_is_not_there_is_refused_with_those_that_are() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "replays"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "there is no area 'replays'; there are advance, reduce" in done.stderr
