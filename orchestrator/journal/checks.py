"""Whether a journal on disk is all there: the rows against the head file.

The head file names the last row that was acknowledged. More rows than it names are
whole (a crash came between the commit and the head); fewer are damage.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from orchestrator.codec.digests import GENESIS
from orchestrator.core.errors import JournalCorrupt, JournalError, JournalUnavailable
from orchestrator.journal.port import Head, broken
from orchestrator.journal.tables import select_rows

__all__ = ("check_end", "digest_at", "head_path", "is_missing")


def head_path(path: Path) -> Path:
    """Return where the head file of a journal is."""
    return path.with_name(path.name + ".head")


def is_missing(
    path: Path, known: Head | None, *, read_only: bool
) -> JournalError | None:
    """Refuse to make a new journal where an old one must have been."""
    if path.exists() and path.stat().st_size:
        return None
    if known is not None and known.seq:
        return JournalCorrupt(
            seq=1, place=str(path), expected=f"{known.seq} rows", found="no journal"
        )
    if read_only:
        return JournalUnavailable(cause=f"there is no journal at {path}")
    return None


def check_end(
    connection: sqlite3.Connection, known: Head | None, path: Path
) -> JournalCorrupt | None:
    """Compare the rows with the head file, and check the chain behind it."""
    # One statement, one moment: a writer may be appending while a reader opens.
    found = connection.execute("SELECT count(*), coalesce(max(seq), 0) FROM rows")
    count, last = found.fetchone()
    if count != last:
        return JournalCorrupt(
            seq=count, place="rows", expected=f"{last} rows", found=f"{count}"
        )
    if known is None:
        if not count:
            return None
        return JournalCorrupt(
            seq=None, place=str(path), expected="a head file", found="none"
        )
    if count < known.seq:
        return JournalCorrupt(
            seq=count + 1,
            place="end",
            expected=f"{known.seq} rows",
            found=f"{count} rows",
        )
    first = max(known.seq - 1, 0)
    before = digest_at(connection, first)
    rows = select_rows(connection, first, last - first)
    if known.seq and (not rows or rows[0].digest != known.digest):
        return JournalCorrupt(
            seq=known.seq,
            place="head file",
            expected=known.digest.hex()[:16],
            found=rows[0].digest.hex()[:16] if rows else "no such row",
        )
    return broken(Head(seq=first, digest=before), rows)


def digest_at(connection: sqlite3.Connection, seq: int) -> bytes:
    """Return the digest that row *seq* holds; nothing where a damage has eaten it."""
    if seq == 0:
        return GENESIS
    found = connection.execute("SELECT digest FROM rows WHERE seq = ?", (seq,))
    row: tuple[bytes] | None = found.fetchone()
    return b"" if row is None else row[0]
