"""Damage, exhaustively: each row, and each byte, of a small journal.

Each damage is found, and told with its row; or nothing that is read has changed. (A
database has bytes that mean nothing, and a packed file has a few.)
"""

from __future__ import annotations

import gzip
import io
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from orchestrator.core.errors import JournalCorrupt
from orchestrator.journal.jsonl import export_rows
from orchestrator.journal.port import (
    ALTERED,
    DISPLACED,
    MISSING,
    REPEATED,
    START,
    Head,
    Snapshot,
    broken,
    chained,
)
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.journal.stored import StoredReader, open_stored
from orchestrator.journal.tables import insert_rows
from tests.journal.opened import Read, all_of, base_after, drafts, good, opened

COUNT = 6
ROWS = chained(START, drafts(range(1, COUNT + 1)))
BASES = [None, base_after(2, body=b'{"a":1}')]
PATTERNS = (0x01, 0x20, 0xFF)
"""A bit that makes another digit, one that makes another case, and all."""


def rows_behind(base: Snapshot | None) -> int:
    return 0 if base is None else base.seq


async def stored(path: Path, base: Snapshot | None) -> Path:
    """Make a database with small pages, checkpointed, with two snapshots."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA page_size=512")
    connection.execute("VACUUM")
    connection.close()
    journal = await good(open_sqlite(path, base=base))
    head = await good(journal.head())
    numbers = range(head.seq + 1, COUNT + 1)
    await good(journal.append(head, drafts(numbers)))
    for row in ROWS[3:5]:
        snapshot = Snapshot(seq=row.seq, digest=row.digest, rules=3, body=b'{"b":2}')
        await good(journal.save_snapshot(snapshot))
    await good(journal.close())
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=DELETE")  # opened faster, read the same
    connection.close()
    return path


def flipped(path: Path, patterns: Sequence[int] = PATTERNS) -> Iterator[str]:
    """Flip each byte of a file in place, one at a time, with each pattern."""
    whole = path.read_bytes()
    file = os.open(path, os.O_RDWR)
    for place, byte in enumerate(whole):
        for pattern in patterns:
            os.pwrite(file, bytes([byte ^ pattern]), place)
            yield f"byte {place} ^ {pattern}"
        os.pwrite(file, bytes([byte]), place)
    os.close(file)


def exported(path: Path, base: Snapshot | None) -> bytes:
    opened(export_rows(path, ROWS[rows_behind(base) :], base))
    return path.read_bytes()


def found(read: Read) -> tuple[int | None, str]:
    """Return the row of a damage and its kind."""
    assert isinstance(read.error, JournalCorrupt), read
    return read.error.seq, read.error.place.rpartition(", ")[2]


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("place", range(COUNT))
def test_each_row_that_is_not_as_it_was_is_found_in_an_export(
    tmp_path: Path, place: int, base: Snapshot | None
) -> None:
    before = rows_behind(base)
    if place < before:
        return
    lines = exported(tmp_path / "journal.jsonl", base).splitlines(keepends=True)
    at = place + 1 - before + (base is not None)
    here, seq, last = lines[at], place + 1, place == COUNT - 1
    again = (*lines[: at + 1], here, *lines[at + 1 :])
    cases: list[tuple[tuple[bytes, ...], tuple[int | None, str]]] = [
        ((*lines[:at], *lines[at + 1 :]), (seq, MISSING)),
        (again, (seq + 1, REPEATED)),
        ((*lines[:at], here[:-9] + b"\n", *lines[at + 1 :]), (seq, ALTERED)),
        (
            (*lines[:at], here.replace(b'"at":', b'"at":1'), *lines[at + 1 :]),
            (seq, ALTERED),
        ),
    ]
    if not last:
        swapped = (*lines[:at], lines[at + 1], here, *lines[at + 2 :])
        cases.append((swapped, (seq, DISPLACED)))
    for altered, expected in cases:
        read = all_of(io.BytesIO(b"".join(altered)))
        assert found(read) == expected
        assert read.rows == ROWS[before : before + len(read.rows)]
        assert len(read.rows) == (expected[0] or 0) - 1 - before
        packed = all_of(io.BytesIO(gzip.compress(b"".join(altered))))
        assert found(packed) == expected


ALTERATIONS = (
    "event = substr(event, 1, 9)",
    "event = CAST(event AS TEXT)",
    "at = 'soon'",
    "at = -1",
    "digest = hex(digest)",
    "commands = 7",
)


def put(connection: sqlite3.Connection, seq: int, content: int) -> None:
    """Let what row *content* holds stand at *seq*."""
    row = ROWS[content - 1]
    connection.execute("DELETE FROM rows WHERE seq = ?", (seq,))
    insert_rows(connection, [attrs.evolve(row, seq=seq)])


@pytest.mark.parametrize("base", BASES)
async def test_each_row_that_is_not_as_it_was_is_found_in_a_database(
    tmp_path: Path, base: Snapshot | None
) -> None:
    path = await stored(tmp_path / "journal.db", base)
    whole = path.read_bytes()

    def read() -> Read:
        connection.close()
        found = all_of(path)
        path.write_bytes(whole)
        return found

    for seq in range(rows_behind(base) + 1, COUNT + 1):
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("DELETE FROM rows WHERE seq = ?", (seq,))
        assert found(read()) == (seq, MISSING if seq < COUNT else "end")
        for change in ALTERATIONS:
            connection = sqlite3.connect(path, isolation_level=None)
            connection.execute(f"UPDATE rows SET {change} WHERE seq = {seq}")  # noqa: S608
            assert found(read()) == (seq, ALTERED), change
        if seq == COUNT:
            return
        connection = sqlite3.connect(path, isolation_level=None)
        put(connection, seq, seq + 1)
        put(connection, seq + 1, seq)
        assert found(read()) == (seq, DISPLACED)
        connection = sqlite3.connect(path, isolation_level=None)
        put(connection, seq + 1, seq)
        assert found(read()) == (seq + 1, REPEATED)


@pytest.mark.parametrize("base", BASES)
def test_each_flipped_byte_of_an_export_is_found(
    tmp_path: Path, base: Snapshot | None
) -> None:
    path = tmp_path / "journal.jsonl"
    size = len(exported(path, base))
    count = 0
    for place in flipped(path):
        assert not all_of(path).is_whole, place
        count += 1
    assert count == size * len(PATTERNS)


@pytest.mark.parametrize("base", BASES)
def test_each_flipped_byte_of_a_packed_export_is_found_or_means_nothing(
    tmp_path: Path, base: Snapshot | None
) -> None:
    path = tmp_path / "journal.jsonl.gz"
    exported(path, base)
    whole = all_of(path)
    unseen = 0
    for place in flipped(path):
        read = all_of(path)
        if read.is_whole:
            unseen += 1
            assert read == whole, place
    assert unseen < 12 * len(PATTERNS)  # the time, the system, the end of a block


@pytest.mark.parametrize("base", BASES)
async def test_each_flipped_byte_of_a_database_is_found_or_means_nothing(
    tmp_path: Path, base: Snapshot | None
) -> None:
    path = await stored(tmp_path / "journal.db", base)
    whole = all_of(path)
    assert whole.is_whole
    assert whole.head == START or whole.head.seq == COUNT
    snapshots = snapshots_of(path)
    assert len(snapshots) == 2
    seen = 0
    for place in flipped(path, PATTERNS if base else PATTERNS[2:]):
        read = all_of(path)
        if read.is_whole:
            assert read == whole, place
            assert snapshots_of(path) <= snapshots, place
        else:
            seen += 1
    assert seen > 500


def snapshots_of(path: Path) -> set[Snapshot]:
    source: StoredReader = opened(open_stored(path))
    kept = {*source.snapshots()}
    source.close()
    return kept


@pytest.mark.parametrize("base", BASES)
async def test_each_flipped_byte_of_the_head_file_means_nothing(
    tmp_path: Path, base: Snapshot | None
) -> None:
    path = await stored(tmp_path / "journal.db", base)
    whole = all_of(path)
    for place in flipped(tmp_path / "journal.db.head", PATTERNS[:1]):
        assert all_of(path) == whole, place  # the other slot says the same


async def test_an_operator_that_opens_a_flipped_database_is_told_the_same(
    tmp_path: Path,
) -> None:
    path = await stored(tmp_path / "journal.db", None)
    whole = path.read_bytes()
    head = (tmp_path / "journal.db.head").read_bytes()
    for place in range(0, len(whole), 61):
        path.write_bytes(
            whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]
        )
        (tmp_path / "journal.db.head").write_bytes(head)
        outcome = await open_sqlite(path)
        journal = outcome.value_or(None)
        if (opened_ := getattr(journal, "_inner_value", None)) is None:
            continue
        rows = await opened_.read(0, 100)
        await good(opened_.close())
        assert rows.map(lambda found: found == ROWS).value_or(True)  # noqa: FBT003


def test_nothing_is_broken_where_there_are_no_rows() -> None:
    assert broken(Head(seq=7, digest=b""), ()) is None


def test_what_a_row_holds_may_be_anything() -> None:
    for odd in (None, "text", 1.5, -1, 1 << 70):
        for field in ("seq", "at", "event", "commands", "changes", "digest"):
            values: dict[str, Any] = {field: odd}
            row = attrs.evolve(ROWS[0], **values)
            damage = broken(START, (row, *ROWS[1:]))
            assert damage is not None
            assert damage.seq == 1
            assert damage.message
