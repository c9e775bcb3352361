"""The adapter of the platform port over ``orchestrator.simulation``'s world.

Time passes with the machine's, so that a real operator can be tried on it: nothing
is started, runs begin, become ready and end as their characters say. When the process
ends, it forgets everything.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Final, assert_never

from returns.future import FutureResult
from returns.result import Result, Success

from orchestrator.core.commands import (
    ContainerCommand,
    DestroyContainer,
    ForgetContainer,
    StartContainer,
    StopContainer,
)
from orchestrator.core.errors import (
    LeaseHeld,
    PlatformError,
    Refused,
    StaleRun,
    Unreachable,
)
from orchestrator.core.events import LifecycleEvent
from orchestrator.core.exits import Exit
from orchestrator.core.health import CheckKind, HealthChecks
from orchestrator.core.loads import RollOutcome
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.observations import Observation, Sighting
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.tallies import Answer
from orchestrator.platforms.details import details_of
from orchestrator.platforms.leases import Claim, LeaseInfo
from orchestrator.platforms.port import (
    Accepted,
    Attachment,
    DestroyOrder,
    ForgetOrder,
    LogLine,
    Order,
    PlatformDetail,
    Question,
    Reply,
    RollOrder,
    RollSight,
    StartOrder,
    StopOrder,
)
from orchestrator.platforms.simulated.lease import Lease
from orchestrator.simulation.dice import Dice
from orchestrator.simulation.faults import Character
from orchestrator.simulation.world import World

__all__ = ("SimulatedPlatform",)

STEP_S: Final = 0.005

NANOS: Final = 1_000_000
"""Of a millisecond."""

AT_ONCE: Final = 1_000
"""Containers that are looked at before others have their turn."""


class SimulatedPlatform:
    """A platform that only remembers; *seed* and *characters* say what happens."""

    def __init__(
        self,
        seed: int = 0,
        characters: Mapping[str, Character] | None = None,
        *,
        speed: int = 1,
        rolls_ms: Millis | None = None,
        places: Mapping[str, str] | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Draw every fate from *seed*; a container without a character is steady.

        Time in the world passes *speed* times as fast. *rolls_ms* is how long it takes
        to roll a service out, one container after the other; None: it does not.
        *places* says where containers run; of others nothing is said. *clock* tells
        nanoseconds, and never runs backwards.
        """
        self._clock = clock
        self._places = dict(places or {})
        self._rolls_ms = rolls_ms
        self._rolls: dict[str, tuple[int, Moment]] = {}
        self._rolled: dict[str, int] = {}
        self._speed = speed
        self._world = World(dice=Dice(seed), characters=dict(characters or {}))
        self._lease = Lease()
        self._checks: dict[str, HealthChecks] = {}

    @property
    def epoch(self) -> int:
        """Return the newest epoch that was granted; 0 where none was."""
        return self._lease.highest

    def attach(self, after: int) -> FutureResult[Attachment, PlatformError]:
        """Take over: every earlier operator is stale from now on."""
        granted = self._lease.attach(after, None, self._steady()).map(self._attached)
        refused = granted.alt(lambda held: Refused(cause=held.message))
        return FutureResult.from_result(refused)

    def attach_as(
        self, after: int, claim: Claim
    ) -> FutureResult[Attachment, PlatformError | LeaseHeld]:
        """Take over and have the lease, or say who has it."""
        granted = self._lease.attach(after, claim, self._steady()).map(self._attached)
        return FutureResult.from_result(granted)

    def _attached(self, epoch: int) -> Attachment:
        rolls = self._rolls_ms is not None
        return Attachment(epoch=epoch, fences=True, rolls=rolls)

    def renew(self, epoch: int) -> FutureResult[LeaseInfo, PlatformError]:
        """Have the lease for its whole length again."""
        return FutureResult.from_result(self._lease.renew(epoch, self._steady()))

    def release(self, epoch: int) -> FutureResult[None, PlatformError]:
        """Let go of the lease at once."""
        return FutureResult.from_result(self._lease.release(epoch))

    def lease(self) -> FutureResult[LeaseInfo | None, PlatformError]:
        """Say whose lease is in force; None: nobody's."""
        return FutureResult.from_value(self._lease.held(self._steady()))

    def expire_lease(self) -> None:
        """Have the lease run out now, whoever has it."""
        self._lease.expire()

    def shown(self, epoch: int) -> PlatformError | None:
        """Take note of a call under an epoch, which renews; or say why it is stale."""
        self._lease.shown(epoch, self._steady())
        return self._lease.stale(epoch)

    def ports(
        self, spec: ContainerSpec
    ) -> FutureResult[Mapping[str, int], PlatformError]:
        """Give each port the number that the spec says."""
        return FutureResult.from_value(dict(spec.ports.items()))

    def perform(self, order: Order) -> FutureResult[Accepted, PlatformError]:
        """Carry out an order."""
        stale = self.shown(order.epoch)
        if stale is not None:
            return FutureResult.from_failure(stale)
        fingerprint = ""
        if isinstance(order, StartOrder):
            fingerprint = order.fingerprint
            self._checks[order.name] = order.spec.health
        done = self._world.perform(_command(order), fingerprint, self._now())
        accepted = done.map(lambda _: Accepted())
        return FutureResult.from_result(accepted)

    def observe(self) -> FutureResult[Observation, PlatformError]:
        """Look at everything, some at a time: others are not held up meanwhile."""
        return FutureResult(self._shown())

    async def _shown(self) -> Result[Observation, PlatformError]:
        """Show each as it is when its turn comes; who begins meanwhile is not shown.

        Whoever asks knows when that was begun, and takes nothing of what has changed
        since for a difference.
        """
        lives, began = self._world.lives, self._now()
        names = sorted(lives)
        sightings: list[Sighting] = []
        for first in range(0, len(names), AT_ONCE):
            if first:
                await asyncio.sleep(0)
            now = self._now()
            shown = (lives.get(name) for name in names[first : first + AT_ONCE])
            sightings += (
                life.sighting(now, self._places.get(life.name, ""))
                for life in shown
                if life is not None
            )
        seen = Observation(began=began, complete=True, sightings=tuple(sightings))
        return Success(seen)

    def roll(self, order: RollOrder) -> FutureResult[RollSight, PlatformError]:
        """Replace the containers of a service, as far as time has come."""
        stale = self.shown(order.epoch)
        if stale is not None:
            return FutureResult.from_failure(stale)
        now, takes_ms = self._now(), self._rolls_ms or 0
        fresh = (order.revision, now)
        known = self._rolls.get(order.service, fresh)
        if known[0] != order.revision:
            known = fresh
            self._rolled[order.service] = 0
        self._rolls[order.service] = known
        since = known[1]
        total = len(order.members)
        passed_ms = min(takes_ms, now - since)
        updated = total * passed_ms // takes_ms if takes_ms else total
        for name in order.members[self._rolled.get(order.service, 0) : updated]:
            self._world.roll_out(name, now)
        self._rolled[order.service] = updated
        is_over = passed_ms == takes_ms
        sight = RollSight(
            outcome=RollOutcome.DONE if is_over else RollOutcome.PROGRESSING,
            updated=updated,
            total=total,
            id=f"{order.service}-{since}",
        )
        return FutureResult.from_value(sight)

    def crash(self, names: Iterable[str], exit_: Exit) -> None:
        """End the runs of some containers now, by themselves: a storm, if many."""
        now = self._now()
        for name in names:
            self._world.crash(name, now, exit_)

    def probe(self, question: Question) -> FutureResult[Reply, PlatformError]:
        """Answer at once, as the character of the container has it."""
        stale = self.shown(question.epoch)
        if stale is not None:
            return FutureResult.from_failure(stale)
        name, run = question.name, question.run
        life = self._world.lives.get(name)
        if life is not None and life.run != run:
            other = StaleRun(name=name, run=run, highest=life.run)
            return FutureResult.from_failure(other)
        answer = self._world.answer(
            name, run, question.probe, self._now(), kind=self._kind_of(question)
        )
        if answer is Answer.UNKNOWN:
            unknown = Unreachable(cause=f"{name} cannot be asked")
            return FutureResult.from_failure(unknown)
        reply = Reply(passed=answer is Answer.PASSED, detail=f"it has {answer}")
        return FutureResult.from_value(reply)

    def _kind_of(self, question: Question) -> CheckKind | None:
        """Say which check asks, where its probe tells."""
        checks = self._checks.get(question.name, HealthChecks())
        kinds = [kind for kind, each in checks.all() if each.probe == question.probe]
        return kinds[0] if len(kinds) == 1 else None

    async def events(self, after: str) -> AsyncIterator[LifecycleEvent]:
        """Tell what happens, as it happens; nothing is told twice."""
        del after
        while True:
            for event in self.news():
                yield event
            await asyncio.sleep(STEP_S)

    def news(self) -> Iterable[LifecycleEvent]:
        """Return what has happened, and has been told to nobody."""
        return self._world.news(self._now())

    async def acknowledge(self, cursor: str) -> None:
        """Keep nothing anyway."""

    def details(self) -> FutureResult[tuple[PlatformDetail, ...], PlatformError]:
        """Tell what is seen: there is nothing behind it."""
        return self.observe().map(details_of)

    async def log(self, name: str, *, follow: bool) -> AsyncIterator[LogLine]:
        """Yield nothing: what does not run says nothing."""
        del name, follow
        nothing: tuple[LogLine, ...] = ()
        for line in nothing:
            yield line

    async def detach(self) -> None:
        """Let go of nothing."""

    def _now(self) -> Moment:
        return self._speed * self._clock() // NANOS

    def _steady(self) -> Moment:
        """Return the milliseconds that leases count by: they run no faster."""
        return self._clock() // NANOS


def _command(order: Order) -> ContainerCommand:
    name, run = order.name, order.run
    match order:
        case StartOrder(revision=revision):
            return StartContainer(name=name, run=run, revision=revision)
        case StopOrder(signal=signal, grace_ms=grace_ms):
            return StopContainer(name=name, run=run, signal=signal, grace_ms=grace_ms)
        case DestroyOrder():
            return DestroyContainer(name=name, run=run)
        case ForgetOrder():
            return ForgetContainer(name=name, run=run)
        case _:
            assert_never(order)
