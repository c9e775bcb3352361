"""Laws of the lines of an export: taken apart by their frame, or parsed, all the same.

Frame: ``{"seq":..,"at":..,"event":..,"commands":..,"changes":..,"digest":".."}``. What
stands in the parts may hold the very words of it.
"""

from __future__ import annotations

import io
from unittest.mock import patch

import attrs
import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.codec.digests import chain, chained_digests, digest_of
from orchestrator.journal import lines
from orchestrator.journal.jsonl import write_lines
from orchestrator.journal.line_format import row_line, row_of
from orchestrator.journal.line_frame import framed_rows
from orchestrator.journal.port import START, Draft, Head, Row, broken, chained
from tests.journal.opened import Read, all_of

WORDS = ("seq", "at", "event", "commands", "changes", "digest", "end", "x")
TEXTS = st.one_of(
    st.sampled_from((*WORDS, ',"commands":', ',"changes":[', '"}', '\\",', '"', "")),
    st.text(max_size=5),
)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-9, 1 << 53), TEXTS)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    ),
    max_leaves=8,
)
JSON = TREES.map(orjson.dumps)
CHANGES = st.one_of(
    JSON.filter(lambda text: text[:1] == b"{"), st.binary(min_size=32, max_size=32)
)
DRAFTS = st.builds(
    Draft,
    at=st.one_of(st.integers(0, 99), st.integers(0, 2**63 - 1)),
    event=JSON,
    commands=JSON,
    changes=CHANGES,
)
PIECES = st.one_of(
    st.sampled_from([f',"{word}":'.encode() for word in WORDS]),
    st.sampled_from([b"{", b"}", b'"', b"0", b" ", b",", b"\n", b"\\", b"\x00", b"-"]),
    st.binary(min_size=1, max_size=2),
)


def head_of(row: Row) -> Head:
    return Head(seq=row.seq, digest=row.digest)


@st.composite
def altered(draw: st.DrawFn, whole: bytes) -> bytes:
    """Draw other bytes than *whole*: some of them left out, or others put in."""
    first = draw(st.integers(0, len(whole)))
    last = draw(st.integers(first, min(len(whole), first + 90)))
    put = draw(st.one_of(st.just(b""), PIECES, st.just(whole[first:last] * 2)))
    if draw(st.booleans()):
        to = draw(st.integers(0, len(whole)))
        moved = whole[:first] + whole[last:]
        return moved[:to] + whole[first:last] + moved[to:]
    return whole[:first] + put + whole[last:]


def framed(line: bytes, behind: Head) -> Row | None:
    """Take a line apart by its frame, where it is a whole one."""
    page = framed_rows([line[:-1]], behind) if line[-1:] == b"\n" else None
    return None if page is None else next(iter(page))


def parsed(line: bytes) -> Row | None:
    """Read a row as it is read where its frame tells nothing."""
    try:
        tree = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return row_of(tree, line) if isinstance(tree, dict) else None


@given(st.lists(DRAFTS, min_size=1, max_size=3), st.data())
def test_a_line_whose_frame_fits_is_what_its_row_is_written_as(
    drafts: list[Draft], data: st.DataObject
) -> None:
    """Altered or not: it is the very row, and nothing else is taken for it."""
    *before, row = chained(START, drafts)
    behind = head_of(before[-1]) if before else START
    line = row_line(row)
    assert framed(line, behind) in (row, None)
    assert parsed(line) == row
    other = data.draw(altered(line))
    found = framed(other, behind)
    if other != line:
        assert found is None
        assert parsed(other) is None or broken(behind, [parsed(other) or row])


@given(DRAFTS, st.integers(0, 2**63), st.binary(min_size=32, max_size=32))
@example(Draft(at=1, event=b"{}", commands=b"[]", changes=b"{}"), 0, bytes(32))
def test_an_ordinary_line_is_taken_apart_without_parsing(
    draft: Draft, seq: int, before: bytes
) -> None:
    (row,) = chained(Head(seq=seq, digest=before), [draft])
    parts = row.event + row.commands + row.changes
    holds_words = any(f',"{word}":'.encode() in parts for word in WORDS)
    if row.at and len(row.changes) != 32 and not holds_words:
        assert framed(row_line(row), Head(seq=seq, digest=before)) == row
    assert framed(row_line(row), Head(seq=seq + 1, digest=before)) is None


@given(st.lists(DRAFTS, min_size=1, max_size=6), st.data())
def test_many_lines_are_taken_apart_as_each_of_them_is(
    drafts: list[Draft], data: st.DataObject
) -> None:
    """Up to the first that is in doubt, whatever befell one of them."""
    rows = chained(START, drafts)
    lines = [row_line(row)[:-1] for row in rows]
    place = data.draw(st.integers(0, len(lines) - 1))
    lines[place] = data.draw(altered(lines[place]))
    head, expected = START, list[Row]()
    for line in lines:
        row = framed(line + b"\n", head)
        if row is None:
            break
        expected.append(row)
        head = head_of(row)
    assert [*(framed_rows(lines, START) or ())] == expected


@given(st.lists(DRAFTS, max_size=4), st.data())
def test_a_file_is_read_alike_with_the_frame_and_without(
    drafts: list[Draft], data: st.DataObject
) -> None:
    """The rows, where it ends, the damage and its words: all of it, whatever befell."""
    file = io.BytesIO()
    rows = chained(START, drafts)
    _ = write_lines(file, rows)
    whole = file.getvalue()
    assert all_of(io.BytesIO(whole)).rows == rows
    other = data.draw(altered(whole))
    size = data.draw(st.integers(1, 3))
    with patch.object(lines, "PAGE", size):
        swift = all_of(io.BytesIO(other))
        with patch.object(lines, "framed_rows", lambda *_: None):
            slow = all_of(io.BytesIO(other))
    assert swift == slow
    assert other == whole or not swift.is_whole or swift == without_frame(whole)


def without_frame(whole: bytes) -> Read:
    with patch.object(lines, "framed_rows", lambda *_: None):
        return all_of(io.BytesIO(whole))


@given(DRAFTS, st.binary(max_size=40), st.integers(0, 2**63))
def test_the_digest_of_a_row_is_that_of_its_six_parts(
    draft: Draft, before: bytes, seq: int
) -> None:
    parts = attrs.astuple(draft)[1:]
    numbers = (seq.to_bytes(8), draft.at.to_bytes(8))
    expected = digest_of((before, *numbers, *parts))
    assert chain(before, seq, draft.at, *parts) == expected


@given(
    st.lists(DRAFTS, max_size=4),
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**63),
)
def test_the_digests_of_many_rows_are_those_of_each(
    drafts: list[Draft], before: bytes, seq: int
) -> None:
    expected = [row.digest for row in chained(Head(seq=seq, digest=before), drafts)]
    assert chained_digests(before, seq, map(attrs.astuple, drafts)) == expected
