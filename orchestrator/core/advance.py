"""The heart: one event moves one container.

``advance`` is total: an event that no longer applies returns the very same container
and no command, which is how the fleet knows to count it as ignored. It never starts
a container: it makes it *pending*, and the fleet grants starts (``core.grants``).

| event | what it does is said in |
|---|---|
| the owner's requests | ``core.wishes`` |
| the platform's news, outcomes of commands | ``core.lifecycle`` |
| observations | ``core.sights`` |
| where a run is | ``core.placing`` |
| health checks | ``core.checkups`` |
| time | ``core.timing`` |
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

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
    PlaceObserved,
    RemoveRequested,
    RestartRequested,
    StartRequested,
    StopRequested,
    TimeReached,
)
from orchestrator.core.evolving import evolve
from orchestrator.core.moves import Moved
from orchestrator.core.placing import take_place, without_place
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
    moved, commands = _MOVES[event.__class__](container, event, terms)
    if moved is container:
        return container, commands
    if moved.place and moved.phase is not container.phase:
        moved = without_place(moved, container)
    phase, was = moved.phase, container.phase
    if (
        phase.__class__ is was.__class__  # mostly it is another already
        and phase == was
        and _facts(moved) == _facts(container)
    ):
        return container, commands
    if moved.changed_at != event.at:  # most moves have seen to it themselves
        moved = evolve(moved, changed_at=event.at)
    return moved, commands


_facts: Final = attrgetter(
    *(field.name for field in attrs.fields(Container) if field.name != "changed_at")
)


_MOVES: Final[dict[type, Callable[[Container, Any, Terms], Moved]]] = {
    HealthChanged: lambda it, event, _: checkups.changed(it, event),
    CommandAccepted: lambda it, event, _: (lifecycle.accepted(it, event), ()),
    CommandFailed: lambda it, event, on: (lifecycle.command_failed(it, event, on), ()),
    ContainerStarted: lambda it, event, _: (lifecycle.started(it, event), ()),
    ContainerReady: lambda it, event, _: (lifecycle.ready(it, event), ()),
    ContainerEnded: lambda it, event, on: (lifecycle.ended(it, event, on), ()),
    ContainerErrored: lambda it, event, _: lifecycle.errored(it, event),
    ContainerObserved: see,
    PlaceObserved: lambda it, event, _: (take_place(it, event), ()),
    TimeReached: lambda it, event, on: time_passed(it, event.at, on),
    StartRequested: lambda it, event, _: wishes.start(it, event),
    StopRequested: lambda it, event, _: wishes.stop(it, event),
    RestartRequested: lambda it, event, _: wishes.restart(it, event),
    CrashHistoryCleared: lambda it, event, _: (wishes.clear(it, event), ()),
    RemoveRequested: lambda it, _event, _terms: (it, ()),
}
"""Who moves a container, by the class of the event: looked up, not matched, for a chain
of classes would be walked anew for each event. A test holds it to all there are."""
