"""The journal on disk: SQLite in WAL mode, one writer thread, a head file.

An append is one transaction with ``synchronous=FULL``, then the head file, then the
acknowledgement. If the head cannot be written the rows are taken back, so that an
append that failed has left nothing behind and can be made again.

Opening is cheap: it counts the rows, compares them with the head file and checks the
chain from there on. Every row that is read is checked against the one before.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from returns.future import FutureResult
from returns.result import Failure, Result, Success

from orchestrator.codec.digests import digest_of
from orchestrator.core.errors import (
    JournalConflict,
    JournalError,
    JournalUnavailable,
)
from orchestrator.journal.checks import check_end, digest_at, head_path, is_missing
from orchestrator.journal.head import HeadFile, read_head
from orchestrator.journal.lock import Lock, take_lock
from orchestrator.journal.port import Draft, Head, Row, Snapshot, broken, chained
from orchestrator.journal.tables import (
    connect,
    prepare,
    said,
    select_head,
    select_rows,
)

__all__ = ("SqliteJournal", "open_sqlite")

T = TypeVar("T")

SNAPSHOTS_KEPT: Final = 3
"""A damaged one falls back to the one before; more would only cost space."""


def open_sqlite(
    path: Path, *, read_only: bool = False
) -> FutureResult[SqliteJournal, JournalError]:
    """Open the journal at *path*, make it where there is none, or say what is wrong.

    A writer takes the lock beside it; a reader (tools) changes nothing.
    """
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")

    async def opened() -> Result[SqliteJournal, JournalError]:
        loop = asyncio.get_running_loop()
        outcome = await loop.run_in_executor(thread, _open, path, thread, read_only)
        if isinstance(outcome, Failure):
            thread.shutdown(wait=False)
        return outcome

    return FutureResult(opened())


def _open(
    path: Path,
    thread: ThreadPoolExecutor,
    read_only: bool,  # noqa: FBT001 - positional
) -> Result[SqliteJournal, JournalError]:
    lock: Lock | None = None
    connection: sqlite3.Connection | None = None
    problem: JournalError | None
    try:
        if not read_only:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            taken = take_lock(path.with_name(path.name + ".lock"))
            if isinstance(taken, Failure):
                return Failure(taken.failure())
            lock = taken.unwrap()
        known = read_head(head_path(path))
        problem = is_missing(path, known, read_only=read_only)
        if problem is None:
            connection = connect(path, read_only=read_only)
            problem = prepare(connection, read_only=read_only)
            problem = problem or check_end(connection, known, head_path(path))
        if problem is None and connection is not None:
            head = select_head(connection)
            file = None if read_only else HeadFile(head_path(path), head)
            journal = SqliteJournal(
                connection=connection, head=head, file=file, lock=lock, thread=thread
            )
            return Success(journal)
    except (sqlite3.Error, OSError) as error:
        problem = said(error)
    if connection is not None:
        connection.close()
    if lock is not None:
        lock.release()
    assert problem is not None  # noqa: S101 - every way here has set it
    return Failure(problem)


class SqliteJournal:
    """A journal in one file; ``open_sqlite`` makes it."""

    def __init__(
        self,
        *,
        connection: sqlite3.Connection,
        head: Head,
        file: HeadFile | None,
        lock: Lock | None,
        thread: ThreadPoolExecutor,
    ) -> None:
        """Take over what was opened and checked."""
        self._connection = connection
        self._head = head
        self._file = file
        self._lock = lock
        self._thread = thread

    def head(self) -> FutureResult[Head, JournalError]:
        """Say where the journal ends."""
        return self._call(lambda: Success(self._head))

    def append(
        self, expect: Head, drafts: tuple[Draft, ...]
    ) -> FutureResult[Head, JournalError]:
        """Append rows behind *expect*, all or none; success means durable."""
        return self._call(lambda: self._append(expect, drafts))

    def read(
        self, after: int, limit: int
    ) -> FutureResult[tuple[Row, ...], JournalError]:
        """Read at most *limit* rows after number *after*, checked."""
        return self._call(lambda: self._read(after, limit))

    def save_snapshot(self, snapshot: Snapshot) -> FutureResult[None, JournalError]:
        """Keep a snapshot, and let the oldest go."""
        return self._call(lambda: self._save(snapshot))

    def latest_snapshot(self) -> FutureResult[Snapshot | None, JournalError]:
        """Return the newest snapshot that is whole and agrees with the rows."""
        return self._call(self._latest)

    def close(self) -> FutureResult[None, JournalError]:
        """Close the file and let the next writer in."""
        return self._call(self._close).map(self._end_thread)

    def _call(
        self, work: Callable[[], Result[T, JournalError]]
    ) -> FutureResult[T, JournalError]:
        """Do work in the journal's own thread; what it raises is a value."""

        def guarded() -> Result[T, JournalError]:
            try:
                return work()
            except (sqlite3.Error, OSError) as error:
                with contextlib.suppress(sqlite3.Error):  # none was open, or it is gone
                    self._connection.execute("ROLLBACK")
                return Failure(said(error))

        async def called() -> Result[T, JournalError]:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, guarded)

        return FutureResult(called())

    def _append(
        self, expect: Head, drafts: tuple[Draft, ...]
    ) -> Result[Head, JournalError]:
        if self._file is None:
            return Failure(JournalUnavailable(cause="read only", retryable=False))
        if expect != self._head:
            found = self._head.seq
            return Failure(JournalConflict(expected_seq=expect.seq, found_seq=found))
        if not drafts:
            return Success(self._head)
        rows = chained(self._head, drafts)
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(
            "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?)",
            [(r.seq, r.at, r.event, r.commands, r.changes, r.digest) for r in rows],
        )
        self._connection.execute("COMMIT")
        head = Head(seq=rows[-1].seq, digest=rows[-1].digest)
        try:
            self._file.write(head)
        except OSError:
            self._take_back(expect)
            raise
        self._head = head
        return Success(head)

    def _take_back(self, head: Head) -> None:
        """Remove the rows of an append that cannot be acknowledged."""
        try:
            self._connection.execute("DELETE FROM rows WHERE seq > ?", (head.seq,))
        except sqlite3.Error:
            self._file = None  # what is on the disk is in doubt: write no more
            raise

    def _read(self, after: int, limit: int) -> Result[tuple[Row, ...], JournalError]:
        rows = select_rows(self._connection, after, limit)
        if not rows:
            return Success(())
        before = Head(seq=after, digest=digest_at(self._connection, after))
        damage = broken(before, rows)
        return Success(rows) if damage is None else Failure(damage)

    def _save(self, snapshot: Snapshot) -> Result[None, JournalError]:
        checksum = digest_of([snapshot.body])
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute(
            "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?)",
            (
                snapshot.seq,
                snapshot.digest,
                snapshot.rules,
                snapshot.body,
                checksum,
            ),
        )
        self._connection.execute(
            "DELETE FROM snapshots WHERE seq NOT IN"
            " (SELECT seq FROM snapshots ORDER BY seq DESC LIMIT ?)",
            (SNAPSHOTS_KEPT,),
        )
        self._connection.execute("COMMIT")
        return Success(None)

    def _latest(self) -> Result[Snapshot | None, JournalError]:
        """Look from the newest down; a damaged one is passed over, it is a cache."""
        found = self._connection.execute("SELECT seq FROM snapshots ORDER BY seq DESC")
        for (seq,) in found.fetchall():
            snapshot = self._snapshot_at(seq)
            if snapshot is not None:
                return Success(snapshot)
        return Success(None)

    def _snapshot_at(self, seq: int) -> Snapshot | None:
        try:
            digest, rules, body, checksum = self._connection.execute(
                "SELECT digest, rules, body, checksum FROM snapshots WHERE seq = ?",
                (seq,),
            ).fetchone()
        except sqlite3.DatabaseError:
            return None
        whole = digest_of([body]) == checksum
        if not whole or seq > self._head.seq:
            return None
        if digest_at(self._connection, seq) != digest:
            return None
        return Snapshot(seq=seq, digest=digest, rules=rules, body=body)

    def _close(self) -> Result[None, JournalError]:
        self._connection.close()
        if self._file is not None:
            self._file.close()
        if self._lock is not None:
            self._lock.release()
        return Success(None)

    def _end_thread(self, _: None) -> None:
        self._thread.shutdown(wait=False)
