"""Export and import: whole or cut, never altered unseen."""

from __future__ import annotations

import gzip
from pathlib import Path

import orjson
import pytest

from orchestrator.core.errors import JournalCorrupt, JournalUnavailable
from orchestrator.journal import jsonl
from orchestrator.journal.jsonl import export_rows, import_rows
from orchestrator.journal.port import START, Row, chained
from tests.journal.opened import drafts, head_after, opened, refused

ROWS = chained(START, drafts(range(1, 6)))


@pytest.fixture(params=["journal.jsonl", "journal.jsonl.gz"])
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    name: str = request.param
    return tmp_path / name


def damage(path: Path) -> JournalCorrupt:
    error = refused(import_rows(path))
    assert isinstance(error, JournalCorrupt)
    return error


@pytest.mark.parametrize("rows", [ROWS, ()])
def test_what_was_exported_is_imported(path: Path, rows: tuple[Row, ...]) -> None:
    assert opened(export_rows(path, rows)) == head_after(len(rows))
    imported = opened(import_rows(path))
    assert imported.rows == rows
    assert imported.head == head_after(len(rows))
    assert imported.cut_at_line is None


def test_a_file_cut_at_any_byte_gives_whole_rows_and_says_where(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    opened(export_rows(path, ROWS))
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        imported = opened(import_rows(path))
        assert imported.cut_at_line is not None
        assert imported.rows == ROWS[: len(imported.rows)]
        assert imported.head == head_after(len(imported.rows))


def test_a_packed_file_that_is_cut_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl.gz"
    opened(export_rows(path, ROWS))
    whole = path.read_bytes()
    for length in range(2, len(whole)):  # one byte names no format
        path.write_bytes(whole[:length])
        imported = opened(import_rows(path))
        if imported.cut_at_line is None:  # only what gzip itself adds was cut
            assert imported.rows == ROWS
        assert imported.rows == ROWS[: len(imported.rows)]


def test_any_altered_byte_is_found(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    opened(export_rows(path, ROWS))
    whole = path.read_bytes()
    for place in range(len(whole) - 1):
        altered = bytes([whole[place] ^ 1])
        path.write_bytes(whole[:place] + altered + whole[place + 1 :])
        assert refused(import_rows(path)).code == "journal_corrupt"


LINES = [
    (0, b'{"format": "other"}', "line 1"),
    (0, b'{"format":"orchestrator-journal","version":9,"schema":1}', "line 1"),
    (0, b'{"format":"orchestrator-journal","version":1,"schema":true}', "line 1"),
    (1, b"not json", "line 2"),
    (1, b"[1]", "line 2"),
    (1, b'{"seq": 1}', "line 2"),
    (6, b'{"end": {"seq": 4}}', "line 7"),
]


@pytest.mark.parametrize(("index", "line", "place"), LINES)
def test_damage_names_its_line(
    tmp_path: Path, index: int, line: bytes, place: str
) -> None:
    path = tmp_path / "journal.jsonl"
    opened(export_rows(path, ROWS))
    lines = path.read_bytes().splitlines()
    lines[index] = line
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert damage(path).place == place


def test_a_digest_that_is_none_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    opened(export_rows(path, ROWS))
    lines = path.read_bytes().splitlines()
    lines[1] = orjson.dumps({**orjson.loads(lines[1]), "digest": "zz"})
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert damage(path).expected == "two digests"


def test_nothing_may_follow_the_end(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    opened(export_rows(path, ROWS))
    with path.open("ab") as file:
        file.write(b'{"end": {}}\n')
    assert damage(path).expected == "the end of the file"


def test_a_partial_line_behind_the_end_is_let_be(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    opened(export_rows(path, ROWS))
    with path.open("ab") as file:
        file.write(b"{")
    assert opened(import_rows(path)).rows == ROWS


def test_a_file_without_line_ends_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "LINE_MAX", 100)
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"x" * 1000)
    assert damage(path).expected == "a line end"


def test_what_cannot_be_read_or_written_is_unavailable(tmp_path: Path) -> None:
    error = refused(import_rows(tmp_path / "none.jsonl"))
    assert isinstance(error, JournalUnavailable)
    assert "none.jsonl" in error.cause
    (tmp_path / "broken.gz").write_bytes(gzip.compress(b"{}\n")[:8] + b"\xff" * 30)
    assert refused(import_rows(tmp_path / "broken.gz")).code == "journal_unavailable"
    error = refused(export_rows(tmp_path / "no" / "such" / "folder", ROWS))
    assert isinstance(error, JournalUnavailable)
