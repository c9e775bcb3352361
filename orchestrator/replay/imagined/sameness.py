"""Whether a container goes in a hypothesis as it went, and what still concerns it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import attrs

from orchestrator.core.commands import Command, FleetCommand
from orchestrator.core.events import (
    CommandAccepted,
    CommandFailed,
    CommandKind,
    ContainerEnded,
    ContainerErrored,
    ContainerObserved,
    ContainerReady,
    ContainerStarted,
    Event,
    HealthChanged,
    TimeReached,
)
from orchestrator.core.fingerprints import fingerprint
from orchestrator.core.moments import Moment
from orchestrator.core.phases import Phase, Running, live_run
from orchestrator.core.state import Container, Fleet
from orchestrator.core.steps import Step
from orchestrator.core.uptimes import begun
from orchestrator.core.wake import wake_at
from orchestrator.replay.imagined.lives import News

__all__ = (
    "Told",
    "about_live_run",
    "accepted_instead",
    "begins_another",
    "commands_for",
    "due_of",
    "fitting",
    "goes_alike",
    "is_news",
    "listens",
    "named_in",
)


Told: TypeAlias = News | CommandAccepted | CommandFailed
"""What a platform tells: news of runs, and what came of commands."""


def goes_alike(one: Container | None, other: Container | None) -> bool:
    """Say whether two records are of a container that is in the same place.

    By whichever rule it got there, and whatever is counted of its past: that makes a
    difference with the step that it leads to, and not before.
    """
    if one is None or other is None:
        return one is other
    return (
        one.run == other.run
        and one.desired.running is other.desired.running
        and one.leaving is other.leaving
        and _same_phase(one.phase, other.phase)
    )


def _same_phase(one: Phase, other: Phase) -> bool:
    if type(one) is not type(other):
        return False
    rule = getattr(one, "rule", None)
    return one == (other if rule is None else attrs.evolve(other, rule=rule))


def begins_another(was: Container, now: Container, step: Step) -> bool:
    """Say whether a step begins a run of another spec, *now*, than the record's, *was*.

    Only what runs makes a spec another, not how the operator looks after it.
    """
    if was.spec is now.spec or all(one.name != now.name for one in begun(step)):
        return False
    return fingerprint(was.spec) != fingerprint(now.spec)


def listens(container: Container | None, run: int) -> bool:
    """Say whether a run of a container accepts work, whatever its checks say."""
    phase = None if container is None else container.phase
    return isinstance(phase, Running) and phase.run == run and phase.is_listening


def named_in(step: Step) -> Iterable[str]:
    """Yield who is touched or commanded by a step."""
    yield from step.touched
    for command in step.commands:
        if not isinstance(command, FleetCommand):
            yield command.name


def commands_for(name: str, step: Step | None) -> tuple[Command, ...]:
    """Return the commands of a step that are about one container."""
    given = () if step is None else step.commands
    return tuple(one for one in given if getattr(one, "name", None) == name)


def due_of(fleet: Fleet, name: str) -> Moment | None:
    """Return when time alone changes a container of a fleet; None: never."""
    container = fleet.containers.get(name)
    return None if container is None else wake_at(container, fences=fleet.fences)


def fitting(event: Event, record: Fleet, world: Fleet) -> Event | None:
    """Return news of a record as they would be told of another spec; None: not at all.

    A check that the other spec has not was not asked, a timer that would not have gone
    off yet did not, and what was started from the spec would have been from the other.
    """
    name: str | None = getattr(event, "name", None)
    was = None if name is None else record.containers.get(name)
    now = None if name is None else world.containers.get(name)
    if was is None or now is None:
        return event
    match event:
        case HealthChanged(check=check) if now.spec.health.get(check) is None:
            return event if was.spec.health.get(check) is None else None
        case TimeReached():
            due = due_of(world, now.name)
            is_due = due is not None and event.at >= due
            return event if is_due or due == due_of(record, now.name) else None
        case ContainerObserved(fingerprint=mark) if mark == fingerprint(was.spec):
            return attrs.evolve(event, fingerprint=fingerprint(now.spec))
        case _:
            return event


def accepted_instead(event: Event) -> Event | None:
    """Return what happens in place of an event that did not: a failure, accepted."""
    if not isinstance(event, CommandFailed):
        return None
    return CommandAccepted(at=event.at, name=event.name, run=event.run, kind=event.kind)


def is_news(event: Told, fleet: Fleet) -> bool:
    """Say whether an event that is played still concerns whom it is about."""
    match event:
        case CommandAccepted(kind=CommandKind.FORGET, name=name, run=run):
            return fleet.forgetting.get(name) == run
        case HealthChanged(name=name, run=run, check=check):
            container = fleet.containers.get(name)
            return (
                container is not None
                and live_run(container.phase) == run
                and container.spec.health.get(check) is not None
            )
        case _:
            container = fleet.containers.get(event.name)
            return container is not None and live_run(container.phase) == event.run


def about_live_run(event: Event, fleet: Fleet) -> Event:
    """Return an event that names run 0 as one about the run that is live now."""
    match event:
        case (
            ContainerStarted(name=name, run=0)
            | ContainerReady(name=name, run=0)
            | ContainerEnded(name=name, run=0)
            | ContainerErrored(name=name, run=0)
            | ContainerObserved(name=name, run=0)
            | HealthChanged(name=name, run=0)
            | CommandFailed(name=name, run=0)
        ):
            container = fleet.containers.get(name)
            run = 0 if container is None else container.run
            return attrs.evolve(event, run=run)
        case _:
            return event
