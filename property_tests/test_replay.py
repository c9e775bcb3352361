"""Laws of replay: a history is one thing, in whatever pieces it is folded or read.

A seed draws the fleet, its faults and its owner (``tests.replay.golden``); Hypothesis
draws the seed, where the history is cut, and which row is forged.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import attrs
import orjson
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.codec.changes import encode_changes, read_changes
from orchestrator.codec.wire import (
    decode_fleet,
    encode_container,
    encode_fleet,
    tree_of,
)
from orchestrator.core.errors import JournalCorrupt, NotReplayable
from orchestrator.core.reduce import reduce
from orchestrator.core.state import Fleet
from orchestrator.core.steps import Step
from orchestrator.journal.reading import RECORDING
from orchestrator.replay.history import NOTHING, Entry, fold, states
from orchestrator.replay.places import AfterRow, AtMoment
from orchestrator.replay.trees import differences
from orchestrator.replay.verifying import verify
from tests.replay.golden import POLICIES, steps_of
from tests.replay.kit import entries_of

MINUTES = 2
SEEDS = st.integers(0, 7)
"""Few of them, so that a history is simulated once and cut in many ways."""

PLACES = st.floats(0, 1)


@cache
def history(seed: int) -> tuple[Step, ...]:
    return steps_of(seed, MINUTES)


@cache
def journal(seed: int) -> tuple[Entry, ...]:
    return tuple(entries_of(history(seed)))


def folded(entries: tuple[Entry, ...], fleet: Fleet = NOTHING) -> Fleet:
    return fold(entries, fleet=fleet, policies=POLICIES)


@given(SEEDS, st.lists(PLACES, max_size=4))
def test_a_history_in_pieces_is_the_same_history(seed: int, cuts: list[float]) -> None:
    entries = journal(seed)
    ends = sorted({0, len(entries), *(int(cut * len(entries)) for cut in cuts)})
    fleet = iterated = NOTHING
    for first, last in pairwise(ends):
        fleet = folded(entries[first:last], fleet)
    for entry in entries:
        iterated = reduce(iterated, entry.event, POLICIES).fleet
    whole = folded(entries)
    assert encode_fleet(fleet) == encode_fleet(whole) == encode_fleet(iterated)
    assert fleet == whole == iterated


@given(SEEDS, PLACES)
def test_a_saved_fleet_and_the_rows_behind_it_are_the_history(
    seed: int, cut: float
) -> None:
    entries = journal(seed)
    place = int(cut * len(entries))
    saved = encode_fleet(folded(entries[:place]))
    assert folded(entries[place:], decode_fleet(saved).unwrap()) == folded(entries)


@given(SEEDS, PLACES)
def test_the_fleet_at_a_place_is_the_one_that_was_there(seed: int, cut: float) -> None:
    entries, steps = journal(seed), history(seed)
    row = 1 + int(cut * (len(steps) - 1))
    there = steps[row - 1].after
    assert fold(entries, until=AfterRow(row), policies=POLICIES) == folded(
        entries[:row]
    )
    found = fold(entries, until=AtMoment(there.at), policies=POLICIES)
    assert found.at == there.at
    (*_, (_, last)) = states(entries[:row], policies=POLICIES)
    assert last.after.containers == there.containers


@given(SEEDS)
def test_what_was_decided_is_decided_again(seed: int) -> None:
    entries = journal(seed)
    verdict = verify(entries, RECORDING, policies=POLICIES).unwrap()
    assert verdict.compared == verdict.rows == len(entries)
    assert verdict.fleet == folded(entries)


@given(SEEDS, PLACES, st.integers(1, 99))
def test_a_row_that_says_otherwise_is_found_and_told(
    seed: int, cut: float, more: int
) -> None:
    entries = list(journal(seed))
    rows = [n for n, entry in enumerate(entries) if entry.commands]
    index = rows[int(cut * (len(rows) - 1))]
    entry = entries[index]
    tree: Any = read_changes(entry.changes)
    told = []
    for name, fields in tree.items():
        if fields is not None and "run" in fields:
            fields["run"] += more
            told.append(f"{name}.run")
    forged = attrs.evolve(
        entry, changes=orjson.dumps(tree), commands=entry.commands[1:]
    )
    entries[index] = forged
    error = verify(entries, RECORDING, policies=POLICIES).failure()
    assert isinstance(error, NotReplayable)
    assert error.seq == index + 1
    assert error.event == tree_of(entry.event)["type"]
    places = [one.place for one in error.differences]
    assert [place for place in places if place.endswith(".run")] == told
    assert len(places) == len(told) + 1
    assert places[0].startswith("commands[")
    assert error.differences[0].recorded == "nothing"


@given(SEEDS)
def test_changes_put_together_are_the_records_of_the_fleet(seed: int) -> None:
    known: dict[str, dict[str, Any]] = {}
    for step in history(seed):
        read = read_changes(encode_changes(step.before, step.after, step.touched))
        for name, fields in (read or {}).items():
            if fields is None:
                del known[name]
            else:
                known[name] = {**known.get(name, {}), **fields}
        records = step.after.containers
        assert sorted(known) == list(records)
        for name in records:
            assert orjson.dumps(known[name]) == encode_container(records[name])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from("abc"),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(("type", "name", "a", "b")), inner)
    ),
    max_leaves=12,
)


@given(JSON, JSON)
def test_two_trees_differ_where_they_are_told_to_and_nowhere_else(
    was: Any, now: Any
) -> None:
    found = list(differences(was, now, ""))
    keyed = orjson.OPT_SORT_KEYS
    is_same = orjson.dumps(was, option=keyed) == orjson.dumps(now, option=keyed)
    assert is_same == (not found)
    assert all(one.recorded != one.recomputed for one in found)
    assert not list(differences(was, was, ""))


@given(SEEDS, PLACES)
def test_no_row_can_be_left_out_unseen_though_no_chain_tells(
    seed: int, cut: float
) -> None:
    entries = journal(seed)
    row = int(cut * (len(entries) - 2))
    error = verify(
        (*entries[:row], *entries[row + 1 :]), RECORDING, policies=POLICIES
    ).failure()
    assert isinstance(error, JournalCorrupt)
    assert (error.seq, error.found) == (row + 1, f"row {row + 2}")


@given(SEEDS, PLACES)
def test_moments_of_a_history_never_fall(seed: int, cut: float) -> None:
    entries = journal(seed)
    row = int(cut * (len(entries) - 1))
    one = entries[row]
    early = attrs.evolve(one, event=attrs.evolve(one.event, at=-1))
    error = verify(
        (*entries[:row], early, *entries[row + 1 :]), RECORDING, policies=POLICIES
    ).failure()
    assert isinstance(error, JournalCorrupt)
    assert (error.seq, error.place) == (row + 1, "event at")
