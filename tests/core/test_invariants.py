"""Each invariant sees the violation that it is there for."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core.commands import StartContainer, StopContainer
from orchestrator.core.events import ContainerObserved, Event, TimeReached
from orchestrator.core.exits import Exited, Stopped
from orchestrator.core.invariants import INVARIANTS, violations
from orchestrator.core.observations import SeenUnreachable
from orchestrator.core.phases import (
    BackingOff,
    CrashLooping,
    Pending,
    Rule,
    Running,
    Starting,
    Unknown,
)
from orchestrator.core.requests import Stop
from orchestrator.core.state import Container, Fleet
from orchestrator.core.steps import Step

from .examples import Story, spec
from .test_reduce import crashed

TIME = TimeReached(at=10**7, name="web")


def story() -> Story:
    return crashed(2).accepted().ready()


def having(fleet: Fleet, container: Container) -> Fleet:
    """Write a record behind the core's back."""
    return attrs.evolve(
        fleet, containers=fleet.containers.put(container.name, container)
    )


def found(
    after: Fleet, *commands: object, before: Fleet | None = None, event: Event = TIME
) -> set[str]:
    step = Step(
        before=before or story().fleet,
        event=event,
        after=after,
        commands=commands,  # type: ignore[arg-type]
        touched=("web", "gone"),
    )
    return {violation.name for violation in violations(step)}


def web(**changes: object) -> Fleet:
    one = story()
    return having(one.fleet, attrs.evolve(one.container(), **changes))  # type: ignore[arg-type]


def waiting(phase: object) -> Fleet:
    one = story()
    return having(one.fleet, attrs.evolve(one.container(), phase=phase))  # type: ignore[arg-type]


START = StartContainer(name="web", run=9, revision=1)
STOP = StopContainer(name="web", run=9, signal="TERM", grace_ms=1)
BACK = BackingOff(since=0, until=10**9, rule=Rule.FAILURE_BACKOFF)
HELD = CrashLooping(since=0, until=None, rule=Rule.CRASH_LOOP_HOLD)
PENDING = Pending(since=0, rule=Rule.DECLARED)


def test_a_right_step_violates_nothing() -> None:
    one = story()
    before = one.fleet
    one.asked(Stop(name="web"))
    assert found(one.fleet, *one.orders(), before=before) == set()


def test_two_commands_at_once_are_seen() -> None:
    assert "at most one start or stop is given at once" in found(web(), START, STOP)


def test_an_unwanted_start_is_seen() -> None:
    one = story().asked(Stop(name="web"))
    assert "no start while the owner wants it stopped" in found(one.fleet, START)


@pytest.mark.parametrize("phase", [BACK, HELD])
def test_an_early_start_is_seen(phase: object) -> None:
    early = found(waiting(PENDING), before=waiting(phase))
    assert "no start before its time" in early


def test_a_start_before_the_first_look_is_seen() -> None:
    blind = attrs.evolve(web(), observed=False)
    assert "no start before the first look" in found(blind, START)


def test_a_run_that_shrinks_is_seen() -> None:
    assert "run numbers only grow" in found(web(run=1))


def test_a_live_run_that_is_not_the_newest_is_seen() -> None:
    other = waiting(Running(since=0, run=1))
    assert "the live run is the newest" in found(other)


def test_too_many_starts_are_seen() -> None:
    fleet = web()
    for n in range(9):
        fleet = attrs.evolve(fleet, starting=fleet.starting.put(str(n), None))
    assert "starts in flight stay within the limit" in found(fleet)


def test_a_crash_counted_for_no_failure_is_seen() -> None:
    one = story()
    last = one.container().last
    assert last is not None
    history = attrs.evolve(one.container().history, crashes_total=99)
    stopped = attrs.evolve(last, exit=Stopped())
    assert "only failures count as crashes" in found(web(history=history, last=stopped))


def test_a_reset_without_a_reason_is_seen() -> None:
    history = attrs.evolve(story().container().history, attempts=0)
    soon = TimeReached(at=5, name="web")
    assert "a history is reset for a reason" in found(web(history=history), event=soon)
    running = story().container().phase
    assert isinstance(running, Running)
    unseen = waiting(Unknown(since=0, run=3, was=running))
    proven = attrs.evolve(web(history=history), at=10**7)
    assert "a history is reset for a reason" not in found(proven, before=unseen)
    begun = waiting(Starting(since=0, run=3))
    assert "a history is reset for a reason" in found(proven, before=begun)


def test_destruction_of_the_unknown_is_seen() -> None:
    unseen = ContainerObserved(at=9, name="web", run=3, sight=SeenUnreachable())
    assert "unknown never destroys" in found(web(), STOP, event=unseen)


def test_a_budget_that_is_overdrawn_is_seen() -> None:
    one = story()
    last = one.container().last
    assert last is not None
    many = attrs.evolve(one.container().history, failures=(1, 2, 3, 4, 5))
    last = attrs.evolve(last, ended_at=6, exit=Exited(code=1))
    name = "restarts after failures stay within the window's budget"
    assert name in found(web(history=many))
    four = attrs.evolve(one.container().history, failures=(1, 2, 3, 4))
    assert name in found(web(history=four, last=last, phase=BACK))


def test_a_wait_that_is_too_long_is_seen() -> None:
    assert "no wait exceeds the longest" in found(waiting(BACK))


def test_a_last_run_without_a_failure_needs_no_budget() -> None:
    one = story()
    last = one.container().last
    assert last is not None
    four = attrs.evolve(one.container().history, failures=(1, 2, 3, 4))
    clean = attrs.evolve(last, ended_at=6, exit=Exited(code=0))
    fleet = web(history=four, last=clean, phase=BACK)
    assert "restarts after failures stay within the window's budget" not in found(fleet)


def test_indexes_that_lie_are_seen() -> None:
    name = "indexes agree with the records"
    assert name in found(waiting(Starting(since=0, run=3)))
    assert name in found(waiting(PENDING))


def test_time_that_runs_backwards_is_seen() -> None:
    assert "time never runs backwards" in found(attrs.evolve(web(), at=0))


def test_every_invariant_was_planted_above() -> None:
    assert len(INVARIANTS) == 14
    assert found(Story(spec()).fleet, before=Story(spec()).fleet) == set()
