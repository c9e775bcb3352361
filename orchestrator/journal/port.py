"""The journal port: rows, a head, compare-and-append, snapshots as caches.

The laws (``orchestrator.testing``): an append that returned success is durable; it
happens whole or not at all; one whose expected head has moved is refused and changes
nothing; rows are numbered 1, 2, 3 without a gap; what is read is what was appended,
checked against the chain of digests.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

import attrs
from returns.future import FutureResult

from orchestrator.codec.digests import GENESIS, chain
from orchestrator.core.errors import JournalCorrupt, JournalError
from orchestrator.core.moments import Moment

__all__ = ("START", "Draft", "Head", "Journal", "Row", "Snapshot", "broken", "chained")


@attrs.frozen(kw_only=True)
class Draft:
    """A row that has no number yet.

    ``changes`` is the digest of the records that the event changed.
    """

    at: Moment
    event: bytes
    commands: bytes
    changes: bytes


@attrs.frozen(kw_only=True)
class Row:
    """One event of the journal, with what it caused, chained to the row before."""

    seq: int
    at: Moment
    event: bytes
    commands: bytes
    changes: bytes
    digest: bytes


@attrs.frozen(kw_only=True)
class Head:
    """The end of a journal: its last row's number and digest."""

    seq: int
    digest: bytes


START: Final = Head(seq=0, digest=GENESIS)
"""The head of an empty journal."""


@attrs.frozen(kw_only=True)
class Snapshot:
    """A fleet as it was after row ``seq``: a cache, never the truth.

    ``rules`` numbers the rule book that folded it.
    """

    seq: int
    digest: bytes
    rules: int
    body: bytes


class Journal(Protocol):
    """Where events survive."""

    def head(self) -> FutureResult[Head, JournalError]:
        """Say where the journal ends."""
        ...

    def append(
        self, expect: Head, drafts: tuple[Draft, ...]
    ) -> FutureResult[Head, JournalError]:
        """Append rows behind *expect*, all or none; success means durable."""
        ...

    def read(
        self, after: int, limit: int
    ) -> FutureResult[tuple[Row, ...], JournalError]:
        """Read at most *limit* rows after number *after*."""
        ...

    def save_snapshot(self, snapshot: Snapshot) -> FutureResult[None, JournalError]:
        """Keep a snapshot, and let the oldest go."""
        ...

    def latest_snapshot(self) -> FutureResult[Snapshot | None, JournalError]:
        """Return the newest snapshot that is whole and agrees with the rows."""
        ...

    def close(self) -> FutureResult[None, JournalError]:
        """Let go of what the journal holds; it is not used again."""
        ...


def chained(head: Head, drafts: Iterable[Draft]) -> tuple[Row, ...]:
    """Give drafts their numbers and digests, behind a head."""
    rows: list[Row] = []
    seq, digest = head.seq, head.digest
    for draft in drafts:
        seq += 1
        digest = chain(
            digest, seq, draft.at, draft.event, draft.commands, draft.changes
        )
        rows.append(
            Row(
                seq=seq,
                at=draft.at,
                event=draft.event,
                commands=draft.commands,
                changes=draft.changes,
                digest=digest,
            )
        )
    return tuple(rows)


def broken(head: Head, rows: Iterable[Row]) -> JournalCorrupt | None:
    """Return the first place where rows do not continue *head*, if there is one.

    >>> broken(START, ()) is None
    True

    """
    seq, digest = head.seq, head.digest
    for row in rows:
        if row.seq != seq + 1:
            return JournalCorrupt(
                seq=seq + 1, place="row", expected=f"row {seq + 1}", found=f"{row.seq}"
            )
        seq = row.seq
        digest = chain(digest, seq, row.at, row.event, row.commands, row.changes)
        if digest != row.digest:
            return JournalCorrupt(
                seq=seq,
                place="digest",
                expected=digest.hex()[:16],
                found=row.digest.hex()[:16],
            )
    return None
