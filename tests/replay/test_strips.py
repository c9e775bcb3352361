"""Strips of any length: examples of a grain; that nothing is lost is a property."""

from __future__ import annotations

import pytest

from orchestrator.replay.timelines.strips import (
    KEPT_MOST,
    Change,
    Counts,
    Strip,
    coarse,
)


@pytest.mark.parametrize(
    ("changes", "end", "expected"),
    [
        ([], 20, []),
        ([(0, "a"), (1, "b"), (12, "a")], 20, [(0, "b"), (10, "a")]),
        ([(0, "a"), (4, "b")], 10, [(0, "b")]),
        ([(0, "a"), (6, "b")], 10, [(0, "a")]),
        ([(0, "a"), (35, "b"), (36, "a")], 60, [(0, "a")]),
        ([(3, "a"), (25, "b")], 40, [(3, "a"), (30, "b")]),
        ([(7, "a"), (7, "b")], 9, [(7, "b")]),
    ],
)
def test_a_grain_is_what_it_was_for_longest_in_it(
    changes: list[Change], end: int, expected: list[Change]
) -> None:
    assert coarse(changes, end, 10) == expected


def test_a_strip_that_is_full_gets_coarser_and_tells_the_last_change() -> None:
    strip = Strip()
    for at in range(KEPT_MOST):
        strip.change(at, "ab"[at % 2])
    assert (strip.grain, len(strip.changes)) == (1, KEPT_MOST)
    strip.change(KEPT_MOST, "b")
    strip.change(KEPT_MOST, "c")
    assert strip.grain > 1
    assert len(strip.changes) <= KEPT_MOST
    assert strip.changes[-1] == (KEPT_MOST, "c")


def test_what_it_is_already_is_no_change() -> None:
    strip = Strip()
    strip.change(1, "a")
    strip.change(2, "a")
    assert strip.changes == [(1, "a")]


def test_counts_that_are_full_are_added_up_two_by_two() -> None:
    counts = Counts()
    for at in range(KEPT_MOST):
        counts.add(at)
    assert list(counts.marks())[:2] == [(0, 1), (1, 1)]
    counts.add(KEPT_MOST, 5)
    assert counts.grain == 2
    marks = list(counts.marks())
    assert marks[:2] == [(0, 2), (2, 2)]
    assert marks[-1] == (KEPT_MOST, 5)
    assert sum(times for _, times in marks) == KEPT_MOST + 5
