"""What an event costs while services are rolled out, beside one while they start.

A rolling change is played once, with a platform that obeys at once, and its events are
kept. Then they are reduced again from where it began: so what is timed is the core
alone, and the cost of a change of 100 000 replicas follows what changes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Final

import attrs

from orchestrator.core.admit import admit
from orchestrator.core.commands import (
    Command,
    DestroyContainer,
    ForgetContainer,
    ObserveFleet,
    StartContainer,
    StopContainer,
)
from orchestrator.core.events import (
    Booted,
    CommandAccepted,
    CommandKind,
    ContainerEnded,
    ContainerReady,
    ContainerStarted,
    Event,
    FleetObserved,
    TimeReached,
)
from orchestrator.core.exits import Stopped
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.reduce import reduce
from orchestrator.core.requests import Apply
from orchestrator.core.rollout_policies import RolloutPolicy, Share
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import RULES, Fleet, empty_fleet
from orchestrator.core.wake import wake_at_fleet
from orchestrator.runtime.collecting import collecting_seldom
from tests.benchmarks.figures import Asked, Figures, Reached, Sheet, costs
from tests.benchmarks.harness import Case, Goal, interleaved

__all__ = ("ABOUT", "Change", "begun", "figures", "of_services")

ABOUT: Final = (
    "An event during a rolling change of services, beside one of a start without a"
    " rollout, at several numbers of replicas."
)
SERVICES: Final = 10
EVENTS: Final = 5_000
SIZES: Final = (1_000, 10_000, 100_000)
STEP_MS: Final = 5
WHY: Final = (
    "Each replica that is moved gets a new spec, checked as any other, and three times"
    " another place in the index of its rollout."
)


@attrs.frozen(kw_only=True)
class Change:
    """A fleet, and the events that befell it then."""

    fleet: Fleet
    events: tuple[Event, ...]

    def again(self) -> None:
        """Reduce them all once more."""
        fleet = self.fleet
        for event in self.events:
            fleet = reduce(fleet, event).fleet


def of_services(replicas: int, services: int, image: str) -> FleetSpec:
    """Return a fleet file of services that have so many replicas together."""
    policy = RolloutPolicy(max_unavailable=Share(2, is_percent=True))
    rows: list[ContainerSpec] = []
    known: list[Service] = []
    for number in range(services):
        template = ContainerSpec(name=f"web{number:03}", image=image)
        each = replicas // services
        service = Service(template=template, replicas=each, rollout=policy)
        known.append(service)
        rows += (replica_of(service, index) for index in range(each))
    return FleetSpec(
        name="rolling",
        settings=FleetSettings(max_concurrent_starts=1_000),
        containers=tuple(rows),
        services=tuple(known),
    )


@attrs.define
class _World:
    """A fleet and a platform that does at once what it is told."""

    fleet: Fleet = attrs.Factory(lambda: empty_fleet("rolling"))
    coming: deque[Event] = attrs.Factory(deque)

    def happens(self, event: Event) -> Event:
        moved = reduce(self.fleet, event)
        self.fleet = moved.fleet
        for command in moved.commands:
            self.coming.extend(_answers(command))
        return event

    def asked(self, spec: FleetSpec) -> None:
        at = self.fleet.at
        _ = self.happens(admit(self.fleet, Apply(spec=spec), at).unwrap())

    def goes_on(self) -> Iterator[Event]:
        """Yield what happens until nothing does any more."""
        while True:
            at = self.fleet.at + STEP_MS
            due = wake_at_fleet(self.fleet) if self.fleet.rolling else None
            if self.coming:
                yield self.happens(attrs.evolve(self.coming.popleft(), at=at))
            elif due is None:
                return
            else:
                yield self.happens(TimeReached(at=max(at, due), name=None))


def _answers(command: Command) -> Iterator[Event]:
    match command:
        case StartContainer(name=name, run=run):
            kind = CommandKind.START
            yield CommandAccepted(at=0, name=name, run=run, kind=kind)
            yield ContainerStarted(at=0, name=name, run=run)
            yield ContainerReady(at=0, name=name, run=run)
        case StopContainer(name=name, run=run) | DestroyContainer(name=name, run=run):
            kind = CommandKind.STOP
            yield CommandAccepted(at=0, name=name, run=run, kind=kind)
            yield ContainerEnded(at=0, name=name, run=run, exit=Stopped())
        case ForgetContainer(name=name, run=run):
            kind = CommandKind.FORGET
            yield CommandAccepted(at=0, name=name, run=run, kind=kind)
        case ObserveFleet():
            yield FleetObserved(at=0, complete=True)
        case _:
            pass


def begun(replicas: int, services: int, events: int) -> tuple[Change, Change]:
    """Return a start of services, and a rolling change of them half way.

    Each with so many of its events, fewer where it has not so many.
    """
    with collecting_seldom():  # a large fleet is made, and nothing of it is garbage
        return _begun(replicas, services, events)


def _begun(replicas: int, services: int, events: int) -> tuple[Change, Change]:
    world = _World()
    booted = Booted(at=1, epoch=1, rules=RULES, fences=True)
    _ = world.happens(booted)
    world.asked(of_services(replicas, services, "one"))
    _ = [*islice(world.goes_on(), min(replicas, events) // 2)]
    first, started = world.fleet, (*islice(world.goes_on(), events),)
    deque(world.goes_on(), maxlen=0)
    world.asked(of_services(replicas, services, "two"))
    _ = [*islice(world.goes_on(), min(replicas, events) // 2)]
    second, rolled = world.fleet, (*islice(world.goes_on(), events),)
    return Change(fleet=first, events=started), Change(fleet=second, events=rolled)


def figures(asked: Asked) -> Figures:
    """Reduce the events of a start and of a rolling change, at each size."""
    sizes: tuple[int, ...] = (100, 200) if asked.smoke else SIZES[:2]
    if asked.containers is not None:
        sizes = (*(each for each in sizes if each < asked.containers), asked.containers)
    events = 200 if asked.smoke else asked.events or EVENTS
    cases: list[Case] = []
    for size in sizes:
        found = begun(size, SERVICES, events)
        for name, change in zip(("start", "change"), found, strict=True):
            cases.append(_case(f"{name} of {size:,}".replace(",", " "), change))
    timing = interleaved(cases, 1 if asked.smoke else asked.rounds)
    names = [case.name for case in cases]
    goals = [
        Goal(case=names[-1], limit=names[-2], least=0.4, why=WHY),
        Goal(case=names[-1], limit=names[1], least=0.5),
    ]
    reached = tuple(Reached(goal=goal, speed=timing.speed(goal)) for goal in goals)
    sheets: tuple[Sheet, ...] = (costs("An event, reduced", timing),)
    return Figures(sheets=sheets, reached=reached)


def _case(name: str, change: Change) -> Case:
    return Case(name=name, run=change.again, items=len(change.events))
