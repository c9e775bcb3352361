"""The hot path does not become dearer unseen: its steps are counted, not timed."""

from __future__ import annotations

import sys

import pytest

from orchestrator.core.reduce import reduce
from tests.benchmarks.reduce import life_of
from tests.benchmarks.steps import RECORDED, TOLERANCE, counted, counts, shares

VERSION = sys.version_info[:2]


def test_an_event_takes_no_more_steps_beside_the_loop_than_was_recorded() -> None:
    if VERSION not in RECORDED:
        pytest.skip(f"the steps of Python {VERSION} are not recorded")
    found = shares(counts()[1])
    recorded = RECORDED[VERSION]
    dearer = {
        way: (share, recorded[way])
        for way, share in found.items()
        if share > recorded[way] * (1 + TOLERANCE)
    }
    assert not dearer, f"dearer than recorded: {dearer}"


def test_steps_are_the_same_however_often_they_are_counted() -> None:
    first, again = counts(200, 20)[1], counts(200, 20)[1]
    assert {way: each.steps for way, each in first.items()} == {
        way: each.steps for way, each in again.items()
    }


def test_an_event_in_a_fleet_fifty_times_as_large_takes_at_most_half_more() -> None:
    def taken(containers: int) -> int:
        life = life_of(containers, 20)
        return counted(lambda: [reduce(life.fleet, each) for each in life.events]).steps

    assert taken(5_000) <= 1.5 * taken(100)
