"""Random walks of a small fleet, held to laws that are written down here once more.

The laws do not ask the core what counts, or what is live: they have tables and sums of
their own, so that a bug in the core's does not hide itself.
"""

from __future__ import annotations

from random import Random
from typing import Any

import attrs
import pytest

from orchestrator.core.commands import (
    DestroyContainer,
    ForgetContainer,
    StartContainer,
    StopContainer,
)
from orchestrator.core.errors import NoCapacity
from orchestrator.core.events import (
    Booted,
    CommandAccepted,
    CommandFailed,
    CommandKind,
    ContainerEnded,
    ContainerErrored,
    ContainerObserved,
    ContainerReady,
    ContainerStarted,
    CrashHistoryCleared,
    Event,
    FleetObserved,
    HealthChanged,
    RestartRequested,
    StartRequested,
    StopRequested,
    TimeReached,
)
from orchestrator.core.exits import (
    Exited,
    Lost,
    OutOfMemory,
    RolledOut,
    Signaled,
    StartFailed,
    Unhealthy,
)
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.groups import GroupStrategy, Membership
from orchestrator.core.health import CheckKind, HealthCheck, HealthChecks, TcpProbe
from orchestrator.core.invariants import violations
from orchestrator.core.observations import SeenUnreachable
from orchestrator.core.phases import (
    BackingOff,
    CrashLooping,
    Running,
    Starting,
    live_run,
)
from orchestrator.core.policies import CrashLimit, OnLoop
from orchestrator.core.reduce import Transition, reduce
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container, Fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from tests.core.examples import NO_JITTER, Story, spec

FAILURES = (Signaled, OutOfMemory, StartFailed, Unhealthy, Lost)
ENDS = (Exited(code=0), Exited(code=1), Exited(code=1), RolledOut(), Lost())
CHECK = HealthCheck(probe=TcpProbe(port="http"))
SETTINGS = FleetSettings(max_concurrent_starts=2, max_starts_per_minute=20)
NAMES = ("a", "b", "c", "x")
WALKS, STEPS = 12, 120


def member(name: str, position: int | None) -> ContainerSpec:
    place = (
        position
        if position is None
        else Membership(
            group="g", strategy=GroupStrategy.ONE_FOR_ALL, position=position
        )
    )
    held = CrashLimit(allowed_crashes=0, on_loop=OnLoop.HOLD)
    loose = CrashLimit(allowed_crashes=1_000)
    return spec(
        name,
        attrs.evolve(NO_JITTER, crash=held if name == "c" else loose),
        group=place,
        ports=Table.of([("http", 80)]),
        health=HealthChecks(readiness=CHECK, liveness=CHECK),
    )


def event(fleet: Fleet, dice: Random) -> Event:
    """Draw what happens next; half of the time nothing that makes sense."""
    name = dice.choice(NAMES)
    container = fleet.containers[name]
    run = container.run + dice.choice((0, 0, 0, 0, -1, 1))
    at = fleet.at + dice.choice((0, 1, 50, 900, 5_000, 40_000))
    until = getattr(container.phase, "until", None)
    kind = dice.choice((CommandKind.START, CommandKind.STOP, CommandKind.DESTROY))
    check = dice.choice((CheckKind.READINESS, CheckKind.LIVENESS))
    same: Any = {"at": at, "name": name, "run": run}
    likely: list[Event] = [
        CommandAccepted(kind=kind, **same),
        ContainerReady(**same),
        ContainerReady(**same),
        CommandFailed(kind=CommandKind.START, error=NoCapacity(), **same),
        HealthChanged(check=CheckKind.READINESS, passing=True, **same),
        ContainerEnded(exit=dice.choice(ENDS), **same),
        ContainerEnded(exit=dice.choice(ENDS), **same),
        TimeReached(at=max(at, until or 0) - dice.choice((0, 0, 1)), name=name),
    ]
    rarely: list[Event] = [
        ContainerStarted(**same),
        HealthChanged(check=check, passing=dice.random() < 0.3, **same),
        ContainerErrored(cause="cut off", **same),
        ContainerObserved(sight=SeenUnreachable(), **same),
        StopRequested(at=at, name=name),
        StartRequested(at=at, name=name, force=dice.random() < 0.5),
        RestartRequested(at=at, name=name),
        CrashHistoryCleared(at=at, name=name),
        FleetObserved(at=at, complete=dice.random() < 0.8),
        Booted(at=at, epoch=fleet.epoch + 1, rules=2, fences=True),
        TimeReached(at=at),
    ]
    return dice.choice(likely if dice.random() < 0.75 else rarely)


def about_another_run(happened: Event, before: Container) -> bool:
    """Say whether an event tells of a run that is not the live one."""
    run = getattr(happened, "run", None)
    return run is not None and run != live_run(before.phase)


def counted(before: Fleet, after: Fleet, names: tuple[str, ...]) -> None:
    """Hold the counters to a table of our own."""
    for name in names:
        old, new = before.containers[name], after.containers[name]
        if new.last == old.last:
            assert new.history.crashes_total == old.history.crashes_total
            continue
        assert new.last is not None
        end = new.last.exit
        failed = isinstance(end, FAILURES) or (isinstance(end, Exited) and end.code > 0)
        grew = new.history.crashes_total - old.history.crashes_total
        assert grew == failed, (name, end)
        if not failed:
            assert new.history.attempts in (0, old.history.attempts), (name, end)


def ordered(before: Fleet, happened: Event, step: Transition) -> None:
    """Hold the commands to what may be commanded."""
    after = step.fleet
    seen: set[str] = set()
    for order in step.commands:
        if not isinstance(order, StartContainer | StopContainer | DestroyContainer):
            assert not isinstance(order, ForgetContainer)
            continue
        assert order.name not in seen, "two at once"
        seen.add(order.name)
        old = before.containers[order.name]
        if isinstance(order, StartContainer):
            is_again = isinstance(old.phase, Starting) and order.run == old.run
            assert is_again or order.run > old.run, "a run is used once"
            assert after.observed
    if isinstance(happened, ContainerObserved | ContainerErrored):
        assert not seen - {
            order.name for order in step.commands if isinstance(order, StartContainer)
        }, "unknown ends nothing"


def waited(before: Fleet, happened: Event, after: Fleet, name: str) -> None:
    """Hold starts to their time, and waits to the longest."""
    old, new = before.containers[name], after.containers[name]
    if isinstance(happened, TimeReached) and isinstance(
        old.phase, BackingOff | CrashLooping
    ):
        early = old.phase.until is None or happened.at < old.phase.until
        assert not early or new.phase == old.phase
    if isinstance(new.phase, BackingOff) and new.phase.rule == "failure_backoff":
        assert new.phase.until - new.phase.since <= 60_000
    if isinstance(happened, HealthChanged) and happened.name == name:
        is_readiness = happened.check is CheckKind.READINESS
        if is_readiness and isinstance(old.phase, Running):
            assert isinstance(new.phase, Running)


def held_for_somebody(fleet: Fleet) -> None:
    phases = [fleet.containers[name].phase for name in "abc"]
    rules = {str(getattr(phase, "rule", "")) for phase in phases}
    if "group_held" in rules:
        assert "crash_loop_hold" in rules, rules


@pytest.mark.parametrize("seed", range(WALKS))
def test_a_walk_obeys_the_laws(seed: int) -> None:
    dice = Random(seed)
    story = Story(
        *(member(name, n) for n, name in enumerate("abc")),
        member("x", None),
        settings=SETTINGS,
    )
    fleet = story.fleet
    for _ in range(STEPS):
        happened = event(fleet, dice)
        step = reduce(fleet, happened)
        after = step.fleet
        told = Step(
            before=fleet,
            event=happened,
            after=after,
            commands=step.commands,
            touched=step.touched,
        )
        assert violations(told) == (), happened
        ordered(fleet, happened, step)
        counted(fleet, after, NAMES)
        name = getattr(happened, "name", None)
        if name is not None and about_another_run(happened, fleet.containers[name]):
            assert after.containers[name].history == fleet.containers[name].history
            assert after.containers[name].last == fleet.containers[name].last
        for each in NAMES:
            waited(fleet, happened, after, each)
        starting = [n for n in NAMES if isinstance(after.containers[n].phase, Starting)]
        assert list(after.starting) == starting
        assert len(starting) <= SETTINGS.max_concurrent_starts
        held_for_somebody(after)
        fleet = after


def test_the_walks_go_everywhere() -> None:
    """A law is worth nothing where nobody walks."""
    seen: set[str] = set()
    for seed in range(WALKS):
        dice = Random(seed)
        fleet = Story(
            *(member(name, n) for n, name in enumerate("abc")),
            member("x", None),
            settings=SETTINGS,
        ).fleet
        for _ in range(STEPS):
            fleet = reduce(fleet, event(fleet, dice)).fleet
            for container in fleet.containers.values():
                seen.add(type(container.phase).__name__)
                seen.add(str(getattr(container.phase, "rule", "")))
    assert seen >= {
        *("Pending", "Starting", "Running", "Stopping", "Stopped", "Unknown"),
        *("Completed", "BackingOff", "CrashLooping"),
        *("failure_backoff", "crash_loop_hold", "obstacle_backoff", "rolled_out"),
        *("group_restart", "group_held", "clean_exit"),
    }


def test_what_is_applied_again_moves_nothing() -> None:
    story = Story(member("a", 0), settings=SETTINGS).accepted("a").ready("a")
    again = story.apply(member("a", 0), settings=SETTINGS)
    before = story.container("a")
    story.asked(again)
    assert story.container("a") == before
