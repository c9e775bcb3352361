"""Rollouts by the platform, followed until they are over.

```
RollService ─▶ roll(order) ─▶ a sight ─▶ ServiceRolled, where it says anything new
                   ▲              │
                   └─ after a while ── until done, failed, or not waited for any more
```

Asking again is the same as asking once, so nothing is lost with the operator: after a
boot the command is given again, and what is under way at the platform is found there.
What the platform answers is told; how long it may take is the core's to decide. An
answer that cannot be had is no progress: it is told once, in words.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from orchestrator.core.commands import RollService
from orchestrator.core.errors import (
    PlatformError,
    RateLimited,
    StaleOperator,
    TimedOut,
    Unreachable,
)
from orchestrator.core.lineages import Rollout
from orchestrator.core.loads import RollOutcome, ServiceRolled
from orchestrator.core.moments import Millis
from orchestrator.core.platform_rollouts import awaits_platform, rolls_again
from orchestrator.core.state import Fleet
from orchestrator.core.steps import Step
from orchestrator.platforms.port import Platform, RollingPlatform, RollOrder, RollSight
from orchestrator.runtime.interpreter import Limits
from orchestrator.runtime.loop import Loop
from orchestrator.runtime.members import Members
from orchestrator.runtime.outcomes import settled

__all__ = ("Roller", "order_of")

LOG: Final = logging.getLogger("orchestrator.rollouts")

SLOWER: Final = 2
AGAIN_MAX_MS: Final[Millis] = 60_000
"""Before a platform that does not answer is asked again, at most."""

WHOLE: Final = 100


class Roller:
    """Has the platform roll services out, and tells the fleet how far it is."""

    def __init__(self, loop: Loop, platform: Platform, limits: Limits) -> None:
        """Begin with ``start``; *limits* say how often it is asked."""
        self._loop = loop
        self._platform = platform if isinstance(platform, RollingPlatform) else None
        self._limits = limits
        self._tasks: dict[str, tuple[int, asyncio.Task[None]]] = {}
        self._is_closed = False

    def start(self) -> None:
        """Follow what is commanded from now on, and what was before."""
        if self._is_closed or self._platform is None:
            return
        self._loop.watchers.append(self._watch)
        if self._loop.fleet.observed:
            for command in rolls_again(self._loop.fleet):
                self._begin(command)

    def stop(self) -> None:
        """Follow nothing any more; what the platform does goes on."""
        self._is_closed = True
        if self._watch in self._loop.watchers:
            self._loop.watchers.remove(self._watch)
        for _, task in self._tasks.values():
            task.cancel()

    async def close(self) -> None:
        """Stop, and wait until nothing is left."""
        self.stop()
        tasks = [task for _, task in self._tasks.values()]
        await asyncio.gather(*tasks, return_exceptions=True)

    def _watch(self, step: Step) -> None:
        for command in step.commands:
            if isinstance(command, RollService):
                self._begin(command)

    def _begin(self, command: RollService) -> None:
        """Follow a rollout, in place of an older one of the same service."""
        platform = self._platform
        if platform is None:
            return
        known = self._tasks.get(command.service)
        if known is not None and not known[1].done():
            if known[0] == command.revision:
                return
            known[1].cancel()
        task = asyncio.ensure_future(self._follow(platform, command))
        self._tasks[command.service] = (command.revision, task)

    async def _follow(self, platform: RollingPlatform, command: RollService) -> None:
        every_ms = pause_ms = self._limits.roll_every_ms
        told: RollSight | None = None
        last = RollSight(outcome=RollOutcome.PROGRESSING)
        while (order := self._order_of(command)) is not None:
            answer = await self._asked(platform, order)
            if isinstance(answer, StaleOperator):
                self._loop.stand_down(answer)
                return
            if isinstance(answer, RollSight):
                sight = last = answer
                pause_ms = every_ms
            else:
                sight = _unknown(last, answer)
                pause_ms = max(min(pause_ms * SLOWER, AGAIN_MAX_MS), _held_ms(answer))
            if sight != told or sight.behind:  # there may be room for one more now
                self._loop.tell(_event(command, sight))
                told = sight
            if sight.outcome is not RollOutcome.PROGRESSING:
                return
            await asyncio.sleep(pause_ms / 1_000)

    def _order_of(self, command: RollService) -> RollOrder | None:
        return order_of(self._loop.fleet, command, self._loop.members)

    async def _asked(
        self, platform: RollingPlatform, order: RollOrder
    ) -> RollSight | PlatformError:
        try:
            async with asyncio.timeout(self._limits.observe_ms / 1_000):
                return await settled(platform.roll(order))
        except TimeoutError:
            return TimedOut(after_ms=self._limits.observe_ms)
        except Exception as error:
            LOG.exception("the platform adapter failed to roll %s out", order.service)
            return Unreachable(cause=type(error).__name__)


def order_of(fleet: Fleet, command: RollService, members: Members) -> RollOrder | None:
    """Return what the platform is asked; None where nobody waits for it any more."""
    lineage = fleet.lineages.get(command.service)
    rollout = None if lineage is None else lineage.rollout
    if lineage is None or rollout is None or not awaits_platform(rollout):
        return None
    revision, roll = lineage.revision(command.revision), rollout.roll
    if revision is None or roll is None or roll.revision != command.revision:
        return None
    names = tuple(each.name for each in members.of(fleet, command.service))
    return RollOrder(
        service=command.service,
        revision=command.revision,
        epoch=fleet.epoch,
        template=revision.template,
        known=roll.id,
        given_up=roll.given_up,
        members=names,
        percent=_percent(rollout, len(names)),
    )


def _percent(rollout: Rollout, replicas: int) -> int:
    """Return how many percent of the instances may be replaced at a time."""
    if rollout.policy.strategy == "recreate" or not replicas:
        return WHOLE
    policy = rollout.policy
    at_a_time = max(1, policy.unavailable(replicas), policy.surge(replicas))
    return min(WHOLE, WHOLE * at_a_time // replicas)


def _unknown(last: RollSight, error: PlatformError) -> RollSight:
    """Return what was seen last, with the reason why there is nothing newer."""
    return RollSight(
        outcome=RollOutcome.PROGRESSING,
        updated=last.updated,
        total=last.total,
        id=last.id,
        cause=error.message,
    )


def _held_ms(error: PlatformError) -> Millis:
    return (error.retry_after_ms or 0) if isinstance(error, RateLimited) else 0


def _event(command: RollService, sight: RollSight) -> ServiceRolled:
    """Return the event that a sight is; the loop stamps it."""
    return ServiceRolled(
        at=0,
        service=command.service,
        revision=command.revision,
        outcome=sight.outcome,
        updated=sight.updated,
        total=sight.total,
        cause=sight.cause,
        id=sight.id,
        behind=sight.behind,
    )
