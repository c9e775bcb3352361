"""Operators that share a fleet, and what befalls them: the ground of those laws.

Each peer lives as ``up --standby`` does: it stands by, leads, and stands by again. A
peer is paused, cut off, made slow, loses answers, or dies and comes back; what was on
its way then may arrive late. The platform, the lease and the rows are one for all.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final, cast

import attrs
from returns.future import FutureResult

from orchestrator import Claim, Operator, Standby, settled
from orchestrator.core.errors import PlatformError
from orchestrator.core.explain import ContainerInfo
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.specs import ContainerSpec
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.port import Row
from orchestrator.platforms.port import Accepted, Order, StartOrder
from orchestrator.platforms.simulated.lines import Line
from orchestrator.platforms.simulated.platform import SimulatedPlatform
from orchestrator.runtime.preparing import Means
from orchestrator.testing.shared import SharedJournal
from tests.runtime.virtual import VirtualLoop

__all__ = ("LEASE_MS", "Ground", "Peer", "Witness")

LEASE_MS: Final = 3_000
AGAIN_S: Final = 0.2

FLEET: Final = FleetSpec(
    name="shared",
    settings=FleetSettings(
        ad_hoc=ContainerSpec(name="any", command=("run",)), reconcile_interval_ms=0
    ),
    containers=(
        ContainerSpec(name="web", command=("run",)),
        ContainerSpec(name="worker", command=("run",)),
    ),
)


class Witness(SimulatedPlatform):
    """A platform that notes each order that has taken effect."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__(seed=5, clock=loop.nanos)
        self.effective: list[Order] = []

    def perform(self, order: Order) -> FutureResult[Accepted, PlatformError]:
        return super().perform(order).map(lambda done: self._noted(order, done))

    def _noted(self, order: Order, done: Accepted) -> Accepted:
        self.effective.append(order)
        return done

    @property
    def starts(self) -> list[tuple[str, int]]:
        """Return the runs that were started, in order."""
        orders = (each for each in self.effective if isinstance(each, StartOrder))
        return [(order.name, order.run) for order in orders]


@attrs.define(kw_only=True, eq=False)
class Peer:
    """One operator's process, as often as it is started."""

    name: str
    platform: Witness
    rows: MemoryJournal
    line: Line
    operator: Operator | None = None
    lives: int = 0
    _living: asyncio.Task[None] | None = None

    @property
    def is_dead(self) -> bool:
        return self._living is None or self._living.done()

    @property
    def leads(self) -> bool:
        return self.operator is not None and self.operator.is_alive

    def start(self) -> None:
        self.lives += 1
        self.line = Line(self.platform)
        self.operator = None
        claim = Claim(holder=f"{self.name}/{self.lives}", ms=LEASE_MS)
        self._living = asyncio.ensure_future(self._live(self.line, claim))

    def die(self) -> None:
        """End at once: nothing arrives any more, and nobody is told."""
        self.line.is_cut = True
        self.line.go_on()
        if self._living is not None:
            self._living.cancel()
            self._living = None
        self.operator = None

    async def leave(self) -> None:
        """End in good order."""
        if self._living is not None:
            self._living.cancel()
            await asyncio.wait([self._living])

    async def _live(self, line: Line, claim: Claim) -> None:
        while True:
            journal = SharedJournal(self.rows, line)
            means: Means = {"platform": line, "journal": journal, "lease": claim}
            standby = await settled(Standby.start(FLEET, **means))
            if isinstance(standby, Standby):
                await self._stand_by(standby)
            await asyncio.sleep(AGAIN_S)

    async def _stand_by(self, standby: Standby) -> None:
        try:
            operator = await settled(standby.lead())
        finally:
            await standby.close()
        if not isinstance(operator, Operator):
            return
        self.operator = operator
        try:
            _ = await operator.ended()
        finally:
            self.operator = None
            await operator.close()


@attrs.define(kw_only=True, eq=False)
class Ground:
    """All of it; ``acknowledged`` are the requests that were answered with success."""

    platform: Witness
    rows: MemoryJournal
    peers: list[Peer]
    acknowledged: list[str] = attrs.field(factory=list[str])
    asked: list[str] = attrs.field(factory=list[str])
    _asking: set[asyncio.Task[None]] = attrs.field(factory=set["asyncio.Task[None]"])

    @classmethod
    def of(cls, count: int, kind: type[Witness] = Witness) -> Ground:
        loop = cast("VirtualLoop", asyncio.get_running_loop())
        platform, rows = kind(loop), MemoryJournal()
        peers = [
            Peer(name=name, platform=platform, rows=rows, line=Line(platform))
            for name in ("one", "two", "three")[:count]
        ]
        for peer in peers:
            peer.start()
        return cls(platform=platform, rows=rows, peers=peers)

    @property
    def leaders(self) -> list[Peer]:
        """Return who leads, and is the newest: an older one has not heard of it yet."""
        newest = self.platform.epoch
        return [
            peer
            for peer in self.peers
            if peer.operator is not None
            and peer.leads
            and peer.operator.leadership.epoch == newest
        ]

    def ask(self, peer: Peer) -> None:
        """Ask a peer that leads for a container, and note what it answers."""
        operator = peer.operator
        if operator is None:
            return
        wish = f"wish-{len(self.asked)}"
        self.asked.append(wish)
        task = asyncio.ensure_future(self._asked(operator, wish))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _asked(self, operator: Operator, wish: str) -> None:
        name = f"extra-{len(self.asked) % 3}"
        answer = await settled(operator.start_container(name, force=True, why=wish))
        if isinstance(answer, ContainerInfo):
            self.acknowledged.append(wish)

    async def all_rows(self) -> tuple[Row, ...]:
        found = await settled(self.rows.read(0, 1_000_000))
        assert isinstance(found, tuple)
        return found

    async def close(self) -> None:
        for peer in self.peers:
            peer.line.go_on()
            await peer.leave()
        if self._asking:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(60):
                    await asyncio.wait(self._asking)
