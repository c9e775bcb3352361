"""The platform's news on their way to the operator: told at least once, if all is well.

What the plan breaks: they are lost, repeated, late, out of order, or told again long
after; the platform loses sight of a run; a container vanishes without a word.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

import attrs

from orchestrator.core.events import ContainerErrored, LifecycleEvent
from orchestrator.core.moments import Millis, Moment
from orchestrator.simulation.stage import Stage

__all__ = ("Teller",)

LATE_MS: Final[tuple[Millis, Millis]] = (1, 30_000)
REORDERED_MS: Final[tuple[Millis, Millis]] = (1, 3_000)
STALE_MAX: Final = 50
"""How many old events may be told again."""


@attrs.define(kw_only=True, eq=False)
class Teller:
    """Passes news on; ``told`` says whether anybody has heard them."""

    stage: Stage
    told: Callable[[LifecycleEvent], bool]
    _hears_at: Moment | None = None
    _waiting: list[LifecycleEvent] = attrs.field(factory=list[LifecycleEvent])
    _old: deque[LifecycleEvent] = attrs.field(
        factory=lambda: deque[LifecycleEvent](maxlen=STALE_MAX)
    )

    def listen(self) -> None:
        """Have the world speak up when it next has something to say."""
        due = self.stage.world.next_news_at()
        if due is None or (self._hears_at is not None and self._hears_at <= due):
            return
        self._hears_at = due
        self.stage.later(due, lambda: self._hear(due))

    def _hear(self, due: Moment) -> None:
        if self._hears_at != due:
            return
        self._hears_at = None
        stage, plan = self.stage, self.stage.plan
        for event in stage.world.news(stage.now):
            self._old.append(event)
            if stage.fails(plan.event_lost):
                continue
            self._pass_on(event)
            if stage.fails(plan.event_repeated):
                self._pass_on(event)
            if stage.fails(plan.event_stale):
                self._pass_on(stage.dice.pick(self._old))
        if stage.is_broken and (plan.vanished or plan.lost_sight):
            self._befall()

    def _befall(self) -> None:
        """Lose sight of runs, or lose them."""
        stage, plan = self.stage, self.stage.plan
        for name in sorted(stage.world.lives):
            life = stage.world.lives[name]
            if stage.fails(plan.vanished):
                stage.world.vanish(name, stage.now)
            elif stage.fails(plan.lost_sight) and not life.has_ended(stage.now):
                self._pass_on(
                    ContainerErrored(
                        at=0, name=name, run=life.run, cause="the link broke"
                    )
                )

    def _pass_on(self, event: LifecycleEvent) -> None:
        stage, plan = self.stage, self.stage.plan
        delay = stage.dice.between(0, 20)
        if stage.fails(plan.event_late):
            delay += stage.dice.between(*LATE_MS)
        elif stage.fails(plan.event_reordered):
            delay += stage.dice.between(*REORDERED_MS)
        stage.later(stage.now + delay, lambda: self._arrive(event))

    def _arrive(self, event: LifecycleEvent) -> None:
        if not self.told(event):
            self._waiting.append(event)

    def keep(self, news: list[LifecycleEvent]) -> None:
        """Keep what was told and is not durable: it is told to the next operator."""
        self._waiting = news + self._waiting

    def tell_what_waits(self) -> None:
        """Tell an operator what nobody has heard."""
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            self._pass_on(event)
