"""Accept the loss of a damaged end: the one place that does, and only by name.

What still hangs together from the first row on is kept. Rows behind the first damage
are moved to a file beside the journal, for whoever wants to look; nothing is thrown
away. Then the head file names the new end.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

import attrs
from returns.io import IOFailure, IOResult, IOSuccess
from returns.result import Failure

from orchestrator.core.errors import JournalError
from orchestrator.journal.checks import head_path
from orchestrator.journal.head import HeadFile, read_head
from orchestrator.journal.lock import take_lock
from orchestrator.journal.port import START, Head, Row, broken
from orchestrator.journal.tables import connect, prepare, said, select_rows

__all__ = ("Repaired", "repair")

_BATCH: Final = 10_000


@attrs.frozen(kw_only=True)
class Repaired:
    """What a repair did: the end that is kept, and what is lost behind it.

    ``missing``: rows that the head file names and the journal does not have;
    ``moved``: rows behind a damage, now in ``moved_to``.
    """

    head: Head
    missing: int
    moved: int
    moved_to: Path | None


def repair(path: Path) -> IOResult[Repaired, JournalError]:
    """Make the journal at *path* end where it is whole."""
    taken = take_lock(path.with_name(path.name + ".lock"))
    if isinstance(taken, Failure):
        return IOFailure(taken.failure())
    lock = taken.unwrap()
    try:
        connection = connect(path, read_only=False)
        try:
            problem = prepare(connection, read_only=True)
            if problem is not None:
                return IOFailure(problem)
            return IOSuccess(_repair(connection, path))
        finally:
            connection.close()
    except (sqlite3.Error, OSError) as error:
        return IOFailure(said(error))
    finally:
        lock.release()


def _repair(connection: sqlite3.Connection, path: Path) -> Repaired:
    head = _whole_until(connection)
    known = read_head(head_path(path))
    behind = list(
        connection.execute("SELECT seq, event FROM rows WHERE seq > ?", (head.seq,))
    )
    moved_to = None
    if behind:
        moved_to = path.with_name(f"{path.name}.after-{head.seq}.jsonl")
        with moved_to.open("wb") as file:
            file.writelines(b"%d %s\n" % (seq, event) for seq, event in behind)
    with connection:
        connection.execute("DELETE FROM rows WHERE seq > ?", (head.seq,))
        connection.execute("DELETE FROM snapshots WHERE seq > ?", (head.seq,))
    HeadFile(head_path(path), head).close()
    named = 0 if known is None else known.seq
    return Repaired(
        head=head,
        missing=max(0, named - head.seq - len(behind)),
        moved=len(behind),
        moved_to=moved_to,
    )


def _whole_until(connection: sqlite3.Connection) -> Head:
    """Return the last row up to which the chain is unbroken."""
    head = START
    while rows := select_rows(connection, head.seq, _BATCH):
        good = _good(head, rows)
        if good:
            head = Head(seq=good[-1].seq, digest=good[-1].digest)
        if len(good) < len(rows):
            break
    return head


def _good(head: Head, rows: tuple[Row, ...]) -> tuple[Row, ...]:
    damage = broken(head, rows)
    if damage is None:
        return rows
    assert damage.seq is not None  # noqa: S101 - a broken chain names its row
    return rows[: damage.seq - head.seq - 1]
