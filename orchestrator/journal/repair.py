"""Accept the loss of a damaged end: the one place that does, and only by name.

What still hangs together from the first row on is kept. What is behind the first damage
goes to a file beside the journal, row by row, for whoever wants to look; nothing is
thrown away, and no file that is there already is written over. Then the head file
names the new end.

Note [A file that SQLite cannot keep]. Where the database itself is malformed nothing is
changed in it. What is whole goes into a new one, which takes its name in one step; the
old one stays beside it under another name.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from returns.io import IOFailure, IOResult, IOSuccess
from returns.result import Failure

from orchestrator.core.errors import JournalError
from orchestrator.journal.beside import free_name
from orchestrator.journal.checks import head_path
from orchestrator.journal.head import HeadFile, read_head
from orchestrator.journal.jsonl import sync
from orchestrator.journal.leftovers import write_leftovers
from orchestrator.journal.lock import take_lock
from orchestrator.journal.port import START, Head, Snapshot, broken
from orchestrator.journal.repair_lines import Repaired, repair_lines
from orchestrator.journal.stored import is_database
from orchestrator.journal.stored_snapshots import (
    insert_base,
    insert_snapshot,
    select_base,
    whole_snapshots,
)
from orchestrator.journal.tables import (
    FAILURES,
    connect,
    insert_rows,
    prepare,
    said,
    select_rows,
)

__all__ = ("Repaired", "repair")

_PAGE = 1_000


def repair(path: Path) -> IOResult[Repaired, JournalError]:
    """Make the journal at *path* end where it is whole; an export too."""
    try:
        is_stored = is_database(path) or head_path(path).exists()
        done = _repair_database(path) if is_stored else repair_lines(path)
    except FAILURES as error:
        return IOFailure(said(error))
    return IOSuccess(done) if isinstance(done, Repaired) else IOFailure(done)


def _repair_database(path: Path) -> Repaired | JournalError:
    taken = take_lock(path.with_name(path.name + ".lock"))
    if isinstance(taken, Failure):
        locked: JournalError = taken.failure()
        return locked
    lock = taken.unwrap()
    try:
        connection = connect(path, read_only=False)
        try:
            problem = prepare(connection, read_only=True)
            if problem is not None:
                return problem
            base = select_base(connection)
            if base is not None and not isinstance(base, Snapshot):
                return base
            return _Repair(path, connection, base).repaired()
        finally:
            connection.close()
    finally:
        lock.release()


class _Repair:
    """A repair under way, with the lock held and the base known to be whole."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, base: Snapshot | None
    ) -> None:
        self.path = path
        self.connection = connection
        self.base = base
        self.start = START if base is None else base.head
        self.head = self._whole_until()

    def repaired(self) -> Repaired:
        known = read_head(head_path(self.path))
        named = 0 if known is None else known.seq
        side = free_name(self.path, f"after-{self.head.seq}", "jsonl")
        left = write_leftovers(
            side, self.connection, self.start.seq, self.head.seq, named
        )
        lost = named - self.head.seq - left.rows
        damaged = None
        if left.unreadable or not self._is_sound():
            damaged = self._rebuilt()
        else:
            self._cut_off()
        HeadFile(head_path(self.path), self.head).close()
        return Repaired(
            head=self.head,
            missing=None if known is None else max(0, lost),
            moved=left.rows,
            moved_to=side if left.rows or left.unreadable else None,
            damaged=damaged,
        )

    def _whole_until(self) -> Head:
        """Return the last row up to which the chain is unbroken."""
        head, limit = self.start, _PAGE
        while True:
            try:
                rows = select_rows(self.connection, head.seq, limit)
            except FAILURES:
                if limit == 1:
                    return head
                limit = 1  # how far is it good, row by row
                continue
            damage = broken(head, rows)
            whole = len(rows) if damage is None else (damage.seq or 0) - head.seq - 1
            if whole:
                head = Head(seq=rows[whole - 1].seq, digest=rows[whole - 1].digest)
            if not whole or damage is not None:
                return head

    def _is_sound(self) -> bool:
        found: list[tuple[str]] = []
        with suppress(*FAILURES):
            found = self.connection.execute("PRAGMA quick_check(1)").fetchall()
        return found == [("ok",)]

    def _cut_off(self) -> None:
        """Remove what was written to the side file."""
        self.connection.execute("BEGIN IMMEDIATE")
        for table in ("rows", "snapshots"):
            self.connection.execute(
                f"DELETE FROM {table} WHERE seq > ? OR seq <= ?",  # noqa: S608
                (self.head.seq, self.start.seq),
            )
        self.connection.execute("COMMIT")

    def _rebuilt(self) -> Path:
        """Let a new database take the place of this one; return where the old one is.

        See Note [A file that SQLite cannot keep].
        """
        new = self.path.with_name(self.path.name + ".rebuilt")
        _remove(new)  # of a repair that was interrupted: all that is in it is here
        made = connect(new, read_only=False)
        try:
            self._copy(made)
        finally:
            made.close()
        sync(new)
        self.connection.close()
        old = free_name(self.path, "damaged", "db")
        os.link(self.path, old)
        for part in ("-wal", "-shm"):
            left = self.path.with_name(self.path.name + part)
            if left.exists():
                left.replace(old.with_name(old.name + part))
        new.replace(self.path)
        sync(self.path.parent)
        return old

    def _copy(self, made: sqlite3.Connection) -> None:
        problem = prepare(made, read_only=False)
        assert problem is None  # noqa: S101 - the file is new
        made.execute("BEGIN IMMEDIATE")
        if self.base is not None:
            insert_base(made, self.base)
        seq = self.start.seq
        while seq < self.head.seq:
            limit = min(_PAGE, self.head.seq - seq)
            rows = select_rows(self.connection, seq, limit)
            insert_rows(made, rows)
            seq = rows[-1].seq
        made.execute("COMMIT")
        kept: list[Snapshot] = []
        with suppress(*FAILURES):  # they are caches
            kept += whole_snapshots(self.connection, self.base, self.head.seq)
        for snapshot in reversed(kept):
            insert_snapshot(made, snapshot)


def _remove(database: Path) -> None:
    for part in ("", "-wal", "-shm"):
        database.with_name(database.name + part).unlink(missing_ok=True)
