"""The fleet out of its journal: the newest snapshot, and the rows behind it.

A snapshot that was folded by another rule book is no use: all rows are folded again,
by today's code, and a new snapshot begins the segment.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import attrs
from returns.future import FutureResult
from returns.result import Failure, Result, Success

from orchestrator.codec.wire import decode_event, decode_fleet, encode_fleet
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import (
    JournalCorrupt,
    JournalError,
    PolicyNotRegistered,
)
from orchestrator.core.events import Event
from orchestrator.core.reduce import fold
from orchestrator.core.registry import not_registered, not_registered_of_fleet
from orchestrator.core.state import RULES, Fleet, empty_fleet
from orchestrator.journal.port import Head, Journal, Row, Snapshot
from orchestrator.runtime.outcomes import settled

__all__ = ("Recovered", "decoded", "recover", "snapshot_of")

PAGE: Final = 5_000


@attrs.frozen(kw_only=True)
class Recovered:
    """What the journal holds: the fleet, and where the journal ends."""

    fleet: Fleet
    head: Head
    folded: int


def snapshot_of(fleet: Fleet, head: Head) -> Snapshot:
    """Return a fleet as a snapshot, folded by today's rules."""
    body = encode_fleet(fleet)
    return Snapshot(seq=head.seq, digest=head.digest, rules=RULES, body=body)


def recover(
    journal: Journal, name: str, policies: CustomPolicies = NO_POLICIES
) -> FutureResult[Recovered, JournalError]:
    """Fold what the journal holds; *name* is the fleet's where it holds nothing.

    A journal that needs a custom policy which is not registered is refused.
    """
    return FutureResult(_recover(journal, name, policies))


async def _recover(
    journal: Journal, name: str, policies: CustomPolicies
) -> Result[Recovered, JournalError]:
    head = await settled(journal.head())
    if not isinstance(head, Head):
        return Failure(head)
    snapshot = await settled(journal.latest_snapshot())
    if snapshot is not None and not isinstance(snapshot, Snapshot):
        return Failure(snapshot)
    fleet, seq, is_stale = _base(snapshot, name)
    unknown = not_registered_of_fleet(fleet, policies)
    if unknown is not None:
        return Failure(unknown)
    folded = 0
    async for rows in _pages(journal, seq):
        if not isinstance(rows, tuple):
            return Failure(rows)
        events = decoded(rows)
        if isinstance(events, Failure):
            return Failure(events.failure())
        missing = _missing(events.unwrap(), policies)
        if missing is not None:
            return Failure(missing)
        fleet = fold(fleet, events.unwrap(), policies)
        folded += len(rows)
    if is_stale:
        saved = await settled(journal.save_snapshot(snapshot_of(fleet, head)))
        if saved is not None:
            return Failure(saved)
    return Success(Recovered(fleet=fleet, head=head, folded=folded))


def _missing(
    events: list[Event], policies: CustomPolicies
) -> PolicyNotRegistered | None:
    found = (not_registered(event, policies) for event in events)
    return next((missing for missing in found if missing is not None), None)


def _base(snapshot: Snapshot | None, name: str) -> tuple[Fleet, int, bool]:
    """Return where to begin folding, and whether other rules had folded so far."""
    if snapshot is None:
        return empty_fleet(name), 0, False
    if snapshot.rules != RULES:
        return empty_fleet(name), 0, True
    fleet = decode_fleet(snapshot.body)
    if isinstance(fleet, Failure):  # a cache that cannot be read is no cache
        return empty_fleet(name), 0, True
    return fleet.unwrap(), snapshot.seq, False


async def _pages(
    journal: Journal, seq: int
) -> AsyncIterator[tuple[Row, ...] | JournalError]:
    while True:
        rows = await settled(journal.read(seq, PAGE))
        if isinstance(rows, tuple) and not rows:
            return
        yield rows
        if not isinstance(rows, tuple):
            return
        seq = rows[-1].seq


def decoded(rows: tuple[Row, ...]) -> Result[list[Event], JournalError]:
    """Decode the events of rows; one that makes no sense is damage."""
    events: list[Event] = []
    for row in rows:
        event = decode_event(row.event)
        if isinstance(event, Failure):
            problem = event.failure().problems[0]
            return Failure(
                JournalCorrupt(
                    seq=row.seq,
                    place=f"event {problem.place}",
                    expected=problem.expected,
                    found=problem.found,
                )
            )
        events.append(event.unwrap())
    return Success(events)
