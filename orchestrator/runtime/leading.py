"""The lease of an operator that leads: renewed while it works, released at its end.

It is renewed every third of its length, unless an append was answered meanwhile: that
renews it, too. Where nothing did for its whole length, counted from *before* the last
request that was answered, the operator stands down by itself: another one may lead from
then on. A process that was stopped asks once more when it goes on; what it has sent by
then is refused by the platform if another one leads (``docs/explanation/fencing.md``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

import attrs

from orchestrator.core.errors import (
    ContainerError,
    PlatformError,
    StaleOperator,
    TimedOut,
    Unreachable,
)
from orchestrator.core.moments import Millis, Moment, format_duration
from orchestrator.platforms.leases import Claim, LeaseInfo, LeasingPlatform
from orchestrator.runtime.outcomes import settled

__all__ = ("Leading", "Term")

T = TypeVar("T")

LOG: Final = logging.getLogger("orchestrator.lease")

PARTS: Final = 3
"""Of a lease, after each of which it is renewed: two may fail."""

AGAIN_S: Final = (0.1, 2.0)
"""Before a renewal is tried again: at first, and at most."""

LAST_S: Final = 1.0
"""For the answer that tells a process that was stopped how things stand."""

RELEASE_S: Final = 2.0
"""For a release; without it the next one waits until the lease has run out."""


@attrs.frozen(kw_only=True)
class Term:
    """One lead: the epoch that was granted, and the lease that came with it.

    ``asked_at`` is the moment of the event loop's clock before it was asked for,
    ``since`` the operator's own moment when it had been granted.
    """

    epoch: int
    claim: Claim
    asked_at: float
    since: Moment


class Leading:
    """Keeps the lease of one term."""

    def __init__(
        self,
        platform: LeasingPlatform,
        term: Term,
        stand_down: Callable[[ContainerError], object] | None = None,
    ) -> None:
        """Keep the lease of *term*; *stand_down* is called when it has gone.

        Without one, ``during`` or ``hand_to`` says later what is to be done then.
        """
        self.term = term
        self._platform = platform
        self._stand_down = stand_down
        self._sure_at = term.asked_at
        self._has_gone = False
        self._why: ContainerError | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def expires_in_ms(self) -> Millis:
        """Return how long the lease runs at least; 0 where it may have run out."""
        if self._has_gone:
            return 0
        return max(0, int((self._ends_at - _now()) * 1_000))

    @property
    def _third_s(self) -> float:
        return self.term.claim.ms / 1_000 / PARTS

    @property
    def _ends_at(self) -> float:
        return self._sure_at + self.term.claim.ms / 1_000

    def start(self) -> None:
        """Begin to renew."""
        self._keeping = asyncio.ensure_future(self._keep())

    def stop(self) -> None:
        """Renew no more."""
        if self._keeping is not None:
            self._keeping.cancel()

    def hand_to(self, stand_down: Callable[[ContainerError], object]) -> None:
        """Have *stand_down* called when the lease has gone; at once, where it has."""
        self._stand_down = stand_down
        if self._why is not None:
            stand_down(self._why)

    async def during(self, work: Coroutine[Any, Any, T]) -> T | ContainerError:
        """Do *work* while the lease lasts; give it up with the lease, and say why."""
        doing = asyncio.ensure_future(work)
        self.hand_to(lambda _: doing.cancel())
        try:
            await asyncio.wait([doing])
        finally:
            doing.cancel()
        return doing.result() if self._why is None else self._why

    def renewed(self, asked_at: float) -> None:
        """Take note of an answer that has renewed it, and that was asked for then."""
        self._sure_at = max(self._sure_at, asked_at)

    async def close(self) -> None:
        """Let go of the lease, so that another operator may lead at once."""
        self.stop()
        if self._has_gone:
            return
        self._has_gone = True
        try:
            async with asyncio.timeout(RELEASE_S):
                error = await settled(self._platform.release(self.term.epoch))
        except TimeoutError:
            error = TimedOut(after_ms=int(RELEASE_S * 1_000))
        if error is not None:
            LOG.warning("the lease was not released: %s", error.message)

    async def _keep(self) -> None:
        trouble: PlatformError | None = None
        pause = AGAIN_S[0]
        while True:
            await self._until_due(None if trouble is None else pause)
            if trouble is not None and _now() >= self._ends_at:
                self._give_up(trouble)
                return
            found = await self._renewal()
            if isinstance(found, LeaseInfo):
                if trouble is not None:
                    LOG.info("the lease is renewed again")
                trouble, pause = None, AGAIN_S[0]
                continue
            if isinstance(found, StaleOperator) or _now() >= self._ends_at:
                self._give_up(found)
                return
            if trouble is None:
                LOG.warning("the lease is not renewed: %s", found.message)
            else:
                pause = min(pause * 2, AGAIN_S[1])
            trouble = found

    async def _until_due(self, pause: float | None) -> None:
        """Wait for a third to be over, or for a *pause* where a renewal has failed."""
        if pause is not None:
            await asyncio.sleep(max(0.0, min(pause, self._ends_at - _now())))
            return
        due = self._sure_at + self._third_s
        while due > _now():
            await asyncio.sleep(due - _now())
            due = self._sure_at + self._third_s  # an append may have renewed it

    async def _renewal(self) -> LeaseInfo | PlatformError:
        """Ask for it once; the answer counts from before it was asked for."""
        asked_at = _now()
        left_s = self._ends_at - asked_at
        limit_s = min(self._third_s, left_s) if left_s > 0 else LAST_S
        try:
            async with asyncio.timeout(limit_s):
                found = await settled(self._platform.renew(self.term.epoch))
        except TimeoutError:
            return TimedOut(after_ms=int(limit_s * 1_000))
        if isinstance(found, LeaseInfo):
            self.renewed(asked_at)
        return found

    def _give_up(self, error: PlatformError) -> None:
        self._has_gone = True
        self._why = self._reason(error)
        if self._stand_down is not None:
            self._stand_down(self._why)

    def _reason(self, error: PlatformError) -> ContainerError:
        if isinstance(error, StaleOperator):
            LOG.warning("standing down: another operator leads (%s)", error.message)
            return error
        length = format_duration(self.term.claim.ms)
        LOG.error("standing down: the lease was not renewed for %s", length)
        cause = f"the lease was not renewed for {length}: {error.message}"
        return Unreachable(cause=cause)


def _now() -> float:
    return asyncio.get_running_loop().time()
