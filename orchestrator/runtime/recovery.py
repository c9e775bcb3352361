"""The fleet out of its journal: the newest snapshot, and the rows behind it.

A snapshot that was folded by another rule book is no use: all rows are folded again,
by today's code, and a new snapshot begins the segment. Where rows were compacted away,
all rows are those behind the base.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import repeat
from typing import Final

import attrs
from returns.future import FutureResult
from returns.result import Failure, Result, Success

from orchestrator.codec.wire import decode_fleet, encode_fleet, event_of, events_of
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import (
    InvalidSpec,
    JournalCorrupt,
    JournalError,
    PolicyNotRegistered,
)
from orchestrator.core.events import Event
from orchestrator.core.reduce import fold
from orchestrator.core.registry import not_registered, not_registered_of_fleet
from orchestrator.core.state import RULES, Fleet, empty_fleet
from orchestrator.journal.port import Head, Journal, Row, Snapshot
from orchestrator.runtime.collecting import collecting_seldom
from orchestrator.runtime.outcomes import settled

__all__ = (
    "Known",
    "Recovered",
    "decoded",
    "folded",
    "nearest_known",
    "recover",
    "snapshot_of",
)

PAGE: Final = 5_000
AT_ONCE: Final = 500
"""Rows that are decoded at once: they stay in the caches of a processor."""

_REFUSED: Final = (JournalCorrupt, PolicyNotRegistered)
"""What stands in the place of an event that cannot be folded."""


@attrs.frozen(kw_only=True)
class Recovered:
    """What the journal holds: the fleet, and where the journal ends.

    ``folded`` rows led there from the snapshot after row ``snapshot_at``, or from what
    stands in its place; a fleet that was saved at once has its own row there.
    """

    fleet: Fleet
    head: Head
    folded: int
    snapshot_at: int


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
    known = await nearest_known(journal, name, policies)
    if not isinstance(known, Known):
        return Failure(known)
    events = _Events(journal, known.seq, policies)
    try:
        fleet = await asyncio.to_thread(events.folded_behind, known.fleet)
    finally:
        events.is_over = True
    if events.error is not None:
        return Failure(events.error)
    snapshot_at = known.seq
    if events.count and (known.is_stale or fleet.rules != RULES):
        saved = await settled(journal.save_snapshot(snapshot_of(fleet, head)))
        if saved is not None:
            return Failure(saved)
        snapshot_at = head.seq
    return Success(
        Recovered(fleet=fleet, head=head, folded=events.count, snapshot_at=snapshot_at)
    )


class _Events:
    """The events behind a row, folded in a thread, in one go from page to page.

    The loop goes on meanwhile: it reads the next page when the thread wants it.
    ``count`` rows were read; ``error`` says why they ended early, if they did.
    ``is_over``: nobody waits for the fleet any more.
    """

    def __init__(self, journal: Journal, seq: int, policies: CustomPolicies) -> None:
        self.count = 0
        self.error: JournalError | None = None
        self.is_over = False
        self._journal = journal
        self._seq = seq
        self._policies = policies
        self._loop = asyncio.get_running_loop()

    def folded_behind(self, fleet: Fleet) -> Fleet:
        """Return the fleet after all rows; in a thread that may wait."""
        with collecting_seldom():
            return fold(fleet, self, self._policies)

    def __iter__(self) -> Iterator[Event]:
        while rows := self._page():
            for first in range(0, len(rows), AT_ONCE):
                part = rows[first : first + AT_ONCE]
                events = decoded(part, self._policies)
                if isinstance(events, Failure):
                    self.error = events.failure()
                    return
                yield from events.unwrap()
            self._seq = rows[-1].seq
            self.count += len(rows)

    def _page(self) -> tuple[Row, ...]:
        if self.is_over:
            return ()
        reading = settled(self._journal.read(self._seq, PAGE))
        rows = asyncio.run_coroutine_threadsafe(reading, self._loop).result()
        if isinstance(rows, tuple):
            return rows
        self.error = rows
        return ()


@attrs.frozen(kw_only=True)
class Known:
    """The fleet after row ``seq``, from which further rows can be folded.

    ``is_stale``: there is a snapshot nearer by, but today's rules have not folded it.
    """

    fleet: Fleet
    seq: int
    is_stale: bool = False


async def nearest_known(
    journal: Journal,
    name: str,
    policies: CustomPolicies = NO_POLICIES,
    until: int | None = None,
) -> Known | JournalError:
    """Return the nearest known fleet at row *until* or before; None: at the end.

    It is that of a snapshot, if today's rules have folded it; else what the rows of a
    compacted journal begin behind, whoever has folded that, for there is nothing else;
    else the empty fleet *name*. One that needs a policy nobody registered is refused.
    """
    snapshot = await settled(journal.latest_snapshot(until))
    if isinstance(snapshot, JournalError):
        return snapshot
    known = await _of_snapshot(journal, name, snapshot)
    if not isinstance(known, Known):
        return known
    return not_registered_of_fleet(known.fleet, policies) or known


async def _of_snapshot(
    journal: Journal, name: str, snapshot: Snapshot | None
) -> Known | JournalError:
    if snapshot is None:
        return Known(fleet=empty_fleet(name), seq=0)
    if snapshot.rules == RULES:
        fleet = await asyncio.to_thread(_fleet_in, snapshot)
        if isinstance(fleet, Success):
            return Known(fleet=fleet.unwrap(), seq=snapshot.seq)
    base = await settled(journal.beginning())
    if isinstance(base, JournalError):
        return base
    if base is None:  # the snapshot is a cache, and no use
        return Known(fleet=empty_fleet(name), seq=0, is_stale=True)
    fleet = await asyncio.to_thread(_fleet_in, base)
    if isinstance(fleet, Failure):
        return _damaged(base.seq, "base", fleet.failure())
    return Known(fleet=fleet.unwrap(), seq=base.seq, is_stale=True)


def _fleet_in(snapshot: Snapshot) -> Result[Fleet, InvalidSpec]:
    with collecting_seldom():
        return decode_fleet(snapshot.body)


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
        return _damaged(row.seq, "event", event)
    missing = None if policies is None else not_registered(event, policies)
    return event if missing is None else missing


def _damaged(seq: int, part: str, error: InvalidSpec) -> JournalCorrupt:
    problem = error.problems[0]
    return JournalCorrupt(
        seq=seq,
        place=f"{part} {problem.place}",
        expected=problem.expected,
        found=problem.found,
    )
