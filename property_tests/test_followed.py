"""What the API keeps true of a fleet is what it would work out anew, at any moment.

A lively history goes on while somebody asks, now and then, and is given a slice of a
few containers at a time; where nobody asks for long, nothing is followed any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.api.counts import Tally
from orchestrator.api.following import Followed
from orchestrator.api.orders import ORDERS, OrderName, Orders, ordered
from orchestrator.api.slices import Slice
from orchestrator.core.state import Fleet
from tests.api.test_following import COUNT, Told, steps
from tests.replay.golden import SEEDS
from tests.runtime.travel_kit import NAME

ASKED = st.lists(st.integers(0, 5), min_size=COUNT, max_size=COUNT)
"""Before each step: how many containers somebody may look at; 0: nobody asks."""


class Hasty(Slice):
    """A slice that is over after so many looks at the clock."""

    def __init__(self, looks: int) -> None:
        super().__init__(0)
        self._looks = looks

    @property
    def is_over(self) -> bool:
        self._looks -= 1
        return self._looks <= 0


def anew(fleet: Fleet) -> Tally:
    return Tally.of(fleet.containers.values())


@pytest.fixture(autouse=True, scope="module")
def _one_at_a_time() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("orchestrator.api.following.LOOKED_AT", 1)
        yield


@given(seed=st.sampled_from(SEEDS), asked=ASKED, least=st.sampled_from([1, 20, 10**6]))
def test_a_tally_is_what_is_counted_anew(
    seed: int, asked: list[int], least: int
) -> None:
    told = Told(NAME)
    followed: Followed[Tally] = told.followed(least_noted=least)
    for step, looks in zip(steps(seed), asked, strict=True):
        if looks and followed.worked_on(Hasty(looks)):
            assert asyncio.run(followed.now()) == anew(told.fleet)
        told.take(step)
    assert asyncio.run(followed.now()) == anew(told.fleet)


@given(
    seed=st.sampled_from(SEEDS),
    asked=ASKED,
    name=st.sampled_from([one for one in ORDERS if Orders.are_kept(one)]),
)
def test_an_order_is_what_is_worked_out_anew(
    seed: int, asked: list[int], name: OrderName
) -> None:
    told = Told(NAME)
    orders = Orders(lambda: told.fleet, told.watch)
    for step, looks in zip(steps(seed), asked, strict=True):
        if looks:
            _ = orders.followed(name).worked_on(Hasty(looks))
        told.take(step)
    fleet = told.fleet
    kept = list(asyncio.run(orders.names(name)))
    assert kept == list(asyncio.run(ordered(fleet, name, fleet.at)))
    assert sorted(kept) == list(fleet.containers)
