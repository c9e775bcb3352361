"""How long to wait before restart n."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core.backoff import (
    DELAYS_MAX,
    Backoff,
    backoff_wait,
    base_wait,
    longest_wait,
)
from orchestrator.core.moments import DURATION_MAX

PLAIN = Backoff(jitter=0.0)
SPREAD = [997, 993, 1816, 1006]


def waits(backoff: Backoff, count: int) -> list[int]:
    return [base_wait(backoff, n) for n in range(1, count + 1)]


def test_waits_grow_to_the_longest_and_stay() -> None:
    assert waits(PLAIN, 8) == [1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]
    for attempt in (9, 10**6, 10**12):
        assert base_wait(PLAIN, attempt) == 60_000


def test_the_first_wait_holds_for_an_attempt_that_there_is_not() -> None:
    assert [base_wait(PLAIN, n) for n in (0, -5)] == [1_000, 1_000]
    assert base_wait(Backoff(delays_ms=(7, 9)), 0) == 7


def test_without_a_first_wait_there_is_none() -> None:
    nothing = Backoff(initial_ms=0, max_ms=0)
    assert [base_wait(nothing, n) for n in (1, 2, 10**9)] == [0, 0, 0]
    assert base_wait(Backoff(initial_ms=0), 10**9) == 0
    assert backoff_wait(Backoff(initial_ms=0), 5, 1, 1) == 0


def test_the_widest_jitter_reaches_from_nothing_to_the_longest_wait() -> None:
    brief = Backoff(delays_ms=(1,), jitter=1)
    found = {backoff_wait(brief, 1, salt, revision=1) for salt in range(50)}
    assert found == {0, 1}


def test_a_factor_of_one_waits_alike_for_ever() -> None:
    constant = Backoff(initial_ms=15_000, factor=1, jitter=0)
    assert waits(constant, 5) == [15_000] * 5
    assert base_wait(constant, 10**9) == 15_000


def test_a_factor_that_is_no_whole_number() -> None:
    half = Backoff(initial_ms=1_000, factor=1.5, max_ms=5_000, jitter=0)
    assert waits(half, 6) == [1_000, 1_500, 2_250, 3_375, 5_000, 5_000]


def test_a_list_says_each_wait_and_its_last_holds_for_the_rest() -> None:
    listed = Backoff(delays_ms=(0, 10_000, 5_000), jitter=0)
    assert waits(listed, 5) == [0, 10_000, 5_000, 5_000, 5_000]
    assert base_wait(listed, 10**9) == 5_000
    assert backoff_wait(listed, 1, 1, 1) == 0
    assert backoff_wait(listed, 2, 1, 1) == 10_000


def test_no_wait_exceeds_the_longest() -> None:
    assert longest_wait(PLAIN) == 60_000
    listed = Backoff(delays_ms=(5_000, 90_000, 10_000), jitter=1.0)
    assert longest_wait(listed) == 90_000
    for n in range(1, 5):
        for salt in range(200):
            assert 0 <= backoff_wait(listed, n, salt, 1) <= 90_000


@pytest.mark.parametrize("jitter", [0.1, 0.25, 1.0])
def test_the_spread_stays_within_its_share_and_uses_all_of_it(jitter: float) -> None:
    backoff = attrs.evolve(PLAIN, jitter=jitter)
    found = [backoff_wait(backoff, 2, salt, 1) for salt in range(3_000)]
    share = int(2_000 * jitter)
    assert min(found) >= 2_000 - share
    assert max(found) <= 2_000 + share
    assert min(found) < 2_000 - 0.97 * share
    assert max(found) > 2_000 + 0.97 * share
    assert abs(sum(found) / len(found) - 2_000) < 0.1 * share


def test_the_spread_is_cut_at_the_longest() -> None:
    backoff = attrs.evolve(PLAIN, jitter=0.1)
    found = [backoff_wait(backoff, 50, salt, 1) for salt in range(200)]
    assert max(found) == 60_000
    assert min(found) >= 54_000


def test_the_spread_is_the_same_on_every_machine() -> None:
    """These numbers are in journals: another hash would be another history."""
    backoff = Backoff()
    assert [
        backoff_wait(backoff, attempt, salt, revision)
        for salt, revision, attempt in ((0, 0, 1), (1, 1, 1), (1, 1, 2), (1, 2, 1))
    ] == SPREAD


def test_salt_revision_and_attempt_each_spread() -> None:
    backoff = attrs.evolve(PLAIN, jitter=0.5)
    by_salt = {backoff_wait(backoff, 1, n, 1) for n in range(100)}
    by_revision = {backoff_wait(backoff, 1, 1, n) for n in range(100)}
    constant = attrs.evolve(backoff, factor=1)
    by_attempt = {backoff_wait(constant, n, 1, 1) for n in range(100)}
    for found in (by_salt, by_revision, by_attempt):
        assert len(found) > 80


@pytest.mark.parametrize(
    "fields",
    [
        {"initial_ms": -1},
        {"initial_ms": 1.0},
        {"max_ms": DURATION_MAX + 1},
        {"initial_ms": 60_001},
        {"factor": 0.9},
        {"factor": 1_000.1},
        {"jitter": -0.1},
        {"jitter": 1.1},
        {"reset_after_ms": 0},
        {"delays_ms": [1]},
        {"delays_ms": (1,) * (DELAYS_MAX + 1)},
        {"delays_ms": (-1,)},
        {"delays_ms": (DURATION_MAX + 1,)},
        {"delays_ms": (True,)},
        {"delays_ms": (1.0,)},
    ],
)
def test_waits_that_make_no_sense_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Backoff(**fields)  # type: ignore[arg-type]


def test_the_extremes_are_allowed() -> None:
    assert Backoff(initial_ms=60_000).initial_ms == 60_000
    assert Backoff(delays_ms=(0, DURATION_MAX) * 50).delays_ms[1] == DURATION_MAX
    assert Backoff(jitter=1, factor=1_000).factor == 1_000.0
