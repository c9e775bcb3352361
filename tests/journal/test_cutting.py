"""The cut of a compaction is the whole of it, or nothing, and says which."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.errors import JournalUnavailable
from orchestrator.journal.cutting import cut_off
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.port import Head, Snapshot
from orchestrator.journal.stored_snapshots import select_base
from tests.journal.opened import base_after, filled, good


class Failing(sqlite3.Connection):
    """A database whose disk reports an error at a commit: before it, or behind."""

    is_durable = False

    def execute(self, sql: str, *more: Any) -> sqlite3.Cursor:
        if sql != "COMMIT":
            return super().execute(sql, *more)
        if self.is_durable:
            _ = super().execute(sql)
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorname = "SQLITE_IOERR"
        raise error


@pytest.mark.parametrize("is_durable", [False, True])
async def test_what_the_database_says_after_an_error_is_what_counts(
    tmp_path: Path, *, is_durable: bool
) -> None:
    path, base = tmp_path / "journal.db", base_after(4)
    await good((await filled(path, 9)).close())
    connection = sqlite3.connect(path, isolation_level=None, factory=Failing)
    connection.is_durable = is_durable
    problem = cut_off(connection, base)
    rows = connection.execute("SELECT count(*) FROM rows").fetchone()
    found = select_base(connection)
    connection.close()
    if is_durable:
        assert (problem, rows, found) == (None, (5,), base)
    else:
        assert isinstance(problem, JournalUnavailable)
        assert (rows, found) == ((9,), None)


async def test_a_snapshot_of_what_was_let_go_is_not_kept() -> None:
    base = base_after(4)
    journal = MemoryJournal(base)
    early = Snapshot(seq=3, digest=base.digest, rules=base.rules, body=b"{}")
    await good(journal.save_snapshot(early))
    assert await good(journal.latest_snapshot()) == base
    assert await good(journal.head()) == Head(seq=4, digest=base.digest)
