"""The events of rows: decoded many at once, and singly where one makes no sense.

One that makes no sense is damage; one that needs a policy which nobody has registered
is refused: nobody guesses what it would decide.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import Final

from returns.result import Failure, Result, Success

from orchestrator.codec.wire import event_of, events_of
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import (
    InvalidSpec,
    JournalCorrupt,
    JournalError,
    PolicyNotRegistered,
)
from orchestrator.core.events import Event
from orchestrator.core.reduce import fold
from orchestrator.core.registry import not_registered
from orchestrator.core.state import Fleet
from orchestrator.journal.port import Row

__all__ = ("damaged", "decoded", "folded")

_REFUSED: Final = (JournalCorrupt, PolicyNotRegistered)
"""What stands in the place of an event that cannot be folded."""


def folded(
    fleet: Fleet, rows: tuple[Row, ...], policies: CustomPolicies = NO_POLICIES
) -> Result[Fleet, JournalError]:
    """Fold rows; one that makes no sense, or needs a missing policy, is a failure."""
    return decoded(rows, policies).map(lambda events: fold(fleet, events, policies))


def decoded(
    rows: tuple[Row, ...], policies: CustomPolicies | None = None
) -> Result[list[Event], JournalError]:
    """Decode the events of rows; one that makes no sense is damage.

    With *policies* one that needs another policy than these is refused.
    """
    events = events_of([row.event for row in rows])
    if events is None or any(_missing_in(events, policies)):
        return _decoded_singly(rows, policies)
    return Success(events)


def _missing_in(
    events: list[Event], policies: CustomPolicies | None
) -> Iterator[PolicyNotRegistered | None]:
    if policies is None:
        return iter(())
    return map(not_registered, events, repeat(policies))


def _decoded_singly(
    rows: tuple[Row, ...], policies: CustomPolicies | None
) -> Result[list[Event], JournalError]:
    """Decode row by row, up to the first that is refused."""
    events: list[Event] = []
    for row in rows:
        event = _meant(row, policies)
        if isinstance(event, _REFUSED):
            return Failure(event)
        events.append(event)
    return Success(events)


def _meant(
    row: Row, policies: CustomPolicies | None
) -> Event | JournalCorrupt | PolicyNotRegistered:
    event = event_of(row.event)
    if isinstance(event, InvalidSpec):
        return damaged(row.seq, "event", event)
    missing = None if policies is None else not_registered(event, policies)
    return event if missing is None else missing


def damaged(seq: int, part: str, error: InvalidSpec) -> JournalCorrupt:
    """Say what makes no sense in a *part* of row *seq*."""
    problem = error.problems[0]
    return JournalCorrupt(
        seq=seq,
        place=f"{part} {problem.place}",
        expected=problem.expected,
        found=problem.found,
    )
