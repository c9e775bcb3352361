"""What the operators of a run share: virtual time, the world, the plan, the dice."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import TypeAlias

import attrs

from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.moments import Millis, Moment
from orchestrator.simulation.characters import Release
from orchestrator.simulation.dice import Dice
from orchestrator.simulation.plans import Doom, FaultPlan
from orchestrator.simulation.world import World

__all__ = ("Clock", "Stage")

LEAP_MS: Millis = 1_000
"""From how much on a wall clock that was set forward is followed."""

Due: TypeAlias = tuple[Moment, int, Callable[[], None]]
"""When, in which order, what."""


@attrs.define(kw_only=True)
class Stage:
    """Virtual time with what is to come, and what everything happens to.

    Nothing waits: time goes from one thing to the next. ``skew_ms`` is how far the
    wall clock is off, ``doomed`` what stays wrong when the plan is over. ``releases``
    say how what is made of a template behaves, ``rolls`` whether the platform itself
    brings another image to a service.
    """

    world: World
    plan: FaultPlan
    dice: Dice
    now: Moment = 0
    policies: CustomPolicies = NO_POLICIES
    skew_ms: int = 0
    doomed: dict[str, Doom] = attrs.field(factory=dict[str, Doom])
    releases: list[Release] = attrs.field(factory=list[Release])
    rolls: bool = False
    _due: list[Due] = attrs.field(factory=list[Due])
    _numbers: count[int] = attrs.field(factory=count)

    def later(self, at: Moment, happen: Callable[[], None]) -> None:
        """Have something happen at *at*, or at once where that is past."""
        heapq.heappush(self._due, (max(at, self.now), next(self._numbers), happen))

    def next_before(self, moment: Moment) -> Callable[[], None] | None:
        """Go on to the next thing that happens up to *moment*, and take it."""
        if not self._due or self._due[0][0] > moment:
            return None
        at, _, happen = heapq.heappop(self._due)
        self.now = at
        return happen

    @property
    def is_broken(self) -> bool:
        """Say whether the plan is in force."""
        return self.now < self.plan.until

    def fails(self, permille: int) -> bool:
        """Draw whether something goes wrong now."""
        return permille > 0 and self.is_broken and self.dice.happens(permille)


@attrs.define(kw_only=True)
class Clock:
    """An operator's clock: from the wall once, from the steady clock since.

    It follows a wall clock that is set forward, as after a sleep of the machine, and
    never one that is set back; nor does it begin before ``not_before``, the last moment
    of the journal.
    """

    stage: Stage
    not_before: Moment
    _offset: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        """Begin at what the wall says."""
        self._offset = max(self.stage.skew_ms, self.not_before - self.stage.now)

    def now(self) -> Moment:
        """Return the operator's moment."""
        if self.stage.skew_ms > self._offset + LEAP_MS:
            self._offset = self.stage.skew_ms
        return self.stage.now + self._offset

    def world_moment(self, at: Moment) -> Moment:
        """Return when, in the world's time, this clock will show *at*."""
        return at - self._offset
