"""What an owner may ask for; ``core.admit`` answers with an event or a refusal.

``by`` and ``why`` are kept with the owner's intent, so that ``explain`` can say who
stopped a container and what for. A request with a ``ticket`` is done at most once
(``core.tickets``).
"""

from __future__ import annotations

from typing import TypeAlias

import attrs

from orchestrator.core.fields import Json
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.lineages import RolloutAction
from orchestrator.core.origins import Prune
from orchestrator.core.policies import RestartPolicy
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.core.tickets import Ticket

__all__ = (
    "Adopt",
    "Apply",
    "ClearCrashHistory",
    "Reconcile",
    "Remove",
    "Request",
    "Restart",
    "Roll",
    "Scale",
    "Start",
    "Stop",
    "StopOrphan",
)


@attrs.frozen(kw_only=True)
class Start:
    """Start a container; *spec* None keeps the one it has, or takes the template.

    *config* and *restart_policy* None leave what the spec says.
    """

    name: str
    spec: ContainerSpec | None = None
    config: Table[str, Json] | None = None
    command: tuple[str, ...] | None = None
    restart_policy: RestartPolicy | None = None
    force: bool = False
    by: str = "owner"
    why: str = ""
    ticket: Ticket | None = None


@attrs.frozen(kw_only=True)
class Stop:
    """Stop a container; it stays stopped until it is asked for again."""

    name: str
    by: str = "owner"
    why: str = ""
    ticket: Ticket | None = None


@attrs.frozen(kw_only=True)
class Restart:
    """Stop, confirm, and start with a new run; counts no crash."""

    name: str
    by: str = "owner"
    why: str = ""
    ticket: Ticket | None = None


@attrs.frozen(kw_only=True)
class Remove:
    """Forget an ad-hoc container that is at rest."""

    name: str
    by: str = "owner"
    why: str = ""
    ticket: Ticket | None = None


@attrs.frozen(kw_only=True)
class ClearCrashHistory:
    """Empty the failure history; a held or failed container starts again."""

    name: str
    by: str = "owner"
    why: str = ""
    ticket: Ticket | None = None


@attrs.frozen(kw_only=True)
class Reconcile:
    """Observe now, and close every difference."""

    by: str = "owner"
    why: str = ""
    ticket: Ticket | None = None


@attrs.frozen(kw_only=True)
class Apply:
    """Make *spec* the fleet's; *expect_revision* refuses when it has moved on.

    *prune* takes the place of the fleet's own setting, this once. *keep_scale* keeps
    as many replicas as were scaled to, where the number in the file is still the same.
    """

    spec: FleetSpec
    expect_revision: int | None = None
    prune: Prune | None = None
    keep_scale: bool = False
    by: str = "owner"
    why: str = ""
    ticket: Ticket | None = None


@attrs.frozen(kw_only=True)
class Scale:
    """Have a service run so many replicas, until its number in the file changes."""

    service: str
    replicas: int
    by: str = "owner"
    why: str = ""
    ticket: Ticket | None = None


@attrs.frozen(kw_only=True)
class Adopt:
    """Make a stranger a container of the fleet.

    *service* names the one that it becomes a replica of, "" is none: an ad-hoc
    container. None: the service that its name speaks of, if there is one.
    """

    name: str
    service: str | None = None
    by: str = "owner"
    why: str = ""
    ticket: Ticket | None = None


@attrs.frozen(kw_only=True)
class StopOrphan:
    """End a stranger, and have the platform forget it."""

    name: str
    by: str = "owner"
    why: str = ""
    ticket: Ticket | None = None


@attrs.frozen(kw_only=True)
class Roll:
    """Do something with a service's rollout; *to* is the revision of an undo."""

    service: str
    action: RolloutAction
    to: int | None = None
    by: str = "owner"
    why: str = ""
    ticket: Ticket | None = None


Request: TypeAlias = (
    Start
    | Stop
    | Restart
    | Remove
    | ClearCrashHistory
    | Reconcile
    | Apply
    | Scale
    | Adopt
    | StopOrphan
    | Roll
)
