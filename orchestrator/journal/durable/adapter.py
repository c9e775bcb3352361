"""The journal behind a gateway: rows and fleets in the Durable Object of a fleet.

An append is one request and one transaction there, which also asks whether the epoch is
the newest: who was replaced is told so, and writes no more (``StaleOperator``). Where
the answer is lost the very same bytes are sent again, and a gateway that has the rows
says so; if none comes at all the append is *in doubt*.

Several may read it at a time, and others may write to it: what it is is asked for.
"""

from __future__ import annotations

from returns.future import FutureResult

from orchestrator.core.errors import JournalError
from orchestrator.core.moments import Millis
from orchestrator.journal.durable.answers import JournalState
from orchestrator.journal.durable.archive import Archive
from orchestrator.journal.durable.reader import Told
from orchestrator.journal.durable.wire import Wire
from orchestrator.journal.port import Draft, Head, Row, Snapshot

__all__ = ("DurableJournal",)


class DurableJournal:
    """A journal behind a gateway; it is read by everybody, and written by a leader."""

    def __init__(self, wire: Wire) -> None:
        """Ask over *wire*, which is closed with this."""
        self._archive = Archive(wire)

    def lead(self, epoch: int) -> None:
        """Write under *epoch* from now on, as the platform has granted it."""
        self._archive.epoch = epoch

    def head(self) -> FutureResult[Head, JournalError]:
        """Say where the journal ends now."""
        return self.state().map(lambda state: state.head)

    def state(self) -> FutureResult[JournalState, JournalError]:
        """Say what the journal is: its ends, what is kept, how much there is."""
        return FutureResult(self._archive.state())

    def append(
        self, expect: Head, drafts: tuple[Draft, ...]
    ) -> FutureResult[Head, JournalError]:
        """Append rows behind *expect*; success means durable, in several places.

        A failure that is ``in_doubt`` may have written them, or the first of them: the
        same append made again finds out, and goes on.
        """
        return FutureResult(self._archive.append(expect, drafts))

    def put(
        self, expect: Head, rows: tuple[Row, ...]
    ) -> FutureResult[Head, JournalError]:
        """Append rows that are chained to *expect* already."""
        return FutureResult(self._archive.put(expect, rows))

    def read(
        self, after: int, limit: int
    ) -> FutureResult[tuple[Row, ...], JournalError]:
        """Read at most *limit* rows after number *after*, checked."""
        return FutureResult(self._archive.read(after, limit))

    def follow(
        self, after: Head, limit: int, wait_ms: Millis = 0
    ) -> FutureResult[Told, JournalError]:
        """Read rows behind *after*, and who leads; wait for the first, or for another.

        What is told has a page of the gateway at most: there may be more.
        """
        return FutureResult(self._archive.follow(after, limit, wait_ms))

    def beginning(self) -> FutureResult[Snapshot | None, JournalError]:
        """Return what the rows begin behind; None: they are whole from row 1."""
        return FutureResult(self._archive.beginning())

    def save_snapshot(self, snapshot: Snapshot) -> FutureResult[None, JournalError]:
        """Keep a snapshot, and let some of the older ones go."""
        return FutureResult(self._archive.save(snapshot))

    def latest_snapshot(
        self, until: int | None = None
    ) -> FutureResult[Snapshot | None, JournalError]:
        """Return the newest whole snapshot of row *until* or before (None: of all)."""
        return FutureResult(self._archive.latest(until))

    def begin_behind(self, base: Snapshot) -> FutureResult[None, JournalError]:
        """Put *base* in the place of its row and of all before; success means durable.

        A journal that is empty may begin behind any fleet. A failure that is
        ``in_doubt`` may have cut the rows off.
        """
        return FutureResult(self._archive.begin_behind(base))

    def close(self) -> FutureResult[None, JournalError]:
        """Let go of the connections."""
        return FutureResult(self._archive.close())
