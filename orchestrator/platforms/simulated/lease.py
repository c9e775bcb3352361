"""The lease of a fleet in the model: what a gateway keeps of it, without its clock.

Times are given; nothing here knows what time it is, and nothing is decided but whose
the lease is. Faults of the way to it are in ``platforms.simulated.lines``.
"""

from __future__ import annotations

import attrs
from returns.result import Failure, Result, Success

from orchestrator.core.errors import LeaseHeld, PlatformError, StaleOperator
from orchestrator.core.moments import Moment
from orchestrator.platforms.leases import Claim, LeaseInfo

__all__ = ("Lease",)


@attrs.define(kw_only=True)
class Lease:
    """Who leads, until when; ``highest`` is the newest epoch that was granted."""

    highest: int = 0
    _claim: Claim | None = None
    _since: Moment = 0
    _until: Moment = 0

    def attach(
        self, after: int, claim: Claim | None, at: Moment
    ) -> Result[int, LeaseHeld]:
        """Grant the next epoch, unless somebody else has the lease."""
        held = self.held(at)
        mine = None if claim is None else claim.holder
        if held is not None and held.holder != mine:
            return Failure(
                LeaseHeld(
                    holder=held.holder,
                    since=held.since,
                    expires_in_ms=held.expires_in_ms,
                )
            )
        self.highest = max(self.highest, after) + 1
        self._claim, self._since = claim, at
        self._extend(at)
        return Success(self.highest)

    def renew(self, epoch: int, at: Moment) -> Result[LeaseInfo, PlatformError]:
        """Have it run for its whole length again, if *epoch* is the newest."""
        stale = self.stale(epoch)
        if stale is not None:
            return Failure(stale)
        self._extend(at)
        held = self.held(at)
        if held is None:
            return Failure(StaleOperator(epoch=epoch, highest=self.highest))
        return Success(held)

    def release(self, epoch: int) -> Result[None, PlatformError]:
        """Have it be nobody's, if *epoch* is the newest."""
        stale = self.stale(epoch)
        if stale is not None:
            return Failure(stale)
        self._claim = None
        return Success(None)

    def held(self, at: Moment) -> LeaseInfo | None:
        """Say whose it is; None where nobody has it, or it has run out."""
        claim = self._claim
        if claim is None or at >= self._until:
            return None
        return LeaseInfo(
            epoch=self.highest,
            holder=claim.holder,
            since=self._since,
            ms=claim.ms,
            expires_in_ms=self._until - at,
        )

    def stale(self, epoch: int) -> StaleOperator | None:
        """Return why an order of *epoch* is not taken, if so."""
        if epoch < self.highest:
            return StaleOperator(epoch=epoch, highest=self.highest)
        return None

    def shown(self, epoch: int, at: Moment) -> None:
        """Take note of a call that shows an epoch: the newest one renews by it."""
        if epoch == self.highest:
            self._extend(at)

    def expire(self) -> None:
        """Have it run out now, whoever has it."""
        self._until = 0

    def _extend(self, at: Moment) -> None:
        if self._claim is not None:
            self._until = at + self._claim.ms
