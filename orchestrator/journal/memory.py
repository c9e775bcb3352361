"""A journal in memory: for tests, simulations and fleets that need not survive."""

from __future__ import annotations

from returns.future import FutureResult

from orchestrator.core.errors import JournalCompacted, JournalConflict, JournalError
from orchestrator.core.evolving import evolve
from orchestrator.journal.port import (
    START,
    Draft,
    Head,
    Row,
    Snapshot,
    chained,
    misplaced,
)
from orchestrator.journal.snapshots import kept

__all__ = ("MemoryJournal",)


class MemoryJournal:
    """Rows in a list; as correct as the others, gone with the process."""

    def __init__(self, base: Snapshot | None = None) -> None:
        """Begin empty, behind *base* if there is one."""
        self._base = base
        self._start = START if base is None else base.head
        self._rows: list[Row] = []
        self._snapshots: dict[int, Snapshot] = {}

    def _head(self) -> Head:
        if not self._rows:
            return self._start
        return Head(seq=self._rows[-1].seq, digest=self._rows[-1].digest)

    def head(self) -> FutureResult[Head, JournalError]:
        """Say where the journal ends."""
        return FutureResult.from_value(self._head())

    def append(
        self, expect: Head, drafts: tuple[Draft, ...]
    ) -> FutureResult[Head, JournalError]:
        """Append rows behind *expect*, all or none."""
        head = self._head()
        if expect != head:
            conflict = JournalConflict(expected_seq=expect.seq, found_seq=head.seq)
            return FutureResult.from_failure(conflict)
        self._rows += map(_of_its_size, chained(head, drafts))
        return FutureResult.from_value(self._head())

    def read(
        self, after: int, limit: int
    ) -> FutureResult[tuple[Row, ...], JournalError]:
        """Read at most *limit* rows after number *after*."""
        first = after - self._start.seq
        if first < 0:
            return FutureResult.from_failure(self._compacted(after))
        return FutureResult.from_value(tuple(self._rows[first : first + limit]))

    def beginning(self) -> FutureResult[Snapshot | None, JournalError]:
        """Return what the journal was begun behind."""
        return FutureResult.from_value(self._base)

    def save_snapshot(self, snapshot: Snapshot) -> FutureResult[None, JournalError]:
        """Keep a snapshot, and let some of the older ones go."""
        if snapshot.seq > self._start.seq:
            self._snapshots[snapshot.seq] = snapshot
        self._snapshots = {seq: self._snapshots[seq] for seq in kept(self._snapshots)}
        return FutureResult.from_value(None)

    def latest_snapshot(
        self, until: int | None = None
    ) -> FutureResult[Snapshot | None, JournalError]:
        """Return the newest snapshot of row *until* or before."""
        if until is None:
            until = self._head().seq
        if until < self._start.seq:
            return FutureResult.from_failure(self._compacted(until))
        found = [self._snapshots[seq] for seq in self._snapshots if seq <= until]
        return FutureResult.from_value(found[-1] if found else self._base)

    def begin_behind(self, base: Snapshot) -> FutureResult[None, JournalError]:
        """Put *base* in the place of its row and of all before."""
        count = base.seq - self._start.seq
        digest = self._rows[count - 1].digest if 0 < count < len(self._rows) else None
        problem = misplaced(base, digest, self._head())
        if problem is not None:
            return FutureResult.from_failure(problem)
        self._base, self._start = base, base.head
        self._rows = self._rows[count:]
        self._snapshots = {
            seq: one for seq, one in self._snapshots.items() if seq > base.seq
        }
        return FutureResult.from_value(None)

    def close(self) -> FutureResult[None, JournalError]:
        """Do nothing: there is nothing to let go of."""
        return FutureResult.from_value(None)

    def _compacted(self, asked: int) -> JournalCompacted:
        return JournalCompacted(asked=asked, base=self._start.seq)


def _of_its_size(row: Row) -> Row:
    """Return a row of copies: what orjson has written occupies four kilobytes each."""
    event, commands, changes = row.event, row.commands, row.changes
    return evolve(
        row, event=b"%b" % event, commands=b"%b" % commands, changes=b"%b" % changes
    )
