"""What a gateway says of a journal, read: nothing of it is taken for granted.

An answer that is none is damage on the way, or another program: ``JournalUnavailable``.
Rows that do not continue what is before them are damage of the journal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import orjson

from orchestrator.codec.digests import SIZE
from orchestrator.core.errors import JournalCorrupt, JournalUnavailable
from orchestrator.core.moments import Millis, Moment
from orchestrator.journal.durable.asking import STRANGE
from orchestrator.journal.line_format import row_of
from orchestrator.journal.line_frame import framed_rows
from orchestrator.journal.pages import Page, page_of
from orchestrator.journal.port import ALTERED, Head, Row, broken
from orchestrator.journal.whole_lines import shown

__all__ = (
    "Answered",
    "JournalState",
    "Kept",
    "Leader",
    "answered_of",
    "checked_rows",
    "head_of",
    "leader_of",
    "row_in",
    "state_of",
)


@attrs.frozen(kw_only=True)
class Kept:
    """A fleet that is kept after a row, in parts; its bytes are asked for apart."""

    seq: int
    digest: bytes
    rules: int
    size: int
    parts: int
    checksum: bytes


@attrs.frozen(kw_only=True)
class JournalState:
    """What a journal is: where it ends, what it begins behind, which fleets are kept.

    ``snapshots`` are the oldest first; ``size`` is in bytes.
    """

    head: Head
    base: Kept | None
    snapshots: tuple[Kept, ...]
    rows: int
    size: int


@attrs.frozen(kw_only=True)
class Answered:
    """Lines of rows, not yet checked; where the journal ends, and who leads, as told.

    ``size``: the bytes of the lines. ``last``: under which number the gateway keeps the
    last of them, whatever is in it; None: it does not say so, for it is an old one.
    """

    lines: Sequence[bytes]
    end: Head
    lease: Mapping[str, Any] | None
    size: int
    last: int | None


@attrs.frozen(kw_only=True)
class Leader:
    """Under which epoch the journal is written; who has the lease, None: nobody."""

    epoch: int
    holder: str | None = None
    since: Moment = 0
    expires_in_ms: Millis = 0


def state_of(data: bytes) -> JournalState | JournalUnavailable:
    """Read what a journal is.

    >>> state_of(b"[]")
    JournalUnavailable(cause="the gateway's answer is none of a journal", \
retryable=True, in_doubt=False)

    """
    try:
        tree: Any = orjson.loads(data)
        base = tree["base"]
        return JournalState(
            head=_head(tree["head"]),
            base=None if base is None else _kept(base),
            snapshots=tuple(_kept(one) for one in tree["snapshots"]),
            rows=_whole(tree["rows"]),
            size=_whole(tree["bytes"]),
        )
    except (LookupError, TypeError, ValueError):
        return JournalUnavailable(cause=STRANGE)


def head_of(data: bytes) -> Head | None:
    """Read the head that an append is answered with; None where there is none."""
    try:
        return _head(orjson.loads(data)["head"])
    except (LookupError, TypeError, ValueError):
        return None


def leader_of(data: bytes) -> Leader | JournalUnavailable:
    """Read who leads.

    >>> leader_of(b'{"holder":null,"epoch":7}')
    Leader(epoch=7, holder=None, since=0, expires_in_ms=0)

    """
    try:
        tree: Any = orjson.loads(data)
        epoch, holder = _whole(tree["epoch"]), tree["holder"]
        if not isinstance(holder, str):
            return Leader(epoch=epoch)
        return Leader(
            epoch=epoch,
            holder=holder,
            since=_whole(tree["since"]),
            expires_in_ms=_whole(tree["expires_in_ms"]),
        )
    except (LookupError, TypeError, ValueError):
        return JournalUnavailable(cause=STRANGE)


def answered_of(data: bytes) -> Answered | JournalUnavailable:
    """Read a page of rows into its lines, and what stands behind them.

    One that was cut off has no last line.
    """
    *lines, last, rest = data.split(b"\n") if data.count(b"\n") else (b"", data)
    try:
        tree: Any = orjson.loads(last)
        lease = tree.get("lease")
        if rest or not (lease is None or isinstance(lease, dict)):
            return JournalUnavailable(cause=STRANGE)
        end = _head(tree["end"])
        seq = None if tree.get("last") is None else _whole(tree["last"])
    except (AttributeError, LookupError, TypeError, ValueError):
        return JournalUnavailable(cause=STRANGE)
    return Answered(lines=lines, end=end, lease=lease, size=len(data), last=seq)


def checked_rows(
    lines: Sequence[bytes], head: Head
) -> tuple[Page | None, JournalCorrupt | None]:
    """Return the rows that continue *head*, and what is wrong with the next, if it is.

    Most lines are taken out of their frame (``line_frame``), the others parsed.
    """
    if not lines:
        return None, None
    page = framed_rows(lines, head)
    if page is not None and len(page) == len(lines):
        return page, None
    rows = list[Row]()
    unread: JournalCorrupt | None = None
    for line in lines:
        row = row_in(line)
        if row is None:
            unread = JournalCorrupt(
                seq=head.seq + len(rows) + 1,
                place=ALTERED,
                expected="a row as it is written",
                found=shown(line),
            )
            break
        rows.append(row)
    damage = broken(head, rows)
    if damage is not None:
        rows = rows[: (damage.seq or 0) - head.seq - 1]
    return (page_of(rows) if rows else None), damage or unread


def row_in(line: bytes) -> Row | None:
    """Read one row, unchecked; None where the line is not as it would be written."""
    try:
        tree: Any = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return row_of(tree, line + b"\n") if isinstance(tree, dict) else None


def _head(tree: Any) -> Head:
    return Head(seq=_whole(tree["seq"]), digest=_digest(tree["digest"]))


def _kept(tree: Any) -> Kept:
    return Kept(
        seq=_whole(tree["seq"]),
        digest=_digest(tree["digest"]),
        rules=_whole(tree["rules"]),
        size=_whole(tree["size"]),
        parts=_whole(tree["parts"]),
        checksum=_digest(tree["checksum"]),
    )


def _whole(found: Any) -> int:
    if type(found) is not int or found < 0:
        raise ValueError
    return found


def _digest(found: Any) -> bytes:
    digest = bytes.fromhex(found)
    if len(digest) != SIZE:
        raise ValueError
    return digest
