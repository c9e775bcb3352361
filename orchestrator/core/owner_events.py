"""What an owner asked for, of containers and of the whole fleet, and was let in.

Those about services are in ``core.service_events``.
"""

from __future__ import annotations

import attrs

from orchestrator.core.fields import LATER
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.moments import Moment
from orchestrator.core.origins import Prune
from orchestrator.core.service_events import Declaration
from orchestrator.core.services import Service
from orchestrator.core.tickets import Ticket

__all__ = (
    "CrashHistoryCleared",
    "ReconcileRequested",
    "RemoveRequested",
    "RestartRequested",
    "SpecApplied",
    "StartRequested",
    "StopRequested",
)


@attrs.frozen(kw_only=True, weakref_slot=False)
class SpecApplied:
    """The owner's fleet; what is not declared in it any more is pruned."""

    at: Moment
    fleet: str
    settings: FleetSettings
    declarations: tuple[Declaration, ...]
    by: str = "owner"
    why: str = ""
    ticket: Ticket | None = attrs.field(default=None, metadata=LATER)
    prune: Prune | None = attrs.field(default=None, metadata=LATER)
    services: tuple[Service, ...] = attrs.field(default=(), metadata=LATER)


@attrs.frozen(kw_only=True, weakref_slot=False)
class StartRequested:
    """A start was admitted; *declaration* where the spec is new or changed."""

    at: Moment
    name: str
    declaration: Declaration | None = None
    force: bool = False
    by: str = "owner"
    why: str = ""
    ticket: Ticket | None = attrs.field(default=None, metadata=LATER)


@attrs.frozen(kw_only=True, weakref_slot=False)
class StopRequested:
    """A stop was admitted."""

    at: Moment
    name: str
    by: str = "owner"
    why: str = ""
    ticket: Ticket | None = attrs.field(default=None, metadata=LATER)


@attrs.frozen(kw_only=True, weakref_slot=False)
class RestartRequested:
    """A restart was admitted."""

    at: Moment
    name: str
    by: str = "owner"
    why: str = ""
    ticket: Ticket | None = attrs.field(default=None, metadata=LATER)


@attrs.frozen(kw_only=True, weakref_slot=False)
class RemoveRequested:
    """A removal was admitted."""

    at: Moment
    name: str
    by: str = "owner"
    why: str = ""
    ticket: Ticket | None = attrs.field(default=None, metadata=LATER)


@attrs.frozen(kw_only=True, weakref_slot=False)
class CrashHistoryCleared:
    """The owner emptied the failure history."""

    at: Moment
    name: str
    by: str = "owner"
    why: str = ""
    ticket: Ticket | None = attrs.field(default=None, metadata=LATER)


@attrs.frozen(kw_only=True, weakref_slot=False)
class ReconcileRequested:
    """The owner asked for a reconcile."""

    at: Moment
    by: str = "owner"
    why: str = ""
    ticket: Ticket | None = attrs.field(default=None, metadata=LATER)
