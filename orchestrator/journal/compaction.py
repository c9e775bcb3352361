"""Cut a journal short: its oldest rows become one fleet, the base that others follow.

Note [No instant without a journal]. The rows up to the cut are verified and folded.
They are written to an archive, an export that stands for itself, which is read again
before anything is removed. Then one transaction puts the fleet in their place. A
process that is killed leaves the old journal or the new one; an archive that it leaves
beside the old one is a copy. Last the file shrinks, which is SQLite's own transaction.

The chain goes on over the cut: the first row that is kept is chained to the base, and
the base has the digest with which the archive ends.
"""

from __future__ import annotations

import sqlite3
from itertools import takewhile
from pathlib import Path
from typing import TypeAlias, assert_never

import attrs
from returns.io import IOFailure, IOResult, IOSuccess
from returns.result import Failure

from orchestrator.codec.wire import encode_fleet
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import JournalCorrupt, JournalError, JournalUnavailable
from orchestrator.core.moments import Millis
from orchestrator.core.state import RULES, Fleet
from orchestrator.journal.archives import archive_rows
from orchestrator.journal.beside import free_name
from orchestrator.journal.checks import (
    Database,
    head_path,
    missing,
    open_database,
    size_on_disk,
)
from orchestrator.journal.cutting import cut_off
from orchestrator.journal.head import HeadFile, read_head
from orchestrator.journal.lock import take_lock
from orchestrator.journal.overlaps import Overlaps
from orchestrator.journal.port import Snapshot
from orchestrator.journal.reading import RECORDING, Reading, beginning
from orchestrator.journal.stored import StoredReader, is_database
from orchestrator.journal.stored_snapshots import digest_at
from orchestrator.journal.tables import FAILURES, said
from orchestrator.replay.verifying import verify

__all__ = ("Compacted", "KeepRows", "KeepTime", "Retention", "compact")


@attrs.frozen
class KeepRows:
    """Keep the newest *rows* rows, one at least."""

    rows: int


@attrs.frozen
class KeepTime:
    """Keep all rows that came in the last *ms* milliseconds before the newest one."""

    ms: Millis


Retention: TypeAlias = KeepRows | KeepTime


@attrs.frozen(kw_only=True)
class Compacted:
    """What a compaction did: nothing, where ``first`` is behind ``last``.

    Rows ``first`` to ``last`` are in ``archive`` (None: they are gone), ``kept`` rows
    are left. ``size_before`` and ``size_after`` are bytes on the disk; ``not_shrunk``
    says why the file is as large as it was. ``overlaps``: what became of archives that
    begin with the same row. ``further``: the row behind which the journal begins by
    now, where somebody else has cut it at the same time.
    """

    first: int
    last: int
    kept: int
    archive: Path | None
    size_before: int
    size_after: int
    not_shrunk: str | None
    overlaps: Overlaps = Overlaps()
    further: int | None = None


def compact(
    path: Path,
    retention: Retention,
    *,
    archive: Path | None = None,
    is_archived: bool = True,
    policies: CustomPolicies = NO_POLICIES,
) -> IOResult[Compacted, JournalError]:
    """Cut the journal at *path* at the newest place that *retention* allows.

    The rows that are cut off go to *archive* (None: a file beside the journal), unless
    ``is_archived`` is false. Rows that do not replay are not cut off.
    """
    try:
        absent = _no_journal(path)
        if absent is not None:
            return IOFailure(absent)
        taken = take_lock(path.with_name(path.name + ".lock"))
    except OSError as error:
        return IOFailure(said(error))
    if isinstance(taken, Failure):
        return IOFailure(taken.failure())
    lock = taken.unwrap()
    try:
        opened = open_database(path, read_only=False)
        if isinstance(opened, Failure):
            return IOFailure(opened.failure())
        database: Database = opened.unwrap()
        try:
            work = _Work(path, database, policies)
            done = work.compact(retention, archive, is_archived=is_archived)
        finally:
            database.connection.close()
    except FAILURES as error:
        return IOFailure(said(error))
    finally:
        lock.release()
    if not isinstance(done, Compacted):
        return IOFailure(done)
    return IOSuccess(attrs.evolve(done, size_after=size_on_disk(path)))


def _no_journal(path: Path) -> JournalError | None:
    """Refuse what is no database, before anything is made: not even a lock."""
    if path.exists() and not path.is_file():
        return JournalUnavailable(cause=f"{path} is no file", retryable=False)
    absent = missing(path, read_head(head_path(path)), read_only=True)
    if absent is not None or is_database(path):
        return absent
    return JournalCorrupt(
        place="file", expected="an SQLite database", found="something else"
    )


class _Work:
    """A compaction under way, with the lock held."""

    def __init__(
        self, path: Path, database: Database, policies: CustomPolicies
    ) -> None:
        self.path = path
        self.database = database
        self.connection = database.connection
        self.policies = policies

    def compact(
        self, retention: Retention, archive: Path | None, *, is_archived: bool
    ) -> Compacted | JournalError:
        database, size = self.database, size_on_disk(self.path)
        # The head file must never name a row before the base.
        HeadFile(head_path(self.path), database.head).close()
        cut = _cut(database, retention)
        done = Compacted(
            first=database.start.seq + 1,
            last=cut,
            kept=database.head.seq - cut,
            archive=None,
            size_before=size,
            size_after=size,
            not_shrunk=None,
        )
        if cut == database.start.seq:
            return done
        fleet = self._folded(cut)
        if not isinstance(fleet, Fleet):
            return fleet
        base = Snapshot(
            seq=cut,
            digest=digest_at(self.connection, database.base, cut),
            rules=RULES,
            body=encode_fleet(fleet),
        )
        if is_archived:
            if archive is None:
                rows = f"rows-{done.first}-{cut}"
                archive = free_name(self.path, rows, "jsonl.gz")
            problem = self._archive(archive, base)
            if problem is not None:
                return problem
            done = attrs.evolve(done, archive=archive)
        problem = cut_off(self.connection, base)
        if problem is not None:
            if done.archive is not None:
                done.archive.unlink()  # a copy of what is still there
            return problem
        return attrs.evolve(done, not_shrunk=_shrink(self.connection))

    def _folded(self, cut: int) -> Fleet | JournalError:
        """Return the fleet after row *cut*, from rows that are whole and replay."""
        read = Reading(StoredReader(self.database))
        begun = beginning(read)
        if isinstance(begun, Failure):
            damage: JournalCorrupt = begun.failure()
            return damage
        fleet: Fleet = begun.unwrap()
        entries = takewhile(lambda entry: entry.seq <= cut, read.entries())
        verdict = verify(entries, RECORDING, fleet=fleet, policies=self.policies)
        if read.error is not None:
            return read.error
        if isinstance(verdict, Failure):
            problem: JournalError = verdict.failure()
            return problem
        folded: Fleet = verdict.unwrap().fleet
        return folded

    def _archive(self, archive: Path, base: Snapshot) -> JournalError | None:
        """Write the rows up to *base* to a file, and read it again."""
        rows = Reading(StoredReader(self.database)).rows()
        wanted = takewhile(lambda row: row.seq <= base.seq, rows)
        return archive_rows(archive, wanted, self.database.base, base)


def _cut(database: Database, retention: Retention) -> int:
    """Return the newest row behind which the rows to keep begin."""
    start, head = database.start.seq, database.head.seq
    match retention:
        case KeepRows(rows=rows):
            first = head - rows + 1
        case KeepTime(ms=ms):
            found = database.connection.execute(
                "SELECT seq FROM rows WHERE at >= (SELECT at FROM rows WHERE seq = ?)"
                " - ? ORDER BY seq LIMIT 1",
                (head, ms),
            ).fetchone()
            first = start + 1 if found is None else found[0]
        case _:
            assert_never(retention)
    return max(start, min(first, head) - 1)


def _shrink(connection: sqlite3.Connection) -> str | None:
    """Give the room of what is gone back to the disk; or say why it cannot be.

    The copy that SQLite makes for it needs room of its own: without it the room stays
    in the file, and the next rows fill it.
    """
    try:
        connection.execute("VACUUM")
        found = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except FAILURES as error:
        return said(error).message
    return "a program is reading the journal" if found[0] else None
