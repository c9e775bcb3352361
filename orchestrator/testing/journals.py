"""The laws of the journal port: what every adapter, ours or a user's, must obey.

``check_journal`` is given a function that opens the journal, always the same one:
it closes and opens again, because what an append acknowledged must still be there.
A law that is broken raises ``AssertionError`` with what was expected.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import attrs
from returns.io import IOFailure, IOResult, IOSuccess

from orchestrator.codec.changes import NO_CHANGES
from orchestrator.core.errors import JournalCompacted, JournalConflict, JournalCorrupt
from orchestrator.journal.port import (
    START,
    Compactable,
    Draft,
    Head,
    Journal,
    Row,
    Snapshot,
    chained,
)

__all__ = ("check_compactable", "check_journal", "draft")

BATCHES: Final = (1, 3, 0, 3)
"""How many rows are appended at once; seven in all."""


def draft(number: int) -> Draft:
    """Return a row to append, another one for each number."""
    event = b'{"type":"time_reached","at":%d}' % number
    return Draft(at=number, event=event, commands=b"[]", changes=NO_CHANGES)


async def check_journal(
    open_journal: Callable[[], Awaitable[Journal]],
    *,
    survives: bool = True,
    base: Snapshot | None = None,
) -> None:
    """Hold a journal, empty at first, to the laws of the port.

    ``survives=False`` is for journals that are gone when they are closed. *base* is
    what the journal that is opened begins behind; None for row 1.
    """
    journal = await open_journal()
    start = START if base is None else base.head
    first = start.seq
    rows = chained(start, map(draft, range(first + 1, first + 8)))
    read = journal.read
    _holds("a new journal is empty", await journal.head(), IOSuccess(start))
    _holds("it begins behind its base", await journal.beginning(), IOSuccess(base))
    end = await _appends(journal, start)
    _holds("what is read was appended", await read(first, 100), IOSuccess(rows))
    _holds("a page is a slice", await read(first + 2, 3), IOSuccess(rows[2:5]))
    _holds("behind the end is nothing", await read(end.seq, 9), IOSuccess(()))
    await _refuses_what_was_compacted(journal, start)
    await _refuses_a_moved_head(journal, end)
    snapshots = await _keeps_snapshots(journal, base, rows)
    _holds("a journal closes", await journal.close(), IOSuccess(None))
    if survives:
        again = await open_journal()
        _holds("what was acknowledged survives", await again.head(), IOSuccess(end))
        _holds("so do the rows", await again.read(first, 100), IOSuccess(rows))
        _holds("so does the base", await again.beginning(), IOSuccess(base))
        for until, kept in snapshots:
            found = await again.latest_snapshot(until)
            _holds("so do the snapshots", found, IOSuccess(kept))
        _holds("it closes again", await again.close(), IOSuccess(None))


async def _appends(journal: Journal, start: Head) -> Head:
    head = start
    for size in BATCHES:
        drafts = tuple(map(draft, range(head.seq + 1, head.seq + 1 + size)))
        before = head
        for row in chained(before, drafts):
            head = Head(seq=row.seq, digest=row.digest)
        answer = await journal.append(before, drafts)
        _holds("an append answers with its head", answer, IOSuccess(head))
    return head


async def _refuses_what_was_compacted(journal: Journal, start: Head) -> None:
    for asked in {0, start.seq - 1} - {-1, start.seq}:
        compacted = IOFailure(JournalCompacted(asked=asked, base=start.seq))
        _holds("rows before the base are gone", await journal.read(asked, 9), compacted)
        found = await journal.latest_snapshot(asked)
        _holds("so is every fleet before it", found, compacted)


async def _refuses_a_moved_head(journal: Journal, end: Head) -> None:
    elsewhere = Head(seq=99, digest=b"")
    for stale in (START, attrs.evolve(end, digest=bytes(32)), elsewhere):
        answer = await journal.append(stale, (draft(8),))
        conflict = JournalConflict(expected_seq=stale.seq, found_seq=end.seq)
        _holds("a head that has moved is refused", answer, IOFailure(conflict))
    _holds("a refusal changes nothing", await journal.head(), IOSuccess(end))


async def _keeps_snapshots(
    journal: Journal, base: Snapshot | None, rows: tuple[Row, ...]
) -> tuple[tuple[int | None, Snapshot | None], ...]:
    """Save two, and return what is the newest one up to which row."""
    latest = journal.latest_snapshot
    _holds("at first the base is all there is", await latest(), IOSuccess(base))
    middle, newest = (
        Snapshot(seq=row.seq, digest=row.digest, rules=1, body=b'{"row":%d}' % row.seq)
        for row in (rows[2], rows[6])
    )
    for one in (middle, newest):
        _holds("one can be kept", await journal.save_snapshot(one), IOSuccess(None))
        _holds("it comes back", await latest(), IOSuccess(one))
    expected = (
        (None, newest),
        (newest.seq + 1, newest),
        (newest.seq - 1, middle),
        (middle.seq, middle),
        (middle.seq - 1, base),
    )
    for until, kept in expected:
        _holds("the newest up to a row is found", await latest(until), IOSuccess(kept))
    return expected


async def check_compactable(
    open_journal: Callable[[], Awaitable[Compactable]], *, survives: bool = True
) -> None:
    """Hold a journal, empty at first, to the laws of one that can be cut short."""
    journal = await open_journal()
    end = await _appends(journal, START)
    rows = chained(START, map(draft, range(1, 8)))
    for row in (rows[1], rows[4]):
        one = Snapshot(seq=row.seq, digest=row.digest, rules=1, body=b"{}")
        _holds("one can be kept", await journal.save_snapshot(one), IOSuccess(None))
    later = Snapshot(seq=5, digest=rows[4].digest, rules=1, body=b"{}")
    base = Snapshot(seq=3, digest=rows[2].digest, rules=1, body=b'{"row":3}')
    for seq in (0, 7, 8):
        wrong = attrs.evolve(base, seq=seq)
        found = await journal.begin_behind(wrong)
        conflict = JournalConflict(expected_seq=seq, found_seq=7)
        _holds("a base is a row before the newest", found, IOFailure(conflict))
    answer = await journal.begin_behind(attrs.evolve(base, digest=bytes(32)))
    kind = answer.alt(type)
    _holds("it has the digest of its row", kind, IOFailure(JournalCorrupt))
    _holds("a refusal changes nothing", await journal.beginning(), IOSuccess(None))
    _holds("it can be cut", await journal.begin_behind(base), IOSuccess(None))
    await _is_cut(journal, base, later, rows[3:])
    again = IOFailure(JournalConflict(expected_seq=3, found_seq=7))
    _holds("it is cut once", await journal.begin_behind(base), again)
    more = chained(end, [draft(8)])
    ended = Head(seq=8, digest=more[0].digest)
    _holds("it goes on", await journal.append(end, (draft(8),)), IOSuccess(ended))
    last = Snapshot(seq=7, digest=rows[6].digest, rules=1, body=b'{"row":7}')
    _holds("it can be cut again", await journal.begin_behind(last), IOSuccess(None))
    await _is_cut(journal, last, last, more)
    _holds("it closes", await journal.close(), IOSuccess(None))
    if survives:
        journal = await open_journal()
        await _is_cut(journal, last, last, more)
        _holds("the head stays", await journal.head(), IOSuccess(ended))
        _holds("it closes again", await journal.close(), IOSuccess(None))


async def _is_cut(
    journal: Journal, base: Snapshot, newest: Snapshot, rows: tuple[Row, ...]
) -> None:
    await _refuses_what_was_compacted(journal, base.head)
    _holds("it begins there", await journal.beginning(), IOSuccess(base))
    _holds("later rows stay", await journal.read(base.seq, 9), IOSuccess(rows))
    _holds("so do snapshots", await journal.latest_snapshot(), IOSuccess(newest))
    found = await journal.latest_snapshot(base.seq)
    _holds("the base is one", found, IOSuccess(base))


def _holds(
    law: str, found: IOResult[object, object], expected: IOResult[object, object]
) -> None:
    if found != expected:
        msg = f"{law}: expected {expected}, found {found}"
        raise AssertionError(msg)
