"""The rows of a database, read from beginning to end by a tool, without a thread.

A writer may be at work: the reader takes part in SQLite's snapshot isolation and sees
what was committed. The laws of an operator's journal are in ``journal.sqlite``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from returns.io import IOFailure, IOResult, IOSuccess

from orchestrator.codec.digests import digest_of
from orchestrator.core.errors import JournalError
from orchestrator.journal.checks import check_end, digest_at, head_path, is_missing
from orchestrator.journal.head import read_head
from orchestrator.journal.port import START, Head, Row, Snapshot, broken
from orchestrator.journal.tables import connect, prepare, said, select_head, select_rows

__all__ = ("StoredReader", "is_database", "open_stored")

MAGIC: Final = b"SQLite format 3\x00"
PAGE: Final = 1_000


def is_database(path: Path) -> bool:
    """Say whether a file is a database, by its first bytes."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def open_stored(path: Path) -> IOResult[StoredReader, JournalError]:
    """Open a database for reading, and check its end."""
    connection: sqlite3.Connection | None = None
    try:
        known = read_head(head_path(path))
        problem = is_missing(path, known, read_only=True)
        if problem is None:
            connection = connect(path, read_only=True)
            problem = prepare(connection, read_only=True)
            problem = problem or check_end(connection, known, head_path(path))
            if problem is None:
                return IOSuccess(StoredReader(connection))
    except (sqlite3.Error, OSError) as error:
        problem = said(error)
    if connection is not None:
        connection.close()
    return IOFailure(problem)


class StoredReader:
    """A database that is being read; ``open_stored`` makes it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Read through an open connection, which is closed with this."""
        self.base: Snapshot | None = None
        self.expected: int | None = select_head(connection).seq
        self.cut_at_line: int | None = None
        self._connection = connection

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def pages(self) -> Iterator[tuple[Row, ...] | JournalError]:
        """Yield the rows; a damage is the last thing that is yielded."""
        head = START
        try:
            while rows := select_rows(self._connection, head.seq, PAGE):
                damage = broken(head, rows)
                if damage is not None:
                    yield damage
                    return
                yield rows
                head = Head(seq=rows[-1].seq, digest=rows[-1].digest)
        except sqlite3.Error as error:
            yield said(error)

    def snapshot(self, until: int) -> Snapshot | None:
        """Return the newest whole snapshot of row *until* or before."""
        found = self._connection.execute(
            "SELECT seq, digest, rules, body, checksum FROM snapshots"
            " WHERE seq <= ? ORDER BY seq DESC",
            (until,),
        )
        for seq, digest, rules, body, checksum in found:
            whole = digest_of([body]) == checksum
            if whole and digest_at(self._connection, seq) == digest:
                return Snapshot(seq=seq, digest=digest, rules=rules, body=body)
        return None
