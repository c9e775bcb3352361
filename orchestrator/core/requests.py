"""What an owner may ask for; ``core.admit`` answers with an event or a refusal.

``by`` and ``why`` are kept with the owner's intent, so that ``explain`` can say who
stopped a container and what for. A request with a ``ticket`` is done at most once
(``core.tickets``).
"""

from __future__ import annotations

from typing import TypeAlias

import attrs

from orchestrator.core.fields import Json
from orchestrator.core.policies import RestartPolicy
from orchestrator.core.specs import ContainerSpec, FleetSpec
from orchestrator.core.table import Table
from orchestrator.core.tickets import Ticket

__all__ = (
    "Apply",
    "ClearCrashHistory",
    "Reconcile",
    "Remove",
    "Request",
    "Restart",
    "Start",
    "Stop",
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
    """Make *spec* the fleet's; *expect_revision* refuses when it has moved on."""

    spec: FleetSpec
    expect_revision: int | None = None
    by: str = "owner"
    why: str = ""
    ticket: Ticket | None = None


Request: TypeAlias = (
    Start | Stop | Restart | Remove | ClearCrashHistory | Reconcile | Apply
)
