"""Who holds up the loop is found by looking at its thread, and what is collected."""

from __future__ import annotations

import gc
import time

from tests.benchmarks.held import Held

LIMIT_S = 60.0


def _until_seen(held: Held) -> None:
    """Keep the loop until it was seen here: it may be seen on its way here before."""
    end = time.monotonic() + LIMIT_S
    while not any("_until_seen" in place for place in list(held.places)):
        assert time.monotonic() < end


def test_the_place_that_is_silent_is_told_once() -> None:
    held = Held(1)
    _until_seen(held)
    _ = gc.collect()
    held.end()
    *places, collected = held.told()
    assert any("test_held._until_seen" in place for place in places)
    assert "generation 2" in collected
    assert held.told() == []


def test_who_says_that_it_is_well_is_not_looked_at() -> None:
    held = Held(1_000 * LIMIT_S)
    held.beat()
    held.end()
    assert not held.places
