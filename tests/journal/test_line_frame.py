"""Lines that are taken apart by their frame, and those that are left in doubt."""

from __future__ import annotations

import pytest

from orchestrator.codec.digests import EMPTY
from orchestrator.journal.line_format import row_line
from orchestrator.journal.line_frame import framed_rows
from orchestrator.journal.port import START, Draft, Head, Row, chained

DRAFT = Draft(at=7, event=b'{"type":"x"}', commands=b"[]", changes=b'{"web":null}')


def row_of(changes: bytes = DRAFT.changes, at: int = 7, event: bytes = b"{}") -> Row:
    draft = Draft(at=at, event=event, commands=b'[{"a":1}]', changes=changes)
    (row,) = chained(START, [draft])
    return row


def framed(line: bytes, head: Head = START) -> Row | None:
    """Take a line apart that has its end, as all lines of a file have."""
    if not line.endswith(b"\n"):
        return None
    page = framed_rows([line[:-1]], head)
    return None if page is None else next(iter(page))


def test_a_line_as_it_is_written_is_taken_apart() -> None:
    row = row_of()
    assert framed(row_line(row)) == row
    later = Head(seq=123_456_788, digest=b"d" * 32)
    (row,) = chained(later, [DRAFT])
    assert framed(row_line(row), later) == row


@pytest.mark.parametrize(
    ("event", "changes"),
    [
        (b'{"commands":[1]}', b"{}"),
        (b'{"changes":{},"by":{"commands":[],"changes":{}}}', b"{}"),
        (b"{}", b'{"changes":{"run":1}}'),
        (b"{}", b'{"a":null,"changes":{"run":1},"digest":"00"}'),
    ],
)
def test_words_of_the_frame_inside_of_it_lead_to_the_row_or_to_a_doubt(
    event: bytes, changes: bytes
) -> None:
    row = row_of(changes, event=event)
    assert framed(row_line(row)) in (row, None)


def test_a_digest_where_the_changes_are_is_left_in_doubt() -> None:
    for digest in (EMPTY, b'{"' + bytes(30), b'{"a":"' + b"b" * 24 + b'"}'):
        row = row_of(digest)
        assert framed(row_line(row)) is None
        raw = row_line(row).replace(digest.hex().encode(), digest)
        assert framed(raw.replace(b'"' + digest + b'"', digest)) is None


ODD = [
    (b'"at":7,', b'"at":07,'),
    (b'"at":7,', b'"at": 7,'),
    (b'"at":7,', b'"at":+7,'),
    (b'"at":7,', b'"at":1_0,'),
    (b'"at":7,', b'"at":-7,'),
    (b'"at":7,', b'"at":7.0,'),
    (b'"at":7,', b'"at":,'),
    (b'"at":7,', b'"at":99999999999999999999,'),
    (b'"at":7,', b'"at":' + b"9" * 5_000 + b","),
    (b'"seq":1,', b'"seq":01,'),
    (b'"seq":1,', b'"seq":2,'),
    (b'{"seq"', b'{ "seq"'),
    (b',"event":', b', "event":'),
    (b',"event":', b',"other":'),
    (b',"commands":', b',"other":'),
    (b',"changes":', b',"other":'),
    (b',"digest":', b',"other":'),
    (b'"}\n', b'"}'),
    (b'"}\n', b'"} \n'),
    (b'"}\n', b'","more":1}\n'),
]


@pytest.mark.parametrize(("as_written", "otherwise"), ODD)
def test_a_line_that_is_not_as_it_is_written_is_left_in_doubt(
    as_written: bytes, otherwise: bytes
) -> None:
    line = row_line(row_of())
    assert line.count(as_written) == 1
    assert framed(line.replace(as_written, otherwise)) is None


def test_many_lines_are_taken_apart_up_to_the_first_in_doubt() -> None:
    rows = chained(START, [DRAFT] * 5)
    lines = [row_line(row)[:-1] for row in rows]
    assert [*(framed_rows(lines, START) or ())] == [*rows]
    odd = (b"", b"{}", lines[0], lines[3].replace(b'"at":7', b'"at":8'), lines[4])
    for wrong in odd:
        found = framed_rows([*lines[:3], wrong, lines[4]], START)
        assert [*(found or ())] == [*rows[:3]]
    assert framed_rows(lines[1:], START) is None
    assert framed_rows([], START) is None


def test_digits_in_upper_case_are_left_in_doubt() -> None:
    row = row_of()
    digits = row.digest.hex()
    assert digits.upper() != digits
    upper = row_line(row).replace(digits.encode(), digits.upper().encode())
    assert framed(upper) is None


def test_nothing_and_too_little_are_left_in_doubt() -> None:
    line = row_line(row_of())
    for size in range(len(line)):
        assert framed(line[:size]) is None
