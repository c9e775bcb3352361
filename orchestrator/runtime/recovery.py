"""The fleet out of its journal: the newest snapshot, and the rows behind it.

A snapshot that was folded by another rule book is no use: all rows are folded again,
by today's code, and a new snapshot begins the segment. Where rows were compacted away,
all rows are those behind the base.

A journal that another operator still writes to can be read, too: what is recovered is
the fleet after the last row that was there, and ``caught_up`` reads on from it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

import attrs
from returns.future import FutureResult
from returns.result import Failure, Result, Success

from orchestrator.codec.wire import decode_fleet, encode_fleet
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import InvalidSpec, JournalCompacted, JournalError
from orchestrator.core.events import Event
from orchestrator.core.reduce import fold
from orchestrator.core.registry import not_registered_of_fleet
from orchestrator.core.state import RULES, Fleet, empty_fleet
from orchestrator.journal.port import Head, Journal, Row, Snapshot
from orchestrator.runtime.collecting import collecting_seldom
from orchestrator.runtime.decoding import damaged, decoded
from orchestrator.runtime.outcomes import settled

__all__ = (
    "Known",
    "Recovered",
    "caught_up",
    "nearest_known",
    "recover",
    "saved",
    "snapshot_of",
)

PAGE: Final = 5_000
AT_ONCE: Final = 500
"""Rows that are decoded at once: they stay in the caches of a processor."""

ANEW: Final = 4
"""Times that a recovery begins again behind a newer base."""


@attrs.frozen(kw_only=True)
class Recovered:
    """What the journal holds: the fleet, and where the journal ends.

    ``folded`` rows led there from the snapshot after row ``snapshot_at``, or from what
    stands in its place; a fleet that was saved at once has its own row there. It is to
    be saved before anything else is written where ``is_unsaved``.
    """

    fleet: Fleet
    head: Head
    folded: int
    snapshot_at: int
    is_unsaved: bool = False


def snapshot_of(fleet: Fleet, head: Head) -> Snapshot:
    """Return a fleet as a snapshot, folded by today's rules."""
    body = encode_fleet(fleet)
    return Snapshot(seq=head.seq, digest=head.digest, rules=RULES, body=body)


def recover(
    journal: Journal,
    name: str,
    policies: CustomPolicies = NO_POLICIES,
    *,
    save: bool = True,
) -> FutureResult[Recovered, JournalError]:
    """Fold what the journal holds; *name* is the fleet's where it holds nothing.

    A journal that needs a custom policy which is not registered is refused. Who may not
    write to it yet does not *save*, and does it later (``saved``).
    """
    found = FutureResult(_recover(journal, name, policies))
    return found.bind(lambda recovered: saved(journal, recovered)) if save else found


async def _recover(
    journal: Journal, name: str, policies: CustomPolicies
) -> Result[Recovered, JournalError]:
    """Recover, from the beginning again where a leader compacts meanwhile."""
    found = await _recovered(journal, name, policies)
    for _ in range(ANEW):
        if not isinstance(found, Failure):
            break
        if not isinstance(found.failure(), JournalCompacted):
            break
        found = await _recovered(journal, name, policies)
    return found


async def _recovered(
    journal: Journal, name: str, policies: CustomPolicies
) -> Result[Recovered, JournalError]:
    head = await settled(journal.head())
    if not isinstance(head, Head):
        return Failure(head)
    known = await nearest_known(journal, name, policies)
    if not isinstance(known, Known):
        return Failure(known)
    events = await _folded_behind(journal, known.fleet, known.seq, policies)
    if events.error is not None:
        return Failure(events.error)
    if known.seq > head.seq and events.last is None:
        return await _recover(journal, name, policies)  # it was written to meanwhile
    return Success(
        Recovered(
            fleet=events.fleet,
            head=events.end(head),
            folded=events.count,
            snapshot_at=known.seq,
            is_unsaved=bool(events.count)
            and (known.is_stale or events.fleet.rules != RULES),
        )
    )


def caught_up(
    journal: Journal, known: Recovered, policies: CustomPolicies = NO_POLICIES
) -> FutureResult[Recovered, JournalError]:
    """Fold the rows that have come since as well.

    ``JournalCompacted`` where some of them were compacted away: recover anew, then.
    """

    async def read() -> Result[Recovered, JournalError]:
        seq = known.head.seq
        events = await _folded_behind(journal, known.fleet, seq, policies)
        if events.error is not None:
            return Failure(events.error)
        return Success(
            attrs.evolve(
                known,
                fleet=events.fleet,
                head=events.end(known.head),
                folded=known.folded + events.count,
                is_unsaved=known.is_unsaved or events.fleet.rules != RULES,
            )
        )

    return FutureResult(read())


def saved(
    journal: Journal, recovered: Recovered
) -> FutureResult[Recovered, JournalError]:
    """Save a fleet that must be before anything else is written."""
    if not recovered.is_unsaved:
        return FutureResult.from_value(recovered)
    fleet, head = recovered.fleet, recovered.head
    done = attrs.evolve(recovered, snapshot_at=head.seq, is_unsaved=False)
    return journal.save_snapshot(snapshot_of(fleet, head)).map(lambda _: done)


async def _folded_behind(
    journal: Journal, fleet: Fleet, seq: int, policies: CustomPolicies
) -> _Events:
    events = _Events(journal, seq, policies, fleet)
    try:
        await asyncio.to_thread(events.fold)
    finally:
        events.is_over = True
    return events


class _Events:
    """The events behind a row, folded in a thread, in one go from page to page.

    The loop goes on meanwhile: it reads the next page when the thread wants it.
    ``count`` rows were read, the ``last`` of them led to ``fleet``; ``error`` says why
    they ended early, if they did. ``is_over``: nobody waits for the fleet any more.
    """

    def __init__(
        self, journal: Journal, seq: int, policies: CustomPolicies, fleet: Fleet
    ) -> None:
        self.fleet = fleet
        self.count = 0
        self.last: Head | None = None
        self.error: JournalError | None = None
        self.is_over = False
        self._journal = journal
        self._seq = seq
        self._policies = policies
        self._loop = asyncio.get_running_loop()

    def fold(self) -> None:
        """Go on to the fleet after all rows; in a thread that may wait."""
        with collecting_seldom():
            self.fleet = fold(self.fleet, self, self._policies)

    def end(self, head: Head) -> Head:
        """Return where the rows end, which were thought to end at *head*."""
        last = self.last
        return head if last is None or last.seq < head.seq else last

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
            self.last = Head(seq=rows[-1].seq, digest=rows[-1].digest)
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
        return damaged(base.seq, "base", fleet.failure())
    return Known(fleet=fleet.unwrap(), seq=base.seq, is_stale=True)


def _fleet_in(snapshot: Snapshot) -> Result[Fleet, InvalidSpec]:
    with collecting_seldom():
        return decode_fleet(snapshot.body)
