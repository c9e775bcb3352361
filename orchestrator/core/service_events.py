"""What an owner asked about services and strangers, as ``core.admit`` let it in.

The specs of new containers come with the event, with their names: what a replay makes
of it does not depend on how names are given.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs

from orchestrator.core.fields import LATER
from orchestrator.core.lineages import RolloutAction
from orchestrator.core.moments import Moment
from orchestrator.core.origins import Origin
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.tickets import Ticket

__all__ = (
    "AdoptRequested",
    "Declaration",
    "OrphanStopRequested",
    "RolloutRequested",
    "ScaleRequested",
    "ServiceEvent",
)


@attrs.frozen(kw_only=True, weakref_slot=False)
class Declaration:
    """A spec with the salt that spreads its waits, recorded once and kept."""

    spec: ContainerSpec
    salt: int


@attrs.frozen(kw_only=True, weakref_slot=False)
class ScaleRequested:
    """A scale was admitted; *declarations* are the replicas that come."""

    at: Moment
    service: str
    replicas: int
    declarations: tuple[Declaration, ...] = ()
    by: str = "owner"
    why: str = ""
    ticket: Ticket | None = attrs.field(default=None, metadata=LATER)


@attrs.frozen(kw_only=True, weakref_slot=False)
class AdoptRequested:
    """A stranger was made a container of the fleet: its run goes on, if it can."""

    at: Moment
    name: str
    run: int
    declaration: Declaration
    origin: Origin
    by: str = "owner"
    why: str = ""
    ticket: Ticket | None = attrs.field(default=None, metadata=LATER)


@attrs.frozen(kw_only=True, weakref_slot=False)
class OrphanStopRequested:
    """The end of a stranger was asked for."""

    at: Moment
    name: str
    run: int
    by: str = "owner"
    why: str = ""
    ticket: Ticket | None = attrs.field(default=None, metadata=LATER)


@attrs.frozen(kw_only=True, weakref_slot=False)
class RolloutRequested:
    """Something was asked of a service's rollout; *to* is the revision of an undo."""

    at: Moment
    service: str
    action: RolloutAction
    to: int | None = None
    by: str = "owner"
    why: str = ""
    ticket: Ticket | None = attrs.field(default=None, metadata=LATER)


ServiceEvent: TypeAlias = (
    ScaleRequested | AdoptRequested | OrphanStopRequested | RolloutRequested
)
"""What concerns services and strangers."""
