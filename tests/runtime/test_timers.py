"""Timers ask the state when to wake; clocks never run backwards."""

from __future__ import annotations

import attrs

from orchestrator.core.phases import BackingOff, Rule, Stopped
from orchestrator.core.state import Fleet
from orchestrator.core.table import Table
from orchestrator.runtime.clock import Clock
from orchestrator.runtime.timers import Timers
from tests.core.examples import Story, spec


def test_only_the_newest_answer_counts() -> None:
    story = Story(spec("web"))
    container = story.fleet.containers["web"]

    def with_phase(phase: BackingOff | Stopped) -> Fleet:
        changed = attrs.evolve(container, phase=phase)
        return attrs.evolve(story.fleet, containers=Table.of([("web", changed)]))

    timers = Timers()
    waiting = BackingOff(since=0, until=300, rule=Rule.FAILURE_BACKOFF)
    for until in (500, 100, 300):
        timers.refresh(with_phase(attrs.evolve(waiting, until=until)), ["web"])
    assert "web" not in timers.due(299, 10)
    assert "web" in timers.due(300, 10)
    assert "web" not in timers.due(900, 10)
    timers.refresh(with_phase(waiting), ["web"])
    timers.refresh(with_phase(Stopped(since=1)), ["web", "gone"])
    assert "web" not in timers.due(900, 10)


def test_a_clock_follows_the_steady_one_and_leaps_forward_with_the_wall() -> None:
    wall, steady = [1_000_000], [0]
    clock = Clock(wall=lambda: wall[0], steady=lambda: steady[0])
    steady[0] = 500
    assert clock.now() == 1_000_500
    wall[0] = 0  # set back: nothing waits for a time that has passed
    assert clock.now() == 1_000_500
    wall[0] = 9_000_000  # the machine has slept
    assert clock.now() == 9_000_000
    steady[0] = 700
    assert clock.now() == 9_000_200


def test_a_clock_begins_where_the_journal_ends_if_the_wall_was_set_back() -> None:
    wall, steady = [1_000_000], [50]
    clock = Clock(wall=lambda: wall[0], steady=lambda: steady[0], not_before=5_000_000)
    assert clock.now() == 5_000_000
    steady[0] = 750
    assert clock.now() == 5_000_700
