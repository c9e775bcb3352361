"""Rows on their way to a gateway: in one request, or in several.

Note [Several requests]. A request holds ``APPEND_MAX`` bytes, or one row. A longer
append goes in several, in order. One that breaks off between them has written its first
rows, as shorter appends would have, and is in doubt. Made again it goes on where they
end: a digest covers all before it, so a head that has one of ours has all of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs
import orjson
from returns.result import Failure

from orchestrator.core.errors import (
    JournalConflict,
    JournalCorrupt,
    JournalError,
    JournalUnavailable,
)
from orchestrator.journal.durable.answers import JournalState, head_of
from orchestrator.journal.durable.asking import STRANGE, Asking
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
        sent = await _sent(asking, epoch, behind, lines[place : place + count], end)
        if isinstance(sent, JournalConflict):
            there = await _there(reader, rows[place:])
            if not isinstance(there, int):
                return _doubtful(there) if is_begun else there
            if not there:
                return sent
            count = there
        elif not isinstance(sent, Head):
            return _doubtful(sent) if is_begun else sent
        place += count
        behind, is_begun = _head(rows[place - 1]), True
    return behind


async def _sent(
    asking: Asking, epoch: int, behind: Head, lines: Sequence[bytes], end: Head
) -> Head | JournalError:
    """Send rows in one request: all of them are there then, or none."""
    expect = {"seq": behind.seq, "digest": behind.digest.hex()}
    first = orjson.dumps({"epoch": epoch, "expect": expect}) + b"\n"
    body = first + b"".join(lines)
    answered, is_lost = await asking.write("POST", "journal/rows", body, kind=LINES)
    if isinstance(answered, Failure):
        error: JournalError = answered.failure()
        return _doubtful(error) if is_lost else error
    head = head_of(answered.unwrap())
    if head is None:
        return JournalUnavailable(cause=STRANGE, in_doubt=True)
    if head != end:
        return JournalCorrupt(
            seq=end.seq,
            place="head",
            expected=f"row {end.seq}, digest {end.digest.hex()[:16]}",
            found=f"row {head.seq}, digest {head.digest.hex()[:16]}",
        )
    return head


def _doubtful(error: JournalError) -> JournalError:
    """Return that whether rows were written is not known; what says so stays as it is.

    A journal that cannot be used at all is told as it is, too: nobody tries again.
    """
    if isinstance(error, JournalUnavailable) and error.retryable:
        return attrs.evolve(error, in_doubt=True)
    return error


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
