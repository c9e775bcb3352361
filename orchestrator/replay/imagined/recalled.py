"""The platform as a record remembers it: what it would answer, tell and end.

Containers that do not follow the record any more are played here: their n-th run of a
spec goes as the n-th recorded one, counted from its start. What comes of a command is
put into an agenda, which whoever plays asks for the next thing. Every run takes a
millisecond at least, so that time goes on whatever the policy.
"""

from __future__ import annotations

import heapq
from itertools import count
from typing import Final, TypeAlias

import attrs

from orchestrator.core.commands import (
    DestroyContainer,
    ForgetContainer,
    StartContainer,
    StopContainer,
)
from orchestrator.core.errors import PlatformError, StaleRun, StartError
from orchestrator.core.events import (
    CommandAccepted,
    CommandFailed,
    CommandKind,
    ContainerEnded,
    ContainerObserved,
    ContainerReady,
    HealthChanged,
)
from orchestrator.core.exits import Stopped
from orchestrator.core.health import CheckKind
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.observations import SeenRunning
from orchestrator.core.phases import Stopping
from orchestrator.core.state import Container
from orchestrator.core.steps import Step
from orchestrator.replay.imagined.assumptions import Notes, Supposed
from orchestrator.replay.imagined.causes import Causes
from orchestrator.replay.imagined.lives import Answer, Life, News
from orchestrator.replay.imagined.sameness import Told, begins_another
from orchestrator.replay.imagined.scripts import (
    life_of,
    ran_only_others,
    started_with,
)
from orchestrator.replay.imagined.turns import Turns

__all__ = ("Behind", "Recalled")

LEAST_MS: Final[Millis] = 1
"""The least that anything takes which is played."""

Due: TypeAlias = tuple[Moment, int, Told]
"""When, in which order, what."""

Error: TypeAlias = PlatformError | StartError


@attrs.frozen(kw_only=True)
class Behind:
    """Where a container is taken over, at ``at``.

    News of the rows up to ``row`` were told to it; what was commanded in rows up to
    ``shared`` was commanded in the record and in the hypothesis. ``listens``: by then
    its run accepts work.
    """

    row: int
    shared: int
    at: Moment
    listens: bool


@attrs.define(kw_only=True)
class _Played:
    """A run that is played: as which recorded one, and what it was commanded."""

    life: Life
    run: int
    starts: int = 0
    stops: int = 0
    has_begun: bool = False


@attrs.define(kw_only=True, eq=False)
class Recalled:
    """Answers the commands of containers that are played; keeps what is to come."""

    causes: Causes
    notes: Notes
    turns: Turns = attrs.field(factory=Turns)
    _played: dict[str, _Played] = attrs.field(factory=dict[str, _Played])
    _due: list[Due] = attrs.field(factory=list[Due])
    _numbers: count[int] = attrs.field(factory=count)

    # The agenda

    def put(self, at: Moment, event: Told) -> None:
        """Have something told at *at*."""
        heapq.heappush(self._due, (at, next(self._numbers), event))

    def next_at(self) -> Moment | None:
        """Return when the next thing is told."""
        return self._due[0][0] if self._due else None

    def pop(self) -> Told:
        """Take the next thing."""
        return heapq.heappop(self._due)[2]

    # Taking over

    def take_over(self, before: Container, run: int, place: Behind) -> None:
        """Play on a run that has followed the record until then.

        *before* is what the container was before the step that parts them. What had
        been commanded by then is answered as it was.
        """
        name, shared = before.name, place.shared
        life = self._under_way(before, run)
        played = _Played(life=life, run=run, has_begun=True)
        self._played[name] = played
        played.starts = sum(answer.given <= shared for answer in life.starts)
        played.stops = sum(answer.given <= shared for answer in life.stops)
        kinds = ((CommandKind.START, life.starts), (CommandKind.STOP, life.stops))
        for kind, answers in kinds:
            for answer in answers:
                is_due = answer.given <= shared and answer.seq > place.row
                if is_due and answer.at is not None:
                    self._answer(name, run, kind, answer.error, answer.at)
        for fact in life.facts:
            if fact.seq > place.row:
                self._tell(fact.event, before, life, run, max(place.at, fact.at))
        end = life.stop_end
        if isinstance(before.phase, Stopping) and end is not None:
            self._tell(end.event, before, life, run, max(place.at, end.at))
        if place.listens:
            self._pass(before, life, run, place.at)

    def _under_way(self, container: Container, run: int) -> Life:
        turn = self.turns.last(container)
        for life in self.causes.older.get(container.name) or ():
            if life.run == run:
                return started_with(life, turn.mark)
        return life_of(self.causes, turn, self.notes)

    def knows_another(
        self, was: Container | None, now: Container | None, step: Step | None
    ) -> bool:
        """Say whether what begins to run is known, from other runs than the record's.

        *was* and *now* are a container in the record and in the hypothesis, behind
        *step*. What never ran in the record is noted, and goes as what ran.
        """
        if was is None or now is None or step is None:
            return False
        if not begins_another(was, now, step):
            return False
        if (now.name, self.turns.marks.of(now.spec)) in self.causes.alike:
            return True
        self.notes.take(Supposed.OTHER_SPEC, now.name)
        return False

    # Commands

    def start(self, command: StartContainer, container: Container, at: Moment) -> None:
        """Answer a start; the run goes as the next recorded one."""
        name, run = command.name, command.run
        played = self._played.get(name)
        if played is None or played.run != run:
            turn = self.turns.begin(container)
            if ran_only_others(self.causes, turn):
                self.notes.take(Supposed.OTHER_SPEC, name)
            life = life_of(self.causes, turn, self.notes)
            played = self._played[name] = _Played(life=life, run=run)
        played.starts += 1
        life = played.life
        answer = _nth(life.starts, played.starts)
        error = None if answer is None else answer.error
        if answer is None and life.starts and not life.facts:
            error = life.starts[-1].error
        self._answer(name, run, CommandKind.START, error, at + self._wait(answer))
        if played.starts >= life.took and not played.has_begun:
            played.has_begun = True
            for fact in life.facts:
                when = at + max(LEAST_MS, fact.at - (life.begun_at or 0))
                self._tell(fact.event, container, life, run, when)

    def stop(self, command: StopContainer | DestroyContainer, at: Moment) -> None:
        """Answer a stop, and end the run as the record knows its stops."""
        name, run = command.name, command.run
        played = self._played.get(name)
        if played is None or played.run != run:
            unknown = Life(name=name, run=run, begun_at=None)
            played = self._played[name] = _Played(life=unknown, run=run)
        played.stops += 1
        life = played.life
        answer = _nth(life.stops, played.stops)
        error = None if answer is None else answer.error
        is_last = played.stops >= len(life.stops)
        kind = CommandKind.STOP
        if isinstance(command, DestroyContainer):
            kind = CommandKind.DESTROY
        self._answer(name, run, kind, error, at + self._wait(answer))
        if is_last and (life.stop_end is not None or error is None):
            self._end(command, life, at)

    def _end(
        self, command: StopContainer | DestroyContainer, life: Life, at: Moment
    ) -> None:
        recorded = life.stop_ms
        if recorded is None:
            self.notes.take(Supposed.TYPICAL_STOP, command.name)
        wait = self.causes.typical.stop if recorded is None else recorded
        if isinstance(command, StopContainer) and wait >= life.grace_ms > 0:
            wait += command.grace_ms - life.grace_ms  # it does not heed the signal
        end: News = ContainerEnded(at=0, name=command.name, run=0, exit=Stopped())
        if life.stop_end is not None:
            end = life.stop_end.event
        self.put(at + max(LEAST_MS, wait), attrs.evolve(end, run=command.run))

    def forget(self, command: ForgetContainer, at: Moment) -> None:
        """Answer that a container is forgotten."""
        wait = max(LEAST_MS, self.causes.typical.answer)
        self._answer(command.name, command.run, CommandKind.FORGET, None, at + wait)

    def _wait(self, answer: Answer | None) -> Millis:
        known = None if answer is None else answer.after_ms
        return max(LEAST_MS, self.causes.typical.answer if known is None else known)

    def _answer(
        self, name: str, run: int, kind: CommandKind, error: Error | None, at: Moment
    ) -> None:
        if error is None:
            self.put(at, CommandAccepted(at=0, name=name, run=run, kind=kind))
            return
        if isinstance(error, StaleRun):
            highest = run + error.highest - error.run
            error = attrs.evolve(error, run=run, highest=highest)
        self.put(at, CommandFailed(at=0, name=name, run=run, kind=kind, error=error))

    # News

    def _tell(
        self, news: News, container: Container, life: Life, run: int, at: Moment
    ) -> None:
        self.put(at, attrs.evolve(news, run=run))
        if _listens(news):
            self._pass(container, life, run, at)

    def _pass(self, container: Container, life: Life, run: int, at: Moment) -> None:
        """Have checks pass that the spec has now, and had not when it was recorded."""
        for check in (CheckKind.STARTUP, CheckKind.READINESS):
            asked = container.spec.health.get(check) is not None
            if asked and life.checks.get(check) is None:
                name = container.name
                self.notes.take(Supposed.UNASKED_CHECK, name)
                self.put(
                    at,
                    HealthChanged(at=0, name=name, run=run, check=check, passing=True),
                )


def _nth(answers: tuple[Answer, ...], number: int) -> Answer | None:
    return answers[number - 1] if number <= len(answers) else None


def _listens(news: News) -> bool:
    """Say whether news tell that the run accepts work."""
    match news:
        case ContainerReady() | ContainerObserved(sight=SeenRunning(ready=True)):
            return True
        case _:
            return False
