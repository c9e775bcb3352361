"""A request that comes twice with its ticket is done once."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core.admit import admit, is_repeated
from orchestrator.core.errors import ContainerNotFound, KeyReused
from orchestrator.core.events import OwnerEvent, SpecApplied, StopRequested
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.reduce import step_of
from orchestrator.core.requests import (
    Apply,
    ClearCrashHistory,
    Reconcile,
    Remove,
    Request,
    Restart,
    Start,
    Stop,
)
from orchestrator.core.tickets import (
    KEPT_MAX,
    KEPT_MS,
    Ticket,
    Tickets,
    is_ticket_key,
    remembered,
    use_of,
)

from .examples import Story, spec

ONE = Ticket(key="one", digest="d1")
TWO = Ticket(key="two", digest="d1")

REQUESTS: tuple[Request, ...] = (
    Start(name="web", ticket=ONE),
    Stop(name="web", ticket=ONE),
    Restart(name="web", ticket=ONE),
    ClearCrashHistory(name="web", ticket=ONE),
    Reconcile(ticket=ONE),
    Apply(spec=FleetSpec(name="demo", containers=(spec(),)), ticket=ONE),
    Remove(name="job", ticket=ONE),
)


def story() -> Story:
    told = Story(spec()).accepted().ready()
    told.asked(Start(name="job", spec=spec("job")))
    told.accepted("job").ready("job")
    return told.asked(Stop(name="job")).ended(name="job")


@pytest.mark.parametrize("request_", REQUESTS)
def test_each_request_hands_its_ticket_to_its_event(request_: Request) -> None:
    told = story()
    event: OwnerEvent = admit(told.fleet, request_, told.fleet.at).unwrap()
    assert event.ticket == ONE
    bare: OwnerEvent = admit(
        told.fleet, attrs.evolve(request_, ticket=None), told.fleet.at
    ).unwrap()
    assert event == attrs.evolve(bare, ticket=ONE)


@pytest.mark.parametrize("request_", REQUESTS)
def test_each_request_is_known_again(request_: Request) -> None:
    told = story()
    assert not is_repeated(told.fleet, request_, told.fleet.at)
    told.asked(request_)
    assert is_repeated(told.fleet, request_, told.fleet.at)
    assert not is_repeated(told.fleet, attrs.evolve(request_, ticket=TWO), 0)
    assert not is_repeated(told.fleet, attrs.evolve(request_, ticket=None), 0)


@pytest.mark.parametrize("request_", REQUESTS)
def test_an_event_that_comes_again_changes_nothing(request_: Request) -> None:
    told = story()
    event = admit(told.fleet, request_, told.fleet.at).unwrap()
    once = told.happens(event).fleet
    again = step_of(once, event)
    assert (again.commands, again.touched) == ((), ())
    assert again.after == attrs.evolve(once, ignored=once.ignored + 1)


def test_a_key_that_stands_for_something_else_is_refused() -> None:
    told = story().asked(Stop(name="web", ticket=ONE))
    other = Stop(name="web", ticket=attrs.evolve(ONE, digest="d2"))
    assert told.refused(other) == KeyReused(key="one")
    assert not is_repeated(told.fleet, other, told.fleet.at)
    assert told.refused(attrs.evolve(other, name="ghost")) == KeyReused(key="one")


def test_what_was_refused_may_be_asked_again_with_its_ticket() -> None:
    told = story()
    missing = Start(name="ghost", ticket=ONE)
    assert told.refused(Stop(name="ghost", ticket=ONE)) == ContainerNotFound(
        name="ghost"
    )
    assert told.fleet.tickets == Tickets()
    told.asked(attrs.evolve(missing, spec=spec("ghost")))
    assert is_repeated(told.fleet, missing, told.fleet.at)


def test_a_ticket_is_forgotten_after_a_day() -> None:
    told = story().asked(Stop(name="web", ticket=ONE), at=1_000)
    again = Stop(name="web", ticket=ONE)
    other = attrs.evolve(again, ticket=attrs.evolve(ONE, digest="d2"))
    assert is_repeated(told.fleet, again, 999 + KEPT_MS)
    assert not is_repeated(told.fleet, again, 1_000 + KEPT_MS)
    event = admit(told.fleet, other, 1_000 + KEPT_MS).unwrap()
    assert isinstance(event, StopRequested)
    told.happens(event)
    assert use_of(told.fleet.tickets, "one", told.fleet.at) is not None
    assert len(told.fleet.tickets.used) == len(told.fleet.tickets.order) == 1


def test_the_newest_are_remembered() -> None:
    tickets = Tickets()
    for number in range(KEPT_MAX + 3):
        tickets = remembered(tickets, Ticket(key=f"k{number}", digest="d"), 5)
    assert len(tickets.used) == len(tickets.order) == KEPT_MAX
    assert use_of(tickets, "k2", 5) is None
    assert use_of(tickets, "k3", 5) is not None
    old = remembered(tickets, ONE, 5 + KEPT_MS)
    assert list(old.used) == ["one"]
    assert list(old.order) == [(KEPT_MAX + 4, "one")]


def test_a_ticket_does_not_move_back_in_the_row() -> None:
    tickets = remembered(remembered(Tickets(), ONE, 0), TWO, 1)
    again = remembered(tickets, ONE, 2)
    assert list(again.order) == [(2, "two"), (3, "one")]


@pytest.mark.parametrize("key", ["", "a b", "a\n", "é", "k" * 129, 7, None])
def test_a_key_is_short_and_visible(key: object) -> None:
    assert not is_ticket_key(key)
    for given in ({"key": key, "digest": "d"}, {"key": "k", "digest": key}):
        with pytest.raises(ValueError, match="visible letters"):
            Ticket(**given)  # type: ignore[arg-type]


def test_without_tickets_nothing_is_remembered() -> None:
    told = story().asked(Stop(name="web"))
    assert told.fleet.tickets == Tickets()
    declared = Story.apply(spec()).spec
    event = SpecApplied(
        at=told.fleet.at, fleet="demo", settings=declared.settings, declarations=()
    )
    assert event.ticket is None


def test_a_key_is_as_long_as_it_may_be_and_no_longer() -> None:
    assert is_ticket_key("k" * 128)
    assert not is_ticket_key("k" * 129)
