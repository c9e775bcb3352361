"""The SQL of the journal: its schema, its statements, and what SQLite's errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from orchestrator.core.errors import (
    JournalCorrupt,
    JournalError,
    JournalTooNew,
    JournalUnavailable,
)
from orchestrator.journal.pages import made_rows
from orchestrator.journal.port import Row

__all__ = (
    "FAILURES",
    "VERSION",
    "connect",
    "insert_rows",
    "prepare",
    "said",
    "select_fields",
    "select_rows",
)

FAILURES: Final = (sqlite3.Error, OSError, UnicodeDecodeError, MemoryError)
"""What a database may raise, a damaged one too; ``said`` says what it means."""

VERSION: Final = 2
"""Of the tables; ``PRAGMA user_version``."""

_APPLICATION: Final = 0x6F726368
""""orch": marks the file as ours; ``PRAGMA application_id``."""

_SCHEMA: Final = """
CREATE TABLE rows (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    event BLOB NOT NULL,
    commands BLOB NOT NULL,
    changes BLOB NOT NULL,
    digest BLOB NOT NULL
);
CREATE TABLE snapshots (
    seq INTEGER PRIMARY KEY,
    digest BLOB NOT NULL,
    rules INTEGER NOT NULL,
    body BLOB NOT NULL,
    checksum BLOB NOT NULL
);
"""

_SINCE_2: Final = """
CREATE TABLE IF NOT EXISTS base (
    seq INTEGER PRIMARY KEY,
    digest BLOB NOT NULL,
    rules INTEGER NOT NULL,
    body BLOB NOT NULL,
    checksum BLOB NOT NULL
);
"""
"""What the rows begin behind after compaction: one row, or none."""

_TO_2: Final = (
    f"BEGIN; {_SINCE_2} DELETE FROM snapshots;"  # noqa: S608 - nothing of a user's
    f" PRAGMA user_version={VERSION}; COMMIT;"
)


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """Open the file, durable (WAL, ``synchronous=FULL``) or for reading only."""
    uri = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=5
    )
    try:
        if not read_only:
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
            connection.execute("PRAGMA synchronous=FULL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def prepare(connection: sqlite3.Connection, *, read_only: bool) -> JournalError | None:
    """Make the tables where the file is new; refuse what is not ours, or newer.

    A writer brings older tables up to date. Their snapshots go: they are caches, and
    their checksums say less than those of today.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not objects and not application and not read_only:
        connection.executescript(
            f"BEGIN; {_SCHEMA} {_SINCE_2} PRAGMA application_id={_APPLICATION};"
            f" PRAGMA user_version={VERSION}; COMMIT;"
        )
        return None
    if application != _APPLICATION:
        return JournalCorrupt(
            place="file", expected="a journal", found="another SQLite database"
        )
    if version > VERSION:
        return JournalTooNew(found=version, known=VERSION)
    if version < VERSION and not read_only:
        connection.executescript(_TO_2)
    return None


def select_fields(
    connection: sqlite3.Connection, after: int, limit: int
) -> list[tuple[Any, ...]]:
    """Return the fields of rows in order, unchecked, as ``Row`` orders them."""
    found = connection.execute(
        "SELECT seq, at, event, commands, changes, digest FROM rows"
        " WHERE seq > ? ORDER BY seq LIMIT ?",
        (after, limit),
    )
    return found.fetchall()


def select_rows(
    connection: sqlite3.Connection, after: int, limit: int
) -> tuple[Row, ...]:
    """Return rows in order, unchecked."""
    return made_rows(select_fields(connection, after, limit))


def insert_rows(connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """Add rows, inside the caller's transaction."""
    connection.executemany(
        "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?)",
        [(r.seq, r.at, r.event, r.commands, r.changes, r.digest) for r in rows],
    )


def said(error: Exception) -> JournalError:
    """Say what an error of SQLite or of the disk means.

    Full, busy and locked pass by themselves; a malformed file does not.
    """
    if isinstance(error, UnicodeDecodeError):
        return _corrupt("bytes that are no text")
    text = str(error) or "the memory is full"
    code = getattr(error, "sqlite_errorname", "")
    if isinstance(error, OSError | MemoryError) or code.startswith(
        ("SQLITE_FULL", "SQLITE_BUSY")
    ):
        return JournalUnavailable(cause=text)
    if code.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY")):
        return JournalUnavailable(cause=text)
    if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return _corrupt(text)
    return JournalCorrupt(place="file", expected="the journal's tables", found=text)


def _corrupt(found: str) -> JournalCorrupt:
    return JournalCorrupt(place="file", expected="an SQLite database", found=found)
