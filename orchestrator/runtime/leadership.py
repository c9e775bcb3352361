"""Who leads a fleet, as one operator knows it: a value that is shown."""

from __future__ import annotations

from enum import StrEnum

import attrs

from orchestrator.core.moments import Millis, Moment

__all__ = ("Leadership", "Role")


class Role(StrEnum):
    """What an operator is to its fleet."""

    LEADER = "leader"
    STANDBY = "standby"


@attrs.frozen(kw_only=True)
class Leadership:
    """Who leads, since when, and what the operator that was asked is beside that.

    ``leader`` is the name of the process that leads: None where nobody does, or where
    it has no lease. ``since`` is when it took over, None where that is not known;
    ``lease_ms`` how long its lease is, None without one, and ``expires_in_ms`` how long
    it runs yet unless it is renewed. ``lag_rows`` are rows of the journal that a
    standby knows of and has not folded; ``takeovers`` counts how often this process has
    come to lead.
    """

    role: Role
    epoch: int
    leader: str | None = None
    since: Moment | None = None
    lease_ms: Millis | None = None
    expires_in_ms: Millis | None = None
    lag_rows: int = 0
    takeovers: int = 0
