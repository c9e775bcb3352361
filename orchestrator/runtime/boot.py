"""Booting an operator and ending it: what begins when, and what waits for what.

```
prepare (runtime.preparing) ─▶ loop: booted, look ─▶ apply what is declared
                               ├▶ listen to the platform from the cursor on
                               ├▶ ask the health checks of what runs
                               └▶ renew the lease, if there is one
close: ask and listen no more ─▶ commands under way finish ─▶ mailbox ─▶ snapshot
       ─▶ release the lease ─▶ let go
```
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any, Final, TypeVar

import attrs
from returns.future import FutureResult
from returns.result import Failure, Result, Success

from orchestrator.codec.journal_choice import SNAPSHOT_EVERY
from orchestrator.core.custom import NO_POLICIES
from orchestrator.core.errors import ContainerError
from orchestrator.core.events import Booted
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.state import RULES
from orchestrator.platforms.port import Attachment
from orchestrator.runtime.absence import CatchingUp
from orchestrator.runtime.asker import Asker
from orchestrator.runtime.clock import Clock
from orchestrator.runtime.collecting import AT_WORK, collecting_seldom
from orchestrator.runtime.compacting import Compacting
from orchestrator.runtime.footing import Footing
from orchestrator.runtime.hooks import Hooks
from orchestrator.runtime.interpreter import Interpreter, Limits
from orchestrator.runtime.leadership import Leadership, Role
from orchestrator.runtime.leading import Leading
from orchestrator.runtime.listening import acknowledge, listen
from orchestrator.runtime.logs import tell_lifecycle
from orchestrator.runtime.loop import Loop
from orchestrator.runtime.measurer import Measurer
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.preparing import Means, Prepared, applying, let_go, prepare
from orchestrator.runtime.prober import Prober
from orchestrator.runtime.rolls import Roller
from orchestrator.runtime.secrets import EnvironmentSecrets
from orchestrator.runtime.steps import Asked
from orchestrator.runtime.telemetry import Telemetry
from orchestrator.runtime.travel import Travel

__all__ = ("Engine", "begin", "boot")

T = TypeVar("T")

CLOSE_S: Final = 10.0
"""For commands under way to finish; they are outstanding otherwise."""


@attrs.frozen(kw_only=True, eq=False)
class Engine(Footing):
    """The parts of a running operator."""

    listening: tuple[asyncio.Task[None], ...]
    interpreter: Interpreter
    prober: Prober
    roller: Roller
    measurer: Measurer
    compacting: Compacting
    leading: Leading | None = None

    async def close(self) -> None:
        """End in order."""
        await self.prober.close()
        await self.roller.close()
        await self.measurer.close()
        await self.compacting.close()
        for task in self.listening:
            task.cancel()
        await asyncio.gather(*self.listening, return_exceptions=True)
        await self.interpreter.close(CLOSE_S)
        self.loop.close()
        await asyncio.wait([self.running])
        await self.hooks.close()
        await self.travel.close()
        if self.loop.fatal is None:
            await self.loop.save_snapshot()
        if self.leading is not None:
            await self.leading.close()
        await let_go(self.journal, self.platform)
        self.running.result()  # a bug of ours is raised, when all is let go of


def boot(fleet: FleetSpec, means: Means) -> FutureResult[Engine, ContainerError]:
    """Recover, take over, and make *fleet* the declared one."""

    async def booted() -> Result[Engine, ContainerError]:
        prepared = await prepare(fleet, means)
        if not isinstance(prepared, Prepared):
            await let_go(means["journal"], means["platform"])
            return Failure(prepared)
        return await begin(fleet, means, prepared)

    return FutureResult(_seldom_collected(booted()))


async def begin(
    fleet: FleetSpec, means: Means, prepared: Prepared
) -> Result[Engine, ContainerError]:
    """Work from what was prepared on, and make *fleet* the declared one."""
    engine = _engine(means, prepared)
    _stop_with_the_loop(engine)
    if engine.leading is not None:
        engine.leading.hand_to(engine.loop.stand_down)
    declared = None if prepared.is_declared else fleet
    problem = await _take_over(engine, declared, prepared.attachment)
    if problem is None:
        _follow(engine, prepared.attachment)
        return Success(engine)
    await engine.close()
    return Failure(problem)


def _engine(means: Means, prepared: Prepared) -> Engine:
    platform, journal = means["platform"], means["journal"]
    policies = means.get("policies", NO_POLICIES)
    recovered, leading = prepared.recovered, prepared.leading
    told = Hooks(means.get("hooks"))
    telemetry = means.get("telemetry") or Telemetry()
    loop = Loop(
        recovered,
        journal,
        Clock(not_before=recovered.fleet.at),
        told,
        policies,
        snapshot_every=means.get("snapshot_every", SNAPSHOT_EVERY),
        telemetry=telemetry,
    )
    secrets = means.get("secrets") or EnvironmentSecrets()
    limits = means.get("limits", Limits())
    interpreter = Interpreter(
        platform, secrets, means.get("env_vars"), loop.tell, limits, telemetry
    )
    telemetry.follow(lambda: loop.head.seq)
    telemetry.takeovers += 1
    loop.followers.append(tell_lifecycle)
    loop.interpreter = interpreter
    travel = Travel(journal, policies)
    if leading is not None:
        loop.appended = leading.renewed
    return Engine(
        loop=loop,
        running=asyncio.ensure_future(loop.run()),
        listening=(
            asyncio.ensure_future(listen(loop, platform)),
            asyncio.ensure_future(acknowledge(loop, platform)),
        ),
        interpreter=interpreter,
        prober=Prober(loop, Asker(platform, secrets), limits.questions_at_once),
        roller=Roller(loop, platform, limits),
        measurer=Measurer(loop, platform),
        hooks=told,
        journal=journal,
        platform=platform,
        travel=travel,
        compacting=Compacting(journal, means.get("keep"), loop, travel, policies),
        policies=policies,
        catching_up=CatchingUp(loop),
        leading=leading,
        leadership=partial(_leadership, loop, prepared.attachment.epoch, leading),
    )


def _leadership(loop: Loop, epoch: int, leading: Leading | None) -> Leadership:
    told = Leadership(role=Role.LEADER, epoch=epoch, takeovers=loop.telemetry.takeovers)
    if leading is None:
        return told
    term = leading.term
    return attrs.evolve(
        told,
        role=Role.LEADER if loop.fatal is None else Role.STANDBY,
        leader=term.claim.holder,
        since=term.since,
        lease_ms=term.claim.ms,
        expires_in_ms=leading.expires_in_ms,
    )


async def _seldom_collected(booting: Coroutine[Any, Any, T]) -> T:
    """Boot as the loop works then: nobody looks at all that was recovered."""
    with collecting_seldom(AT_WORK):
        return await booting


def _follow(engine: Engine, attachment: Attachment) -> None:
    """Begin to ask, to measure and to roll out, until the loop ends."""
    engine.prober.start()
    engine.measurer.start()
    engine.compacting.start()
    if attachment.rolls:
        engine.roller.start()


def _stop_with_the_loop(engine: Engine) -> None:
    """Have the parts stop when the loop ends, and already when it is to stand down.

    It may sit in an append for long yet: what they would do meanwhile is the next
    leader's, and not all of it is refused by the platform.
    """

    def end(*_: asyncio.Task[None]) -> None:
        engine.compacting.stop()
        engine.interpreter.stop()
        if engine.leading is not None:
            engine.leading.stop()
        for part in (engine.prober, engine.measurer, engine.roller):
            part.stop()

    engine.running.add_done_callback(end)
    engine.loop.on_stand_down.append(end)


async def _take_over(
    engine: Engine, fleet: FleetSpec | None, attachment: Attachment
) -> ContainerError | None:
    """Write down that an operator has booted; declare a fleet, if it is another.

    Both come at once: a look between them would not show what is declared.
    """
    before = engine.loop.fleet
    engine.loop.tell(
        Booted(
            at=0,
            epoch=attachment.epoch,
            rules=RULES,
            fences=attachment.fences,
            rolls=attachment.rolls,
        )
    )
    if fleet is None:
        async with engine.loop.turned:
            await engine.loop.turned.wait_for(
                lambda: engine.loop.fleet.epoch > before.epoch or engine.running.done()
            )
        return engine.loop.fatal
    answer = await settled(engine.loop.ask(applying(fleet)))
    return None if isinstance(answer, Asked) else answer
