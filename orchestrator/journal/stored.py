"""The rows of a database, read from beginning to end by a tool, without a thread.

A writer may be at work: the reader sees what was committed when it opened the file,
and nothing of what comes after. The laws of an operator's journal are in
``journal.sqlite``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from returns.io import IOResult

from orchestrator.core.errors import JournalCorrupt, JournalError
from orchestrator.journal.checks import Database, open_database
from orchestrator.journal.pages import Page, made_rows, page_behind, page_of
from orchestrator.journal.port import Head, Snapshot, broken
from orchestrator.journal.stored_snapshots import (
    digest_at,
    select_snapshot,
    whole_snapshots,
)
from orchestrator.journal.tables import FAILURES, said, select_fields

__all__ = ("StoredReader", "is_database", "open_stored")

MAGIC: Final = b"SQLite format 3\x00"
PAGE: Final = 1_000


def is_database(path: Path) -> bool:
    """Say whether a file is a database, by its first bytes."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def open_stored(path: Path) -> IOResult[StoredReader, JournalError]:
    """Open a database for reading, and check its end."""
    return IOResult.from_result(open_database(path, read_only=True).map(StoredReader))


class StoredReader:
    """A database that is being read; ``open_stored`` makes it."""

    def __init__(self, database: Database) -> None:
        """Read a database that was opened and checked; it is closed with this."""
        self.base: Snapshot | None = database.base
        self.expected: int | None = database.head.seq - database.start.seq
        self.cut_at_line: int | None = None
        self._database = database
        self._connection = database.connection

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def pages(self, after: int | None = None) -> Iterator[Page | JournalError]:
        """Yield the rows after row *after*; a damage is the last thing yielded."""
        try:
            yield from self._pages(self._head_at(after))
        except FAILURES as error:
            yield said(error)

    def _head_at(self, after: int | None) -> Head:
        seq = self._database.start.seq if after is None else after
        digest = digest_at(self._connection, self.base, seq)
        return Head(seq=seq, digest=digest)

    def _pages(self, head: Head) -> Iterator[Page | JournalError]:
        while found := select_fields(self._connection, head.seq, PAGE):
            page = page_behind(head, found)
            if page is None:
                yield from self._up_to_the_damage(head)
                return
            yield page
            head = page.head
        end = self._database.head.seq
        if head.seq < end:
            yield JournalCorrupt(
                seq=head.seq + 1, place="end", expected=f"{end} rows", found="no more"
            )

    def _up_to_the_damage(self, head: Head) -> Iterator[Page | JournalError]:
        """Yield the rows of a page that continue *head*, and what the next one is."""
        # One row more than a page has: it helps to tell what befell the last one.
        rows = made_rows(select_fields(self._connection, head.seq, PAGE + 1))
        damage = broken(head, rows)
        assert damage is not None  # noqa: S101 - the page does not continue the head
        whole = (damage.seq or 0) - head.seq - 1
        if whole:
            yield page_of(rows[:whole])
        yield damage

    def snapshots(self) -> Iterator[Snapshot]:
        """Yield the snapshots that are whole, the newest first."""
        until = self._database.head.seq
        try:
            yield from whole_snapshots(self._connection, self.base, until)
        except FAILURES:  # they are caches
            return

    def snapshot(self, until: int) -> Snapshot | None:
        """Return the newest whole snapshot of row *until* or before; also the base."""
        try:
            return select_snapshot(self._connection, self.base, until)
        except FAILURES:  # they are caches
            return self.base if self.base and self.base.seq <= until else None
