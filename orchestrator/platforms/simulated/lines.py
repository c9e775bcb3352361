"""One operator's way to a simulated platform that several have, and what befalls it.

A *line* is what a network and a gateway's client are together: it can be slow, be cut,
lose the answer to what has arrived, or stand still as a process does that was stopped
(what was sent before then arrives late). An operator that was replaced is told so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, TypeVar

from returns.future import FutureResult
from returns.result import Failure, Result, Success

from orchestrator.core.errors import LeaseHeld, PlatformError, Unreachable
from orchestrator.core.events import LifecycleEvent
from orchestrator.core.observations import Observation
from orchestrator.core.specs import ContainerSpec
from orchestrator.platforms.leases import Claim, LeaseInfo
from orchestrator.platforms.port import (
    Accepted,
    Attachment,
    LogLine,
    Order,
    PlatformDetail,
    Question,
    Reply,
    RollOrder,
    RollSight,
    StreamRefused,
)
from orchestrator.platforms.simulated.platform import SimulatedPlatform

__all__ = ("Line",)

T = TypeVar("T")
E = TypeVar("E")

LISTEN_S: Final = 0.25
"""Between two looks of a stream whether its operator was replaced, or its line cut."""

CUT: Final = Unreachable(cause="the line is cut")
LOST: Final = Unreachable(cause="the answer was lost")


class Line:
    """A ``LeasingPlatform``: *platform*, as one operator reaches it.

    ``is_cut``: nothing arrives. ``loses_answers``: all arrives, and no answer comes
    back. ``slow_s``: so long everything is on its way. ``halt`` and ``go_on``: what is
    asked meanwhile waits, and arrives afterwards.
    """

    def __init__(self, platform: SimulatedPlatform) -> None:
        """Reach *platform* without a fault, at first."""
        self.is_cut = False
        self.loses_answers = False
        self.slow_s = 0.0
        self.platform = platform
        self._epoch = 0
        self._going = asyncio.Event()
        self._going.set()

    def halt(self) -> None:
        """Have everything wait that is asked from now on."""
        self._going.clear()

    def go_on(self) -> None:
        """Have what waits arrive."""
        self._going.set()

    @property
    def stale(self) -> PlatformError | None:
        """Return why the operator of this line is not the newest, if so."""
        return self.platform.shown(self._epoch)

    def over(self, ask: Callable[[], FutureResult[T, E]]) -> FutureResult[T, E]:
        """Ask something over the line; *ask* is called when it has arrived."""
        arrived: FutureResult[None, Any] = FutureResult(self._arrived())
        return arrived.bind(lambda _: ask()).bind_result(self._answered).alt(self._told)

    async def _arrived(self) -> Result[None, PlatformError]:
        await self._going.wait()
        if self.slow_s:
            await asyncio.sleep(self.slow_s)
        return Failure(CUT) if self.is_cut else Success(None)

    def _answered(self, found: T) -> Result[T, Any]:
        return Failure(LOST) if self.loses_answers else Success(found)

    def _told(self, error: E) -> Any:
        return LOST if self.loses_answers else error

    def attach(self, after: int) -> FutureResult[Attachment, PlatformError]:
        """Take over, unless another operator has the lease."""
        asked = self.over(lambda: self.platform.attach(after))
        return asked.map(self._attached)

    def attach_as(
        self, after: int, claim: Claim
    ) -> FutureResult[Attachment, PlatformError | LeaseHeld]:
        """Take over and have the lease, or say who has it."""
        asked = self.over(lambda: self.platform.attach_as(after, claim))
        return asked.map(self._attached)

    def _attached(self, granted: Attachment) -> Attachment:
        self._epoch = granted.epoch
        return granted

    def renew(self, epoch: int) -> FutureResult[LeaseInfo, PlatformError]:
        """Have the lease for its whole length again."""
        return self.over(lambda: self.platform.renew(epoch))

    def release(self, epoch: int) -> FutureResult[None, PlatformError]:
        """Let go of the lease at once."""
        return self.over(lambda: self.platform.release(epoch))

    def lease(self) -> FutureResult[LeaseInfo | None, PlatformError]:
        """Say whose lease is in force; None: nobody's."""
        return self.over(self.platform.lease)

    def ports(
        self, spec: ContainerSpec
    ) -> FutureResult[Mapping[str, int], PlatformError]:
        """Give each port the number that the spec says: nobody is asked."""
        return self.platform.ports(spec)

    def perform(self, order: Order) -> FutureResult[Accepted, PlatformError]:
        """Carry out an order."""
        return self.over(lambda: self.platform.perform(order))

    def observe(self) -> FutureResult[Observation, PlatformError]:
        """Look at everything."""
        return self.over(self._looked)

    def _looked(self) -> FutureResult[Observation, PlatformError]:
        stale = self.stale
        if stale is not None:
            return FutureResult.from_failure(stale)
        return self.platform.observe()

    def probe(self, question: Question) -> FutureResult[Reply, PlatformError]:
        """Ask one container one question."""
        return self.over(lambda: self.platform.probe(question))

    def roll(self, order: RollOrder) -> FutureResult[RollSight, PlatformError]:
        """Replace the containers of a service, as far as time has come."""
        return self.over(lambda: self.platform.roll(order))

    async def events(self, after: str) -> AsyncIterator[LifecycleEvent]:
        """Tell what happens, until a newer operator listens in this one's place."""
        del after
        while True:
            await self._going.wait()
            if not self.is_cut:
                stale = self.stale
                if stale is not None:
                    raise StreamRefused(stale)
                for event in self.platform.news():
                    yield event
            await asyncio.sleep(LISTEN_S)

    async def acknowledge(self, cursor: str) -> None:
        """Keep nothing anyway."""

    def details(self) -> FutureResult[tuple[PlatformDetail, ...], PlatformError]:
        """Tell what is seen: there is nothing behind it."""
        return self.over(self.platform.details)

    async def log(self, name: str, *, follow: bool) -> AsyncIterator[LogLine]:
        """Yield nothing: what does not run says nothing."""
        async for line in self.platform.log(name, follow=follow):
            yield line

    async def detach(self) -> None:
        """Let go of nothing."""
