"""Whose the lease of a fleet is, as a standby knows it, and when it may be nobody's.

A journal behind a gateway says so with every row, and lets us wait for a row or for
another leader. Any other is looked at now and then, and its platform is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol, runtime_checkable

from returns.future import FutureResult
from returns.result import Failure, Result, Success

from orchestrator.core.errors import JournalCorrupt, JournalError, LeaseHeld, NotLeader
from orchestrator.core.moments import Millis
from orchestrator.journal.port import Head, Journal, Row
from orchestrator.platforms.leases import Claim, LeaseInfo, LeasingPlatform, lease_of
from orchestrator.platforms.port import Platform
from orchestrator.runtime.following import News
from orchestrator.runtime.outcomes import settled

__all__ = ("LeaseWatch", "Telling", "Told")

LOG: Final = logging.getLogger("orchestrator.standby")

POLL_MS: Final[Millis] = 20_000
"""How long a gateway lets us wait for the next row; it allows 25 s."""

LOOK_S: Final = 0.25
"""Between two looks where a journal or a platform cannot let us wait."""


class Told(Protocol):
    """What is told of a journal to who waits for its rows."""

    @property
    def page(self) -> Iterable[Row] | None:
        """Return the rows, checked."""
        ...

    @property
    def damage(self) -> JournalCorrupt | None:
        """Return what is wrong with the row behind them."""
        ...

    @property
    def end(self) -> Head:
        """Return where the journal ends now."""
        ...

    @property
    def lease(self) -> Mapping[str, Any] | None:
        """Return who leads, None: nobody."""
        ...


@runtime_checkable
class Telling(Protocol):
    """A journal that lets who follows it wait, for a row or for another leader."""

    def follow(
        self, after: Head, limit: int, wait_ms: Millis = 0
    ) -> FutureResult[Told, JournalError]:
        """Read rows behind *after*; wait for the first of them."""
        ...


class LeaseWatch:
    """Watches a lease while it reads the rows of whoever has it."""

    def __init__(self, journal: Journal, platform: Platform, claim: Claim) -> None:
        """Know nothing at first: the lease may be nobody's."""
        self.leader: LeaseInfo | None = None
        self._journal = journal
        self._platform = platform
        self._claim = claim
        self._free_at = 0.0
        self._changed = asyncio.Event()

    @property
    def is_free(self) -> bool:
        """Say whether the lease may be nobody's by now."""
        return _now() >= self._free_at

    @property
    def expires_in_ms(self) -> Millis:
        """Return how long the lease runs yet, as far as is known."""
        return max(0, int((self._free_at - _now()) * 1_000))

    @property
    def refusal(self) -> NotLeader:
        """Return what is answered to who asks for what only the leader does."""
        leader = self.leader
        if leader is None:
            return NotLeader()
        return NotLeader(leader=leader.holder, since=leader.since)

    def wake(self, _: object = None) -> None:
        """Have who waits look again."""
        self._changed.set()

    async def wait(self) -> None:
        """Wait until the lease may be nobody's, or has changed, or a look is due."""
        is_told = isinstance(self._journal, Telling)
        look_s = POLL_MS / 1_000 if is_told else LOOK_S
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(self._free_at - _now(), look_s)):
                await self._changed.wait()
        if not is_told:
            await self._look()

    async def _look(self) -> None:
        """Ask the platform whose the lease is."""
        if isinstance(self._platform, LeasingPlatform):
            asked_at = _now()
            found = await settled(self._platform.lease())
            if found is None or isinstance(found, LeaseInfo):
                self._learnt(found, asked_at)

    def held(self, held: LeaseHeld) -> None:
        """Take in that an attach was refused, for somebody has the lease."""
        known = self.leader
        is_known = known is not None and known.holder == held.holder
        if not is_known:
            LOG.info("%s leads", held.holder)
        self.leader = LeaseInfo(
            epoch=known.epoch if known is not None and is_known else 0,
            holder=held.holder,
            since=held.since,
            ms=known.ms if known is not None and is_known else self._claim.ms,
            expires_in_ms=held.expires_in_ms,
        )
        self._free_at = _now() + held.expires_in_ms / 1_000

    def _learnt(self, lease: LeaseInfo | None, asked_at: float) -> None:
        """Take in whose the lease is, as it was answered to what was asked then."""
        before, self.leader = self.leader, lease
        if lease is None:
            self._free_at = min(self._free_at, asked_at)
        else:
            self._free_at = _now() + lease.expires_in_ms / 1_000
        if (before and before.holder) != (lease and lease.holder):
            self._changed.set()

    def news(self, head: Head, limit: int) -> FutureResult[News, JournalError]:
        """Read rows behind *head*; wait a while for the first one."""
        if isinstance(self._journal, Telling):
            asked_at = _now()
            told = self._journal.follow(head, limit, wait_ms=POLL_MS)
            return told.bind_result(lambda found: self._heard(found, asked_at))
        return FutureResult(self._looked(head, limit))

    def _heard(self, told: Told, asked_at: float) -> Result[News, JournalError]:
        self._learnt(lease_of(told.lease), asked_at)
        if told.damage is not None:
            return Failure(told.damage)
        rows = () if told.page is None else tuple(told.page)
        return Success(News(rows=rows, newest=told.end.seq))

    async def _looked(self, head: Head, limit: int) -> Result[News, JournalError]:
        rows = await settled(self._journal.read(head.seq, limit))
        if not isinstance(rows, tuple):
            return Failure(rows)
        if not rows:
            await asyncio.sleep(LOOK_S)
        return Success(News(rows=rows, newest=head.seq + len(rows)))


def _now() -> float:
    return asyncio.get_running_loop().time()
