"""A journal is for its owner alone, whatever its folder lets others do."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.journal.sqlite import open_sqlite
from tests.runtime.kit import value


@pytest.fixture(autouse=True)
def _usual_mask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


async def test_every_file_of_a_new_journal_is_for_its_owner(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    journal = await value(open_sqlite(tmp_path / "journal.db"))
    names = {path.name for path in tmp_path.iterdir()}
    assert {"journal.db", "journal.db-wal", "journal.db.lock"} <= names
    assert modes(tmp_path) == {0o600}
    await value(journal.close())


async def test_the_mode_of_a_journal_that_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    for _ in range(2):
        journal = await value(open_sqlite(path))
        await value(journal.close())
        path.chmod(0o640)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
