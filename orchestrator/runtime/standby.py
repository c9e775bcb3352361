"""A standby: it follows the operator that leads, and takes over when nobody does.

```
journal ──rows──▶ following (a fleet, always warm) ──▶ reads
lease ──until when?──▶ attach ──granted──▶ the rest of booting, from the warm fleet
                         └──held──▶ wait until that has run out
```

When to try is told by the clock and by the platform; that only one leads is not: the
platform grants one epoch after the other, and carries out orders of the newest alone.
Two that try at once are told so, one of them that the other leads. What was written
before the attach is read before anything is decided.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import Final, Unpack

import attrs
from returns.future import FutureResult
from returns.result import Failure, Result, Success

from orchestrator.codec.problems import invalid
from orchestrator.core.custom import NO_POLICIES
from orchestrator.core.errors import (
    ContainerError,
    JournalCompacted,
    LeaseHeld,
    OperatorClosed,
    StaleOperator,
)
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.platforms.leases import Claim
from orchestrator.runtime.boot import begin
from orchestrator.runtime.collecting import AT_WORK, collecting_seldom
from orchestrator.runtime.downs import is_down
from orchestrator.runtime.following import Following, declares, passes
from orchestrator.runtime.footing import Footing
from orchestrator.runtime.hooks import Hooks
from orchestrator.runtime.leadership import Leadership, Role
from orchestrator.runtime.lease_watch import LeaseWatch
from orchestrator.runtime.operator import OpenFailed, Operator
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.preparing import (
    Means,
    Prepared,
    let_go,
    read_journal,
    take_over,
)
from orchestrator.runtime.recovery import Recovered
from orchestrator.runtime.telemetry import Telemetry
from orchestrator.runtime.travel import Travel

__all__ = ("Standby",)

LOG: Final = logging.getLogger("orchestrator.standby")

AGAIN_S: Final = (0.1, 0.5)
"""Before an attach is tried again that nobody answered: at first, and at most."""


class Standby:
    """Waits to lead a fleet, and shows meanwhile what its leader has written."""

    def __init__(
        self, fleet: FleetSpec, means: Means, claim: Claim, recovered: Recovered
    ) -> None:
        """Follow from *recovered* on; ``Standby.start`` does it all."""
        self._fleet = fleet
        self._means = means
        self._telemetry = means.get("telemetry") or Telemetry()
        self._means["telemetry"] = self._telemetry
        self._watch = LeaseWatch(means["journal"], means["platform"], claim)
        self._heirs: list[Callable[[Operator], None]] = []
        self._is_over = False
        self._seldom = ExitStack()  # collected without a gap, whoever follows anew
        self._seldom.enter_context(collecting_seldom(AT_WORK))
        self._begin(recovered)

    @staticmethod
    def start(
        fleet: FleetSpec, **means: Unpack[Means]
    ) -> FutureResult[Standby, ContainerError]:
        """Read the journal, and follow it; ``lease`` says what is claimed.

        The standby closes journal and platform when it closes, and also where it cannot
        be started; where it becomes an operator that does instead.
        """
        return FutureResult(_started(fleet, means))

    @staticmethod
    @asynccontextmanager
    async def open(fleet: FleetSpec, **means: Unpack[Means]) -> AsyncIterator[Standby]:
        """Follow for a block; ``OpenFailed`` carries why that cannot be.

        An operator that it has become within the block is closed by its owner.
        """
        standby = await settled(Standby.start(fleet, **means))
        if not isinstance(standby, Standby):
            raise OpenFailed(standby)
        try:
            yield standby
        finally:
            await standby.close()

    @staticmethod
    def after(
        operator: Operator, fleet: FleetSpec, claim: Claim, means: Means
    ) -> Standby:
        """Follow on from where an operator stood that had to stand down.

        *means* are others than it had, which it closes; *claim* is the lease in them.
        """
        return Standby(fleet, means, claim, operator.recovered)

    @property
    def is_taking_over(self) -> bool:
        """Say whether the fleet has been granted: ``lead`` will answer soon."""
        return self._is_over

    @property
    def operator(self) -> Operator:
        """Return what can be read; a request to it is answered ``NotLeader``.

        It is another one after rows were compacted away that it had not read.
        """
        return self._shown

    def on_change(self, tell: Callable[[Operator], None]) -> None:
        """Have *tell* called with what is to be read from now on, when that changes."""
        self._heirs.append(tell)

    def leadership(self) -> Leadership:
        """Say who leads, as far as is known, and how far this is behind."""
        leader = self._watch.leader
        told = Leadership(
            role=Role.STANDBY,
            epoch=self._following.fleet.epoch,
            lag_rows=self._following.lag_rows,
            takeovers=self._telemetry.takeovers,
        )
        if leader is None:
            return told
        return attrs.evolve(
            told,
            epoch=max(told.epoch, leader.epoch),
            leader=leader.holder,
            since=leader.since,
            lease_ms=leader.ms,
            expires_in_ms=self._watch.expires_in_ms,
        )

    def declare(self, fleet: FleetSpec) -> None:
        """Declare *fleet* on taking over, in place of the one given before."""
        self._fleet = fleet

    def lead(self) -> FutureResult[Operator, ContainerError]:
        """Wait until nobody leads, and take over; the answer is the operator.

        A failure is why that did not come about: the journal cannot be used, or not by
        this release, or the fleet was taken over by another one at once;
        ``OperatorClosed``: the fleet was brought down, operators and all. Either way
        the standby is over then, and what it worked with is let go of or handed on.
        """
        return FutureResult(self._led())

    async def close(self) -> None:
        """Follow no more, and let go; the leader goes on."""
        await self._end()
        if not self._is_over:
            self._is_over = True
            await let_go(self._means["journal"], self._means["platform"])

    async def _end(self) -> None:
        with self._seldom:
            await self._shown.close()

    # Taking over

    async def _led(self) -> Result[Operator, ContainerError]:
        prepared = await self._prepared()
        if not isinstance(prepared, Prepared):
            await self.close()
            return Failure(prepared)
        epoch, seq = prepared.attachment.epoch, prepared.recovered.head.seq
        about = {"fleet": self._fleet.name, "seq": seq}
        LOG.info("taking over: epoch %d, from row %d on", epoch, seq, extra=about)
        self._is_over = True
        engine = await begin(self._fleet, self._means, prepared)
        await self._end()
        return engine.map(Operator)

    async def _prepared(self) -> Prepared | ContainerError:
        """Try to take over whenever nobody may lead, until that is granted."""
        pause = AGAIN_S[0]
        while True:
            fatal = await self._until_free()
            if fatal is not None:
                return fatal
            warm = self._following.warm()
            prepared = await take_over(self._fleet, self._means, warm)
            if isinstance(prepared, LeaseHeld):
                self._watch.held(prepared)
                pause = AGAIN_S[0]
            elif isinstance(prepared, Prepared):
                return await self._unless_down(prepared)
            elif passes(prepared) or isinstance(prepared, StaleOperator):
                LOG.info("the fleet was not taken over: %s", prepared.message)
                await asyncio.sleep(pause)
                pause = min(pause * 2, AGAIN_S[1])
            else:
                return prepared

    async def _unless_down(self, prepared: Prepared) -> Prepared | ContainerError:
        """Leave a fleet down that was brought down; one on its way goes on."""
        fleet = prepared.recovered.fleet
        if declares(fleet) or not self._following.was_up:
            return prepared
        if is_down(fleet):
            await prepared.give_back()
            return OperatorClosed()
        return attrs.evolve(prepared, is_declared=True)

    async def _until_free(self) -> ContainerError | None:
        """Wait until the lease may be nobody's; return why it never will be ours."""
        while True:
            if not self._shown.is_alive:
                fatal = await self._begun_anew()
                if fatal is not None:
                    return fatal
            if self._watch.is_free:
                return None
            await self._watch.wait()

    # Following

    def _begin(self, recovered: Recovered) -> None:
        """Follow from *recovered* on, and have that be read."""
        journal, watch = self._means["journal"], self._watch
        policies = self._means.get("policies", NO_POLICIES)
        following = Following(
            recovered,
            journal,
            lambda: watch.refusal,
            policies,
            telemetry=self._telemetry,
        )
        self._following = following
        self._running = asyncio.ensure_future(following.follow(watch.news))
        self._running.add_done_callback(watch.wake)
        footing = Footing(
            loop=following,
            running=self._running,
            hooks=Hooks(None),
            journal=journal,
            platform=self._means["platform"],
            travel=Travel(journal, policies),
            leadership=self.leadership,
            policies=policies,
        )
        self._shown = Operator(footing)

    async def _begun_anew(self) -> ContainerError | None:
        """Recover anew where rows were compacted away before they were read.

        Any other end of what follows is final: it is returned.
        """
        self._running.result()  # a bug of ours is raised
        fatal = self._following.fatal
        if not isinstance(fatal, JournalCompacted):
            return fatal
        LOG.info("the leader has compacted the journal: it is read anew")
        recovered = await read_journal(self._fleet, self._means)
        if not isinstance(recovered, Recovered):
            if not passes(recovered):
                return recovered
            await asyncio.sleep(AGAIN_S[1])
            return None  # it is tried again
        before, was_up = self._shown, self._following.was_up
        self._begin(recovered)
        self._following.was_up = self._following.was_up or was_up
        for tell in self._heirs:
            tell(self._shown)
        await before.close()
        return None


async def _started(fleet: FleetSpec, means: Means) -> Result[Standby, ContainerError]:
    claim = means.get("lease")
    if claim is None:
        wrong: ContainerError = invalid("lease", "a claim, to wait for it", "none")
        await let_go(means["journal"], means["platform"])
        return Failure(wrong)
    with collecting_seldom(AT_WORK):  # until the standby does so itself
        recovered = await read_journal(fleet, means)
        if isinstance(recovered, Recovered):
            return Success(Standby(fleet, means, claim, recovered))
    await let_go(means["journal"], means["platform"])
    return Failure(recovered)
