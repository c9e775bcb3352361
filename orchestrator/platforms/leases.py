"""The right to lead a fleet for a while: who has it, who asks for it, who grants it.

A lease says *when* another operator may take over, and nothing more: that never two of
them change a fleet is the work of the epoch, which each attach makes higher and each
order carries. So a clock that is wrong delays a take-over, or has one begin too soon;
it has no order of an older operator carried out.
"""

from __future__ import annotations

from typing import Any, Final, Protocol, cast, runtime_checkable

import attrs
from attrs.validators import ge, instance_of, le
from returns.future import FutureResult

from orchestrator.core.errors import LeaseHeld, PlatformError
from orchestrator.core.fields import holds
from orchestrator.core.moments import Millis, Moment
from orchestrator.platforms.port import Attachment, Platform

__all__ = (
    "HOLDER_MAX",
    "LEASE_MS_MAX",
    "LEASE_MS_MIN",
    "Claim",
    "LeaseInfo",
    "LeasingPlatform",
    "lease_of",
)

LEASE_MS_MIN: Final[Millis] = 1_000
LEASE_MS_MAX: Final[Millis] = 600_000
"""What a gateway grants: a shorter one costs requests, a longer one a long wait."""

HOLDER_MAX: Final = 128
"""Characters of the name of whoever leads."""


def _is_holder(value: object) -> bool:
    return (
        isinstance(value, str) and 1 <= len(value) <= HOLDER_MAX and value.isprintable()
    )


@attrs.frozen(kw_only=True)
class Claim:
    """Who wants to lead, and for how long each time that it is granted or renewed.

    ``holder`` is a name of the process, another one after each start.
    """

    holder: str = attrs.field(
        validator=holds(_is_holder, f"1 to {HOLDER_MAX} printable characters")
    )
    ms: Millis = attrs.field(
        validator=[instance_of(int), ge(LEASE_MS_MIN), le(LEASE_MS_MAX)]
    )


@attrs.frozen(kw_only=True)
class LeaseInfo:
    """A lease as the platform has it: whose, since when, for how long yet.

    ``since`` is the platform's moment of the attach that began it; ``expires_in_ms``
    counts from the answer, 0 where it has run out and nobody has taken it.
    """

    epoch: int
    holder: str
    since: Moment
    ms: Millis
    expires_in_ms: Millis


@runtime_checkable
class LeasingPlatform(Platform, Protocol):
    """A platform that grants the right to lead for a while.

    The laws (``orchestrator.testing.leases``): while a lease is in force nobody else
    is granted an epoch; one that has run out, or was released, is nobody's; only the
    newest epoch renews and releases.
    """

    def attach_as(
        self, after: int, claim: Claim
    ) -> FutureResult[Attachment, PlatformError | LeaseHeld]:
        """Take over as ``attach`` does, and have the lease; or say who has it."""
        ...

    def renew(self, epoch: int) -> FutureResult[LeaseInfo, PlatformError]:
        """Have the lease for its whole length again; ``StaleOperator`` if it has gone.

        One that has run out, and that nobody has taken since, is renewed, too.
        """
        ...

    def release(self, epoch: int) -> FutureResult[None, PlatformError]:
        """Let go of the lease at once: another operator may attach."""
        ...

    def lease(self) -> FutureResult[LeaseInfo | None, PlatformError]:
        """Say whose lease is in force; None: nobody's. It changes nothing."""
        ...


def lease_of(told: object) -> LeaseInfo | None:
    """Read a lease as a gateway writes it; None where it is none.

    >>> lease_of({"holder": None, "epoch": 3})

    """
    if not isinstance(told, dict):
        return None
    match cast("dict[str, Any]", told):
        case {
            "epoch": int(epoch),
            "holder": str(holder),
            "since": int(since),
            "ms": int(ms),
            "expires_in_ms": int(expires_in_ms),
        }:
            return LeaseInfo(
                epoch=epoch,
                holder=holder,
                since=since,
                ms=ms,
                expires_in_ms=max(0, expires_in_ms),
            )
        case _:
            return None
