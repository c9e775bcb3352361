"""An operator to try things on: a simulated platform with faults to order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import attrs
from returns.future import FutureResult

from orchestrator import (
    Backoff,
    ContainerSpec,
    CrashLimit,
    FleetSettings,
    FleetSpec,
    MemoryJournal,
    OnLoop,
    Operator,
    RestartPolicy,
    SimulatedPlatform,
    When,
    settled,
)
from orchestrator.core.errors import JournalError, PlatformError
from orchestrator.core.events import CommandFailed
from orchestrator.core.observations import Observation
from orchestrator.core.state import Container
from orchestrator.journal.port import Draft, Head
from orchestrator.platforms.port import Accepted, Order, StartOrder
from orchestrator.simulation.faults import Character

T = TypeVar("T")
E = TypeVar("E")

FAST = Backoff(initial_ms=1, max_ms=2)
NEVER = RestartPolicy(when=When.NEVER)
HOLD = RestartPolicy(
    crash=CrashLimit(allowed_crashes=0, on_loop=OnLoop.HOLD), backoff=FAST
)
LIMIT_MS = 60_000
"""Within which all comes that is waited for: nothing but a defect reaches it."""

CHARACTERS = {
    "dead": Character.DEAD,
    "doomed": Character.DEAD,
    "job": Character.JOB,
    "late": Character.NEVER_READY,
}


def spec(name: str, restart: RestartPolicy | None = None, **more: Any) -> ContainerSpec:
    more.setdefault("command", ("run",))
    return ContainerSpec(name=name, restart=restart or RestartPolicy(), **more)


def fleet(*containers: ContainerSpec, **settings: Any) -> FleetSpec:
    settings.setdefault("ad_hoc", spec("any"))
    return FleetSpec(
        name="demo", settings=FleetSettings(**settings), containers=containers
    )


class Faulty(SimulatedPlatform):
    """A platform that can be told to fail."""

    def __init__(self) -> None:
        super().__init__(seed=3, characters=CHARACTERS, speed=20)
        self.order_error: PlatformError | None = None
        self.look_error: PlatformError | None = None
        self.look_as: Callable[[Observation], Observation] | None = None
        self.orders: list[Order] = []
        self.bug: Exception | None = None

    def perform(self, order: Order) -> FutureResult[Accepted, PlatformError]:
        self.orders.append(order)
        if self.bug is not None:
            raise self.bug
        if self.order_error is not None:
            return FutureResult.from_failure(self.order_error)
        return super().perform(order)

    def observe(self) -> FutureResult[Observation, PlatformError]:
        if self.look_error is not None:
            return FutureResult.from_failure(self.look_error)
        seen = super().observe()
        return seen if self.look_as is None else seen.map(self.look_as)

    def started(self, name: str) -> StartOrder:
        orders = [
            o for o in self.orders if isinstance(o, StartOrder) and o.name == name
        ]
        return orders[-1]


class FullJournal(MemoryJournal):
    """A journal whose disk can be full."""

    def __init__(self) -> None:
        super().__init__()
        self.error: JournalError | None = None

    def append(
        self, expect: Head, drafts: tuple[Draft, ...]
    ) -> FutureResult[Head, JournalError]:
        if self.error is not None:
            return FutureResult.from_failure(self.error)
        return super().append(expect, drafts)


@attrs.frozen(kw_only=True)
class Kit:
    operator: Operator
    platform: Faulty
    journal: FullJournal

    async def container(self, name: str, goal: str) -> Container:
        """Wait until a container is in a phase of that name."""
        await self.until(lambda: self.phase(name) == goal)
        return self.operator.fleet.containers[name]

    def phase(self, name: str) -> str:
        return next((i.phase for i in self.operator.infos() if i.name == name), "none")

    async def until(self, is_so: Callable[[], bool]) -> None:
        loop = self.operator._loop
        async with loop.turned:
            await loop.turned.wait_for(is_so)

    async def failure(self, name: str) -> PlatformError | object:
        """Wait for the failure of a command, and return its error."""
        seq = 0
        while True:
            page = await value(self.operator.events(seq, wait_ms=LIMIT_MS))
            for record in page:
                seq = record.seq
                event = record.event
                if isinstance(event, CommandFailed) and event.name == name:
                    return event.error


@asynccontextmanager
async def opened(declared: FleetSpec, **means: Any) -> AsyncIterator[Kit]:
    platform = means.pop("platform", None) or Faulty()
    journal = means.pop("journal", None) or FullJournal()
    async with Operator.open(
        declared, platform=platform, journal=journal, **means
    ) as operator:
        yield Kit(operator=operator, platform=platform, journal=journal)


async def value(operation: FutureResult[T, E]) -> T:
    """Return the result; an error fails the test."""
    found: list[T] = []
    outcome = (await operation).map(found.append)
    assert found, outcome
    return found[0]


async def error(operation: FutureResult[T, E]) -> object:
    """Return what an operation settled to, an error hopefully."""
    return await settled(operation)
