"""What differs between two journals, and between two moments of one."""

from __future__ import annotations

import json
from collections.abc import Iterable

import attrs
import pytest

from orchestrator.codec.wire import tree_of
from orchestrator.core.custom import CustomPolicy, registered
from orchestrator.core.decisions import GiveUp
from orchestrator.core.errors import Difference, PolicyNotRegistered
from orchestrator.core.events import ContainerEnded, TimeReached
from orchestrator.core.exits import Exited
from orchestrator.core.phases import Completed
from orchestrator.core.policies import CustomPolicyRef, RestartPolicy
from orchestrator.core.reduce import step_of
from orchestrator.core.state import Fleet
from orchestrator.journal.reading import RECORDING
from orchestrator.replay.comparing import (
    Comparison,
    Side,
    Standing,
    compare,
    standings,
)
from orchestrator.replay.fleet_differences import (
    FleetsDiffer,
    compare_containers,
    compare_fleets,
)
from orchestrator.replay.history import Entry, fold
from orchestrator.replay.places import AfterRow, AtMoment, Place
from tests.replay.incident import (
    BEGIN,
    EVENTS,
    INCIDENT,
    MINUTE,
    WEB,
    applied,
    extra,
    told,
)

END = fold(INCIDENT)


def compared(one: Iterable[Entry], other: Iterable[Entry]) -> Comparison:
    return compare(Side(entries=one), Side(entries=other), RECORDING).unwrap()


def behind(seq: int, entries: tuple[Entry, ...] = INCIDENT) -> Side:
    """Return a journal that was compacted up to a row."""
    return Side(entries=entries[seq:], fleet=fold(entries[:seq]), after=seq)


def test_a_journal_does_not_differ_from_itself() -> None:
    found = compared(iter(INCIDENT), iter(INCIDENT))
    end = Standing(seq=16, fleet=END)
    assert found == Comparison(
        first=1, alike=16, parting=None, one=end, other=end, fleets=FleetsDiffer()
    )
    assert found.is_nothing
    assert compared((), ()).is_nothing


def test_one_that_is_the_beginning_of_the_other_ends_there() -> None:
    for pair, seqs in (
        ((INCIDENT, INCIDENT[:10]), (16, 10)),
        ((INCIDENT[:10], INCIDENT), (10, 16)),
    ):
        found = compared(*pair)
        assert (found.alike, found.one.seq, found.other.seq) == (10, *seqs)
        assert found.parting is not None
        assert found.parting.seq == 11
        assert {found.parting.one, found.parting.other} == {None, INCIDENT[10]}
        assert found.parting.differences == ()
        assert [one.name for one in found.fleets.changed] == ["job", "web-1"]
        assert not found.is_nothing


def test_the_first_row_that_differs_is_told_field_by_field() -> None:
    end = EVENTS[5]
    assert isinstance(end, ContainerEnded)
    events = (*EVENTS[:5], attrs.evolve(end, exit=Exited(code=0)), *EVENTS[6:])
    found = compared(INCIDENT, told(events))
    assert found.alike == 5
    assert found.parting is not None
    differences = {one.place: one for one in found.parting.differences}
    assert differences["event.exit.code"] == Difference(
        place="event.exit.code", recorded="7", recomputed="0"
    )
    phases = differences["changes.web-1.phase.type"]
    assert (phases.recorded, phases.recomputed) == ('"backing_off"', '"completed"')
    web = {one.name: (one.was, one.now) for one in found.fleets.changed}["web-1"]
    assert web == ("crash_looping", "completed")


def test_rows_may_differ_in_what_they_caused_alone() -> None:
    other = (*INCIDENT[:2], attrs.evolve(INCIDENT[2], commands=()), *INCIDENT[3:])
    found = compared(INCIDENT, other)
    assert found.parting is not None
    places = {one.place for one in found.parting.differences}
    assert places == {"commands[0]", "commands[1]"}
    # Both are folded by today's code, which decides the same.
    assert found.fleets.is_nothing
    assert not found.is_nothing


def test_rows_may_have_nothing_in_common() -> None:
    found = compared(INCIDENT, told(EVENTS[1:]))
    assert found.alike == 0
    assert found.parting is not None
    assert found.parting.seq == 1
    assert found.parting.differences[0].place == "event.type"


def test_a_digest_says_nothing_against_fields_and_something_against_a_digest() -> None:
    old = tuple(attrs.evolve(entry, changes=bytes(32)) for entry in INCIDENT)
    assert compared(INCIDENT, old).is_nothing
    assert compared(old, INCIDENT).is_nothing
    assert compared(old, old).is_nothing
    other = (*old[:3], attrs.evolve(old[3], changes=bytes([1] * 32)), *old[4:])
    found = compared(old, other)
    assert found.parting is not None
    (difference,) = found.parting.differences
    assert (found.parting.seq, difference.place) == (4, "changes")


def test_the_same_fields_in_another_order_are_the_same_content() -> None:
    entry = INCIDENT[2]
    names = dict(reversed(RECORDING.read(entry.changes).items()))
    other = attrs.evolve(entry, changes=json.dumps(names).encode())
    assert other.changes != entry.changes
    assert compared(INCIDENT, (*INCIDENT[:2], other, *INCIDENT[3:])).is_nothing


def test_rows_that_only_one_journal_still_has_are_folded_and_not_compared() -> None:
    whole = Side(entries=iter(INCIDENT))
    for pair in ((whole, behind(6)), (behind(6), behind(2)), (behind(6), behind(6))):
        found = compare(*pair, RECORDING).unwrap()
        assert found.is_nothing
        assert (found.first, found.alike) == (7, 10)
        whole = Side(entries=iter(INCIDENT))
    short = compare(Side(entries=INCIDENT[:4]), behind(6), RECORDING).unwrap()
    assert short.parting is not None
    assert (short.parting.seq, short.parting.one) == (7, None)
    assert (short.one.seq, short.other.seq) == (4, 16)


def test_journals_that_begin_with_other_fleets_are_told_apart_at_their_ends() -> None:
    other = Side(
        entries=INCIDENT[6:],
        fleet=attrs.evolve(fold(INCIDENT[:6]), revision=9),
        after=6,
    )
    found = compare(Side(entries=INCIDENT), other, RECORDING).unwrap()
    assert (found.alike, found.parting) == (10, None)
    assert [one.place for one in found.fleets.fields] == ["revision"]
    assert found.one.fleet == END
    assert not found.is_nothing


def test_containers_that_came_and_went_are_named() -> None:
    one = fold(told((*BEGIN, *extra(1, 1_000)[:2])))
    other = fold(told((*BEGIN[:1], applied(WEB), *BEGIN[2:])))
    found = compare_fleets(one, other, tree_of)
    assert (found.came, found.gone) == ((), ("extra", "job"))
    found = compare_fleets(other, one, tree_of)
    assert (found.came, found.gone) == (("extra", "job"), ())
    assert found.changed == ()
    assert not found.is_nothing


def test_what_every_event_changes_is_no_difference_of_fleets() -> None:
    event = TimeReached(at=10 * MINUTE)
    later = step_of(END, event).after
    assert later != END
    assert compare_fleets(END, later, tree_of).is_nothing


def test_settings_are_compared_by_their_fields() -> None:
    settings = attrs.evolve(END.settings, max_concurrent_starts=3)
    other = attrs.evolve(END, settings=settings)
    (difference,) = compare_fleets(END, other, tree_of).fields
    assert difference == Difference(
        place="settings.max_concurrent_starts", recorded="8", recomputed="3"
    )


def test_a_field_that_is_as_usual_is_told_too() -> None:
    """JSON leaves it out, which would read as if there were none."""
    web = END.containers["web-1"]
    rests = attrs.evolve(web, phase=Completed(since=web.phase.since))
    found = {one.place: one for one in compare_containers(web, rests, tree_of)}
    rule = found["phase.rule"]
    assert (rule.recorded, rule.recomputed) == ('"crash_loop_cooldown"', '"clean_exit"')
    assert found["phase.until"].recomputed == "nothing"
    assert "phase.since" not in found


def test_a_container_that_is_not_there_has_no_fields() -> None:
    web = END.containers["web-1"]
    assert compare_containers(web, web, tree_of) == ()
    for found in (
        compare_containers(None, web, tree_of),
        compare_containers(web, None, tree_of),
    ):
        assert {"name", "run", "phase"} <= {one.place for one in found}


@pytest.mark.parametrize(
    ("places", "seqs"),
    [
        ((AfterRow(6), AfterRow(10)), (6, 10)),
        ((AfterRow(10), AfterRow(6)), (10, 6)),
        ((AfterRow(10), AfterRow(10)), (10, 10)),
        ((AfterRow(0), AfterRow(99)), (0, 16)),
        ((AfterRow(99), AfterRow(0)), (16, 0)),
        ((AfterRow(99), AtMoment(99 * MINUTE)), (16, 16)),
        ((AtMoment(3 * MINUTE), AfterRow(5)), (12, 5)),
        ((AtMoment(2), AtMoment(3 * MINUTE)), (3, 12)),
    ],
)
def test_one_journal_is_seen_at_two_places_in_one_go(
    places: tuple[Place, Place], seqs: tuple[int, int]
) -> None:
    was, now = standings(Side(entries=iter(INCIDENT)), places).unwrap()
    assert (was.seq, now.seq) == seqs
    assert was.fleet == fold(INCIDENT, until=AfterRow(seqs[0]))
    assert now.fleet == fold(INCIDENT, until=AfterRow(seqs[1]))


def test_a_place_behind_a_compacted_beginning_is_found() -> None:
    was, now = standings(behind(6), (AfterRow(6), AfterRow(7))).unwrap()
    assert (was.seq, now.seq) == (6, 7)
    assert was.fleet == fold(INCIDENT[:6])


REF = CustomPolicyRef(name="mine", version=1)
CUSTOM = attrs.evolve(WEB, restart=RestartPolicy(custom=REF))
MINE = registered([CustomPolicy(name="mine", version=1, decide=lambda _: GiveUp())])


def test_a_custom_policy_that_is_missing_is_never_guessed() -> None:
    entries = told((BEGIN[0], applied(CUSTOM), *BEGIN[2:]))
    fleet: Fleet = fold(entries)
    missing = PolicyNotRegistered(name="web-1", policy="mine", version=1)
    for side in (Side(entries=entries), Side(entries=(), fleet=fleet, after=3)):
        assert compare(side, side, RECORDING).failure() == missing
        places = (AfterRow(1), AfterRow(3))
        assert standings(side, places).failure() == missing
        assert compare(side, side, RECORDING, policies=MINE).unwrap().is_nothing
        assert standings(side, places, policies=MINE).unwrap()
