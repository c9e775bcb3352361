"""What two journals, or two moments of one, differ in is found where it is."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.codec.wire import tree_of
from orchestrator.core.commands import ObserveFleet
from orchestrator.core.state import Fleet
from orchestrator.journal.reading import RECORDING
from orchestrator.replay.comparing import Comparison, Side, compare, standings
from orchestrator.replay.fleet_differences import compare_fleets
from orchestrator.replay.history import NOTHING, Entry
from orchestrator.replay.places import AfterRow
from property_tests.test_bisection import SEEDS, History, history
from property_tests.trials import POLICIES

seeds = st.integers(0, SEEDS - 1)
places = st.integers(0, 10_000)


def entries_of(told: History) -> tuple[Entry, ...]:
    return tuple(entry for entry, _ in told)


def fleet_at(told: History, seq: int) -> Fleet:
    return told[seq - 1][1].after if seq else NOTHING


def compared(one: Side, other: Side) -> Comparison:
    return compare(one, other, RECORDING, policies=POLICIES).unwrap()


def side(entries: Iterable[Entry]) -> Side:
    return Side(entries=iter(tuple(entries)))


@given(seeds, places)
def test_a_beginning_parts_from_the_whole_at_its_end(seed: int, place: int) -> None:
    told = history(seed)
    entries = entries_of(told)
    end = place % (len(entries) + 1)
    found = compared(side(entries), side(entries[:end]))
    assert (found.alike, found.other.seq) == (end, end)
    assert found.one.fleet == fleet_at(told, len(told))
    assert found.other.fleet == fleet_at(told, end)
    assert (found.parting is None) == (end == len(entries))


@given(seeds, places, places)
def test_a_row_that_was_changed_is_the_one_where_they_part(
    seed: int, place: int, begin: int
) -> None:
    """Also where one of them was compacted before it."""
    told = history(seed)
    entries = entries_of(told)
    at = place % len(entries)
    after = begin % (at + 1)
    other = attrs.evolve(entries[at], commands=(ObserveFleet(), ObserveFleet()))
    changed = (*entries[:at], other, *entries[at + 1 :])
    compacted = Side(entries=changed[after:], fleet=fleet_at(told, after), after=after)
    found = compared(side(entries), compacted)
    assert (found.first, found.alike) == (after + 1, at - after)
    assert found.parting is not None
    assert (found.parting.seq, found.parting.other) == (at + 1, other)
    assert all(one.place.startswith("commands") for one in found.parting.differences)
    assert found.fleets.is_nothing


@given(seeds, places, places)
def test_two_places_are_seen_as_they_were_and_differ_both_ways(
    seed: int, one: int, other: int
) -> None:
    told = history(seed)
    left, right = one % (len(told) + 1), other % (len(told) + 1)
    was, now = standings(
        side(entries_of(told)), (AfterRow(left), AfterRow(right)), policies=POLICIES
    ).unwrap()
    assert (was.fleet, now.fleet) == (fleet_at(told, left), fleet_at(told, right))
    there = compare_fleets(was.fleet, now.fleet, tree_of)
    back = compare_fleets(now.fleet, was.fleet, tree_of)
    assert (there.came, there.gone) == (back.gone, back.came)
    assert [each.name for each in there.changed] == [each.name for each in back.changed]
    assert there.is_nothing == back.is_nothing
    for each in there.changed:
        assert each.differences
    same = {
        name
        for name, container in was.fleet.containers.items()
        if now.fleet.containers.get(name) == container
    }
    assert not same & {each.name for each in there.changed}
