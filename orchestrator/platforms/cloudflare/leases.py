"""The lease of a fleet, as its registry object at the gateway keeps it.

It has connections of its own, and a hold of its own: a gateway that wants no orders for
a while, or takes long over them, does not keep a lease from being renewed.
"""

from __future__ import annotations

from returns.result import Failure, Result, Success

from orchestrator.core.errors import LeaseHeld, PlatformError, Refused
from orchestrator.core.moments import Millis
from orchestrator.platforms.cloudflare.http import Gateway, HeldByAnother, Tree
from orchestrator.platforms.leases import Claim, LeaseInfo, lease_of

__all__ = ("Leases", "refused")


class Leases:
    """Asks the gateway about the lease of one fleet, and for it."""

    def __init__(self, gateway: Gateway, fleet: str) -> None:
        """Ask about the lease of *fleet*; the *gateway* is for this alone."""
        self._gateway = gateway
        self._path = f"fleets/{fleet}"

    async def attach(
        self, after: int, orphan_after_ms: Millis | None, claim: Claim | None
    ) -> Result[int, PlatformError | LeaseHeld]:
        """Ask for an epoch, and with a claim for the lease; return the epoch."""
        body: Tree = {"after": after, "orphan_after_ms": orphan_after_ms}
        if claim is not None:
            body["lease"] = {"holder": claim.holder, "ms": claim.ms}
        answer = await self._gateway.post(f"{self._path}/attach", body)
        if isinstance(answer, Failure):
            return Failure(_held(answer.failure()))
        return _granted(answer.unwrap(), claim)

    async def renew(self, epoch: int) -> Result[LeaseInfo, PlatformError]:
        """Renew the lease of an epoch."""
        told = await self._gateway.post(f"{self._path}/lease/renew", {"epoch": epoch})
        return told.bind(_read)

    async def release(self, epoch: int) -> Result[None, PlatformError]:
        """Release the lease of an epoch."""
        told = await self._gateway.post(f"{self._path}/lease/release", {"epoch": epoch})
        return told.map(lambda _: None)

    async def now(self) -> Result[LeaseInfo | None, PlatformError]:
        """Say whose lease is in force, if anybody's."""
        told = await self._gateway.get(f"{self._path}/lease")
        return told.bind(_in_force)

    async def close(self) -> None:
        """Let go of the connections; what is asked later is ``Unreachable``."""
        await self._gateway.close()


def _held(error: PlatformError) -> PlatformError | LeaseHeld:
    if isinstance(error, HeldByAnother):
        return LeaseHeld(
            holder=error.holder, since=error.since, expires_in_ms=error.expires_in_ms
        )
    return error


def _granted(tree: Tree, claim: Claim | None) -> Result[int, PlatformError | LeaseHeld]:
    epoch, lease = tree.get("epoch"), lease_of(tree.get("lease"))
    if type(epoch) is not int:
        return Failure(Refused(cause="the gateway granted no epoch"))
    if claim is not None and (lease is None or lease.holder != claim.holder):
        cause = "the gateway knows no leases: deploy it again, with this release"
        return Failure(Refused(cause=cause))
    return Success(epoch)


def refused(error: PlatformError | LeaseHeld) -> PlatformError:
    """Return why somebody was not let in who has asked for no lease."""
    return Refused(cause=error.message) if isinstance(error, LeaseHeld) else error


def _read(tree: Tree) -> Result[LeaseInfo, PlatformError]:
    lease = lease_of(tree)
    if lease is None:
        return Failure(Refused(cause="the gateway's answer is no lease"))
    return Success(lease)


def _in_force(tree: Tree) -> Result[LeaseInfo | None, PlatformError]:
    if tree.get("holder", "") is None:
        return Success(None)
    return _read(tree).map(lambda lease: lease if lease.expires_in_ms else None)
