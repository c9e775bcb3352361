"""A journal replays to the same decisions, or says where it does not, and how."""

from __future__ import annotations

from typing import Any

import attrs
import orjson
import pytest

from orchestrator.codec.wire import tree_of
from orchestrator.core.admit import admit
from orchestrator.core.commands import StartContainer
from orchestrator.core.custom import CustomPolicy, registered
from orchestrator.core.decisions import GiveUp
from orchestrator.core.errors import (
    Difference,
    JournalCorrupt,
    JournalTooNew,
    NotReplayable,
    PolicyNotRegistered,
)
from orchestrator.core.events import (
    Booted,
    CommandAccepted,
    CommandKind,
    Declaration,
    Event,
    FleetObserved,
    SpecApplied,
)
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.policies import CustomPolicyRef, RestartPolicy
from orchestrator.core.reduce import fold as fold_events
from orchestrator.core.reduce import step_of
from orchestrator.core.requests import Apply, Stop
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import RULES
from orchestrator.core.steps import Step
from orchestrator.journal.port import MISSING as ROW_MISSING
from orchestrator.journal.port import REPEATED as ROW_REPEATED
from orchestrator.journal.port import START, chained
from orchestrator.journal.reading import RECORDING, entry_of
from orchestrator.replay import AfterRow, AtMoment, fold, states, verify
from orchestrator.replay.history import NOTHING, Entry
from orchestrator.replay.verifying import Segment, Verdict, checks
from tests.replay.incident import INCIDENT, drafts
from tests.replay.kit import entries_of

OLD = RULES - 1


def steps() -> list[Step]:
    """Boot, apply, see, stop: a short life, as the operator would take it."""
    spec = FleetSpec(
        name="demo", containers=(ContainerSpec(name="web", command=("sleep",)),)
    )
    fleet, found = NOTHING, []
    for at in range(4):
        event: Event
        if at == 0:
            event = Booted(at=at, epoch=1, rules=RULES)
        elif at == 2:
            event = FleetObserved(at=at, complete=True)
        else:
            request = Apply(spec=spec) if at == 1 else Stop(name="web")
            event = admit(fleet, request, at).unwrap()
        step = step_of(fleet, event)
        fleet = step.after
        found.append(step)
    return found


def history() -> list[Entry]:
    return entries_of(steps())


def written_as(entry: Entry, **fields: Any) -> Entry:
    """Let a row say something else of web."""
    tree = orjson.loads(entry.changes)
    tree["web"] |= fields
    return attrs.evolve(entry, changes=orjson.dumps(tree))


def divergence(entries: list[Entry], **more: Any) -> NotReplayable:
    error = verify(entries, RECORDING, **more).failure()
    assert isinstance(error, NotReplayable)
    return error


def test_what_was_recorded_is_decided_again() -> None:
    entries = history()
    verdict = verify(entries, RECORDING).unwrap()
    assert (verdict.rows, verdict.compared) == (4, 4)
    assert verdict.segments == (Segment(first=1, last=4, rules=RULES, compared=True),)
    assert verdict.fleet == fold_events(NOTHING, [entry.event for entry in entries])


def test_a_journal_without_rows_is_whole() -> None:
    verdict = verify([], RECORDING).unwrap()
    assert verdict == Verdict(fleet=NOTHING, rows=0, segments=())
    assert verdict.compared == 0


def test_the_first_row_that_is_decided_otherwise_is_named() -> None:
    entries = history()
    entries[2] = attrs.evolve(entries[2], commands=())
    entries[3] = attrs.evolve(entries[3], commands=())
    error = divergence(entries)
    assert (error.seq, error.event) == (3, "fleet_observed")
    (one,) = error.differences
    assert (one.place, one.recorded) == ("commands[0]", "nothing")
    assert one.recomputed.startswith('{"type":"start_container","name":"web","run":1')
    assert "recomputed {" in error.message


def test_each_field_that_comes_out_otherwise_is_told() -> None:
    entries = history()
    entries[3] = written_as(entries[3], run=7, desired={"running": True, "by": "me"})
    error = divergence(entries)
    assert (error.seq, error.event) == (4, "stop_requested")
    assert error.differences == (
        Difference(place="web.desired.running", recorded="true", recomputed="false"),
        Difference(place="web.desired.by", recorded='"me"', recomputed='"owner"'),
        Difference(place="web.desired.why", recorded="nothing", recomputed='""'),
        Difference(place="web.desired.at", recorded="nothing", recomputed="3"),
        Difference(place="web.run", recorded="7", recomputed="nothing"),
    )


def test_a_command_that_differs_comes_before_the_fields_that_do() -> None:
    entries = history()
    (start,) = entries[2].commands
    assert isinstance(start, StartContainer)
    other = attrs.evolve(start, run=9)
    entries[2] = attrs.evolve(written_as(entries[2], run=9), commands=(other,))
    assert divergence(entries).differences == (
        Difference(place="commands[0].run", recorded="9", recomputed="1"),
        Difference(place="web.run", recorded="9", recomputed="1"),
    )


def test_a_container_that_should_not_be_there_is_told() -> None:
    entries = history()
    tree = orjson.loads(entries[2].changes) | {"gone": None}
    entries[2] = attrs.evolve(entries[2], changes=orjson.dumps(tree))
    (one,) = divergence(entries).differences
    assert (one.place, one.recorded, one.recomputed) == ("gone", "null", "nothing")


def test_a_row_that_says_the_same_in_another_order_is_told_as_that() -> None:
    """No code of ours has written it: names and fields have their one order."""
    entries = history()
    tree = orjson.loads(entries[1].changes)
    tree["web"] = dict(reversed(tree["web"].items()))
    entries[1] = attrs.evolve(entries[1], changes=orjson.dumps(tree))
    error = divergence(entries)
    (one,) = error.differences
    assert (error.seq, one.place) == (2, "changes, byte 9")
    assert one.recorded.startswith('"{\\"web\\":{\\"')
    assert one.recorded != one.recomputed


def test_a_row_of_todays_rules_that_holds_a_digest_is_told_as_that() -> None:
    """Only rules 1 wrote digests; nobody can say whether it means the same."""
    entries = history()
    entries[1] = attrs.evolve(entries[1], changes=bytes(range(32)))
    error = divergence(entries)
    (one,) = error.differences
    assert (error.seq, one.place) == (2, "changes")
    assert one.recorded == "no fields, 32 bytes"
    assert one.recomputed.startswith('{"web":{"name":"web"')
    assert "recorded no fields, 32 bytes, recomputed {" in error.message


def test_what_was_good_before_a_failure_is_known() -> None:
    entries = history()
    entries[3] = attrs.evolve(entries[3], commands=())
    good, bad = checks(entries, RECORDING)
    assert isinstance(good, Verdict)
    assert good.rows == 3
    assert good.segments == (Segment(first=1, last=3, rules=RULES, compared=True),)
    assert good.fleet == fold(entries, until=AfterRow(3))
    assert bad == divergence(entries)


def spanning() -> list[Entry]:
    """Return rows of old rules (1-4), of today's (5), and of old ones again (6)."""
    old = [attrs.evolve(entry, commands=(), changes=b"x") for entry in history()]
    old[0] = attrs.evolve(old[0], event=Booted(at=0, epoch=1, rules=OLD))
    fleet = fold(old)
    boot = step_of(fleet, Booted(at=9, epoch=2, rules=RULES))
    back = step_of(boot.after, Booted(at=9, epoch=3, rules=OLD))
    new = entries_of([boot, back])
    return [*old, *(attrs.evolve(one, seq=one.seq + 4) for one in new)]


def test_each_segment_is_checked_for_what_it_can_be() -> None:
    verdict = verify(spanning(), RECORDING).unwrap()
    assert verdict.segments == (
        Segment(first=1, last=4, rules=OLD, compared=False),
        Segment(first=5, last=5, rules=RULES, compared=True),
        Segment(first=6, last=6, rules=OLD, compared=False),
    )
    assert (verdict.rows, verdict.compared) == (6, 1)


def test_the_row_that_begins_a_segment_belongs_to_it() -> None:
    entries = spanning()
    entries[4] = attrs.evolve(entries[4], commands=())
    assert divergence(entries).seq == 5
    entries = spanning()
    entries[5] = attrs.evolve(entries[5], commands=())
    assert verify(entries, RECORDING).unwrap().rows == 6


def test_rows_of_other_rules_are_folded_and_not_compared() -> None:
    verdict = verify(history(), RECORDING, rules=RULES + 1).unwrap()
    assert (verdict.rows, verdict.compared) == (4, 0)
    assert verdict.fleet == fold(history())


def test_rows_before_the_first_boot_name_no_rules_and_are_compared() -> None:
    applied = entries_of([step_of(NOTHING, steps()[1].event)])
    verdict = verify(applied, RECORDING).unwrap()
    assert verdict.segments == (Segment(first=1, last=1, rules=None, compared=True),)
    booted = Booted(at=5, epoch=1, rules=OLD)
    more = [*applied, Entry(seq=2, event=booted, commands=(), changes=b"")]
    verdict = verify(more, RECORDING).unwrap()
    assert [one.rules for one in verdict.segments] == [None, OLD]
    assert verdict.compared == 1
    assert divergence([attrs.evolve(applied[0], changes=b"{}")]).seq == 1


@pytest.mark.parametrize("rules", [OLD, RULES])
def test_rows_behind_a_base_are_of_the_rules_of_its_operator(rules: int) -> None:
    entries = history()
    base = attrs.evolve(fold(entries[:2]), rules=rules)
    verdict = verify(entries[2:], RECORDING, fleet=base).unwrap()
    expected = Segment(first=3, last=4, rules=rules, compared=rules == RULES)
    assert verdict.segments == (expected,)
    assert verdict.fleet == attrs.evolve(fold(entries), rules=rules)


def test_the_fleet_at_any_place_and_moment() -> None:
    entries = history()
    assert fold(entries, until=AfterRow(0)) == NOTHING
    assert not fold(entries, until=AfterRow(1)).containers
    assert "web" in fold(entries, until=AfterRow(2)).containers
    assert fold(entries, until=AtMoment(1)) == fold(entries, until=AfterRow(2))
    assert fold(entries, until=AtMoment(99)) == fold(entries, until=AfterRow(99))
    assert fold(entries, until=AtMoment(-1)) == NOTHING
    behind = fold(entries[2:], fleet=fold(entries[:2]))
    assert behind == fold(entries)


def test_the_states_of_a_history_are_each_the_one_before_the_next() -> None:
    found = list(states(history()))
    assert [step for _, step in found] == steps()
    assert [entry for entry, _ in found] == history()


def test_no_more_rows_are_read_than_a_place_asks_for() -> None:
    rows = iter(history())
    _ = fold(rows, until=AfterRow(1))
    assert next(rows).seq == 3, "the row behind the place says that it is behind"


REF = CustomPolicyRef(name="strikes", version=2)
MISSING = PolicyNotRegistered(name="web", policy="strikes", version=2)
STRIKES = registered(
    [CustomPolicy(name="strikes", version=2, decide=lambda _: GiveUp())]
)


def declaring() -> Step:
    restart = RestartPolicy(custom=REF)
    one = ContainerSpec(name="web", command=("run",), restart=restart)
    declared = SpecApplied(
        at=0,
        fleet="demo",
        settings=FleetSettings(),
        declarations=(Declaration(spec=one, salt=1),),
    )
    return step_of(NOTHING, declared, STRIKES)


def test_a_custom_policy_that_nobody_registered_is_not_guessed() -> None:
    entries = entries_of([declaring()])
    assert verify(entries, RECORDING).failure() == MISSING
    verdict = verify(entries, RECORDING, policies=STRIKES).unwrap()
    assert "web" in verdict.fleet.containers


def test_nor_is_one_that_the_fleet_of_a_base_needs() -> None:
    base = declaring().after
    event = CommandAccepted(at=1, name="web", kind=CommandKind.STOP, run=1)
    entries = entries_of([step_of(base, event, STRIKES)])
    assert verify(entries, RECORDING, fleet=base).failure() == MISSING
    assert verify([], RECORDING, fleet=base).failure() == MISSING
    known = verify(entries, RECORDING, fleet=base, policies=STRIKES)
    assert known.unwrap().rows == 1


def test_a_tree_is_what_the_codec_writes() -> None:
    (step, *_) = steps()
    assert RECORDING.tree(step.event) == tree_of(step.event)


@pytest.mark.parametrize("gone", range(4))
def test_a_row_that_is_missing_is_named_though_no_chain_tells(gone: int) -> None:
    entries = history()
    del entries[gone]
    answer = verify(entries, RECORDING)
    if gone == len(entries):
        assert answer.unwrap().compared == gone
        return
    assert answer.failure() == JournalCorrupt(
        seq=gone + 1,
        place=ROW_MISSING,
        expected=f"row {gone + 1}",
        found=f"row {gone + 2}",
    )


def test_a_row_that_is_missing_behind_a_base_is_named() -> None:
    entries = history()
    base = fold(entries[:1])
    answer = verify([entries[1], entries[3]], RECORDING, fleet=base)
    error = answer.failure()
    assert isinstance(error, JournalCorrupt)
    assert (error.seq, error.place) == (3, ROW_MISSING)


def test_a_row_that_is_repeated_is_named() -> None:
    entries = history()
    good, bad = checks([*entries[:2], *entries[1:]], RECORDING)
    assert isinstance(good, Verdict)
    assert (good.rows, good.compared) == (2, 2)
    assert bad == JournalCorrupt(
        seq=3, place=ROW_REPEATED, expected="row 3", found="row 2"
    )


def test_a_moment_that_falls_is_named() -> None:
    entries = history()
    entries[3] = attrs.evolve(entries[3], event=attrs.evolve(entries[3].event, at=1))
    error = verify(entries, RECORDING).failure()
    assert error == JournalCorrupt(
        seq=4,
        place="event at",
        expected="2 or later, for the row before came then",
        found="1",
    )


@pytest.mark.parametrize("newer", [RULES + 1, RULES + 97])
def test_rows_of_newer_rules_are_not_folded_as_if_nothing_were_wrong(
    newer: int,
) -> None:
    entries = spanning()[:4]
    booted = Booted(at=9, epoch=2, rules=newer)
    later = Entry(seq=5, event=booted, commands=(), changes=b"x")
    good, bad = checks([*entries, later], RECORDING)
    assert isinstance(good, Verdict)
    assert good.rows == 4
    assert bad == JournalTooNew(found=newer, known=RULES, seq=5)
    assert bad.message == (
        f"the journal was written under rules {newer} from row 5 on, this release"
        f" knows up to {RULES}: use a newer release"
    )
    base = attrs.evolve(fold(entries), rules=newer)
    plain = attrs.evolve(history()[3], seq=5, event=attrs.evolve(booted, rules=RULES))
    assert verify([plain], RECORDING, fleet=base).failure() != bad
    behind = attrs.evolve(history()[3], event=attrs.evolve(history()[3].event, at=9))
    assert verify([attrs.evolve(behind, seq=5)], RECORDING, fleet=base).failure() == bad


def test_a_row_whose_moment_is_not_that_of_its_event_is_damaged() -> None:
    row, *_ = chained(START, drafts(INCIDENT[3:4]))
    assert entry_of(row) == attrs.evolve(INCIDENT[3], seq=1)
    assert entry_of(attrs.evolve(row, at=row.at + 1)) == JournalCorrupt(
        seq=1, place="at", expected="1000, as its event says", found="1001"
    )
