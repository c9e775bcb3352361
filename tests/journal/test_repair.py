"""Repair accepts a loss by name, keeps what is whole, and throws nothing away."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from orchestrator.core.errors import (
    JournalCorrupt,
    JournalLocked,
    JournalTooNew,
)
from orchestrator.journal.repair import repair
from orchestrator.journal.sqlite import open_sqlite
from tests.journal.opened import bad, filled, good, head_after, opened, refused


async def damaged(path: Path, statement: str) -> None:
    await good((await filled(path, 5)).close())
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("statement", "kept", "missing", "moved"),
    [
        ("DELETE FROM rows WHERE seq > 3", 3, 2, 0),
        ("DELETE FROM rows WHERE seq = 2", 1, 1, 3),
        ("UPDATE rows SET at = 99 WHERE seq = 4", 3, 0, 2),
        ("UPDATE rows SET at = 99 WHERE seq = 1", 0, 0, 5),
        ("DELETE FROM rows", 0, 5, 0),
    ],
)
async def test_a_repaired_journal_opens_at_the_end_of_what_is_whole(
    tmp_path: Path, statement: str, kept: int, missing: int, moved: int
) -> None:
    path = tmp_path / "journal.db"
    await damaged(path, statement)
    done = opened(repair(path))
    assert (done.head, done.missing, done.moved) == (head_after(kept), missing, moved)
    journal = await good(open_sqlite(path))
    assert await good(journal.head()) == head_after(kept)
    assert len(await good(journal.read(0, 10))) == kept
    await good(journal.close())
    if moved:
        assert done.moved_to is not None
        assert len(done.moved_to.read_bytes().splitlines()) == moved


async def test_a_lost_head_file_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    await good((await filled(path, 5)).close())
    (tmp_path / "journal.db.head").unlink()
    assert isinstance(await bad(open_sqlite(path)), JournalCorrupt)
    assert opened(repair(path)).missing == 0
    await good((await good(open_sqlite(path))).close())


async def test_a_journal_in_use_is_not_repaired(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = await filled(path, 1)
    assert isinstance(refused(repair(path)), JournalLocked)
    await good(journal.close())


async def test_what_is_no_journal_is_not_repaired(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"x" * 4096)
    assert isinstance(refused(repair(path)), JournalCorrupt)
    await damaged(tmp_path / "new.db", "PRAGMA user_version = 9")
    assert isinstance(refused(repair(tmp_path / "new.db")), JournalTooNew)
