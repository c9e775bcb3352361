"""The SQL of the journal: its schema, its statements, and what SQLite's errors mean."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from orchestrator.core.errors import (
    JournalCorrupt,
    JournalError,
    JournalTooNew,
    JournalUnavailable,
)
from orchestrator.journal.port import START, Head, Row

__all__ = (
    "VERSION",
    "connect",
    "prepare",
    "row_of",
    "said",
    "select_head",
    "select_rows",
)

VERSION: Final = 1
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
    """Make the tables where the file is new; refuse what is not ours, or newer."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not objects and not application and not read_only:
        connection.executescript(
            f"BEGIN; {_SCHEMA} PRAGMA application_id={_APPLICATION};"
            f" PRAGMA user_version={VERSION}; COMMIT;"
        )
        return None
    if application != _APPLICATION:
        return JournalCorrupt(
            place="file", expected="a journal", found="another SQLite database"
        )
    if version > VERSION:
        return JournalTooNew(found=version, known=VERSION)
    return None


def select_head(connection: sqlite3.Connection) -> Head:
    """Return the last row's number and digest."""
    found = connection.execute(
        "SELECT seq, digest FROM rows ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    return START if found is None else Head(seq=found[0], digest=found[1])


def select_rows(
    connection: sqlite3.Connection, after: int, limit: int
) -> tuple[Row, ...]:
    """Return rows in order, unchecked."""
    found = connection.execute(
        "SELECT seq, at, event, commands, changes, digest FROM rows"
        " WHERE seq > ? ORDER BY seq LIMIT ?",
        (after, limit),
    )
    return tuple(row_of(values) for values in found)


def row_of(values: tuple[int, int, bytes, bytes, bytes, bytes]) -> Row:
    """Return a row out of its columns."""
    seq, at, event, commands, changes, digest = values
    return Row(
        seq=seq,
        at=at,
        event=event,
        commands=commands,
        changes=changes,
        digest=digest,
    )


def said(error: Exception) -> JournalError:
    """Say what an error of SQLite or of the disk means.

    Full, busy and locked pass by themselves; a malformed file does not.
    """
    text = str(error)
    code = getattr(error, "sqlite_errorname", "")
    if isinstance(error, OSError) or code.startswith(("SQLITE_FULL", "SQLITE_BUSY")):
        return JournalUnavailable(cause=text)
    if code.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY")):
        return JournalUnavailable(cause=text)
    if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return JournalCorrupt(place="file", expected="an SQLite database", found=text)
    return JournalCorrupt(place="file", expected="the journal's tables", found=text)
