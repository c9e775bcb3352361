"""Export and reading it again: whole or cut, never altered unseen."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import orjson
import pytest

from orchestrator.codec.digests import EMPTY
from orchestrator.core.errors import JournalCorrupt, JournalUnavailable
from orchestrator.journal import lines, whole_lines
from orchestrator.journal.jsonl import export_rows
from orchestrator.journal.port import START, Draft, Head, Row, Snapshot, chained
from orchestrator.journal.provenance import Redacted
from tests.journal.opened import all_of, base_after, drafts, head_after, opened, refused

ROWS = chained(START, drafts(range(1, 6)))
BASE = base_after(2)


@pytest.fixture(params=["journal.jsonl", "journal.jsonl.gz"])
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    name: str = request.param
    return tmp_path / name


def damage(path: Path) -> JournalCorrupt:
    error = all_of(path).error
    assert isinstance(error, JournalCorrupt)
    return error


@pytest.mark.parametrize("base", [None, BASE])
@pytest.mark.parametrize("rows", [ROWS, ()])
def test_what_was_exported_is_read(
    path: Path, rows: tuple[Row, ...], base: Snapshot | None
) -> None:
    rows = tuple(row for row in rows if base is None or row.seq > base.seq)
    end = head_after(5) if rows else head_after(0 if base is None else base.seq)
    assert opened(export_rows(path, rows, base)) == end
    read = all_of(path)
    assert (read.rows, read.head, read.base) == (rows, end, base)
    assert read.is_whole


def test_rows_of_old_rules_hold_a_digest_there(path: Path) -> None:
    digests = (EMPTY, b'{"' + bytes(30), b'{"a":"' + b"b" * 24 + b'"}')
    rows = chained(START, [attrs.evolve(d, changes=c) for d, c in zip_(digests)])
    opened(export_rows(path, rows))
    assert all_of(path).rows == rows


def zip_(changes: tuple[bytes, ...]) -> list[tuple[Draft, bytes]]:
    return list(zip(drafts(range(len(changes))), changes, strict=True))


def test_the_first_line_says_what_the_words_are(path: Path) -> None:
    redacted = Redacted(of="ab" * 32, kept=("names",))
    opened(export_rows(path, ROWS, None, redacted))
    source = lines.open_lines(path)
    assert source.redacted == redacted
    source.close()


@pytest.mark.parametrize("base", [None, BASE])
def test_a_file_cut_at_any_byte_gives_whole_rows_and_says_where(
    tmp_path: Path, base: Snapshot | None
) -> None:
    path = tmp_path / "journal.jsonl"
    rows = ROWS if base is None else ROWS[base.seq :]
    opened(export_rows(path, rows, base))
    whole = path.read_bytes()
    for length in range(len(whole)):
        read = all_of(io.BytesIO(whole[:length]))
        assert read.error is None
        assert read.cut_at_line == whole[:length].count(b"\n") + 1
        assert read.rows == rows[: len(read.rows)]


def test_a_packed_file_that_is_cut_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl.gz"
    opened(export_rows(path, ROWS))
    whole = path.read_bytes()
    for length in range(2, len(whole)):  # one byte names no format
        read = all_of(io.BytesIO(whole[:length]))
        assert read.error is None
        if read.cut_at_line is None:  # only what gzip itself adds was cut
            assert read.rows == ROWS
        assert read.rows == ROWS[: len(read.rows)]


@pytest.mark.parametrize("base", [None, BASE])
def test_rows_after_any_row_are_read(path: Path, base: Snapshot | None) -> None:
    rows = ROWS if base is None else ROWS[base.seq :]
    opened(export_rows(path, rows, base))
    for after in range(7):
        source = lines.open_lines(path)
        pages = list(source.pages(after))
        source.close()
        assert [row for page in pages for row in page] == [  # type: ignore[union-attr]
            row for row in rows if row.seq > after
        ]
        assert source.snapshot(after) == (base if base and after >= 2 else None)


def test_pages_are_put_together_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.jsonl"
    opened(export_rows(path, ROWS))
    whole = path.read_bytes()
    for size in range(1, 7):
        monkeypatch.setattr(lines, "PAGE", size)
        source = lines.open_lines(path)
        pages = list(source.pages(2))
        source.close()
        assert [row for page in pages for row in page] == list(ROWS[2:])  # type: ignore[union-attr]
        for place in range(1, 6):
            broken = whole.splitlines(keepends=True)
            broken[place : place + 2] = broken[place : place + 2][::-1]
            read = all_of(io.BytesIO(b"".join(broken)))
            assert isinstance(read.error, JournalCorrupt)
            assert read.rows == ROWS[: place - 1]
            assert read.error.seq == place


LINES = [
    (0, b'{"format": "other"}', "line 1", "an export"),
    (0, b"[]", "line 1", "an export"),
    (0, b'{"format":"orchestrator-journal","version":9,"schema":1}', "line 1", "up to"),
    (0, b'{"format":"orchestrator-journal","version":1}', "line 1", '"schema" up to'),
    (
        0,
        b'{"format":"orchestrator-journal","version":1,"schema":true}',
        "line 1",
        "up to",
    ),
    (
        0,
        b'{"format":"orchestrator-journal","version":1,"schema":1,"redacted":7}',
        "line 1",
        "as it is written",
    ),
    (
        0,
        b'{"format":"orchestrator-journal","version":2,"schema":1}',
        "line 2",
        "a base as it is written",
    ),
    (1, b"not json", "line 2, row altered", "a row"),
    (1, b"[1]", "line 2, row altered", "a row"),
    (1, b'{"seq": 1}', "line 2, row altered", "a row"),
    (6, b'{"end": {"seq": 4}}', "line 7", "the end at row 5"),
]


@pytest.mark.parametrize(("index", "line", "place", "expected"), LINES)
def test_damage_names_its_line(
    tmp_path: Path, index: int, line: bytes, place: str, expected: str
) -> None:
    path = tmp_path / "journal.jsonl"
    opened(export_rows(path, ROWS))
    written = path.read_bytes().splitlines()
    written[index] = line
    path.write_bytes(b"\n".join(written) + b"\n")
    assert damage(path).place == place
    assert expected in damage(path).expected


BASES = [
    b'{"base":7}',
    b'{"base":{"seq":-1,"digest":"","rules":2,"fleet":{},"checksum":""}}',
    b'{"base":{"seq":2,"digest":7,"rules":2,"fleet":{},"checksum":""}}',
    b'{"base":{"seq":2,"digest":"zz","rules":2,"fleet":{},"checksum":""}}',
    b'{"base":{"seq":"2","digest":"","rules":2,"fleet":{},"checksum":""}}',
    b'{"base":{"seq":2,"digest":"","rules":2,"fleet":{},"checksum":""}}',
    b"base",
]


@pytest.mark.parametrize("line", BASES)
def test_a_base_that_is_none_is_damage(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    opened(export_rows(path, ROWS[2:], BASE))
    written = path.read_bytes().splitlines()
    written[1] = line
    path.write_bytes(b"\n".join(written) + b"\n")
    assert damage(path).place == "line 2"


WRITTEN = [
    (b'{"seq":1,', b'{"seq": 1,'),
    (b'"at":1,', b'"at":1e0,'),
    (b'"at":1,', b'"at":1.0,'),
    (b'{"seq":1,"at":1,', b'{"at":1,"seq":1,'),
    (b'"commands":[]', b'"commands":[],"more":1'),
    (b'"changes":{}', b'"changes":7'),
    (b'"type"', b'"t\\u0079pe"'),
]


@pytest.mark.parametrize(("as_written", "otherwise"), WRITTEN)
def test_a_line_that_says_the_same_in_other_bytes_is_damage(
    tmp_path: Path, as_written: bytes, otherwise: bytes
) -> None:
    path = tmp_path / "journal.jsonl"
    opened(export_rows(path, ROWS))
    whole = path.read_bytes()
    assert whole.count(as_written)
    path.write_bytes(whole.replace(as_written, otherwise, 1))
    assert damage(path).seq == 1


def test_digits_in_upper_case_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    opened(export_rows(path, ROWS))
    written = path.read_bytes().splitlines()
    row = orjson.loads(written[1])
    written[1] = orjson.dumps({**row, "digest": row["digest"].upper()})
    path.write_bytes(b"\n".join(written) + b"\n")
    assert damage(path).expected == "a row as it is written"


@pytest.mark.parametrize("more", [b'{"end": {}}\n', b"{", b"\n", b" ", b"\0"])
def test_nothing_may_follow_the_end(tmp_path: Path, more: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    opened(export_rows(path, ROWS))
    with path.open("ab") as file:
        file.write(more)
    assert damage(path).expected == "the end of the file"
    assert all_of(path).rows == ROWS


def test_what_follows_a_packed_end_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl.gz"
    opened(export_rows(path, ROWS))
    with path.open("ab") as file:
        file.write(b"more")
    assert damage(path).expected == "packed lines"


def test_a_file_without_line_ends_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_lines, "LINE_MAX", 100)
    path = tmp_path / "journal.jsonl"
    for whole in (b"x" * 1000, b"x" * 100 + b"\n", b"x" * 150 + b"\n"):
        path.write_bytes(whole)
        assert damage(path).expected == "a line end"
    path.write_bytes(b"x" * 99 + b"\n")
    assert "an export" in damage(path).expected


class Failing(io.BytesIO):
    """A disk that fails behind its first line."""

    def read1(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            raise OSError(5, "Input/output error")
        return super().read1(64)


def test_what_cannot_be_read_or_written_is_unavailable(tmp_path: Path) -> None:
    error = all_of(tmp_path / "none.jsonl").error
    assert isinstance(error, JournalUnavailable)
    assert "none.jsonl" in error.cause
    path = tmp_path / "journal.jsonl"
    opened(export_rows(path, ROWS))
    failing = whole_lines.WholeLines(Failing(path.read_bytes()), name="the file")
    source = lines.LinesReader(failing)
    assert list(source.pages()) == [
        JournalUnavailable(cause="the file: Input/output error")
    ]
    error = refused(export_rows(tmp_path / "no" / "such" / "folder", ROWS))
    assert isinstance(error, JournalUnavailable)


def test_a_file_object_without_a_peek_is_read(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl.gz"
    opened(export_rows(path, ROWS))
    with path.open("rb", buffering=0) as raw:
        assert all_of(raw).rows == ROWS


def test_an_export_of_nothing_ends_at_the_start(path: Path) -> None:
    assert opened(export_rows(path, ())) == START == Head(seq=0, digest=bytes(32))


def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "link.jsonl.gz"
    link.symlink_to(tmp_path / "there" / "rows")
    opened(export_rows(link, ROWS))
    assert link.is_symlink()
    assert gzip.decompress((tmp_path / "there" / "rows").read_bytes())
    assert all_of(link).rows == ROWS


def test_a_link_that_leads_to_itself_stays(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(link)
    assert isinstance(refused(export_rows(link, ROWS)), JournalUnavailable)
    assert link.is_symlink()


def test_a_pipe_is_written_into_and_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with ThreadPoolExecutor() as thread:
        read = thread.submit(path.read_bytes)
        opened(export_rows(path, ROWS))
        content = read.result()
    assert path.is_fifo()
    assert all_of(io.BytesIO(content)).rows == ROWS


def test_a_device_that_takes_nothing_stays_one(tmp_path: Path) -> None:
    device = tmp_path / "full"
    device.symlink_to("/dev/full")
    error = refused(export_rows(device, ROWS))
    assert isinstance(error, JournalUnavailable)
    assert Path("/dev/full").is_char_device()


def test_rows_that_fail_leave_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_text("mine")

    def failing() -> Iterator[Row]:
        yield ROWS[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_rows(path, failing())
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_what_is_not_whole_reads_as_cut_off(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    opened(export_rows(path, ROWS, is_whole=lambda: False))
    read = all_of(path)
    assert (read.rows, read.error) == (ROWS, None)
    assert read.cut_at_line == len(ROWS) + 2
