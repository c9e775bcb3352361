"""Fleets in the database: snapshots, which are caches, and the base, which is none.

Each has a checksum over all that it says. A snapshot that is damaged, or that does not
agree with the rows, is passed over; a base that is damaged is damage of the journal.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, Final

from orchestrator.codec.digests import digest_of
from orchestrator.core.errors import JournalCorrupt
from orchestrator.journal.port import START, Snapshot
from orchestrator.journal.snapshots import kept
from orchestrator.journal.tables import FAILURES

__all__ = (
    "checksum_of",
    "digest_at",
    "insert_base",
    "insert_snapshot",
    "select_base",
    "select_snapshot",
    "whole_snapshots",
)

_COLUMNS: Final = "seq, digest, rules, body, checksum"


def checksum_of(snapshot: Snapshot, *, is_base: bool) -> bytes:
    """Return the digest of all that a snapshot says, and of what it is kept for."""
    kind = b"base" if is_base else b"snapshot"
    numbers = snapshot.seq.to_bytes(8), snapshot.rules.to_bytes(8)
    return digest_of((kind, *numbers, snapshot.digest, snapshot.body))


def select_base(connection: sqlite3.Connection) -> Snapshot | JournalCorrupt | None:
    """Return what the rows begin behind; None for a whole journal."""
    tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name='base'")
    if tables.fetchone() == (0,):  # as the first release made them
        return None
    found = connection.execute(f"SELECT {_COLUMNS} FROM base").fetchall()  # noqa: S608
    if not found:
        return None
    base = _checked(found[0], is_base=True)
    if base is None or len(found) > 1:
        return JournalCorrupt(
            place="base", expected="the base as it was written", found="another"
        )
    return base


def insert_base(connection: sqlite3.Connection, base: Snapshot) -> None:
    """Let the rows begin behind *base*, inside the caller's transaction."""
    connection.execute("DELETE FROM base")
    _insert(connection, "base", base, is_base=True)


def insert_snapshot(connection: sqlite3.Connection, snapshot: Snapshot) -> None:
    """Keep a snapshot, and let some of the older ones go, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    _insert(connection, "snapshots", snapshot, is_base=False)
    there = [seq for (seq,) in connection.execute("SELECT seq FROM snapshots")]
    gone = set(there) - set(kept(there))
    connection.executemany(
        "DELETE FROM snapshots WHERE seq = ?", [(seq,) for seq in sorted(gone)]
    )
    connection.execute("COMMIT")


def select_snapshot(
    connection: sqlite3.Connection, base: Snapshot | None, until: int
) -> Snapshot | None:
    """Return the newest whole snapshot of row *until* or before; also the base."""
    found = whole_snapshots(connection, base, until)
    return next(found, base if base is not None and base.seq <= until else None)


def whole_snapshots(
    connection: sqlite3.Connection, base: Snapshot | None, until: int
) -> Iterator[Snapshot]:
    """Yield the snapshots that are whole and agree with the rows, the newest first."""
    start = START if base is None else base.head
    found = connection.execute(
        "SELECT seq FROM snapshots WHERE seq <= ? AND seq > ? ORDER BY seq DESC",
        (until, start.seq),
    )
    for (seq,) in found.fetchall():
        snapshot = _snapshot_at(connection, seq)
        if snapshot is not None:
            yield snapshot


def _snapshot_at(connection: sqlite3.Connection, seq: int) -> Snapshot | None:
    """Return a snapshot; None where a damage has reached it: it is a cache."""
    try:
        found = connection.execute(
            f"SELECT {_COLUMNS} FROM snapshots WHERE seq = ?",  # noqa: S608
            (seq,),
        ).fetchone()
        snapshot = None if found is None else _checked(found, is_base=False)
        if snapshot is None or digest_at(connection, None, seq) != snapshot.digest:
            return None
    except FAILURES:
        return None
    return snapshot


def digest_at(connection: sqlite3.Connection, base: Snapshot | None, seq: int) -> bytes:
    """Return the digest that row *seq* holds; nothing where a damage has eaten it."""
    start = START if base is None else base.head
    if seq == start.seq:
        return start.digest
    found = connection.execute("SELECT digest FROM rows WHERE seq = ?", (seq,))
    row: tuple[bytes] | None = found.fetchone()
    return b"" if row is None else row[0]


def _insert(
    connection: sqlite3.Connection, table: str, snapshot: Snapshot, *, is_base: bool
) -> None:
    connection.execute(
        f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?, ?, ?)",  # noqa: S608
        (
            snapshot.seq,
            snapshot.digest,
            snapshot.rules,
            snapshot.body,
            checksum_of(snapshot, is_base=is_base),
        ),
    )


def _checked(values: tuple[Any, ...], *, is_base: bool) -> Snapshot | None:
    """Return a snapshot out of its columns, whatever a damage has made of them."""
    seq, digest, rules, body, checksum = values
    snapshot = Snapshot(seq=seq, digest=digest, rules=rules, body=body)
    try:
        is_whole = checksum_of(snapshot, is_base=is_base) == checksum
    except (AttributeError, OverflowError, TypeError):
        return None
    return snapshot if is_whole else None
