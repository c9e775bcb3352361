"""An operator made of values: its loop and its timers, in virtual time.

As the real one does: durable first, then act. What cannot be written is tried again
(facts) or refused (requests); a killed operator takes along what it had not yet done,
and hands back what the platform will tell its successor again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias, TypeGuard

import attrs
from returns.pipeline import is_successful

from orchestrator.core.admit import admit, is_repeated
from orchestrator.core.commands import (
    Command,
    ObserveFleet,
    RollService,
    SendNotice,
)
from orchestrator.core.errors import (
    JournalUnavailable,
    OperatorClosed,
    RequestError,
    StaleOperator,
)
from orchestrator.core.events import (
    Booted,
    CommandFailed,
    Event,
    LifecycleEvent,
    TimeReached,
)
from orchestrator.core.evolving import evolve
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.notices import NoticeDelivered, NoticeFailed
from orchestrator.core.observations import Observation
from orchestrator.core.reduce import step_of
from orchestrator.core.requests import Request
from orchestrator.core.sights import differences
from orchestrator.core.state import RULES, Container, Fleet
from orchestrator.core.steps import Step
from orchestrator.core.wake import wake_at, wake_at_fleet
from orchestrator.simulation.asking import Asker
from orchestrator.simulation.interpreting import Interpreter
from orchestrator.simulation.plans import during
from orchestrator.simulation.stage import Clock, Stage

__all__ = ("Operator", "Refusal")

RETRY_MS: Final[tuple[Millis, Millis]] = (100, 5_000)
"""Before the journal is tried again: at first, and at most."""

NOTICE_MS: Final[Millis] = 20
"""What it takes to tell somebody of trouble."""

Refusal: TypeAlias = RequestError | JournalUnavailable | OperatorClosed
"""Why a request was not taken."""


@attrs.define(kw_only=True, eq=False)
class Operator:
    """One operator, from its boot to its end.

    ``write`` makes a step durable. ``ended`` is called once, when it is killed or
    stands down; the news that it is called with were told and are not durable.
    """

    stage: Stage
    fleet: Fleet
    epoch: int
    write: Callable[[Step], None]
    ended: Callable[[list[LifecycleEvent]], None]
    is_alive: bool = True
    clock: Clock = attrs.field(init=False)
    interpreter: Interpreter = attrs.field(init=False)
    asker: Asker = attrs.field(init=False)
    _not_before: Moment = 0
    _due: dict[str | None, Moment] = attrs.field(factory=dict[str | None, Moment])
    _backlog: deque[Event | Observation] = attrs.field(
        factory=deque[Event | Observation]
    )
    _pause: Millis = RETRY_MS[0]

    def __attrs_post_init__(self) -> None:
        """Take up its tools."""
        stage = self.stage
        self.clock = Clock(stage=stage, not_before=self.fleet.at)
        self.interpreter = Interpreter(
            stage=stage,
            epoch=self.epoch,
            tell=self.tell,
            later=self.later,
            stand_down=self.die,
        )
        self.asker = Asker(
            stage=stage, look_up=self._look_up, tell=self.tell, later=self.later
        )

    def _look_up(self, name: str) -> Container | None:
        return self.fleet.containers.get(name)

    def now(self) -> Moment:
        """Return the moment; never before anything that has happened."""
        return max(self.clock.now(), self.fleet.at, self._not_before)

    def later(self, at: Moment, happen: Callable[[], None]) -> None:
        """Have it do something at a moment of the world, if it still lives."""
        self.stage.later(at, lambda: happen() if self.is_alive else None)

    def boot(self) -> None:
        """Take over: what the journal says is believed, and looked at."""
        rolls = self.stage.rolls
        booted = Booted(at=0, epoch=self.epoch, rules=RULES, fences=True, rolls=rolls)
        self.tell(booted)
        self._refresh(tuple(self.fleet.containers))

    def die(self) -> None:
        """End at once; what was not yet done is not done."""
        if self.is_alive:
            self.is_alive = False
            self.ended([fact for fact in self._backlog if _is_news(fact)])

    # What comes in

    def ask(self, request: Request) -> Refusal | None:
        """Take a request in; the answer is why not, or None.

        ``OperatorClosed``: it died before the request was durable, which is lost.
        """
        if self._is_stuck():
            return JournalUnavailable(cause="the disk is full")
        if is_repeated(self.fleet, request, self.now()):
            return None
        answer = admit(self.fleet, request, self.now(), self.stage.policies)
        if not is_successful(answer):
            return answer.failure()
        self._take(answer.unwrap())
        return OperatorClosed() if self._backlog else None

    def tell(self, fact: Event | Observation) -> None:
        """Take a fact in: now, or when the journal can be written again."""
        if not self._is_stuck():
            self._take(fact)
            return
        if not self._backlog:
            self.later(self.stage.now + self._pause, self._try_again)
        self._backlog.append(fact)

    def _is_stuck(self) -> bool:
        return bool(self._backlog) or self._is_down()

    def _is_down(self) -> bool:
        return during(self.stage.plan.journal_down, self.stage.now)

    def _try_again(self) -> None:
        if self._is_down():
            self._pause = min(2 * self._pause, RETRY_MS[1])
            self.later(self.stage.now + self._pause, self._try_again)
            return
        self._pause = RETRY_MS[0]
        while self._backlog and self.is_alive:
            self._take(self._backlog.popleft())

    def _take(self, fact: Event | Observation) -> None:
        if isinstance(fact, Observation):
            for event in differences(self.fleet, fact, self.now()):
                if self.is_alive:
                    self._move(event)
        else:
            self._move(fact)

    # One step: durable, then act

    def _move(self, event: Event) -> None:
        killed = self.stage.fails(self.stage.plan.killed_in_step)
        if killed and self.stage.dice.happens(500):
            self._backlog.append(event)
            self.die()
            return
        step = step_of(self.fleet, evolve(event, at=self.now()), self.stage.policies)
        self.fleet = step.after
        self.write(step)
        commands = step.commands
        if killed:
            commands = commands[: self.stage.dice.between(0, len(commands))]
        for command in commands:
            self._hand_out(command)
        self._refresh(step.touched)
        if killed or _is_stale(event):
            self.die()

    def _hand_out(self, command: Command) -> None:
        if isinstance(command, ObserveFleet):
            began = self._not_before = max(self.now(), self.fleet.at + 1)
            self.interpreter.look(began)
        elif isinstance(command, SendNotice):
            self._tell_receiver(command.number)
        elif isinstance(command, RollService):
            self.interpreter.roll(command)
        else:
            container = self.fleet.containers.get(command.name)
            self.interpreter.carry_out(command, container)

    def _tell_receiver(self, number: int) -> None:
        """Have whoever is told of trouble take a notice, or be out of reach."""
        stage = self.stage
        outcome: Event = NoticeDelivered(at=0, number=number)
        if stage.fails(stage.plan.unreachable + stage.plan.unanswered):
            outcome = NoticeFailed(at=0, number=number, cause="no answer")
        self.later(stage.now + NOTICE_MS, lambda: self.tell(outcome))

    # Time

    def _refresh(self, names: tuple[str, ...]) -> None:
        """Ask again when to wake, for what was touched and for the fleet."""
        for name in names:
            container = self.fleet.containers.get(name)
            due = None if container is None else wake_at(container, fences=True)
            self._set(name, due)
            self.asker.watch(name)
        self._set(None, wake_at_fleet(self.fleet))

    def _set(self, name: str | None, due: Moment | None) -> None:
        if due is None:
            _ = self._due.pop(name, None)
        elif self._due.get(name) != due:
            self._due[name] = due
            self._arm(name, due)

    def _arm(self, name: str | None, due: Moment) -> None:
        self.later(self.clock.world_moment(due), lambda: self._timer(name, due))

    def _timer(self, name: str | None, due: Moment) -> None:
        if self._due.get(name) != due:
            return
        if self._is_down():
            self.later(self.stage.now + RETRY_MS[1], lambda: self._timer(name, due))
            return
        del self._due[name]
        self.tell(TimeReached(at=0, name=name))

    def follow_the_clock(self) -> None:
        """See what is due after the wall clock was set."""
        for name, due in tuple(self._due.items()):
            self._arm(name, due)


def _is_news(fact: Event | Observation) -> TypeGuard[LifecycleEvent]:
    """Say whether a fact is the platform's, which will tell it again."""
    return isinstance(fact, LifecycleEvent)


def _is_stale(event: Event) -> bool:
    """Say whether the platform has told it that another has taken over."""
    return isinstance(event, CommandFailed) and isinstance(event.error, StaleOperator)
