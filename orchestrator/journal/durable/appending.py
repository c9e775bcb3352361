"""Rows on their way to a gateway: in one request, or in several.

Note [Several requests]. A request holds ``APPEND_MAX`` bytes, or one row. A longer
append goes in several, in order. One that breaks off between them has written its first
rows, as shorter appends would have, and is in doubt. Made again it goes on where they
end: a digest covers all before it, so a head that has one of ours has all of ours.

Note [A refusal behind a lost answer]. A request whose answer was lost is sent again.
What the second is refused with says nothing of the first: that may have been done, and
then another has taken over, or has appended more. So the place where its last row would
be is looked at. If our row is there, so are all: it is a success. If none is there, or
another one, none of ours is, nor will be: who is stale stays stale, and a journal does
not come back to where it ended. Where nobody can look, it is in doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import orjson
from returns.result import Failure

from orchestrator.core.errors import (
    JournalConflict,
    JournalCorrupt,
    JournalError,
    JournalUnavailable,
)
from orchestrator.journal.durable.answers import JournalState, head_of
from orchestrator.journal.durable.asking import STRANGE, Asking, doubtful
from orchestrator.journal.durable.reader import Reader
from orchestrator.journal.durable.wire import LINES
from orchestrator.journal.line_format import row_line
from orchestrator.journal.port import Head, Row

__all__ = ("APPEND_MAX", "ROW_MAX", "put_rows")

APPEND_MAX: Final = 4_194_304
"""Bytes of the rows of one request, but for a single row."""

ROW_MAX: Final = 16_777_216
"""Bytes of a row; that of a fleet file with some ten thousands of containers."""

FIRST_MAX: Final = 512
"""Bytes of the line before the rows, which count as well."""


async def put_rows(
    asking: Asking, reader: Reader, epoch: int, expect: Head, rows: Sequence[Row]
) -> Head | JournalError:
    """Append rows that are chained to *expect*, one at least; return the new head."""
    lines = [row_line(row) for row in rows]
    problem = _unfit(rows, lines)
    if problem is not None:
        return problem
    place, behind = 0, expect
    is_begun = False
    while place < len(rows):
        count = _fitting(lines[place:])
        end = _head(rows[place + count - 1])
        body = _body(epoch, behind, lines[place : place + count])
        sent = await _sent(asking, reader, body, end)
        if isinstance(sent, JournalConflict):
            there = await _there(reader, rows[place:])
            if not isinstance(there, int):
                return doubtful(there) if is_begun else there
            if not there:
                return doubtful(sent) if is_begun else sent
            count = there
        elif not isinstance(sent, Head):
            return doubtful(sent) if is_begun else sent
        place += count
        behind, is_begun = _head(rows[place - 1]), True
    return behind


def _body(epoch: int, behind: Head, lines: Sequence[bytes]) -> bytes:
    """Write the rows of one request, and before them where they go."""
    expect = {"seq": behind.seq, "digest": behind.digest.hex()}
    first = orjson.dumps({"epoch": epoch, "expect": expect}) + b"\n"
    return first + b"".join(lines)


async def _sent(
    asking: Asking, reader: Reader, body: bytes, end: Head
) -> Head | JournalError:
    """Send rows in one request: all of them are there then, or none."""
    answered, is_lost = await asking.write("POST", "journal/rows", body, kind=LINES)
    if isinstance(answered, Failure):
        error: JournalError = answered.failure()
        if not is_lost:
            return error
        if isinstance(error, JournalUnavailable):
            return doubtful(error)
        return await _after_all(reader, end, error)
    head = head_of(answered.unwrap())
    if head is None:
        return JournalUnavailable(cause=STRANGE, in_doubt=True)
    if head == end:
        return head
    damage = JournalCorrupt(
        seq=end.seq,
        place="head",
        expected=f"row {end.seq}, digest {end.digest.hex()[:16]}",
        found=f"row {head.seq}, digest {head.digest.hex()[:16]}",
    )
    return await _after_all(reader, end, damage)


async def _after_all(
    reader: Reader, end: Head, error: JournalError
) -> Head | JournalError:
    """Look whether rows are there for all that was answered, the last of them *end*.

    See Note [A refusal behind a lost answer].
    """
    there = await reader.head_at(end.seq)
    if there == end:
        return end
    if there is None or isinstance(there, Head):
        return error
    return doubtful(error)


async def _there(reader: Reader, rows: Sequence[Row]) -> int | JournalError:
    """Return how many of the rows are there already, the last of them as the head."""
    state = await reader.state()
    if not isinstance(state, JournalState):
        return state
    heads = [_head(row) for row in rows]
    return heads.index(state.head) + 1 if state.head in heads else 0


def _fitting(lines: Sequence[bytes]) -> int:
    """Return how many lines go in one request."""
    size = FIRST_MAX
    for count, line in enumerate(lines):
        size += len(line)
        if count and size > APPEND_MAX:
            return count
    return len(lines)


def _unfit(rows: Sequence[Row], lines: Sequence[bytes]) -> JournalUnavailable | None:
    """Refuse a row that no request takes: nothing is sent then.

    It is not final: the request that would make such a row is refused, no more.
    """
    for row, line in zip(rows, lines, strict=True):
        if len(line) > ROW_MAX or line.count(b"\n") > 1:
            what = f"{len(line)} bytes, and a gateway takes {ROW_MAX} at most"
            if len(line) <= ROW_MAX:
                what = "more than one line"
            return JournalUnavailable(cause=f"row {row.seq} would have {what}")
    return None


def _head(row: Row) -> Head:
    return Head(seq=row.seq, digest=row.digest)
