"""A journal in memory that several operators share, each over a line of its own.

It stands for one behind a gateway: an append is refused under an epoch that is not the
newest, and one that was made before, and whose answer was lost, is known again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from returns.future import FutureResult

from orchestrator.core.errors import JournalError, JournalUnavailable
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.port import Draft, Head, Row, Snapshot, chained
from orchestrator.platforms.simulated.lines import Line

__all__ = ("SharedJournal",)

T = TypeVar("T")

NOBODY = JournalUnavailable(cause="it is written only by who leads", retryable=False)


class SharedJournal:
    """The rows of *rows*, as one operator reaches them over *line*."""

    def __init__(self, rows: MemoryJournal, line: Line) -> None:
        """Write nothing before ``lead``."""
        self._rows = rows
        self._line = line
        self._epoch: int | None = None

    def lead(self, epoch: int) -> None:
        """Write under *epoch* from now on."""
        self._epoch = epoch

    def head(self) -> FutureResult[Head, JournalError]:
        """Say where the journal ends."""
        return self._over(self._rows.head)

    def append(
        self, expect: Head, drafts: tuple[Draft, ...]
    ) -> FutureResult[Head, JournalError]:
        """Append rows behind *expect*; the same append again does nothing more."""

        def arrived() -> FutureResult[Head, JournalError]:
            there = self._rows.read(expect.seq, len(drafts) + 1)
            return there.bind(lambda rows: self._put(expect, drafts, rows))

        return self._over(lambda: self._written(arrived), writes=True)

    def _put(
        self, expect: Head, drafts: tuple[Draft, ...], there: tuple[Row, ...]
    ) -> FutureResult[Head, JournalError]:
        if there and there == chained(expect, drafts):
            last = there[-1]
            return FutureResult.from_value(Head(seq=last.seq, digest=last.digest))
        return self._rows.append(expect, drafts)

    def read(
        self, after: int, limit: int
    ) -> FutureResult[tuple[Row, ...], JournalError]:
        """Read at most *limit* rows after number *after*."""
        return self._over(lambda: self._rows.read(after, limit))

    def beginning(self) -> FutureResult[Snapshot | None, JournalError]:
        """Return what the rows begin behind."""
        return self._over(self._rows.beginning)

    def save_snapshot(self, snapshot: Snapshot) -> FutureResult[None, JournalError]:
        """Keep a snapshot, and let some of the older ones go."""
        return self._over(
            lambda: self._written(lambda: self._rows.save_snapshot(snapshot))
        )

    def latest_snapshot(
        self, until: int | None = None
    ) -> FutureResult[Snapshot | None, JournalError]:
        """Return the newest snapshot of row *until* or before."""
        return self._over(lambda: self._rows.latest_snapshot(until))

    def begin_behind(self, base: Snapshot) -> FutureResult[None, JournalError]:
        """Put *base* in the place of its row and of all before."""
        return self._over(lambda: self._written(lambda: self._rows.begin_behind(base)))

    def close(self) -> FutureResult[None, JournalError]:
        """Do nothing: the rows are others', too."""
        return FutureResult.from_value(None)

    def _written(
        self, write: Callable[[], FutureResult[T, JournalError]]
    ) -> FutureResult[T, JournalError]:
        """Write under the epoch that was granted, if it is the newest."""
        if self._epoch is None:
            return FutureResult.from_failure(NOBODY)
        stale: Any = self._line.platform.shown(self._epoch)
        return FutureResult.from_failure(stale) if stale is not None else write()

    def _over(
        self, ask: Callable[[], FutureResult[T, JournalError]], *, writes: bool = False
    ) -> FutureResult[T, JournalError]:
        """Ask over the line; a line that fails leaves it open whether it was done."""

        def told(error: Any) -> JournalError:
            if isinstance(error, JournalError):
                return error
            return JournalUnavailable(cause=error.message, in_doubt=writes)

        answered: FutureResult[T, JournalError] = self._line.over(ask)
        return answered.alt(told)
