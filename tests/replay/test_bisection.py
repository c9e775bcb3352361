"""The first row after which a condition holds: by scan, and between known states."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
import pytest

from orchestrator.core.custom import CustomPolicy, registered
from orchestrator.core.decisions import GiveUp
from orchestrator.core.errors import PolicyNotRegistered
from orchestrator.core.events import (
    ContainerEnded,
    ContainerStarted,
    Event,
    RemoveRequested,
    StartRequested,
    StopRequested,
)
from orchestrator.core.exits import Exited
from orchestrator.core.policies import CustomPolicyRef, RestartPolicy
from orchestrator.core.state import Fleet
from orchestrator.replay.bisection import (
    BEGAN,
    DISAGREED,
    HALVED,
    NO_STATES,
    SCANNED,
    TURNS,
    Found,
    HeldBefore,
    Known,
    Never,
    Search,
    bisect,
    bisect_between,
)
from orchestrator.replay.conditions.conditions import Condition
from orchestrator.replay.conditions.parsing import parse_condition
from orchestrator.replay.history import NOTHING, Entry, states
from tests.replay.incident import (
    BEGIN,
    EVENTS,
    EXTRA,
    INCIDENT,
    MINUTE,
    WEB,
    applied,
    declared,
    extra,
    failure,
    told,
)


def condition(text: str) -> Condition:
    return parse_condition(text).unwrap()


def known(entries: tuple[Entry, ...], *seqs: int) -> Known:
    fleets: dict[int, Fleet] = {
        entry.seq: step.after for entry, step in states(entries)
    }
    return Known(
        seqs=seqs,
        fleet_at=lambda seq: fleets.get(seq, NOTHING),
        entries_after=lambda seq: entries[seq:],
    )


def test_the_first_row_is_found_with_what_it_did() -> None:
    asked = condition("phase('web-1') == 'crash_looping'")
    found = bisect(INCIDENT, asked).unwrap()
    assert isinstance(found, Found)
    assert found.entry == INCIDENT[14]
    assert found.step.event == EVENTS[14]
    assert "web-1" in found.step.touched
    assert (found.search.rows, found.search.states, found.search.why) == (
        15,
        0,
        SCANNED,
    )


def test_no_more_is_read_than_is_needed() -> None:
    def endless() -> Iterable[Entry]:
        yield from INCIDENT[:3]
        pytest.fail("a row too many was read")

    found = bisect(endless(), condition("count('starting') == 2")).unwrap()
    assert isinstance(found, Found)
    assert found.entry.seq == 3


def test_what_never_holds_is_answered_with_the_end() -> None:
    never = bisect(INCIDENT, condition("count('failed') > 0")).unwrap()
    assert isinstance(never, Never)
    *_, (_, last) = states(INCIDENT)
    assert (never.seq, never.fleet) == (16, last.after)


def test_entries_may_begin_behind_a_fleet() -> None:
    *_, (_, last) = states(INCIDENT[:10])
    asked = condition("count('starting') == 2 or count('crash_looping') == 1")
    found = bisect(INCIDENT[10:], asked, fleet=last.after).unwrap()
    assert isinstance(found, Found)
    assert found.entry.seq == 11


def test_phases_are_counted_as_containers_come_and_go() -> None:
    entries = told((*BEGIN, *extra(1, 1_000)))
    gone = bisect(entries, condition("containers == 2 and seq > 4")).unwrap()
    assert isinstance(gone, Found)
    assert gone.entry.seq == 8
    asked = condition("count('stopped') == 0 and count('starting') == 2 and seq > 7")
    found = bisect(entries, asked).unwrap()
    assert isinstance(found, Found)
    assert found.entry.seq == 8


def test_what_lasts_is_found_by_halving() -> None:
    asked = condition("restarts('web-1') >= 2")
    found = bisect_between(known(INCIDENT, 0, 4, 8, 12, 15), asked).unwrap()
    assert isinstance(found, Found)
    assert found.entry == INCIDENT[10]
    assert found.search.why == HALVED
    assert (found.search.rows, found.search.states) == (3, 3)


def test_behind_the_last_state_it_is_looked_for_row_by_row() -> None:
    asked = condition("crashes('web-1') >= 3")
    found = bisect_between(known(INCIDENT, 0, 4, 8, 12), asked).unwrap()
    assert isinstance(found, Found)
    assert found.entry.seq == 15
    assert (found.search.rows, found.search.states) == (3, 1)
    never = bisect_between(
        known(INCIDENT, 0, 4, 8, 12), condition("crashes('web-1') > 3")
    )
    assert isinstance(never.unwrap(), Never)


def test_what_can_turn_false_again_is_looked_for_row_by_row() -> None:
    found = bisect_between(known(INCIDENT, 0, 8), condition("ready('web-1')")).unwrap()
    assert isinstance(found, Found)
    assert (found.entry.seq, found.search.why) == (5, TURNS)


def test_without_a_state_in_between_every_row_is_looked_at() -> None:
    found = bisect_between(known(INCIDENT, 0), condition("seq >= 9")).unwrap()
    assert isinstance(found, Found)
    assert (found.entry.seq, found.search.why) == (9, NO_STATES)


AGAIN = (
    *BEGIN,
    *extra(1, 1_000),
    *extra(2, MINUTE),
    *extra(3, 2 * MINUTE),
    *failure(1, 3 * MINUTE),
)
"""A container comes and goes three times."""


@pytest.mark.parametrize("text", ["run('extra') >= 1", "run('extra') >= 3"])
def test_a_name_that_is_used_again_is_not_taken_for_the_same_container(
    text: str,
) -> None:
    entries = told(AGAIN)
    asked = condition(text)
    plain = bisect(entries, asked).unwrap()
    halved = bisect_between(known(entries, 0, 3, 8, 13, 18), asked).unwrap()
    assert isinstance(plain, Found)
    assert isinstance(halved, Found)
    assert (halved.entry, halved.search.why) == (plain.entry, HALVED)


def test_one_that_begins_anew_within_a_millisecond_is_not_taken_for_the_same() -> None:
    at = 1_000
    entries = told(
        (
            *BEGIN,
            StartRequested(at=at, name="extra", declaration=declared(EXTRA)),
            ContainerStarted(at=at, name="extra", run=1),
            ContainerEnded(at=at, name="extra", run=1, exit=Exited(code=7)),
            StopRequested(at=at, name="extra"),
            RemoveRequested(at=at, name="extra"),
            StartRequested(at=at, name="extra", declaration=declared(EXTRA)),
            ContainerStarted(at=at + 1, name="extra", run=2),
        )
    )
    asked = condition("crashes('extra') >= 1")
    found = bisect_between(known(entries, 0, 5, 10), asked).unwrap()
    assert isinstance(found, Found)
    assert (found.entry.seq, found.search.why) == (6, HALVED)


def test_a_container_that_stays_is_known_by_the_wish_of_its_owner() -> None:
    """Others were removed; web-1 was declared before the states, and once."""
    entries = told((*AGAIN, *failure(2, 5 * MINUTE), *failure(3, 7 * MINUTE)))
    asked = condition("crashes('web-1') >= 3")
    found = bisect_between(known(entries, 0, 8, 13, 18, 24, 29), asked).unwrap()
    assert isinstance(found, Found)
    assert found.entry == bisect(entries, asked).unwrap().entry  # type: ignore[union-attr]
    # The first interval holds no wish that is older than it, so it is scanned.
    assert (found.search.rows, found.search.states) == (8 + 5, 5)


def test_states_that_disagree_with_the_rows_are_not_believed() -> None:
    true = known(INCIDENT, 0, 4, 8)
    lying = attrs.evolve(true, fleet_at=lambda seq: true.fleet_at(seq and 16))
    found = bisect_between(lying, condition("crashes('web-1') >= 3")).unwrap()
    assert isinstance(found, Found)
    assert (found.entry.seq, found.search.why) == (15, DISAGREED)


REF = CustomPolicyRef(name="mine", version=1)
CUSTOM = attrs.evolve(WEB, restart=RestartPolicy(custom=REF))
MINE = registered([CustomPolicy(name="mine", version=1, decide=lambda _: GiveUp())])


def test_a_custom_policy_that_is_missing_is_never_guessed() -> None:
    events: tuple[Event, ...] = (BEGIN[0], applied(CUSTOM), *BEGIN[2:])
    entries = told(events)
    asked = condition("seq >= 3")
    missing = PolicyNotRegistered(name="web-1", policy="mine", version=1)
    assert bisect(entries, asked).failure() == missing
    assert bisect_between(known(entries, 0), asked).failure() == missing
    behind = known(entries, 2)
    assert bisect_between(behind, asked).failure() == missing
    assert isinstance(bisect(entries, asked, policies=MINE).unwrap(), Found)
    assert isinstance(bisect_between(behind, asked, policies=MINE).unwrap(), Found)


def test_what_holds_where_the_entries_begin_is_no_matter_of_the_first() -> None:
    asked = parse_condition("crashes('web-1') > 0").unwrap()
    *_, (_, last) = states(INCIDENT[:10])
    scanned = bisect(INCIDENT[10:], asked, fleet=last.after, after=10).unwrap()
    assert scanned == HeldBefore(
        seq=10, fleet=last.after, search=Search(rows=0, states=0, why=BEGAN)
    )
    known = Known(
        seqs=(10,),
        fleet_at=lambda _: last.after,
        entries_after=lambda seq: INCIDENT[seq:],
    )
    assert bisect_between(known, asked).unwrap() == scanned
    never = parse_condition("crashes('web-1') > 9").unwrap()
    found = bisect([], never, fleet=last.after, after=10).unwrap()
    assert isinstance(found, Never)
    assert found.seq == 10


@pytest.mark.parametrize(
    "text", ["event != 'booted'", "event_name != 'x'", "not changed('web-1')"]
)
def test_what_a_row_did_is_asked_of_rows_alone(text: str) -> None:
    asked = parse_condition(text).unwrap()
    *_, (_, last) = states(INCIDENT[:10])
    found = bisect(INCIDENT[10:], asked, fleet=last.after, after=10).unwrap()
    assert isinstance(found, Found)
