"""A ticket is used once: whatever happens, and however often its event comes again."""

from __future__ import annotations

import attrs
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.codec.wire import decode_fleet, encode_fleet
from orchestrator.core.admit import admit, is_repeated
from orchestrator.core.errors import KeyReused
from orchestrator.core.events import Event, OwnerEvent, StopRequested
from orchestrator.core.reduce import fold, reduce, step_of
from orchestrator.core.requests import Reconcile, Remove, Request, Restart, Start, Stop
from orchestrator.core.state import Fleet, empty_fleet
from orchestrator.core.tickets import (
    KEPT_MAX,
    KEPT_MS,
    Ticket,
    Tickets,
    remembered,
    use_of,
)
from orchestrator.testing import strategies as drawn
from property_tests.test_totality import HISTORIES, in_order

EMPTY = empty_fleet("demo")

FLEETS = st.one_of(drawn.histories(), HISTORIES.map(in_order)).map(
    lambda history: fold(EMPTY, history)
)


def requests(ticket: Ticket | None) -> st.SearchStrategy[Request]:
    name = drawn.names()
    return st.one_of(
        st.builds(Start, name=name, force=st.booleans(), command=st.just(("run",))),
        st.builds(Stop, name=name),
        st.builds(Restart, name=name),
        st.builds(Remove, name=name),
        st.just(Reconcile()),
    ).map(lambda request: attrs.evolve(request, ticket=ticket))


def without(event: Event) -> Event:
    return attrs.evolve(event, ticket=None) if isinstance(event, OwnerEvent) else event


@given(FLEETS, requests(Ticket(key="new", digest="d")), st.integers(0, 2 * KEPT_MS))
def test_a_request_that_was_admitted_is_done_once_within_a_day(
    fleet: Fleet, request: Request, later: int
) -> None:
    event = admit(fleet, request, fleet.at).value_or(None)
    if event is None:
        return
    assert not is_repeated(fleet, request, fleet.at)
    moved = reduce(fleet, event).fleet
    at = fleet.at + later
    assert is_repeated(moved, request, at) is (later < KEPT_MS)
    again = step_of(moved, attrs.evolve(event, at=at))
    if later < KEPT_MS:
        assert (again.commands, again.touched) == ((), ())
        assert again.after == attrs.evolve(moved, at=at, ignored=moved.ignored + 1)
    other = attrs.evolve(request, ticket=Ticket(key="new", digest="other"))
    assert not is_repeated(moved, other, at)
    refused = admit(moved, other, at).swap().value_or(None) == KeyReused(key="new")
    assert refused is (later < KEPT_MS)


@given(HISTORIES)
def test_a_fleet_without_tickets_decides_as_one_with(
    history: list[Event],
) -> None:
    """As long as no ticket comes twice, it is nothing but a label."""
    with_, bare, seen = EMPTY, EMPTY, set[str]()
    for event in in_order(history):
        if isinstance(event, OwnerEvent) and event.ticket is not None:
            if event.ticket.key in seen:
                continue
            seen.add(event.ticket.key)
        moved, same = reduce(with_, event), reduce(bare, without(event))
        assert (moved.commands, moved.touched) == (same.commands, same.touched)
        with_, bare = moved.fleet, same.fleet
        assert attrs.evolve(with_, tickets=Tickets()) == bare
    assert bare.tickets == Tickets()


@given(HISTORIES)
@example([StopRequested(at=5, name="a", ticket=Ticket(key="k", digest="d"))] * 3)
def test_what_is_remembered_is_what_was_used_and_survives_a_snapshot(
    history: list[Event],
) -> None:
    events = in_order(history)
    fleet = fold(EMPTY, events)
    used: dict[str, int] = {}
    for event in events:
        if isinstance(event, OwnerEvent) and event.ticket is not None:
            key = event.ticket.key
            if key not in used or event.at >= used[key] + KEPT_MS:
                used[key] = event.at
    for key, at in used.items():
        first = use_of(fleet.tickets, key, fleet.at)
        assert (first is not None) is (fleet.at < at + KEPT_MS)
        assert first is None or first.at == at
    assert decode_fleet(encode_fleet(fleet)).unwrap() == fleet


@given(st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, KEPT_MS // 50))))
def test_what_is_remembered_is_bounded_and_in_order(
    uses: list[tuple[int, int]],
) -> None:
    tickets, at = Tickets(), 0
    for key, wait in uses:
        at += wait
        ticket = Ticket(key=f"k{key}", digest="d")
        if use_of(tickets, ticket.key, at) is None:
            tickets = remembered(tickets, ticket, at)
    assert len(tickets.used) <= KEPT_MAX
    assert [key for _, key in tickets.order] == sorted(
        tickets.used, key=lambda key: tickets.used[key].number
    )
    for used in tickets.used.values():
        assert used.at <= at
        assert used.number <= tickets.count
