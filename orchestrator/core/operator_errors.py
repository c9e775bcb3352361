"""What may keep an operator from doing what it was asked for."""

from __future__ import annotations

from typing import ClassVar

import attrs

from orchestrator.core.moments import Millis, Moment, format_duration

__all__ = (
    "LeaseHeld",
    "NotLeader",
    "OperatorClosed",
    "PartialReconcile",
    "ReconcileFailed",
)


@attrs.frozen(kw_only=True)
class ReconcileFailed:
    """The platform could not be observed, so nothing was compared."""

    code: ClassVar[str] = "reconcile_failed"
    cause: str

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"reconcile failed: {self.cause}"


@attrs.frozen(kw_only=True)
class PartialReconcile:
    """Some containers could not be brought to what was asked for."""

    code: ClassVar[str] = "partial_reconcile"
    failed: tuple[str, ...]
    success_count: int

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return (
            f"{len(self.failed)} of {len(self.failed) + self.success_count} containers"
            f" failed: {', '.join(self.failed)}"
        )


@attrs.frozen(kw_only=True)
class OperatorClosed:
    """The operator is shutting down and accepts nothing more."""

    code: ClassVar[str] = "operator_closed"

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return "the operator is shutting down"


@attrs.frozen(kw_only=True)
class LeaseHeld:
    """Another operator leads the fleet, and its lease has not run out.

    ``holder`` is that operator's name, ``since`` when it took over; the lease runs out
    in ``expires_in_ms`` unless it is renewed.
    """

    code: ClassVar[str] = "lease_held"
    holder: str
    since: Moment
    expires_in_ms: Millis

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return (
            f"{self.holder} leads this fleet; its lease runs for another"
            f" {format_duration(self.expires_in_ms)} unless it is renewed"
        )


@attrs.frozen(kw_only=True)
class NotLeader:
    """A standby was asked for what only the leader does.

    ``leader`` is the name of the operator that leads, ``since`` when it took over;
    both None where nobody does, as far as the standby knows.
    """

    code: ClassVar[str] = "not_leader"
    leader: str | None = None
    since: Moment | None = None

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        leads = "nobody leads now" if self.leader is None else f"{self.leader} leads"
        return f"this operator is a standby: {leads}"
