"""The journal port: rows, a head, compare-and-append, snapshots as caches.

The laws (``orchestrator.testing``): an append that returned success is durable; it
happens whole or not at all; one whose expected head has moved is refused and changes
nothing; rows are numbered 1, 2, 3 without a gap; what is read is what was appended,
checked against the chain of digests.

A journal that was compacted begins behind a *base*: the fleet after row N, kept as a
snapshot is, but no cache. Its rows are numbered from N + 1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final, Protocol, runtime_checkable

import attrs
from returns.future import FutureResult

from orchestrator.codec.digests import GENESIS, SIZE, chain, chained_digests
from orchestrator.core.errors import JournalConflict, JournalCorrupt, JournalError
from orchestrator.core.evolving import quick
from orchestrator.core.moments import Moment

__all__ = (
    "ALTERED",
    "DISPLACED",
    "MISSING",
    "REPEATED",
    "START",
    "Compactable",
    "Draft",
    "Head",
    "Journal",
    "Row",
    "Snapshot",
    "broken",
    "chained",
    "continues",
    "misplaced",
)

ALTERED: Final = "row altered"
MISSING: Final = "row missing"
REPEATED: Final = "row repeated"
DISPLACED: Final = "row in another place"
"""The kinds of damage that ``broken`` tells apart."""


@quick
@attrs.frozen(kw_only=True, weakref_slot=False)
class Draft:
    """A row that has no number yet.

    ``changes``: the fields that are new of each container that the event touched.
    """

    at: Moment
    event: bytes
    commands: bytes
    changes: bytes


@quick
@attrs.frozen(kw_only=True, weakref_slot=False)
class Row:
    """One event of the journal, with what it caused, chained to the row before."""

    seq: int
    at: Moment
    event: bytes
    commands: bytes
    changes: bytes
    digest: bytes


@quick
@attrs.frozen(kw_only=True, weakref_slot=False)
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

    @property
    def head(self) -> Head:
        """Return the row that it was taken after."""
        return Head(seq=self.seq, digest=self.digest)


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
        """Read at most *limit* rows after number *after*.

        ``JournalCompacted`` where some of them were compacted away.
        """
        ...

    def beginning(self) -> FutureResult[Snapshot | None, JournalError]:
        """Return what the rows begin behind; None: they are whole from row 1."""
        ...

    def save_snapshot(self, snapshot: Snapshot) -> FutureResult[None, JournalError]:
        """Keep a snapshot, and let some of the older ones go."""
        ...

    def latest_snapshot(
        self, until: int | None = None
    ) -> FutureResult[Snapshot | None, JournalError]:
        """Return the newest snapshot of row *until* or before (None: of all).

        It is whole and agrees with the rows. The base counts as one; where *until*
        lies before it: ``JournalCompacted``.
        """
        ...

    def close(self) -> FutureResult[None, JournalError]:
        """Let go of what the journal holds; it is not used again."""
        ...


@runtime_checkable
class Compactable(Journal, Protocol):
    """A journal whose oldest rows can be cut off while it is in use.

    The laws: all of it happens, or nothing; what is read behind the base, and what is
    appended, is as it was; what was before it is ``JournalCompacted`` from then on.
    """

    def begin_behind(self, base: Snapshot) -> FutureResult[None, JournalError]:
        """Put *base* in the place of its row and of all before; success means durable.

        It is the fleet after a row that is there, and is not the newest: else
        ``JournalConflict``; ``JournalCorrupt`` where that row has another digest.
        """
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


def misplaced(
    base: Snapshot, digest: bytes | None, head: Head
) -> JournalConflict | JournalCorrupt | None:
    """Return why rows that end with *head* cannot begin behind *base*, if so.

    *digest* is that of its row; None where there is no such row before the newest.
    """
    if digest is None:
        return JournalConflict(expected_seq=base.seq, found_seq=head.seq)
    if digest != base.digest:
        return JournalCorrupt(
            seq=base.seq,
            place="base",
            expected=_shown(digest),
            found=_shown(base.digest),
        )
    return None


def continues(
    head: Head,
    seqs: Sequence[int],
    parts: Sequence[tuple[int, bytes, bytes, bytes]],
    digests: Sequence[bytes],
) -> bool:
    """Say whether rows, taken apart, continue a head; all at once, for many do.

    *parts*: of each row its moment, event, commands, changes. (A damaged database may
    hand out anything in all of this, and for the head.)
    """
    if type(head.digest) is not bytes or len(head.digest) != SIZE:
        return False
    if [*seqs] != [*range(head.seq + 1, head.seq + 1 + len(seqs))]:
        return False
    try:
        expected = chained_digests(head.digest, head.seq, parts)
    except (TypeError, struct.error):
        return False
    return [*digests] == expected


def broken(head: Head, rows: Sequence[Row]) -> JournalCorrupt | None:
    """Return the first place where rows do not continue *head*, if there is one.

    ``seq`` of the damage is the number that the row should have, ``place`` its kind.
    The row behind it, if it is among *rows*, helps to tell the kinds apart.

    >>> broken(START, ()) is None
    True

    """
    if continues(
        head,
        [row.seq for row in rows],
        [(row.at, row.event, row.commands, row.changes) for row in rows],
        [row.digest for row in rows],
    ):
        return None
    seq, digest = head.seq, head.digest
    for place, row in enumerate(rows):
        if row.seq != seq + 1:
            return _out_of_order(seq + 1, row, rows[place + 1 : place + 2])
        before, digest = digest, _digest(digest, seq + 1, row)
        if digest != row.digest or type(row.digest) is not bytes:
            behind = Head(seq=seq, digest=before)
            return _altered(behind, row, digest, rows[place + 1 : place + 2])
        seq += 1
    return None


def _digest(before: bytes, seq: int, row: Row) -> bytes:
    """Return what a row is chained to; nothing where it holds no bytes and numbers.

    (A damaged database may hand out anything.)
    """
    try:
        return chain(before, seq, row.at, row.event, row.commands, row.changes)
    except (TypeError, struct.error):
        return b""


def _out_of_order(expected: int, row: Row, after: Sequence[Row]) -> JournalCorrupt:
    found = row.seq if type(row.seq) is int else 0
    if found < expected:
        kind = REPEATED if found > 0 else ALTERED
    else:
        kind = DISPLACED if after and after[0].seq == expected else MISSING
    return JournalCorrupt(
        seq=expected, place=kind, expected=f"row {expected}", found=f"row {row.seq}"
    )


def _altered(
    behind: Head, row: Row, digest: bytes, after: Sequence[Row]
) -> JournalCorrupt:
    kind, seq = ALTERED, behind.seq + 1
    if row.digest == behind.digest:
        kind = REPEATED
    elif after and _digest(behind.digest, seq, after[0]) == after[0].digest:
        kind = DISPLACED
    return JournalCorrupt(
        seq=seq, place=kind, expected=_shown(digest), found=_shown(row.digest)
    )


def _shown(digest: object) -> str:
    """Show the beginning of a digest, or what stands in its place."""
    if isinstance(digest, bytes) and digest:
        return f"digest {digest.hex()[:16]}"
    return "a row" if digest == b"" else f"{digest!r:.60}"
