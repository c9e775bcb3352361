"""Rows with their meaning, from wherever they are."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import attrs
import pytest

from orchestrator.codec.wire import encode_fleet
from orchestrator.core.errors import JournalCorrupt
from orchestrator.core.state import empty_fleet
from orchestrator.journal.jsonl import export_rows
from orchestrator.journal.pages import Page
from orchestrator.journal.port import START, chained
from orchestrator.journal.reading import beginning, open_reading
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.replay.history import NOTHING
from tests.journal.opened import base_after, drafts, filled, good, head_after, opened

ROWS = chained(START, drafts(range(1, 6)))


@pytest.mark.parametrize("part", ["event", "commands"])
def test_a_row_that_makes_no_sense_ends_the_entries(tmp_path: Path, part: str) -> None:
    nonsense: dict[str, Any] = {part: b'{"type":"unheard_of"}'}
    odd = attrs.evolve(drafts([3])[0], **nonsense)
    path = tmp_path / "out.jsonl"
    opened(export_rows(path, chained(START, (*drafts([1, 2]), odd, *drafts([4])))))
    read = opened(open_reading(path))
    assert [entry.seq for entry in read.entries()] == [1, 2]
    assert isinstance(read.error, JournalCorrupt)
    assert read.error.seq == 3
    assert read.error.place.startswith(part)
    read.close()


def test_what_only_the_converter_reads_is_read_all_the_same(tmp_path: Path) -> None:
    """A whole number where one with a point is written: right, but unusual."""
    spec = b'{"name":"a","image":"b","restart":{"backoff":{"factor":2}}}'
    start = (
        b'{"type":"start_requested","at":2,"name":"a","declaration":{"salt":1,"spec":'
    )
    unusual = attrs.evolve(drafts([2])[0], event=start + spec + b"}}")
    path = tmp_path / "out.jsonl"
    opened(export_rows(path, chained(START, (*drafts([1]), unusual, *drafts([3])))))
    read = opened(open_reading(path))
    assert [entry.seq for entry in read.entries()] == [1, 2, 3]
    assert read.error is None
    read.close()


def test_a_row_and_its_event_are_of_one_moment(tmp_path: Path) -> None:
    late = attrs.evolve(drafts([2])[0], at=9_999)
    path = tmp_path / "out.jsonl"
    opened(export_rows(path, chained(START, (*drafts([1]), late))))
    read = opened(open_reading(path))
    assert [entry.seq for entry in read.entries()] == [1]
    assert isinstance(read.error, JournalCorrupt)
    assert (read.error.seq, read.error.place, read.error.found) == (2, "at", "9999")
    read.close()


def test_a_journal_is_bare_that_breaks_off_before_its_first_row(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    opened(export_rows(path, ROWS))
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == len(ROWS) + 2  # what it is, its rows, and how it ends
    told = {}
    for number in (1, 2):
        path.write_bytes(b"".join(lines[:number]))
        read = opened(open_reading(path))
        rows = list(read.rows())
        told[number] = (len(rows), read.is_bare)
        read.close()
    assert told == {1: (0, True), 2: (1, False)}
    opened(export_rows(path, ()))
    read = opened(open_reading(path))
    assert (list(read.rows()), read.is_bare) == ([], False)
    read.close()


async def test_entries_after_a_row_are_read_from_both_kinds(tmp_path: Path) -> None:
    stored, out = tmp_path / "journal.db", tmp_path / "out.jsonl"
    await good((await filled(stored, 5)).close())
    opened(export_rows(out, ROWS))
    for path in (stored, out):
        for after in range(6):
            read = opened(open_reading(path))
            found = [entry.seq for entry in read.entries(after)]
            assert found == list(range(after + 1, 6))
            assert read.error is None
            read.close()


async def test_the_rows_begin_with_nothing_or_with_the_fleet_of_the_base(
    tmp_path: Path,
) -> None:
    fleet = empty_fleet("shop")
    base = base_after(2, body=encode_fleet(fleet))
    out, stored = tmp_path / "out.jsonl", tmp_path / "journal.db"
    opened(export_rows(out, ROWS[2:], base))
    await good((await good(open_sqlite(stored, base=base))).close())
    for path in (out, stored):
        read = opened(open_reading(path))
        assert beginning(read).unwrap() == fleet
        assert read.head == head_after(2)
        read.close()
    opened(export_rows(out, ROWS))
    read = opened(open_reading(out))
    assert beginning(read).unwrap() == NOTHING
    read.close()
    opened(export_rows(out, ROWS[2:], base_after(2)))
    read = opened(open_reading(out))
    damage = beginning(read).failure()
    assert (damage.seq, damage.place) == (2, "base $.name")
    read.close()


async def test_nothing_comes_behind_a_damage(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    await good((await filled(path, 5)).close())
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE rows SET event = x'00' WHERE seq = 3")
    connection.close()
    read = opened(open_reading(path))
    page, damage = read.source.pages()
    assert isinstance(page, Page)
    assert tuple(page) == ROWS[:2]
    assert isinstance(damage, JournalCorrupt)
    assert damage.seq == 3
    read.close()


@pytest.mark.parametrize("ending", ["db", "jsonl"])
async def test_where_it_stands_is_known_after_each_row(
    tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"journal.{ending}"
    if ending == "db":
        await good((await filled(path, 5)).close())
    else:
        opened(export_rows(path, ROWS))
    for hand_out in ("rows", "entries"):
        read = opened(open_reading(path))
        heads = [read.head, *(read.head for _ in getattr(read, hand_out)())]
        assert heads == [head_after(count) for count in range(6)]
        assert read.head == head_after(5)
        read.close()


def test_a_row_that_makes_no_sense_was_read_all_the_same(tmp_path: Path) -> None:
    odd = attrs.evolve(drafts([1])[0], event=b"[]")
    path = tmp_path / "out.jsonl"
    for before in ((), drafts([1])):
        rows = chained(START, (*before, odd))
        opened(export_rows(path, rows))
        read = opened(open_reading(path))
        assert len([*read.entries()]) == len(before)
        assert read.head.seq == len(rows)
        assert not read.is_bare
        read.close()
