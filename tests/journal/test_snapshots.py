"""Which snapshots are kept: the newest, and one for each doubling before them."""

from __future__ import annotations

from itertools import pairwise

from orchestrator.journal.snapshots import NEWEST_KEPT, kept


def test_the_oldest_and_the_newest_stay_and_ever_fewer_between() -> None:
    assert kept(range(10, 210, 10)) == (10, 150, 180, 190, 200)
    assert kept(reversed(range(10, 210, 10))) == kept(range(10, 210, 10))


def test_as_few_as_always_stay_are_all_kept() -> None:
    for count in range(NEWEST_KEPT + 1):
        assert kept(range(count)) == tuple(range(count))


def test_a_thousand_of_them_are_few_and_every_row_has_one_not_far_before_it() -> None:
    saved: tuple[int, ...] = ()
    for seq in range(10, 10_010, 10):
        saved = kept((*saved, seq))
        assert saved[0] == 10
        assert saved[-NEWEST_KEPT:] == tuple(range(10, seq + 10, 10))[-NEWEST_KEPT:]
        for older, younger in pairwise(saved):
            is_next = younger - older == 10
            assert is_next or seq - older <= 4 * (seq - younger), saved
    assert len(saved) <= 20
