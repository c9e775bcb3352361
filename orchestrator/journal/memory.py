"""A journal in memory: for tests, simulations and fleets that need not survive."""

from __future__ import annotations

from returns.future import FutureResult

from orchestrator.core.errors import JournalConflict, JournalError
from orchestrator.journal.port import START, Draft, Head, Row, Snapshot, chained

__all__ = ("MemoryJournal",)


class MemoryJournal:
    """Rows in a list; as correct as the others, gone with the process."""

    def __init__(self) -> None:
        """Begin empty."""
        self._rows: list[Row] = []
        self._snapshots: list[Snapshot] = []

    def _head(self) -> Head:
        if not self._rows:
            return START
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
        self._rows += chained(head, drafts)
        return FutureResult.from_value(self._head())

    def read(
        self, after: int, limit: int
    ) -> FutureResult[tuple[Row, ...], JournalError]:
        """Read at most *limit* rows after number *after*."""
        return FutureResult.from_value(tuple(self._rows[after : after + limit]))

    def save_snapshot(self, snapshot: Snapshot) -> FutureResult[None, JournalError]:
        """Keep the newest snapshot."""
        self._snapshots = [snapshot]
        return FutureResult.from_value(None)

    def latest_snapshot(self) -> FutureResult[Snapshot | None, JournalError]:
        """Return the snapshot that was kept."""
        newest = self._snapshots[-1] if self._snapshots else None
        return FutureResult.from_value(newest)

    def close(self) -> FutureResult[None, JournalError]:
        """Do nothing: there is nothing to let go of."""
        return FutureResult.from_value(None)
