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
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from returns.future import FutureResult
from returns.result import Failure, Result, Success

from orchestrator.core.errors import (
    JournalCompacted,
    JournalConflict,
    JournalCorrupt,
    JournalError,
    JournalUnavailable,
)
from orchestrator.journal.checks import Database, head_path, open_database
from orchestrator.journal.cutting import cut_off
from orchestrator.journal.head import HeadFile
from orchestrator.journal.lock import Lock, take_lock
from orchestrator.journal.port import (
    MISSING,
    Draft,
    Head,
    Row,
    Snapshot,
    broken,
    chained,
    misplaced,
)
from orchestrator.journal.stored_snapshots import (
    digest_at,
    insert_snapshot,
    select_snapshot,
)
from orchestrator.journal.tables import FAILURES, insert_rows, said, select_rows

__all__ = ("SqliteJournal", "open_sqlite")

T = TypeVar("T")


def open_sqlite(
    path: Path, *, read_only: bool = False, base: Snapshot | None = None
) -> FutureResult[SqliteJournal, JournalError]:
    """Open the journal at *path*, make it where there is none, or say what is wrong.

    A writer takes the lock beside it; a reader (tools) changes nothing, and sees what
    was there when it opened. *base*: what a journal that is made begins behind (an
    import of what was compacted); ``JournalConflict`` where there is another.
    """
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")

    async def opened() -> Result[SqliteJournal, JournalError]:
        loop = asyncio.get_running_loop()
        outcome = await loop.run_in_executor(
            thread, _open, path, thread, read_only, base
        )
        if isinstance(outcome, Failure):
            thread.shutdown(wait=False)
        return outcome

    return FutureResult(opened())


def _open(
    path: Path,
    thread: ThreadPoolExecutor,
    read_only: bool,  # noqa: FBT001 - positional
    base: Snapshot | None,
) -> Result[SqliteJournal, JournalError]:
    lock: Lock | None = None
    try:
        if not read_only:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            taken = take_lock(path.with_name(path.name + ".lock"))
            if isinstance(taken, Failure):
                return Failure(taken.failure())
            lock = taken.unwrap()
            _keep_to_owner(path)
        opened = open_database(path, read_only=read_only, base=base)
        if isinstance(opened, Success):
            database: Database = opened.unwrap()
            file = None if read_only else HeadFile(head_path(path), database.head)
            return Success(
                SqliteJournal(database=database, file=file, lock=lock, thread=thread)
            )
        problem = opened.failure()
    except OSError as error:
        problem = said(error)
    if lock is not None:
        lock.release()
    return Failure(problem)


def _keep_to_owner(path: Path) -> None:
    """Make the file for its owner alone, whatever the folder lets others do.

    Specs hold what their owner wrote, and that may be a secret. What SQLite puts beside
    the file gets the same mode. A file that was made for more eyes is left so: somebody
    may have wanted it.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


class SqliteJournal:
    """A journal in one file; ``open_sqlite`` makes it."""

    def __init__(
        self,
        *,
        database: Database,
        file: HeadFile | None,
        lock: Lock | None,
        thread: ThreadPoolExecutor,
    ) -> None:
        """Take over what was opened and checked."""
        self._connection = database.connection
        self._base = database.base
        self._start = database.start
        self._head = database.head
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

    def beginning(self) -> FutureResult[Snapshot | None, JournalError]:
        """Return what the rows begin behind; None: they are whole from row 1."""
        return self._call(lambda: Success(self._base))

    def save_snapshot(self, snapshot: Snapshot) -> FutureResult[None, JournalError]:
        """Keep a snapshot, and let some of the older ones go."""
        return self._call(lambda: self._save(snapshot))

    def latest_snapshot(
        self, until: int | None = None
    ) -> FutureResult[Snapshot | None, JournalError]:
        """Return the newest whole snapshot of row *until* or before (None: of all)."""
        return self._call(lambda: self._latest(until))

    def begin_behind(self, base: Snapshot) -> FutureResult[None, JournalError]:
        """Put *base* in the place of its row and of all before.

        The file keeps its size: the next rows fill the room of what is gone.
        """
        return self._call(lambda: self._begin_behind(base))

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
            except FAILURES as error:
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
        insert_rows(self._connection, rows)
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
        if after < self._start.seq:
            return Failure(JournalCompacted(asked=after, base=self._start.seq))
        rows = select_rows(self._connection, after, limit)
        digest = digest_at(self._connection, self._base, after)
        damage = broken(Head(seq=after, digest=digest), rows)
        last = min(after + limit, self._head.seq)
        if damage is None and after + len(rows) < last:
            damage = JournalCorrupt(
                seq=after + len(rows) + 1, place=MISSING, expected="a row", found="none"
            )
        return Success(rows) if damage is None else Failure(damage)

    def _save(self, snapshot: Snapshot) -> Result[None, JournalError]:
        insert_snapshot(self._connection, snapshot)
        return Success(None)

    def _latest(self, until: int | None) -> Result[Snapshot | None, JournalError]:
        """Look from the newest down; a damaged one is passed over, it is a cache."""
        if until is None:
            until = self._head.seq
        if until < self._start.seq:
            return Failure(JournalCompacted(asked=until, base=self._start.seq))
        until = min(until, self._head.seq)
        return Success(select_snapshot(self._connection, self._base, until))

    def _begin_behind(self, base: Snapshot) -> Result[None, JournalError]:
        if self._file is None:
            return Failure(JournalUnavailable(cause="read only", retryable=False))
        is_there = self._start.seq < base.seq < self._head.seq
        digest = digest_at(self._connection, None, base.seq) if is_there else None
        problem = misplaced(base, digest, self._head) or cut_off(self._connection, base)
        if problem is not None:
            return Failure(problem)
        self._base, self._start = base, base.head
        return Success(None)

    def _close(self) -> Result[None, JournalError]:
        self._connection.close()
        if self._file is not None:
            self._file.close()
        if self._lock is not None:
            self._lock.release()
        return Success(None)

    def _end_thread(self, _: None) -> None:
        self._thread.shutdown(wait=False)
