"""An import makes a whole journal, or nothing at all."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from orchestrator.core.errors import JournalLocked, JournalUnavailable
from orchestrator.journal.head import HeadFile
from orchestrator.journal.imported import import_rows, in_the_way
from orchestrator.journal.jsonl import export_rows
from orchestrator.journal.lock import take_lock
from orchestrator.journal.port import START, Row, chained
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.testing.journals import draft
from tests.journal.opened import (
    all_of,
    base_after,
    drafts,
    good,
    head_after,
    interrupted,
    opened,
    refused,
)

ROWS = chained(START, drafts(range(1, 2_501)))


async def test_an_operator_goes_on_with_what_was_imported(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    assert opened(import_rows(path, iter(ROWS))) == head_after(2_500)
    names = {one.name for one in tmp_path.iterdir()}
    assert names == {"journal.db", "journal.db.head"}
    assert all_of(path).rows == ROWS
    journal = await good(open_sqlite(path))
    head = await good(journal.append(head_after(2_500), drafts([2_501])))
    assert head == head_after(2_501)
    await good(journal.close())


@pytest.mark.parametrize("count", [0, 8])
def test_what_begins_behind_a_base_does_so_again(tmp_path: Path, count: int) -> None:
    path = tmp_path / "journal.db"
    rows = ROWS[2 : 2 + count]
    assert opened(import_rows(path, iter(rows), base_after(2))) == head_after(2 + count)
    read = all_of(path)
    assert (read.base, read.rows, read.is_whole) == (base_after(2), rows, True)


def test_rows_that_fail_leave_nothing(tmp_path: Path) -> None:
    def failing() -> Iterator[Row]:
        yield from ROWS[:1_500]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_rows(tmp_path / "journal.db", failing())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("part", ["", "-wal", "-shm", ".head"])
def test_nothing_of_a_journal_is_written_over(tmp_path: Path, part: str) -> None:
    path = tmp_path / "journal.db"
    there = tmp_path / f"journal.db{part}"
    there.write_text("mine")
    assert in_the_way(path) == there
    error = refused(import_rows(path, iter(ROWS)))
    assert error == JournalUnavailable(cause=f"{there} exists", retryable=False)
    assert there.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [there]


def test_two_imports_do_not_get_in_each_others_way(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    lock = take_lock(tmp_path / "journal.db.partial.lock").unwrap()
    (tmp_path / "journal.db.partial").write_text("of the other")
    assert isinstance(refused(import_rows(path, iter(ROWS))), JournalLocked)
    assert (tmp_path / "journal.db.partial").exists()
    lock.release()
    assert opened(import_rows(path, iter(ROWS))) == head_after(2_500)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    error = refused(import_rows(tmp_path / "none" / "journal.db", iter(ROWS)))
    assert isinstance(error, JournalUnavailable)


def test_what_an_import_left_that_was_killed_is_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    (tmp_path / "journal.db.partial").write_text("half")
    HeadFile(tmp_path / "journal.db.head", head_after(7)).close()
    assert in_the_way(path) is None
    assert opened(import_rows(path, iter(ROWS))) == head_after(2_500)
    assert all_of(path).is_whole


def test_an_import_that_is_killed_leaves_nothing_or_all(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    opened(export_rows(folder / "export.jsonl", ROWS))
    found = interrupted("import", folder)
    first_new = found.index("new")
    assert found == ["nothing"] * first_new + ["new"] * (len(found) - first_new)
    assert first_new > 20
    assert len(found) - first_new > 2


def test_an_import_takes_the_memory_of_one_page(tmp_path: Path) -> None:
    def many() -> Iterator[Row]:
        head = START
        for number in range(1, 6_001):
            made = attrs.evolve(draft(number), commands=bytes(2_000))
            (row,) = chained(head, (made,))
            yield row
            head = attrs.evolve(head, seq=row.seq, digest=row.digest)

    tracemalloc.start()
    opened(import_rows(tmp_path / "journal.db", many()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6_000_000
