"""A batch of items moved through the core: pure in effect, nothing is done yet.

What a batch would change is worked out on a copy that costs nothing (the fleet is a
value). Only when its rows are durable does it become true; a batch that could not be
written is forgotten, and its facts are tried again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

import attrs
from returns.result import Failure

from orchestrator.codec.changes import encode_changes
from orchestrator.codec.wire import encode_commands, encode_event
from orchestrator.core.admit import admit, is_repeated
from orchestrator.core.autoscale import measured
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import (
    ContainerError,
    JournalConflict,
    JournalCorrupt,
    JournalError,
    JournalUnavailable,
    PlatformError,
    RequestError,
    StaleOperator,
    Unreachable,
)
from orchestrator.core.events import CommandFailed, Event, FleetObserved
from orchestrator.core.loads import LoadObserved
from orchestrator.core.moments import Moment
from orchestrator.core.observations import Observation
from orchestrator.core.reduce import step_of
from orchestrator.core.requests import Request
from orchestrator.core.sights import differences
from orchestrator.core.state import Fleet
from orchestrator.core.steps import Step
from orchestrator.journal.port import Draft

__all__ = (
    "Ask",
    "Asked",
    "Batch",
    "Happened",
    "Heard",
    "Item",
    "Looked",
    "doubt_of",
    "draft_of",
    "is_final",
    "looked",
    "refuse",
    "stale_in",
)


@attrs.frozen(kw_only=True)
class Asked:
    """What a request came to: the fleet after it was admitted.

    ``seq`` is the row of its event; where it was made before (``replayed``) nothing is
    written, and it is the newest row.
    """

    fleet: Fleet
    at: Moment
    seq: int
    replayed: bool = False


Heard: TypeAlias = Callable[[Asked], None]
"""Is told what a request came to, as soon as that is durable."""


@attrs.frozen(kw_only=True, eq=False)
class Ask:
    """A request, or a load that somebody tells; and who waits for the answer."""

    request: Request | LoadObserved
    answer: asyncio.Future[Asked | ContainerError]


@attrs.frozen(kw_only=True, eq=False)
class Happened:
    """A fact; the loop stamps its arrival."""

    event: Event


@attrs.frozen(kw_only=True, eq=False)
class Looked:
    """What a look at the platform showed, or why it showed nothing."""

    seen: Observation | PlatformError


Item: TypeAlias = Ask | Happened | Looked


def looked(seen: Observation | PlatformError, began: Moment) -> Looked:
    """Return a look, restamped with our own moment: clocks of platforms are data."""
    if isinstance(seen, Observation):
        return Looked(seen=attrs.evolve(seen, began=began))
    return Looked(seen=seen)


def draft_of(step: Step) -> Draft:
    """Return a step as a row."""
    return Draft(
        at=step.event.at,
        event=encode_event(step.event),
        commands=encode_commands(step.commands),
        changes=encode_changes(step.before, step.after, step.touched),
    )


def stale_in(items: Iterable[Item]) -> StaleOperator | None:
    """Return what tells among some items that a newer operator has taken over."""
    for item in items:
        match item:
            case (
                Looked(seen=StaleOperator() as error)
                | Happened(event=CommandFailed(error=StaleOperator() as error))
            ):
                return error
            case _:
                pass
    return None


def is_final(error: JournalError) -> bool:
    """Say whether an operator whose append was answered so must not go on."""
    match error:
        case JournalCorrupt() | JournalConflict() | StaleOperator():
            return True
        case JournalUnavailable(retryable=retryable):
            return not retryable
        case _:
            return False


def doubt_of(error: ContainerError) -> ContainerError:
    """Return how a request is answered whose rows may be durable, as *error* ends it.

    Nobody who hears a conflict, or of a newer operator, would think that they may be.
    """
    if isinstance(error, Unreachable):
        return error  # says itself that nobody knows
    return JournalUnavailable(cause=error.message, in_doubt=True)


def refuse(items: Iterable[Item], error: ContainerError) -> None:
    """Answer the requests among *items* that have no answer yet with *error*."""
    for item in items:
        if isinstance(item, Ask) and not item.answer.done():
            item.answer.set_result(error)


@attrs.define(kw_only=True)
class Batch:
    """Items on their way: the steps to write, the answers to give once written.

    They begin behind row ``seq``.
    """

    fleet: Fleet
    seq: int = 0
    policies: CustomPolicies = NO_POLICIES
    steps: list[Step] = attrs.field(factory=list[Step])
    answers: list[tuple[Ask, Asked | RequestError]] = attrs.field(
        factory=list[tuple[Ask, Asked | RequestError]]
    )
    passed_over: list[tuple[Event, Fleet]] = attrs.field(
        factory=list[tuple[Event, Fleet]]
    )

    def take_all(self, items: Iterable[Item], now: Moment) -> tuple[Draft, ...]:
        """Take items one after the other; return the rows that come of them."""
        begin = len(self.steps)
        for item in items:
            self.take(item, now)
        return tuple(map(draft_of, self.steps[begin:]))

    def answer(self) -> None:
        """Give the answers: what they tell is true now."""
        for ask, answer in self.answers:
            if not ask.answer.done():
                ask.answer.set_result(answer)

    def take(self, item: Item, now: Moment) -> None:
        """Work out what an item does, at *now*, which never runs backwards."""
        at = max(now, self.fleet.at)
        match item:
            case Ask(request=request):
                self._ask(item, request, at)
            case Happened(event=event):
                self._move(attrs.evolve(event, at=at))
            case Looked(seen=Observation() as seen):
                for event in differences(self.fleet, seen, at):
                    self._move(event)
            case Looked(seen=error):
                failed = FleetObserved(at=at, complete=False, cause=_cause(error))
                self._move(failed)

    def _ask(self, item: Ask, request: Request | LoadObserved, at: Moment) -> None:
        if isinstance(request, LoadObserved):
            self._measure(item, attrs.evolve(request, at=at))
            return
        replayed = is_repeated(self.fleet, request, at)
        if not replayed:
            admitted = admit(self.fleet, request, at, self.policies)
            if isinstance(admitted, Failure):
                self.answers.append((item, admitted.failure()))
                return
            self._move(admitted.unwrap(), always=True)
        seq = self.seq + len(self.steps)
        asked = Asked(fleet=self.fleet, at=at, seq=seq, replayed=replayed)
        self.answers.append((item, asked))

    def _measure(self, item: Ask, event: LoadObserved) -> None:
        """Take in a load that somebody tells; one that changes nothing is no row."""
        told = measured(self.fleet, event)
        if isinstance(told, Failure):
            self.answers.append((item, told.failure()))
            return
        self._move(event)
        seq = self.seq + len(self.steps)
        self.answers.append((item, Asked(fleet=self.fleet, at=event.at, seq=seq)))

    def _move(self, event: Event, *, always: bool = False) -> None:
        """Take a step; a fact that changes nothing is not worth a row."""
        step = step_of(self.fleet, event, self.policies)
        if always or step.commands or _changes(step):
            self.fleet = step.after
            self.steps.append(step)
        else:
            self.passed_over.append((event, self.fleet))


def _cause(error: Any) -> str:
    return str(error.message)


_COUNTERS: Final = {"at", "ignored", "cursor"}
"""Fields that change with every event; alone they are no news."""

_FIELDS: Final = tuple(
    field.name for field in attrs.fields(Fleet) if field.name not in _COUNTERS
)


def _changes(step: Step) -> bool:
    before, after = step.before, step.after
    return bool(step.touched) or any(
        getattr(before, name) is not getattr(after, name)
        and getattr(before, name) != getattr(after, name)
        for name in _FIELDS
    )
