"""A life while it is being told, row by row: what was commanded, answered, heard.

Who ended it follows from the rows themselves where they tell of an end, so that it is
known, too, of a history that today's code would have decided otherwise.
"""

from __future__ import annotations

import attrs

from orchestrator.core.errors import PlatformError, StartError
from orchestrator.core.events import ContainerEnded, ContainerObserved
from orchestrator.core.moments import Moment
from orchestrator.core.observations import (
    SeenAbsent,
    SeenEnded,
    SeenUnreachable,
)
from orchestrator.core.specs import ContainerSpec
from orchestrator.replay.imagined.lives import Answer, Ending, Fact, Life, News

__all__ = ("LifeDraft", "in_place_of")


@attrs.define(kw_only=True, eq=False)
class LifeDraft:
    """A run that is being told; ``life`` is what it comes to.

    ``was_slow``: we ended it because it was not ready in time. ``goes_as_next``: it
    never began, which is skipped, so that it goes as the next one.
    """

    name: str
    run: int
    mark: str = ""
    spec: ContainerSpec | None = None
    starts: list[Answer] = attrs.field(factory=list[Answer])
    stops: list[Answer] = attrs.field(factory=list[Answer])
    took: int = 0
    facts: list[Fact] = attrs.field(factory=list[Fact])
    until_ready: int = 0
    ending: Ending = Ending.ALIVE
    stop_end: Fact | None = None
    is_over: bool = False
    is_stopping: bool = False
    was_slow: bool = False
    goes_as_next: bool = False

    def answer(
        self,
        given: list[Answer],
        *,
        since: int,
        seq: int,
        at: Moment,
        error: PlatformError | StartError | None,
    ) -> None:
        """Let the first command be answered that was given behind row *since*."""
        for place, one in enumerate(given):
            if one.at is None and one.given > since:
                given[place] = attrs.evolve(one, seq=seq, at=at, error=error)
                return

    def hear(self, fact: Fact) -> None:
        """Take in news; those of a run that is over tell nothing new."""
        if self.is_over:
            return
        if _shows_life(fact.event):
            self.took = self.took or len(self.starts)
        if not self._is_end(fact.event):
            self.facts.append(fact)
        elif self.stops or self.is_stopping:
            self.end(Ending.BY_US)
            self.stop_end = fact
        else:
            self.end(Ending.BY_ITSELF)
            self.facts.append(fact)

    def end(self, ending: Ending) -> None:
        """Note who has ended it."""
        self.is_over = True
        self.ending = ending

    def _is_end(self, event: News) -> bool:
        """Say whether news end the run; not to be seen is one once it was accepted."""
        match event:
            case ContainerEnded() | ContainerObserved(sight=SeenEnded()):
                return True
            case ContainerObserved(sight=SeenAbsent()):
                accepted = any(one.at and one.error is None for one in self.starts)
                return accepted or bool(self.facts) or not self.starts
            case _:
                return False

    def life(self, ends: Moment) -> Life:
        """Return the run as a value; a command that nobody answered was none.

        *ends* is when the record does.
        """
        took = max(self.took, 1)
        numbers = [
            number
            for number, start in enumerate(self.starts, 1)
            if start.at is not None or number == took
        ]
        begun = self.starts[took - 1].given_at if len(self.starts) >= took else None
        by_itself = self.ending is Ending.BY_ITSELF
        is_cut = not (self.until_ready or by_itself or self.was_slow)
        until = self.stops[0].given_at if self.stops else ends
        life = Life(
            name=self.name,
            run=self.run,
            mark=self.mark,
            begun_at=begun,
            starts=tuple(self.starts[number - 1] for number in numbers),
            took=numbers.index(took) + 1 if took in numbers else 1,
            facts=tuple(self.facts),
            until_ready=self.until_ready,
            cut_short=is_cut,
            known_until=until if is_cut else 0,
            ending=self.ending,
            stops=tuple(stop for stop in self.stops if stop.at is not None),
            stop_end=self.stop_end,
        )
        if self.spec is None:
            return life
        grace_ms = self.spec.stop_grace_ms
        return attrs.evolve(life, checks=self.spec.health, grace_ms=grace_ms)


def _shows_life(event: News) -> bool:
    """Say whether news tell of a process; that one was not found tells of none."""
    match event:
        case ContainerObserved(sight=SeenAbsent() | SeenUnreachable()):
            return False
        case _:
            return True


def in_place_of(skipped: Life, life: Life) -> Life:
    """Let a run whose failure is skipped go as the next one went."""
    answered = [start.at for start in skipped.starts if start.at is not None]
    taken = max(answered, default=skipped.begun_at or 0)
    later = taken - (life.starts[life.took - 1].at or life.begun_at or 0)
    return attrs.evolve(
        life,
        run=skipped.run,
        begun_at=skipped.begun_at,
        starts=skipped.starts,
        took=len(skipped.starts),
        facts=tuple(
            attrs.evolve(fact, at=max(taken, fact.at + later)) for fact in life.facts
        ),
    )
