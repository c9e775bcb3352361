"""Whether a journal on disk is all there: the rows against the head file.

The head file names the last row that was acknowledged. More rows than it names are
whole (a crash came between the commit and the head); fewer are damage. A journal that
was compacted begins behind its base, and the head file never names a row before it.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

import attrs
from returns.result import Failure, Result, Success

from orchestrator.core.errors import (
    JournalConflict,
    JournalCorrupt,
    JournalError,
    JournalUnavailable,
)
from orchestrator.journal.head import read_head
from orchestrator.journal.port import START, Head, Snapshot, broken
from orchestrator.journal.stored_snapshots import digest_at, insert_base, select_base
from orchestrator.journal.tables import FAILURES, connect, prepare, said, select_rows

__all__ = (
    "Database",
    "first_damage",
    "head_path",
    "missing",
    "open_database",
    "size_on_disk",
)

_PAGE: Final = 1_000
_TRIES: Final = 3
"""A writer that is at work between two looks does no damage."""


@attrs.frozen(kw_only=True)
class Database:
    """A journal's database that was opened and checked: from its base to its head."""

    connection: sqlite3.Connection
    base: Snapshot | None
    head: Head

    @property
    def start(self) -> Head:
        """Return what the rows begin behind."""
        return START if self.base is None else self.base.head


def head_path(path: Path) -> Path:
    """Return where the head file of a journal is."""
    return path.with_name(path.name + ".head")


def size_on_disk(path: Path) -> int:
    """Return the bytes of a database and of its log."""
    parts = (path, path.with_name(path.name + "-wal"))
    return sum(part.stat().st_size for part in parts if part.exists())


def open_database(
    path: Path, *, read_only: bool, base: Snapshot | None = None
) -> Result[Database, JournalError]:
    """Open the database at *path* and check its end; *base* is what a new one has.

    What is read stands as it was at this moment, whatever a writer does: a reader has
    a transaction that lasts until it closes.
    """
    problem: JournalError | None = None
    known: Head | None = None
    for attempt in range(_TRIES):
        try:
            before, known = known, read_head(head_path(path))
            if attempt and known == before:
                break
            found = _opened(path, known, read_only=read_only, base=base)
        except FAILURES as error:
            return Failure(said(error))
        if isinstance(found, Database):
            return Success(found)
        problem = found
    assert problem is not None  # noqa: S101 - the first attempt has set it
    return Failure(problem)


def _opened(
    path: Path, known: Head | None, *, read_only: bool, base: Snapshot | None
) -> Database | JournalError:
    absent = missing(path, known, read_only=read_only)
    if absent is not None:
        return absent
    connection = connect(path, read_only=read_only)
    try:
        found = _prepared(connection, read_only=read_only, base=base)
        if found is None or isinstance(found, Snapshot):
            checked = _checked(connection, found, known, head_path(path))
            if isinstance(checked, Database):
                return checked
            found = checked
    except FAILURES:
        connection.close()
        raise
    connection.close()
    return found


def _prepared(
    connection: sqlite3.Connection, *, read_only: bool, base: Snapshot | None
) -> Snapshot | JournalError | None:
    problem = prepare(connection, read_only=read_only)
    if problem is not None:
        return problem
    if read_only:
        connection.execute("BEGIN")
    return _base(connection, base)


def _base(
    connection: sqlite3.Connection, wanted: Snapshot | None
) -> Snapshot | JournalError | None:
    """Return the base; a new journal, that has no rows, is given the one wanted."""
    found = select_base(connection)
    if wanted is None or found == wanted or isinstance(found, JournalCorrupt):
        return found
    if found is not None or select_rows(connection, 0, 1):
        there = 0 if found is None else found.seq
        return JournalConflict(expected_seq=wanted.seq, found_seq=there)
    insert_base(connection, wanted)
    return wanted


def missing(path: Path, known: Head | None, *, read_only: bool) -> JournalError | None:
    """Refuse to make a new journal where an old one must have been.

    With *read_only*: also where there is none, or an empty file.
    """
    if path.exists() and path.stat().st_size:
        return None
    if known is not None and known.seq:
        return JournalCorrupt(
            seq=1, place=str(path), expected=f"{known.seq} rows", found="no journal"
        )
    if read_only:
        return JournalUnavailable(cause=f"there is no journal at {path}")
    return None


def _checked(
    connection: sqlite3.Connection,
    base: Snapshot | None,
    known: Head | None,
    path: Path,
) -> Database | JournalCorrupt:
    """Compare the rows with the head file, and check the chain behind it."""
    start = START if base is None else base.head
    # One statement, one moment: a writer may be appending while a reader opens.
    found = connection.execute("SELECT count(*), max(seq) FROM rows")
    count, last = found.fetchone()
    last = start.seq if last is None else last
    if type(last) is not int or start.seq + count != last:
        return first_damage(connection, start) or JournalCorrupt(
            place="rows", expected=f"rows up to {last}", found=f"{count} rows"
        )
    if known is None:
        if count:
            return JournalCorrupt(place=str(path), expected="a head file", found="none")
        return Database(connection=connection, base=base, head=start)
    if last < known.seq:
        return JournalCorrupt(
            seq=last + 1,
            place="end",
            expected=f"{known.seq} rows",
            found=f"{last} rows",
        )
    return _checked_end(connection, base, known, last)


def first_damage(connection: sqlite3.Connection, start: Head) -> JournalCorrupt | None:
    """Return the first place where the rows behind *start* do not hang together."""
    head = start
    while rows := select_rows(connection, head.seq, _PAGE):
        damage = broken(head, rows)
        if damage is not None:
            return damage
        head = Head(seq=rows[-1].seq, digest=rows[-1].digest)
    return None


def _checked_end(
    connection: sqlite3.Connection, base: Snapshot | None, known: Head, last: int
) -> Database | JournalCorrupt:
    """Check the chain from the row that the head file names to the last one."""
    start = START if base is None else base.head
    named = digest_at(connection, base, known.seq)
    if named != known.digest:
        return first_damage(connection, start) or JournalCorrupt(
            seq=known.seq,
            place="head file",
            expected=known.digest.hex()[:16],
            found=named.hex()[:16] if isinstance(named, bytes) else "no digest",
        )
    first = max(known.seq - 1, start.seq)
    before = Head(seq=first, digest=digest_at(connection, base, first))
    rows = select_rows(connection, first, last - first)
    damage = broken(before, rows)
    if damage is None and len(rows) < last - first:
        damage = JournalCorrupt(
            seq=last, place="end", expected=f"row {last}", found="none"
        )
    if damage is not None:
        return first_damage(connection, start) or damage
    head = Head(seq=last, digest=rows[-1].digest if rows else start.digest)
    return Database(connection=connection, base=base, head=head)
