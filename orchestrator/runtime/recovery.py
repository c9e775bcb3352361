"""The fleet out of its journal: the newest snapshot, and the rows behind it.

A snapshot that was folded by another rule book is no use: all rows are folded again,
by today's code, and a new snapshot begins the segment. Where rows were compacted away,
all rows are those behind the base.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import attrs
from returns.future import FutureResult
from returns.result import Failure, Result, Success

from orchestrator.codec.wire import decode_event, decode_fleet, encode_fleet
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import (
    InvalidSpec,
    JournalCorrupt,
    JournalError,
)
from orchestrator.core.events import Event
from orchestrator.core.reduce import fold
from orchestrator.core.registry import not_registered, not_registered_of_fleet
from orchestrator.core.state import RULES, Fleet, empty_fleet
from orchestrator.journal.port import Head, Journal, Row, Snapshot
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
    fleet, count, snapshot_at = known.fleet, 0, known.seq
    async for rows in _pages(journal, known.seq):
        if not isinstance(rows, tuple):
            return Failure(rows)
        moved = folded(fleet, rows, policies)
        if isinstance(moved, Failure):
            return Failure(moved.failure())
        fleet = moved.unwrap()
        count += len(rows)
    if count and (known.is_stale or fleet.rules != RULES):
        saved = await settled(journal.save_snapshot(snapshot_of(fleet, head)))
        if saved is not None:
            return Failure(saved)
        snapshot_at = head.seq
    return Success(
        Recovered(fleet=fleet, head=head, folded=count, snapshot_at=snapshot_at)
    )


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
        fleet = await asyncio.to_thread(decode_fleet, snapshot.body)
        if isinstance(fleet, Success):
            return Known(fleet=fleet.unwrap(), seq=snapshot.seq)
    base = await settled(journal.beginning())
    if isinstance(base, JournalError):
        return base
    if base is None:  # the snapshot is a cache, and no use
        return Known(fleet=empty_fleet(name), seq=0, is_stale=True)
    fleet = await asyncio.to_thread(decode_fleet, base.body)
    if isinstance(fleet, Failure):
        return _damaged(base.seq, "base", fleet.failure())
    return Known(fleet=fleet.unwrap(), seq=base.seq, is_stale=True)


def folded(
    fleet: Fleet, rows: tuple[Row, ...], policies: CustomPolicies = NO_POLICIES
) -> Result[Fleet, JournalError]:
    """Fold rows; one that makes no sense, or needs a missing policy, is a failure."""
    events = decoded(rows)
    if isinstance(events, Failure):
        return Failure(events.failure())
    missing = (not_registered(event, policies) for event in events.unwrap())
    first = next((each for each in missing if each is not None), None)
    if first is not None:
        return Failure(first)
    return Success(fold(fleet, events.unwrap(), policies))


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
            return Failure(_damaged(row.seq, "event", event.failure()))
        events.append(event.unwrap())
    return Success(events)


def _damaged(seq: int, part: str, error: InvalidSpec) -> JournalCorrupt:
    problem = error.problems[0]
    return JournalCorrupt(
        seq=seq,
        place=f"{part} {problem.place}",
        expected=problem.expected,
        found=problem.found,
    )
