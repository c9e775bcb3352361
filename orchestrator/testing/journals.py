"""The laws of the journal port: what every adapter, ours or a user's, must obey.

``check_journal`` is given a function that opens the journal, always the same one:
it closes and opens again, because what an append acknowledged must still be there.
A law that is broken raises ``AssertionError`` with what was expected.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
from returns.io import IOFailure, IOResult, IOSuccess

from orchestrator.codec.digests import EMPTY
from orchestrator.core.errors import JournalConflict
from orchestrator.journal.port import START, Draft, Head, Journal, Snapshot, chained

__all__ = ("check_journal", "draft")

BATCHES = ((1,), (2, 3, 4), (), (5, 6, 7))


def draft(number: int) -> Draft:
    """Return a row to append, another one for each number."""
    event = b'{"type":"time_reached","at":%d}' % number
    return Draft(at=number, event=event, commands=b"[]", changes=EMPTY)


async def check_journal(
    open_journal: Callable[[], Awaitable[Journal]], *, survives: bool = True
) -> None:
    """Hold a journal, empty at first, to the laws of the port.

    ``survives=False`` is for journals that are gone when they are closed.
    """
    journal = await open_journal()
    rows = chained(START, map(draft, range(1, 8)))
    _holds("a new journal is empty", await journal.head(), IOSuccess(START))
    end = await _appends(journal)
    _holds("what is read was appended", await journal.read(0, 100), IOSuccess(rows))
    _holds("a page is a slice", await journal.read(2, 3), IOSuccess(rows[2:5]))
    _holds("behind the end is nothing", await journal.read(7, 9), IOSuccess(()))
    await _refuses_a_moved_head(journal, end)
    await _keeps_snapshots(journal, end)
    _holds("a journal closes", await journal.close(), IOSuccess(None))
    if survives:
        again = await open_journal()
        _holds("what was acknowledged survives", await again.head(), IOSuccess(end))
        _holds("so do the rows", await again.read(0, 100), IOSuccess(rows))
        _holds("it closes again", await again.close(), IOSuccess(None))


async def _appends(journal: Journal) -> Head:
    head = START
    for batch in BATCHES:
        drafts = tuple(draft(number) for number in batch)
        before = head
        for row in chained(before, drafts):
            head = Head(seq=row.seq, digest=row.digest)
        answer = await journal.append(before, drafts)
        _holds("an append answers with its head", answer, IOSuccess(head))
    return head


async def _refuses_a_moved_head(journal: Journal, end: Head) -> None:
    for stale in (START, attrs.evolve(end, digest=bytes(32)), Head(seq=99, digest=b"")):
        answer = await journal.append(stale, (draft(8),))
        conflict = JournalConflict(expected_seq=stale.seq, found_seq=end.seq)
        _holds("a head that has moved is refused", answer, IOFailure(conflict))
    _holds("a refusal changes nothing", await journal.head(), IOSuccess(end))


async def _keeps_snapshots(journal: Journal, end: Head) -> None:
    _holds("at first there is none", await journal.latest_snapshot(), IOSuccess(None))
    snapshot = Snapshot(seq=end.seq, digest=end.digest, rules=1, body=b"{}")
    _holds("one can be kept", await journal.save_snapshot(snapshot), IOSuccess(None))
    _holds("it comes back", await journal.latest_snapshot(), IOSuccess(snapshot))


def _holds(
    law: str, found: IOResult[object, object], expected: IOResult[object, object]
) -> None:
    if found != expected:
        msg = f"{law}: expected {expected}, found {found}"
        raise AssertionError(msg)
