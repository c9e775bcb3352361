"""Who is looked at again by a reconcile: those with whom something is to happen."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core.exits import Stopped as Ended
from orchestrator.core.phases import (
    Asleep,
    BackingOff,
    Completed,
    CrashLooping,
    Failed,
    Pending,
    Phase,
    Rule,
    Running,
    Starting,
    Stopped,
    Stopping,
    Unknown,
)
from orchestrator.core.stands import diverges
from tests.core.examples import Story, spec

READY = Running(since=0, run=1, ready_at=5)
UNREADY = Running(since=0, run=1)
RULE = Rule.REQUESTED

UNDER_WAY: tuple[tuple[Phase, bool], ...] = (
    (UNREADY, True),
    (UNREADY, False),
    (READY, False),
    (Pending(since=0, rule=RULE), True),
    (Starting(since=0, run=1), True),
    (Stopping(since=0, run=1, deadline=9, verdict=Ended()), False),
    (BackingOff(since=0, until=9, rule=RULE), True),
    (CrashLooping(since=0, until=9, rule=RULE), True),
    (Unknown(since=0, run=1, was=READY), True),
)
SETTLED: tuple[tuple[Phase, bool], ...] = (
    (READY, True),
    (Stopped(since=0), False),
    (Completed(since=0), True),
    (Failed(since=0, rule=RULE), True),
    (Asleep(since=0), True),
    (CrashLooping(since=0, until=None, rule=RULE), True),
)


@pytest.mark.parametrize(
    ("phase", "running", "expected"),
    [(*case, True) for case in UNDER_WAY] + [(*case, False) for case in SETTLED],
)
def test_a_reconcile_looks_again_at_whom_something_is_still_to_happen(
    phase: Phase, *, running: bool, expected: bool
) -> None:
    container = Story(spec()).fleet.containers["web"]
    desired = attrs.evolve(container.desired, running=running)
    assert diverges(attrs.evolve(container, phase=phase, desired=desired)) is expected


def test_the_index_of_a_fleet_holds_them_and_nobody_else() -> None:
    story = Story(spec("web"), spec("job"))
    assert list(story.fleet.diverged) == ["job", "web"]
