"""The heart: one event moves one container.

``advance`` is total: an event that no longer applies returns the very same container
and no command, which is how the fleet knows to count it as ignored. It never starts
a container: it makes it *pending*, and the fleet grants starts (``core.grants``).

| event | what it does is said in |
|---|---|
| the owner's requests | ``core.wishes`` |
| the platform's news, outcomes of commands | ``core.lifecycle`` |
| observations | ``core.sights`` |
| health checks | ``core.checkups`` |
| time | ``core.timing`` |
"""

from __future__ import annotations

from operator import attrgetter
from typing import Final, assert_never

import attrs

from orchestrator.core import checkups, lifecycle, wishes
from orchestrator.core.events import (
    CommandAccepted,
    CommandFailed,
    ContainerEnded,
    ContainerErrored,
    ContainerEvent,
    ContainerObserved,
    ContainerReady,
    ContainerStarted,
    CrashHistoryCleared,
    HealthChanged,
    RemoveRequested,
    RestartRequested,
    StartRequested,
    StopRequested,
    TimeReached,
)
from orchestrator.core.evolving import evolve
from orchestrator.core.moves import Moved
from orchestrator.core.sights import see
from orchestrator.core.state import Container
from orchestrator.core.terms import Terms
from orchestrator.core.timing import time_passed

__all__ = ("advance",)


def advance(
    container: Container,
    event: ContainerEvent | TimeReached,
    terms: Terms,
) -> Moved:
    """Move one container by one event."""
    moved, commands = _move(container, event, terms)
    if moved is container:
        return container, commands
    phase, was = moved.phase, container.phase  # mostly the class is another already
    if type(phase) is type(was) and phase == was and _facts(moved) == _facts(container):
        return container, commands
    if moved.changed_at != event.at:  # most moves have seen to it themselves
        moved = evolve(moved, changed_at=event.at)
    return moved, commands


_facts: Final = attrgetter(
    *(field.name for field in attrs.fields(Container) if field.name != "changed_at")
)


def _move(
    container: Container,
    event: ContainerEvent | TimeReached,
    terms: Terms,
) -> Moved:
    match event:
        case HealthChanged():
            return checkups.changed(container, event)
        case CommandAccepted():
            return lifecycle.accepted(container, event), ()
        case ContainerStarted():
            return lifecycle.started(container, event), ()
        case ContainerReady():
            return lifecycle.ready(container, event), ()
        case ContainerEnded():
            return lifecycle.ended(container, event, terms), ()
        case TimeReached():
            return time_passed(container, event.at, terms)
        case ContainerErrored():
            return lifecycle.errored(container, event)
        case CommandFailed():
            return lifecycle.command_failed(container, event, terms), ()
        case ContainerObserved():
            return see(container, event, terms)
        case StartRequested():
            return wishes.start(container, event)
        case StopRequested():
            return wishes.stop(container, event)
        case RestartRequested():
            return wishes.restart(container, event)
        case CrashHistoryCleared():
            return wishes.clear(container, event), ()
        case RemoveRequested():
            return container, ()
        case _:
            assert_never(event)
