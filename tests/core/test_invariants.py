"""Each invariant sees the violation that it is there for."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core.admit import admit
from orchestrator.core.commands import (
    DestroyContainer,
    StartContainer,
    StopContainer,
)
from orchestrator.core.errors import RateLimited
from orchestrator.core.events import (
    ContainerObserved,
    Event,
    HealthChanged,
    TimeReached,
)
from orchestrator.core.exits import Exited, StartFailed, Stopped
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.groups import GroupStrategy, Membership
from orchestrator.core.health import CheckKind, HealthCheck, HealthChecks, TcpProbe
from orchestrator.core.invariants import INVARIANTS, violations
from orchestrator.core.notices import Notices
from orchestrator.core.notify import Notify
from orchestrator.core.observations import SeenUnreachable
from orchestrator.core.phases import (
    BackingOff,
    CrashLooping,
    Failed,
    Pending,
    Rule,
    Running,
    Starting,
    Unknown,
)
from orchestrator.core.requests import ClearCrashHistory, Stop
from orchestrator.core.state import Container, Fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table

from .examples import NO_JITTER, Story, spec
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
DESTROY = DestroyContainer(name="web", run=9)
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


def test_a_restart_that_answers_no_failure_needs_no_budget() -> None:
    one = story()
    four = attrs.evolve(one.container().history, failures=(1, 2, 3, 4))
    soon = BackingOff(since=0, until=1, rule=Rule.ALWAYS_AFTER_CLEAN_EXIT)
    last = one.container().last
    assert last is not None
    recent = attrs.evolve(last, ended_at=6)
    fleet = web(history=four, last=recent, phase=soon)
    assert "restarts after failures stay within the window's budget" not in found(fleet)
    answered = attrs.evolve(soon, rule=Rule.FAILURE_BACKOFF)
    assert "restarts after failures stay within the window's budget" in found(
        web(history=four, last=recent, phase=answered)
    )


def test_failed_starts_beyond_their_budget_are_seen() -> None:
    name = "restarts after failed starts stay within their budget"
    one = story()
    last = one.container().last
    assert last is not None
    refused = attrs.evolve(last, exit=StartFailed(reason="refused"))
    soon = BackingOff(since=0, until=1, rule=Rule.FAILURE_BACKOFF)
    for spent, is_seen in ((5, False), (6, True)):
        history = attrs.evolve(one.container().history, start_failures=spent)
        fleet = web(history=history, last=refused, phase=soon)
        assert (name in found(fleet)) is is_seen
        of_a_run = web(history=history, last=last, phase=soon)
        assert name not in found(of_a_run)


def test_more_restarts_than_the_policy_ever_allows_are_seen() -> None:
    name = "failures in a row stay within max_restarts"
    one = story()
    policy = attrs.evolve(NO_JITTER, max_restarts=2)
    soon = BackingOff(since=0, until=1, rule=Rule.EXIT_RULE_RESTART)
    for attempts, is_seen in ((2, False), (3, True)):
        history = attrs.evolve(one.container().history, failed_in_a_row=attempts)
        fleet = web(history=history, phase=soon, spec=spec(policy=policy))
        assert (name in found(fleet)) is is_seen
        assert name not in found(web(history=history, phase=soon))


@pytest.mark.parametrize("order", [STOP, DESTROY])
def test_a_check_that_ends_a_run_it_may_not_end_is_seen(order: object) -> None:
    name = "a check that passes ends nothing"
    for check in CheckKind:
        for passing in (True, False):
            event = HealthChanged(at=9, name="web", run=3, check=check, passing=passing)
            may_end = not passing and check is not CheckKind.READINESS
            assert (name in found(web(), order, event=event)) is not may_end
            assert name not in found(web(), event=event)


def test_a_check_that_nobody_declared_is_seen() -> None:
    name = "only a check that the spec has changes anything"
    event = HealthChanged(
        at=9, name="web", run=3, check=CheckKind.LIVENESS, passing=False
    )
    assert name in found(web(), event=event)
    checked = spec(
        ports=Table.of([("http", 80)]),
        health=HealthChecks(liveness=HealthCheck(probe=TcpProbe(port="http"))),
    )
    declared = web(spec=checked)
    assert name not in found(declared, event=event, before=declared)


def test_a_member_that_its_group_does_not_list_is_seen() -> None:
    name = "indexes agree with the records"
    place = Membership(group="g", strategy=GroupStrategy.ONE_FOR_ALL, position=0)
    grouped = web(spec=spec(group=place))
    assert name in found(grouped)
    listed = attrs.evolve(grouped, groups=Table.of([("g", ((0, "web"),))]))
    assert name not in found(listed)
    elsewhere = attrs.evolve(grouped, groups=Table.of([("g", ((1, "web"),))]))
    assert name in found(elsewhere)


def test_a_wait_is_held_to_the_longest_that_its_rule_can_give() -> None:
    name = "no wait exceeds the longest"
    one = story()
    last = one.container().last
    assert last is not None
    limited = attrs.evolve(last, exit=RateLimited(retry_after_ms=90_000))
    for rule, ended, waits, is_seen in (
        (Rule.FAILURE_BACKOFF, last, 60_000, False),
        (Rule.FAILURE_BACKOFF, last, 60_001, True),
        (Rule.OBSTACLE_BACKOFF, limited, 90_000, False),
        (Rule.OBSTACLE_BACKOFF, limited, 90_001, True),
        (Rule.GROUP_RESTART, last, 10**9, False),
        (Rule.CUSTOM_POLICY, last, 10**9, False),
        (Rule.KEPT_ALIVE, None, 60_001, True),
    ):
        phase = BackingOff(since=5, until=5 + waits, rule=rule)
        assert (name in found(web(phase=phase, last=ended))) is is_seen
    patient = attrs.evolve(NO_JITTER, min_interval_ms=70_000)
    phase = BackingOff(since=5, until=70_005, rule=Rule.ALWAYS_AFTER_CLEAN_EXIT)
    assert name not in found(web(phase=phase, spec=spec(policy=patient)))
    slow = attrs.evolve(
        web(phase=phase), settings=FleetSettings(min_restart_delay_ms=70_000)
    )
    assert name not in found(slow)


@pytest.mark.parametrize("group", ["g", "h", None])
def test_a_member_that_is_held_for_nobody_is_seen(group: str | None) -> None:
    name = "nobody is held for nobody"

    def place(group: str) -> Membership:
        return Membership(group=group, strategy=GroupStrategy.ONE_FOR_ALL, position=0)

    theirs = None if group is None else place(group)
    held = attrs.evolve(HELD, rule=Rule.GROUP_HELD, waits_for="db")
    fleet = web(spec=spec(group=place("g")), phase=held)
    assert name in found(fleet), "there is no such member"
    other = Story(spec("db", group=theirs)).container("db")
    for phase, is_down in (
        (PENDING, False),
        (Running(since=0, run=1), False),
        (HELD, True),
        (BACK, True),
        (Failed(since=0, rule=Rule.NEVER_RESTART), True),
    ):
        both = having(fleet, attrs.evolve(other, phase=phase))
        assert (name in found(both)) is not (is_down and group == "g")
    alone = attrs.evolve(HELD, waits_for="")
    assert name not in found(web(phase=alone)), "it holds itself"


def test_a_member_keeps_its_own_wait_when_its_group_lets_it_go() -> None:
    name = "no start before its time"
    waits = attrs.evolve(BACK, waits_for="db", not_before=50)
    held = attrs.evolve(HELD, waits_for="db", not_before=50)
    for phase in (waits, held):
        for at, is_seen in ((49, True), (50, False)):
            start = attrs.evolve(waiting(PENDING), at=at)
            assert (name in found(start, before=waiting(phase))) is is_seen


def test_a_start_whose_time_has_come_is_not_seen() -> None:
    name = "no start before its time"
    due = attrs.evolve(waiting(PENDING), at=10**9)
    assert name not in found(due, before=waiting(BACK))
    assert name in found(attrs.evolve(due, at=10**9 - 1), before=waiting(BACK))
    held = attrs.evolve(waiting(PENDING), at=10**12)
    assert name in found(held, before=waiting(HELD))
    asked = ClearCrashHistory(name="web")
    event = admit(held, asked, held.at).unwrap()
    assert name not in found(held, before=waiting(HELD), event=event)


def test_indexes_that_lie_are_seen() -> None:
    name = "indexes agree with the records"
    assert name in found(waiting(Starting(since=0, run=3)))
    assert name in found(waiting(PENDING))


def test_time_that_runs_backwards_is_seen() -> None:
    assert "time never runs backwards" in found(attrs.evolve(web(), at=0))


def test_trouble_that_nobody_is_told_of_is_seen() -> None:
    name = "trouble is noticed once"
    notify = Notify(url="https://receiver.invalid/")
    settings = FleetSettings(notify=notify)
    calm = attrs.evolve(waiting(PENDING), settings=settings)
    loops = attrs.evolve(waiting(HELD), settings=settings)
    assert name in found(loops, before=calm)
    assert name not in found(attrs.evolve(loops, notices=Notices(count=1)), before=calm)
    assert name in found(attrs.evolve(calm, notices=Notices(count=1)), before=calm)
    silent = attrs.evolve(calm, settings=FleetSettings())
    left = Notices(due=Table.of([((5, 1), None)]))
    assert name in found(attrs.evolve(silent, notices=left), before=silent)
    gone = attrs.evolve(loops, containers=Table[str, Container]())
    assert name not in found(gone, before=loops)


def test_every_invariant_was_planted_above() -> None:
    assert len(INVARIANTS) == 26  # six of them in test_order_laws and test_rollout_laws
    assert found(Story(spec()).fleet, before=Story(spec()).fleet) == set()
