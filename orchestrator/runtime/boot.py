"""Booting an operator and ending it: what begins when, and what waits for what.

```
recover ─▶ attach (an epoch) ─▶ loop: booted, look ─▶ apply what is declared
                                 ├▶ listen to the platform from the cursor on
                                 └▶ ask the health checks of what runs
close: ask and listen no more ─▶ commands under way finish ─▶ mailbox ─▶ snapshot
       ─▶ let go
```
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final, NotRequired, TypedDict

import attrs
from returns.future import FutureResult
from returns.result import Failure, Result, Success

from orchestrator.codec.journal_choice import SNAPSHOT_EVERY, SNAPSHOT_EVERY_MAX
from orchestrator.codec.problems import invalid
from orchestrator.core.admit import admit
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import ContainerError, InvalidSpec, Problem
from orchestrator.core.events import Booted
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.reduce import reduce
from orchestrator.core.requests import Apply
from orchestrator.core.state import RULES, Fleet
from orchestrator.journal.port import Journal
from orchestrator.platforms.port import Attachment, Platform, StreamRefused
from orchestrator.runtime.asker import Asker
from orchestrator.runtime.clock import Clock
from orchestrator.runtime.environment import EnvVars
from orchestrator.runtime.hooks import Hooks
from orchestrator.runtime.interpreter import Interpreter, Limits
from orchestrator.runtime.logs import Lifecycle
from orchestrator.runtime.loop import Loop
from orchestrator.runtime.measurer import Measurer
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.prober import Prober
from orchestrator.runtime.recovery import Recovered, recover
from orchestrator.runtime.rolls import Roller
from orchestrator.runtime.secrets import EnvironmentSecrets, Secrets
from orchestrator.runtime.steps import Asked
from orchestrator.runtime.telemetry import Telemetry
from orchestrator.runtime.travel import Travel

__all__ = ("Engine", "Means", "boot")

LOG: Final = logging.getLogger("orchestrator.boot")

CLOSE_S: Final = 10.0
"""For commands under way to finish; they are outstanding otherwise."""

LISTEN_AGAIN_S: Final = 1.0

ACKNOWLEDGE_S: Final = 5.0
"""The platform keeps its news a little longer, rather than hear of each event."""


@attrs.frozen(kw_only=True, eq=False)
class Engine:
    """The parts of a running operator."""

    loop: Loop
    running: asyncio.Task[None]
    listening: tuple[asyncio.Task[None], ...]
    interpreter: Interpreter
    prober: Prober
    roller: Roller
    measurer: Measurer
    hooks: Hooks
    journal: Journal
    platform: Platform
    travel: Travel
    policies: CustomPolicies = NO_POLICIES

    async def close(self) -> None:
        """End in order."""
        await self.prober.close()
        await self.roller.close()
        await self.measurer.close()
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
        await _let_go(self.journal, self.platform)
        self.running.result()  # a bug of ours is raised, when all is let go of


async def _let_go(journal: Journal, platform: Platform) -> None:
    closed = await settled(journal.close())
    if closed is not None:
        LOG.warning("the journal did not close: %s", closed.message)
    await platform.detach()


class Means(TypedDict):
    """What an operator works with; only platform and journal must be given.

    ``secrets`` is the operator's own environment by default; ``hooks`` an object with
    any of ``on_start``, ``on_stop``, ``on_error``; ``policies`` are the custom restart
    policies that specs may name (``core.custom.registered``); ``snapshot_every``: after
    so many rows the fleet is saved beside them (1 to 1,000,000, by default 10,000);
    ``telemetry`` counts what happens.
    """

    platform: Platform
    journal: Journal
    env_vars: NotRequired[EnvVars | None]
    secrets: NotRequired[Secrets | None]
    hooks: NotRequired[object | None]
    limits: NotRequired[Limits]
    policies: NotRequired[CustomPolicies]
    snapshot_every: NotRequired[int]
    telemetry: NotRequired[Telemetry]


def boot(fleet: FleetSpec, means: Means) -> FutureResult[Engine, ContainerError]:
    """Recover, take over, and make *fleet* the declared one."""

    async def booted() -> Result[Engine, ContainerError]:
        platform, journal = means["platform"], means["journal"]
        policies = means.get("policies", NO_POLICIES)
        every = means.get("snapshot_every", SNAPSHOT_EVERY)
        prepared = _out_of_bounds(every) or await _prepared(
            fleet, platform, journal, policies
        )
        if not isinstance(prepared, tuple):
            await _let_go(journal, platform)
            return Failure(prepared)
        recovered, attachment = prepared
        told = Hooks(means.get("hooks"))
        clock = Clock(not_before=recovered.fleet.at)
        telemetry = means.get("telemetry") or Telemetry()
        loop = Loop(
            recovered,
            journal,
            clock,
            told,
            policies,
            snapshot_every=every,
            telemetry=telemetry,
        )
        secrets = means.get("secrets") or EnvironmentSecrets()
        limits = means.get("limits", Limits())
        interpreter = Interpreter(
            platform, secrets, means.get("env_vars"), loop.tell, limits, telemetry
        )
        telemetry.follow(lambda: loop.head.seq)
        loop.watchers.append(Lifecycle(recovered.head.seq).see)
        loop.interpreter = interpreter
        engine = Engine(
            loop=loop,
            running=asyncio.ensure_future(loop.run()),
            listening=(
                asyncio.ensure_future(_listen(loop, platform)),
                asyncio.ensure_future(_acknowledge(loop, platform)),
            ),
            interpreter=interpreter,
            prober=Prober(loop, Asker(platform, secrets), limits.questions_at_once),
            roller=Roller(loop, platform, limits),
            measurer=Measurer(loop, platform),
            hooks=told,
            journal=journal,
            platform=platform,
            travel=Travel(journal, policies),
            policies=policies,
        )
        problem = await _take_over(engine, fleet, attachment)
        if problem is None:
            _follow(engine, attachment)
            return Success(engine)
        await engine.close()
        return Failure(problem)

    return FutureResult(booted())


def _follow(engine: Engine, attachment: Attachment) -> None:
    """Begin to ask, to measure and to roll out, until the loop ends."""
    engine.prober.start()
    engine.measurer.start()
    if attachment.rolls:
        engine.roller.start()

    def end(_: asyncio.Task[None]) -> None:
        for part in (engine.prober, engine.measurer, engine.roller):
            part.stop()

    engine.running.add_done_callback(end)


def _out_of_bounds(snapshot_every: int) -> InvalidSpec | None:
    if type(snapshot_every) is int and 1 <= snapshot_every <= SNAPSHOT_EVERY_MAX:
        return None
    expected = f"a number of rows from 1 to {SNAPSHOT_EVERY_MAX}"
    return invalid("snapshot_every", expected, snapshot_every)


async def _prepared(
    fleet: FleetSpec, platform: Platform, journal: Journal, policies: CustomPolicies
) -> tuple[Recovered, Attachment] | ContainerError:
    """Read the journal and attach to the platform, before anything runs."""
    recovered = await settled(recover(journal, fleet.name, policies))
    if not isinstance(recovered, Recovered):
        return recovered
    if recovered.fleet.name != fleet.name:
        problem = Problem(
            place="fleet.name",
            expected=f"{recovered.fleet.name!r}, whose journal this is",
            found=repr(fleet.name),
            hint="another fleet needs a state folder of its own",
        )
        return InvalidSpec(problems=(problem,))
    attachment = await settled(platform.attach(recovered.fleet.epoch))
    if not isinstance(attachment, Attachment):
        return attachment
    return recovered, attachment


async def _take_over(
    engine: Engine, fleet: FleetSpec, attachment: Attachment
) -> ContainerError | None:
    """Write down that an operator has booted; declare the fleet, if it is another."""
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
    request = Apply(spec=fleet, by="fleet file", keep_scale=True)
    if _is_declared(before, request, engine.policies):
        async with engine.loop.turned:
            await engine.loop.turned.wait_for(
                lambda: engine.loop.fleet.epoch > before.epoch or engine.running.done()
            )
        return engine.loop.fatal
    answer = await settled(engine.loop.ask(request))
    return None if isinstance(answer, Asked) else answer


def _is_declared(known: Fleet, request: Apply, policies: CustomPolicies) -> bool:
    """Say whether an apply would change nothing: the core is asked, on a copy."""
    event = admit(known, request, known.at, policies)
    if isinstance(event, Failure):
        return False  # whoever asks is told why
    after = reduce(known, event.unwrap(), policies).fleet
    return after.revision == known.revision


async def _listen(loop: Loop, platform: Platform) -> None:
    """Pass on what the platform tells; begin again where its stream breaks off."""
    while True:
        try:
            async for event in platform.events(loop.fleet.cursor):
                await loop.tell_when_there_is_room(event)
        except StreamRefused as refused:
            loop.stand_down(refused.error)
            return
        except Exception:
            LOG.exception("the platform's stream broke off")
        await asyncio.sleep(LISTEN_AGAIN_S)


async def _acknowledge(loop: Loop, platform: Platform) -> None:
    """Let the platform know now and then how far its news are durable here."""
    known = ""
    while True:
        await asyncio.sleep(ACKNOWLEDGE_S)
        if (cursor := loop.fleet.cursor) != known:
            try:
                await platform.acknowledge(cursor)
            except Exception:
                LOG.exception("the platform was not told what is durable")
            else:
                known = cursor
