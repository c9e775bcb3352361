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

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

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
from orchestrator.core.moves import Moved, exact
from orchestrator.core.placing import take_place
from orchestrator.core.sights import see
from orchestrator.core.state import Container
from orchestrator.core.terms import Terms
from orchestrator.core.timing import time_passed

__all__ = ("MOVES", "Move", "advance")

Move: TypeAlias = Callable[[Container, Any, Terms], Moved]
"""What an event of one class does to a container, with what has to be done."""


def advance(
    container: Container,
    event: ContainerEvent | TimeReached,
    terms: Terms,
) -> Moved:
    """Move one container by one event."""
    return MOVES[event.__class__](container, event, terms)


def _exact(move: Move) -> Move:
    """Have a move tell whether it has changed anything, and when: as of the event."""

    def exactly(container: Container, event: Any, terms: Terms) -> Moved:
        moved, commands = move(container, event, terms)
        return exact(container, moved, event.at), commands

    return exactly


def _take_place(container: Container, event: PlaceObserved, _terms: Terms) -> Moved:
    return take_place(container, event), ()


def _stay(container: Container, _event: RemoveRequested, _terms: Terms) -> Moved:
    """Change nothing: the fleet removes it (``core.declare``)."""
    return container, ()


MOVES: Final[Mapping[type, Move]] = {
    HealthChanged: checkups.changed,
    CommandAccepted: lifecycle.accepted,
    CommandFailed: _exact(lifecycle.command_failed),
    ContainerStarted: lifecycle.started,
    ContainerReady: lifecycle.ready,
    ContainerEnded: lifecycle.ended,
    ContainerErrored: _exact(lifecycle.errored),
    ContainerObserved: _exact(see),
    PlaceObserved: _exact(_take_place),
    TimeReached: _exact(time_passed),
    StartRequested: _exact(wishes.start),
    StopRequested: _exact(wishes.stop),
    RestartRequested: _exact(wishes.restart),
    CrashHistoryCleared: _exact(wishes.clear),
    RemoveRequested: _stay,
}
"""Who moves a container, by the class of the event: looked up, not matched, for a chain
of classes would be walked anew for each event. A test holds it to all there are.

Those that come most often are exact by themselves; a property holds all of them to it.
"""
