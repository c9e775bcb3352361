"""What is kept true by steps is what would be worked out anew, whenever it is asked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator

import attrs
import pytest

from orchestrator.api.counts import Tally
from orchestrator.api.following import Followed
from orchestrator.api.orders import ORDERS, OrderName, Orders, ordered
from orchestrator.core.events import Event, StartRequested, StopRequested
from orchestrator.core.reduce import step_of
from orchestrator.core.state import Container, Fleet, empty_fleet
from orchestrator.core.steps import Step
from tests.api.test_metrics import declared
from tests.replay.golden import POLICIES, SEEDS
from tests.runtime.travel_kit import NAME, events_of, history

COUNT = 150


class Told:
    """A fleet that changes, and those who are told."""

    def __init__(self, name: str = "demo") -> None:
        self.fleet: Fleet = empty_fleet(name)
        self.watchers: list[Callable[[Step], None]] = []

    def watch(self, seen: Callable[[Step], None]) -> Callable[[], None]:
        self.watchers.append(seen)
        return lambda: self.watchers.remove(seen)

    def take(self, step: Step) -> None:
        self.fleet = step.after
        for seen in tuple(self.watchers):
            seen(step)

    def happen(self, event: Event) -> None:
        self.take(step_of(self.fleet, event))

    def followed(self, *, least_noted: int = 10**6) -> Followed[Tally]:
        return Followed(Tally, lambda: self.fleet, self.watch, least_noted=least_noted)


def steps(seed: int) -> Iterator[Step]:
    fleet = empty_fleet(NAME)
    for event in events_of(history(seed, COUNT)):
        step = step_of(fleet, event, POLICIES)
        yield step
        fleet = step.after


def test_a_tally_less_some_is_the_tally_of_the_rest() -> None:
    told = Told(NAME)
    for step in steps(SEEDS[0]):
        told.take(step)
        everybody = tuple(told.fleet.containers.values())
        some, rest = everybody[::2], everybody[1::2]
        assert Tally.of(everybody).without(Tally.of(some)) == Tally.of(rest)


@attrs.define(kw_only=True)
class Noted(Tally):
    """A tally that says how many containers it was told of."""

    told: int = 0

    def replace(self, before: Container | None, after: Container | None) -> None:
        self.told += 1
        super().replace(before, after)


@pytest.mark.parametrize("size", [10, 100])
def test_what_a_row_touched_is_counted_anew_and_nothing_else_is(size: int) -> None:
    told = Told()
    told.happen(declared(*(f"c-{number}" for number in range(size))))
    followed = Followed(Noted, lambda: told.fleet, told.watch)
    tally = asyncio.run(followed.now())
    assert (tally.phases, tally.told) == (Counter(pending=size), size)
    told.happen(StopRequested(at=1, name="c-7", by="owner", why=""))
    tally = asyncio.run(followed.now())
    assert tally.phases == Counter(pending=size - 1, stopped=1)
    assert tally.told == size + 1


def test_where_nobody_asks_nothing_is_followed() -> None:
    told = Told()
    followed = told.followed(least_noted=1)
    told.happen(declared("a", "b", "c"))
    assert not told.watchers
    _ = asyncio.run(followed.now())
    assert len(told.watchers) == 1
    for name in "abc":
        told.happen(StopRequested(at=1, name=name, by="owner", why="x"))
    told.happen(StartRequested(at=2, name="a", by="owner", why="y"))
    assert not told.watchers
    again = asyncio.run(followed.now())
    assert again == Tally.of(told.fleet.containers.values())


def test_a_step_that_touched_very_many_is_not_followed_in_one_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orchestrator.api.following.BROAD", 3)
    told = Told()
    told.happen(declared("a", "b", "c"))
    followed = Followed(Noted, lambda: told.fleet, told.watch)
    tally = asyncio.run(followed.now())
    told.happen(declared("a", "b", "c", "d", "e", "f"))  # three more
    assert tally.told == 6
    told.happen(declared())  # they leave, all six of them
    assert tally.told == 6
    assert not told.watchers
    again = asyncio.run(followed.now())
    assert again.phases == Tally.of(told.fleet.containers.values()).phases


async def test_several_may_wait_for_the_same_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orchestrator.api.following.LOOKED_AT", 1)
    monkeypatch.setattr("orchestrator.api.slices.SLICE_S", 0.0)
    told = Told()
    told.happen(declared(*(f"c-{number}" for number in range(30))))
    followed = told.followed()
    tallies = await asyncio.gather(*(followed.now() for _ in range(3)))
    assert [tally.phases["pending"] for tally in tallies] == [30, 30, 30]
    assert len(told.watchers) == 1


@pytest.mark.parametrize("name", [one for one in ORDERS if Orders.are_kept(one)])
@pytest.mark.parametrize("seed", SEEDS[:2])
async def test_an_order_that_is_kept_is_the_one_worked_out_anew(
    name: OrderName, seed: int
) -> None:
    told = Told(NAME)
    orders = Orders(lambda: told.fleet, told.watch)
    for number, step in enumerate(steps(seed)):
        if number % 7 == 0:
            kept = list(await orders.names(name))
            assert kept == list(await ordered(told.fleet, name, told.fleet.at))
            assert sorted(kept) == list(told.fleet.containers)
        told.take(step)


async def test_few_orders_are_kept_at_the_same_time() -> None:
    told = Told()
    told.happen(declared("a", "b"))
    orders = Orders(lambda: told.fleet, told.watch)
    for name in (one for one in ORDERS if Orders.are_kept(one)):
        assert list(await orders.names(name)) == ["a", "b"]
        assert len(told.watchers) <= 3


async def test_what_has_no_such_fact_is_last_both_ways() -> None:
    told = Told(NAME)
    for step in steps(SEEDS[0]):
        told.take(step)
    fleet = told.fleet

    def last(container: Container) -> object:
        return None if container.last is None else attrs.astuple(container.last.exit)

    for name in ("exit", "-exit"):
        names = await ordered(fleet, name, fleet.at)
        ends = [last(fleet.containers[one]) is None for one in names]
        assert ends == sorted(ends)
