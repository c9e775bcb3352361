"""Every history of two containers up to a depth: breadth first, no state twice.

The alphabet is small and nasty: requests, news of the live run and of an older one,
looks, outcomes, health checks, and time that goes on to whatever is due next. After
every step every invariant must hold. Two states are the same when they differ only in
how late it is and how high the runs are, which the core looks at by differences alone
(there is no jitter here, and counters of the whole life decide nothing).

``EXHAUSTIVE_DEPTH`` goes deeper; each level takes about seven times as long.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from typing import Any

import attrs
import pytest

from orchestrator.core.backoff import Backoff
from orchestrator.core.errors import NoCapacity, Unreachable
from orchestrator.core.events import (
    Booted,
    CommandAccepted,
    CommandFailed,
    CommandKind,
    ContainerEnded,
    ContainerObserved,
    ContainerReady,
    ContainerStarted,
    Declaration,
    Event,
    FleetObserved,
    HealthChanged,
    SpecApplied,
    StartRequested,
    StopRequested,
    TimeReached,
)
from orchestrator.core.exits import Exited
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.groups import GroupStrategy, Membership
from orchestrator.core.health import CheckKind, HealthCheck, HealthChecks, TcpProbe
from orchestrator.core.invariants import violations
from orchestrator.core.observations import SeenAbsent, SeenRunning, SeenUnreachable
from orchestrator.core.phases import phase_name
from orchestrator.core.policies import CrashLimit, OnLoop, RestartPolicy
from orchestrator.core.reduce import fold, reduce
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import RULES, Container, Fleet, empty_fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.core.wake import wake_at, wake_at_fleet

DEPTH = int(os.environ.get("EXHAUSTIVE_DEPTH", "4"))

NAMES = ("a", "b")
BEGIN = 1_000_000

POLICY = RestartPolicy(
    crash=CrashLimit(window_ms=60_000, allowed_crashes=1, on_loop=OnLoop.COOLDOWN),
    backoff=Backoff(initial_ms=1_000, jitter=0.0, reset_after_ms=60_000),
    start_budget=1,
)


def specs(*, grouped: bool) -> tuple[ContainerSpec, ...]:
    check = HealthCheck(probe=TcpProbe(port="http"))
    return tuple(
        ContainerSpec(
            name=name,
            command=("run",),
            ports=Table.of([("http", 80)]),
            restart=POLICY,
            health=HealthChecks(liveness=check),
            group=Membership(
                group="g", strategy=GroupStrategy.ONE_FOR_ALL, position=place
            )
            if grouped
            else None,
        )
        for place, name in enumerate(NAMES)
    )


def first(*, grouped: bool) -> Fleet:
    """Return the fleet as it is after boot, a look, and the declaration."""
    declared = tuple(Declaration(spec=spec, salt=0) for spec in specs(grouped=grouped))
    settings = FleetSettings(max_concurrent_starts=1)
    return fold(
        empty_fleet("two"),
        (
            Booted(at=BEGIN, epoch=1, rules=RULES, fences=True),
            FleetObserved(at=BEGIN, complete=True),
            SpecApplied(
                at=BEGIN, fleet="two", settings=settings, declarations=declared
            ),
        ),
    )


def next_moment(fleet: Fleet) -> int | None:
    """Return when time alone changes something."""
    wakes = [wake_at(one, fences=True) for one in fleet.containers.values()]
    due = [at for at in (*wakes, wake_at_fleet(fleet)) if at is not None]
    return max(fleet.at, min(due)) if due else None


def alphabet(fleet: Fleet) -> Iterator[Event]:
    """Yield what may happen next."""
    at = fleet.at
    yield FleetObserved(at=at, complete=True)
    moment = next_moment(fleet)
    if moment is not None:
        yield TimeReached(at=moment)
        for name in fleet.containers:
            yield TimeReached(at=moment, name=name)
    for container in fleet.containers.values():
        yield from of_container(container, at)


def of_container(container: Container, at: int) -> Iterator[Event]:
    name, run = container.name, container.run
    key: dict[str, Any] = {"at": at, "name": name, "run": run}
    yield StartRequested(at=at, name=name, force=True)
    yield StopRequested(at=at, name=name)
    yield ContainerStarted(**key)
    yield ContainerReady(**key)
    yield ContainerEnded(**key, exit=Exited(code=0))
    yield ContainerEnded(**key, exit=Exited(code=1))
    yield ContainerEnded(at=at, name=name, run=run - 1, exit=Exited(code=1))
    yield ContainerObserved(**key, sight=SeenAbsent())
    yield ContainerObserved(**key, sight=SeenUnreachable())
    yield ContainerObserved(**key, sight=SeenRunning(ready=True))
    yield CommandAccepted(**key, kind=CommandKind.START)
    yield CommandAccepted(**key, kind=CommandKind.STOP)
    yield CommandFailed(**key, kind=CommandKind.START, error=NoCapacity())
    yield CommandFailed(**key, kind=CommandKind.START, error=Unreachable(cause=""))
    yield CommandFailed(**key, kind=CommandKind.STOP, error=Unreachable(cause=""))
    yield HealthChanged(**key, check=CheckKind.LIVENESS, passing=False)


MOMENTS = {
    *("since", "until", "deadline", "retry_at", "ready_at", "ended_at"),
    *("started_at", "reconciled_at", "restart_at", "not_before"),
}
RUNS = {"run", "run_floor"}
DECIDES_NOTHING = {
    *("changed_at", "desired", "crashes_total", "restarts_total", "startup_ms"),
    *("spec", "salt", "at", "ignored", "rules", "name", "revision", "settings"),
}


def key_of(fleet: Fleet, shapes: Shapes) -> object:
    """Return a fleet without how late it is and how high its runs are."""
    return (
        tuple(
            (name, one.desired.running, shapes.of(one, fleet.at))
            for name, one in fleet.containers.items()
        ),
        tuple((since - fleet.at, name) for since, name in fleet.waiting),
        fleet.observing,
        None if fleet.reconciled_at is None else fleet.reconciled_at - fleet.at,
        tuple(fleet.forgetting),
    )


@cache
def deciding(kind: type) -> tuple[tuple[str, bool, bool], ...] | None:
    """Return the fields of a class that decide: is it a moment, is it a run."""
    if not attrs.has(kind):
        return None
    return tuple(
        (field.name, field.name in MOMENTS, field.name in RUNS)
        for field in attrs.fields(kind)
        if field.name not in DECIDES_NOTHING
    )


def shape(value: Any, at: int, run: int) -> object:
    fields = deciding(value.__class__)
    if fields is None:
        if isinstance(value, tuple):  # the moments of failures
            return tuple(each - at for each in value)
        return tuple(value.items()) if isinstance(value, Table) else value
    parts: list[object] = [type(value).__name__]
    for name, is_moment, is_run in fields:
        part = getattr(value, name)
        if is_moment:
            part = part and part - at
        elif is_run:
            part -= run
        else:
            part = shape(part, at, run)
        parts.append(part)
    return tuple(parts)


@attrs.frozen
class Shapes:
    """Shapes of containers, kept: most steps leave one of the two as it was.

    Records never change, so a record and the moment say all; each is kept here, so
    that its identity is not given away to another.
    """

    known: dict[tuple[int, int], tuple[Container, object]] = attrs.field(factory=dict)

    def of(self, one: Container, at: int) -> object:
        key = (id(one), at)
        if key not in self.known:
            self.known[key] = (one, shape(one, at, one.run))
        return self.known[key][1]


def explored(fleet: Fleet, depth: int) -> tuple[int, int, set[str]]:
    """Go everywhere; return the states, the steps, and the phases seen."""
    shapes = Shapes()
    seen = {key_of(fleet, shapes)}
    level = [(fleet, ())]
    steps, phases = 0, set[str]()
    for _ in range(depth):
        following: list[tuple[Fleet, Any]] = []
        for before, path in level:
            for event in alphabet(before):
                moved = reduce(before, event)
                steps += 1
                step = Step(
                    before=before,
                    event=event,
                    after=moved.fleet,
                    commands=moved.commands,
                    touched=moved.touched,
                )
                assert violations(step) == (), (*path, event)
                key = key_of(moved.fleet, shapes)
                if key not in seen:
                    seen.add(key)
                    following.append((moved.fleet, (*path, event)))
                    phases |= {
                        phase_name(one.phase) for one in moved.fleet.containers.values()
                    }
        level = following
    return len(seen), steps, phases


@pytest.mark.parametrize("grouped", [False, True], ids=["apart", "one_for_all"])
@pytest.mark.timeout(7_200)
def test_every_history_of_two_containers_keeps_every_invariant(
    grouped: bool,  # noqa: FBT001 - a parameter
) -> None:
    states, steps, phases = explored(first(grouped=grouped), DEPTH)
    print(f"depth {DEPTH}: {states} states, {steps} steps")
    assert states > LEAST[min(DEPTH, max(LEAST))]
    assert steps > states
    assert phases >= {"pending", "starting", "running", "stopping", "stopped"}


LEAST = {2: 100, 3: 1_000, 4: 9_000}
"""States that there are at least: else the alphabet has lost its teeth."""


def test_states_are_told_apart_by_what_decides() -> None:
    fleet = first(grouped=False)
    later = attrs.evolve(fleet, at=fleet.at + 1, ignored=7)
    shapes = Shapes()
    assert key_of(fleet, shapes) != key_of(later, shapes)  # waits are shorter now
    counted = attrs.evolve(fleet, ignored=7)
    assert key_of(fleet, shapes) == key_of(counted, shapes)
