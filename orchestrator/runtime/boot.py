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
from orchestrator.platforms.port import Attachment, Platform
from orchestrator.runtime.asker import Asker
from orchestrator.runtime.clock import Clock
from orchestrator.runtime.compacting import Compacting
from orchestrator.runtime.environment import EnvVars
from orchestrator.runtime.hooks import Hooks
from orchestrator.runtime.interpreter import Interpreter, Limits
from orchestrator.runtime.listening import acknowledge, listen
from orchestrator.runtime.logs import Lifecycle
from orchestrator.runtime.loop import Loop
from orchestrator.runtime.measurer import Measurer
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.prober import Prober
from orchestrator.runtime.recovery import Recovered, recover
from orchestrator.runtime.retention import Keep, not_compactable
from orchestrator.runtime.rolls import Roller
from orchestrator.runtime.secrets import EnvironmentSecrets, Secrets
from orchestrator.runtime.steps import Asked
from orchestrator.runtime.telemetry import Telemetry
from orchestrator.runtime.travel import Travel

__all__ = ("Engine", "Means", "boot")

LOG: Final = logging.getLogger("orchestrator.boot")

CLOSE_S: Final = 10.0
"""For commands under way to finish; they are outstanding otherwise."""


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
    compacting: Compacting
    policies: CustomPolicies = NO_POLICIES

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
    ``keep`` says how much of the journal is kept, all of it by default; ``telemetry``
    counts what happens.
    """

    platform: Platform
    journal: Journal
    env_vars: NotRequired[EnvVars | None]
    secrets: NotRequired[Secrets | None]
    hooks: NotRequired[object | None]
    limits: NotRequired[Limits]
    policies: NotRequired[CustomPolicies]
    snapshot_every: NotRequired[int]
    keep: NotRequired[Keep | None]
    telemetry: NotRequired[Telemetry]


def boot(fleet: FleetSpec, means: Means) -> FutureResult[Engine, ContainerError]:
    """Recover, take over, and make *fleet* the declared one."""

    async def booted() -> Result[Engine, ContainerError]:
        platform, journal = means["platform"], means["journal"]
        policies = means.get("policies", NO_POLICIES)
        every = means.get("snapshot_every", SNAPSHOT_EVERY)
        prepared = await _prepared(fleet, means)
        if not isinstance(prepared, tuple):
            await _let_go(journal, platform)
            return Failure(prepared)
        recovered, attachment, is_declared = prepared
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
        travel = Travel(journal, policies)
        engine = Engine(
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
        )
        declared = None if is_declared else fleet
        problem = await _take_over(engine, declared, attachment)
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
    engine.compacting.start()
    if attachment.rolls:
        engine.roller.start()

    def end(_: asyncio.Task[None]) -> None:
        engine.compacting.stop()
        for part in (engine.prober, engine.measurer, engine.roller):
            part.stop()

    engine.running.add_done_callback(end)


def _out_of_bounds(snapshot_every: int) -> InvalidSpec | None:
    if type(snapshot_every) is int and 1 <= snapshot_every <= SNAPSHOT_EVERY_MAX:
        return None
    expected = f"a number of rows from 1 to {SNAPSHOT_EVERY_MAX}"
    return invalid("snapshot_every", expected, snapshot_every)


async def _prepared(
    fleet: FleetSpec, means: Means
) -> tuple[Recovered, Attachment, bool] | ContainerError:
    """Read the journal and attach to the platform, before anything runs.

    The bool says whether *fleet* is the declared one already.
    """
    platform, journal = means["platform"], means["journal"]
    policies = means.get("policies", NO_POLICIES)
    wrong = _out_of_bounds(means.get("snapshot_every", SNAPSHOT_EVERY))
    wrong = wrong or not_compactable(journal, means.get("keep"))
    if wrong is not None:
        return wrong
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
    known = recovered.fleet
    is_declared = await asyncio.to_thread(_is_declared, known, fleet, policies)
    return recovered, attachment, is_declared


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
    answer = await settled(engine.loop.ask(_applying(fleet)))
    return None if isinstance(answer, Asked) else answer


def _applying(fleet: FleetSpec) -> Apply:
    return Apply(spec=fleet, by="fleet file", keep_scale=True)


def _is_declared(known: Fleet, fleet: FleetSpec, policies: CustomPolicies) -> bool:
    """Say whether an apply would change nothing: the core is asked, on a copy."""
    if not known.revision:
        return False  # nothing was ever declared
    event = admit(known, _applying(fleet), known.at, policies)
    if isinstance(event, Failure):
        return False  # whoever asks is told why
    after = reduce(known, event.unwrap(), policies).fleet
    return after.revision == known.revision
