"""What happened: the only thing that changes a fleet, and all that is journaled.

Every event carries ``at``, the operator's stamp of its arrival, which never runs
backwards. Three families:

* the owner's, made by ``core.admit`` (those of ``core.owner_events`` and
  ``core.service_events``);
* the platform's, about one run (``ContainerStarted`` ... ``CommandFailed``);
  ``cursor`` is the place in the platform's stream after which to go on;
* the operator's own (``Booted``, ``TimeReached``, ``FleetObserved``; those of
  ``core.notices`` and ``core.loads``).
"""

from __future__ import annotations

from typing import TypeAlias

import attrs

from orchestrator.core.commands import COMMAND_KINDS, CommandKind
from orchestrator.core.errors import PlatformError, StartError
from orchestrator.core.evolving import all_quick
from orchestrator.core.exits import Exit
from orchestrator.core.fields import LATER
from orchestrator.core.health import CheckKind
from orchestrator.core.loads import MeasuredEvent
from orchestrator.core.moments import Moment
from orchestrator.core.notices import NoticeEvent
from orchestrator.core.observations import Sight
from orchestrator.core.owner_events import (
    CrashHistoryCleared,
    ReconcileRequested,
    RemoveRequested,
    RestartRequested,
    SpecApplied,
    StartRequested,
    StopRequested,
)
from orchestrator.core.service_events import Declaration, ServiceEvent
from orchestrator.core.table import Table

__all__ = (
    "COMMAND_KINDS",
    "Booted",
    "CommandAccepted",
    "CommandFailed",
    "CommandKind",
    "ContainerEnded",
    "ContainerErrored",
    "ContainerEvent",
    "ContainerObserved",
    "ContainerReady",
    "ContainerStarted",
    "CrashHistoryCleared",
    "Declaration",
    "Event",
    "FleetEvent",
    "FleetObserved",
    "HealthChanged",
    "LifecycleEvent",
    "OwnerEvent",
    "PlaceObserved",
    "ReconcileRequested",
    "RemoveRequested",
    "RestartRequested",
    "SpecApplied",
    "StartRequested",
    "StopRequested",
    "TimeReached",
)


@attrs.frozen(kw_only=True, weakref_slot=False)
class ContainerStarted:
    """A process of the run exists."""

    at: Moment
    name: str
    run: int
    source_at: Moment | None = None
    cursor: str = ""


@attrs.frozen(kw_only=True, weakref_slot=False)
class ContainerReady:
    """The run accepts work; *addresses* by the name of the port."""

    at: Moment
    name: str
    run: int
    addresses: Table[str, str] = Table()
    source_at: Moment | None = None
    cursor: str = ""


@attrs.frozen(kw_only=True, weakref_slot=False)
class ContainerEnded:
    """The run has ended."""

    at: Moment
    name: str
    run: int
    exit: Exit
    source_at: Moment | None = None
    cursor: str = ""


@attrs.frozen(kw_only=True, weakref_slot=False)
class ContainerErrored:
    """The platform lost sight of the run; it may or may not be alive."""

    at: Moment
    name: str
    run: int
    cause: str
    source_at: Moment | None = None
    cursor: str = ""


@attrs.frozen(kw_only=True, weakref_slot=False)
class HealthChanged:
    """A health check of the run has another verdict; *cause* says why, without secrets.

    Single answers are counted (``core.tallies``) and never become events.
    """

    at: Moment
    name: str
    run: int
    check: CheckKind
    passing: bool
    cause: str = ""


@attrs.frozen(kw_only=True, weakref_slot=False)
class ContainerObserved:
    """An observation differs from what the fleet believes."""

    at: Moment
    name: str
    run: int
    sight: Sight
    fingerprint: str = ""


@attrs.frozen(kw_only=True, weakref_slot=False)
class PlaceObserved:
    """The platform says where the run is; only what is news is told."""

    at: Moment
    name: str
    run: int
    place: str


@attrs.frozen(kw_only=True, weakref_slot=False)
class CommandAccepted:
    """The platform has taken a command on."""

    at: Moment
    name: str
    run: int
    kind: CommandKind


@attrs.frozen(kw_only=True, weakref_slot=False)
class CommandFailed:
    """A command was not carried out, or nobody knows whether it was."""

    at: Moment
    name: str
    run: int
    kind: CommandKind
    error: PlatformError | StartError


@attrs.frozen(kw_only=True, weakref_slot=False)
class Booted:
    """An operator took over; *rules* numbers the decisions of its code."""

    at: Moment
    epoch: int
    rules: int
    fences: bool = False
    rolls: bool = attrs.field(default=False, metadata=LATER)


@attrs.frozen(kw_only=True, weakref_slot=False)
class FleetObserved:
    """A look at the platform is over; *strangers* belong to nobody here."""

    at: Moment
    complete: bool
    strangers: Table[str, int] = Table()
    cause: str = ""


@attrs.frozen(kw_only=True, weakref_slot=False)
class TimeReached:
    """Time has passed for a container, or for the fleet (None)."""

    at: Moment
    name: str | None = None


OwnerEvent: TypeAlias = (
    SpecApplied
    | StartRequested
    | StopRequested
    | RestartRequested
    | RemoveRequested
    | CrashHistoryCleared
    | ReconcileRequested
    | ServiceEvent
)
"""What an owner asked for and ``core.admit`` let in; each may carry a ticket."""

LifecycleEvent: TypeAlias = (
    ContainerStarted | ContainerReady | ContainerEnded | ContainerErrored
)
"""What a platform's stream tells, at least once."""

ContainerEvent: TypeAlias = (
    LifecycleEvent
    | StartRequested
    | StopRequested
    | RestartRequested
    | RemoveRequested
    | CrashHistoryCleared
    | ContainerObserved
    | HealthChanged
    | PlaceObserved
    | CommandAccepted
    | CommandFailed
)
"""What concerns one container (``TimeReached`` may, too)."""

FleetEvent: TypeAlias = (
    Booted
    | SpecApplied
    | ReconcileRequested
    | FleetObserved
    | ServiceEvent
    | MeasuredEvent
)
"""What concerns the fleet as a whole."""

Event: TypeAlias = ContainerEvent | FleetEvent | NoticeEvent | TimeReached

all_quick(Event)
