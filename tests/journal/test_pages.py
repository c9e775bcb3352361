"""Rows as columns, and rows again."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from orchestrator.journal.pages import made_rows, page_behind, page_of
from orchestrator.journal.port import START, Head, chained
from tests.journal.opened import drafts, head_after

ROWS = chained(START, drafts(range(1, 6)))
FIELDS = [attrs.astuple(row) for row in ROWS]


def test_a_page_gives_its_rows_and_its_end() -> None:
    page = page_of(ROWS)
    assert tuple(page) == ROWS == made_rows(FIELDS)
    assert (len(page), page.after, page.head) == (5, 0, head_after(5))
    assert [page.head_after(rows) for rows in (1, 4)] == [head_after(1), head_after(4)]


def test_a_part_of_a_page_is_a_page() -> None:
    page = page_of(ROWS)
    for first in range(5):
        for last in range(first + 1, 6):
            part = page.part(first, last)
            assert tuple(part) == ROWS[first:last]
            assert (part.after, part.head) == (first, head_after(last))


def test_rows_that_continue_a_head_are_a_page() -> None:
    page = page_behind(START, FIELDS)
    assert page is not None
    assert tuple(page) == ROWS
    behind = page_behind(head_after(2), FIELDS[2:])
    assert behind is not None
    assert tuple(behind) == ROWS[2:]


@pytest.mark.parametrize(
    ("seq", "digest"),
    [(1, bytes(32)), (0, b""), (0, b"x" * 32), (0, None), (0, "y" * 32)],
)
def test_rows_that_do_not_are_none(seq: int, digest: Any) -> None:
    assert page_behind(Head(seq=seq, digest=digest), FIELDS) is None


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize("odd", [None, "text", 1.5, -1, 1 << 70, b"", b"z" * 32])
def test_a_row_that_holds_something_else_makes_no_page(place: int, odd: Any) -> None:
    for row in range(5):
        other = list(FIELDS[row])
        other[place] = odd
        found = [*FIELDS[:row], tuple(other), *FIELDS[row + 1 :]]
        assert page_behind(START, found) is None


def test_rows_in_another_order_make_no_page() -> None:
    assert page_behind(START, FIELDS[::-1]) is None
    assert page_behind(START, [*FIELDS[:2], *FIELDS[3:]]) is None
    assert page_behind(START, [*FIELDS[:2], *FIELDS[1:]]) is None
