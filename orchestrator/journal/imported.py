"""A new database out of rows that were exported: whole, or nothing at all.

It is filled under another name (``JOURNAL.partial``), and takes its own when the last
row is in it. The head file goes first: where it stands alone no operator begins, and
the next import sees by what is left of the other one that it may take it away.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from returns.io import IOFailure, IOResult, IOSuccess
from returns.result import Failure

from orchestrator.core.errors import JournalError, JournalUnavailable
from orchestrator.journal.checks import head_path
from orchestrator.journal.head import HeadFile
from orchestrator.journal.jsonl import sync
from orchestrator.journal.lock import take_lock
from orchestrator.journal.port import START, Head, Row, Snapshot
from orchestrator.journal.stored_snapshots import insert_base
from orchestrator.journal.tables import FAILURES, connect, insert_rows, prepare, said

__all__ = ("PARTS", "import_rows", "in_the_way")

PAGE: Final = 1_000
"""Rows of one transaction: this many are in the memory."""

PARTS: Final = ("", "-wal", "-shm", ".head")
"""What the names of a journal's files end in; its lock belongs to nobody."""


def in_the_way(target: Path) -> Path | None:
    """Return a file of a journal that is at *target* already, or was."""
    parts = tuple(part for part in PARTS if part != ".head" or not _is_half(target))
    return next((one for one in _files(target, parts) if one.exists()), None)


def _is_half(target: Path) -> bool:
    """Say whether an import was killed when only the head file had its name."""
    partial = _partial(target)
    return partial.exists() and not head_path(partial).exists()


def import_rows(
    target: Path, rows: Iterator[Row], base: Snapshot | None = None
) -> IOResult[Head, JournalError]:
    """Make the database *target* of rows that were checked, behind *base*.

    What *rows* raise goes on to the caller; nothing is left then.
    """
    partial = _partial(target)
    lock_path = partial.with_name(partial.name + ".lock")
    try:
        taken = take_lock(lock_path)
        if isinstance(taken, Failure):
            return IOFailure(taken.failure())
        try:
            return _made(target, partial, rows, base)
        finally:
            _remove(partial, (*PARTS, ".lock"))
            taken.unwrap().release()
    except FAILURES as error:
        return IOFailure(said(error))


def _made(
    target: Path, partial: Path, rows: Iterator[Row], base: Snapshot | None
) -> IOResult[Head, JournalError]:
    there = in_the_way(target)
    if there is not None:
        return IOFailure(JournalUnavailable(cause=f"{there} exists", retryable=False))
    if _is_half(target):
        _remove(target, (".head",))
    _remove(partial, PARTS)  # of an import that was killed
    head = _filled(partial, rows, base)
    sync(partial)
    for part in (".head", ""):
        made = partial.with_name(partial.name + part)
        made.rename(target.with_name(target.name + part))
    sync(target.parent)
    return IOSuccess(head)


def _filled(partial: Path, rows: Iterator[Row], base: Snapshot | None) -> Head:
    """Write rows to a new database, and its head file, which is there before it."""
    head = START if base is None else base.head
    file = HeadFile(head_path(partial), START)
    connection = connect(partial, read_only=False)
    try:
        problem = prepare(connection, read_only=False)
        assert problem is None  # noqa: S101 - the file is new
        if base is not None:
            insert_base(connection, base)
        while page := tuple(islice(rows, PAGE)):
            connection.execute("BEGIN IMMEDIATE")
            insert_rows(connection, page)
            connection.execute("COMMIT")
            head = Head(seq=page[-1].seq, digest=page[-1].digest)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        for _slot in range(2):
            file.write(head)
    finally:
        connection.close()
        file.close()
    return head


def _partial(target: Path) -> Path:
    return target.with_name(target.name + ".partial")


def _files(path: Path, parts: tuple[str, ...]) -> list[Path]:
    return [path.with_name(path.name + part) for part in parts]


def _remove(path: Path, parts: tuple[str, ...]) -> None:
    for one in _files(path, parts):
        one.unlink(missing_ok=True)
