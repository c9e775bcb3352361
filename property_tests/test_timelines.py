"""Timelines: what they tell is the history, whole or in pieces, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from itertools import pairwise
from xml.etree import ElementTree as ET

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.api.timelines import tree_of_timeline
from orchestrator.cli.timeline_svg import drawing_of
from orchestrator.cli.timeline_text import by_container, by_time
from orchestrator.core.commands import StartContainer
from orchestrator.core.events import ContainerObserved, Event
from orchestrator.core.reduce import step_of
from orchestrator.core.uptimes import sum_of
from orchestrator.replay.history import NOTHING, Entry, fold, states
from orchestrator.replay.places import AfterRow
from orchestrator.replay.timelines.happenings import (
    Closed,
    Decided,
    Happening,
    Left,
    Opened,
    RunEnded,
    RunReady,
    RunUp,
    What,
)
from orchestrator.replay.timelines.recording import Recorder
from orchestrator.replay.timelines.stretches import Timeline
from orchestrator.replay.timelines.strips import (
    KEPT_MOST,
    Change,
    Counts,
    Strip,
    Strips,
    coarse,
)
from orchestrator.replay.timelines.telling import happenings, timeline
from orchestrator.replay.totals import tally_from
from orchestrator.testing import strategies as drawn
from property_tests.trials import POLICIES, draw_trial, tried

Entries = tuple[Entry, ...]


def entries_of(events: list[Event]) -> Entries:
    """Write a journal of any events, in order of time."""
    entries: list[Entry] = []
    fleet = NOTHING
    moments = sorted(event.at for event in events)
    for seq, (event, at) in enumerate(zip(events, moments, strict=True), 1):
        step = step_of(fleet, attrs.evolve(event, at=at), POLICIES)
        fleet = step.after
        entries.append(
            Entry(seq=seq, event=step.event, commands=step.commands, changes=b"")
        )
    return tuple(entries)


@cache
def simulated(seed: int) -> Entries:
    """Write the journal of a simulated fleet with faults and requests."""
    run = tried(draw_trial(seed, "all")).run
    assert run is not None
    return entries_of(list(run.journal))


JOURNALS = st.lists(drawn.events(), max_size=25).map(entries_of) | st.integers(
    1, 5
).map(simulated)
FEW = settings(max_examples=settings().max_examples // 2)


@lru_cache(maxsize=16)
def items_of(entries: Entries) -> tuple[Happening, ...]:
    return tuple(happenings(entries, policies=POLICIES))


def told_of(entries: Entries, limit: int | None = None) -> Timeline:
    recorder = Recorder(limit)
    for item in items_of(entries):
        recorder.take(item)
    return recorder.timeline()


@FEW
@given(entries=JOURNALS)
def test_what_is_seen_is_what_a_look_at_that_container_says(entries: Entries) -> None:
    events = {entry.seq: entry.event for entry in entries}
    for item in items_of(entries):
        if isinstance(item, RunUp | RunReady | RunEnded):
            event = events[item.seq]
            is_look = isinstance(event, ContainerObserved) and event.name == item.name
            assert item.seen == is_look
    for run in (run for course in told_of(entries).courses for run in course.runs):
        assert (run.ended_at is None) == (run.ended_seen is None)
        if run.begun.seq is not None:
            assert (run.started_at is None) == (run.started_seen is None)
            assert (run.ready_at is None) == (run.ready_seen is None)


@FEW
@given(entries=JOURNALS)
def test_the_spans_of_a_container_tile_its_life_and_add_up_to_its_totals(
    entries: Entries,
) -> None:
    told = told_of(entries)
    gone = {
        (item.name, item.seq) for item in items_of(entries) if isinstance(item, Left)
    }
    tally = tally_from(NOTHING)
    for _, step in states(entries, policies=POLICIES):
        tally.take(step)
    tally.close(told.end)
    assert {course.name: course.totals for course in told.courses if course.spans} == {
        name: totals for name, totals in tally.totals().items() if name in _there(told)
    }
    for course in told.courses:
        for sooner, later in pairwise(course.spans):
            assert sooner.until is not None
            if (course.name, sooner.until_seq) in gone:
                assert sooner.until <= later.begin.at
            else:
                assert (sooner.until, sooner.until_seq) == (
                    later.begin.at,
                    later.begin.seq,
                )
        lasted = sum(span.lasted(told.end) for span in course.spans)
        assert lasted == sum(course.totals.phase_ms.values())
        assert course.totals.ready_ms <= course.totals.wanted_ms <= lasted


def _there(told: Timeline) -> set[str]:
    return {course.name for course in told.courses if course.spans}


@FEW
@given(entries=JOURNALS)
def test_runs_rise_and_every_start_command_has_its_run(entries: Entries) -> None:
    told = told_of(entries)
    commanded = Counter(
        (command.name, command.run)
        for _, step in states(entries, policies=POLICIES)
        for command in step.commands
        if isinstance(command, StartContainer)
    )
    for course in told.courses:
        for sooner, later in pairwise(course.runs):
            assert sooner.ended_at is not None
            assert sooner.ended_at <= later.begun.at
            assert sooner.begun.run < later.begun.run or later.begun.adopted
    runs = Counter[tuple[str, int]]()
    for course in told.courses:
        for run in course.runs:
            runs[course.name, run.begun.run] += run.commands
            assert run.begun.adopted or run.rule is not None
    assert +runs == commanded


@FEW
@given(entries=JOURNALS, data=st.data())
def test_a_journal_in_pieces_has_the_timeline_of_the_whole(
    entries: Entries, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(entries)), label="cut")
    head, tail = entries[:cut], entries[cut:]
    fleet = fold(head, policies=POLICIES)
    first = items_of(head)
    rest = tuple(
        item
        for item in happenings(tail, fleet=fleet, policies=POLICIES)
        if not isinstance(item, Opened) and item.seq is not None
    )
    joined = (*(item for item in first if not isinstance(item, Closed)), *rest)
    whole = items_of(entries)
    if cut and tail:
        assert joined == whole
        since = AfterRow(cut)
        later = tuple(happenings(entries, policies=POLICIES, since=since))
        assert later[-len(rest) :] == rest
    assert told_of(entries) == timeline(entries, policies=POLICIES, limit=None)


@FEW
@given(entries=JOURNALS, data=st.data())
def test_a_stretch_begins_where_the_one_before_it_ends(
    entries: Entries, data: st.DataObject
) -> None:
    cut = AfterRow(data.draw(st.integers(0, len(entries)), label="cut"))
    whole = told_of(entries)
    before = timeline(entries, policies=POLICIES, until=cut, limit=None)
    after = timeline(entries, policies=POLICIES, since=cut, limit=None)
    assert (before.seq, after.seq) == (after.after_seq, whole.seq)
    for course in whole.courses:
        parts = [
            part.totals
            for stretch in (before, after)
            for part in stretch.courses
            if part.name == course.name
        ]
        assert sum_of(parts) == course.totals
    there = {each.name: each.spans[-1] for each in before.courses if each.spans}
    for course in after.courses:
        if course.spans and course.spans[0].begin.seq is None:
            last = there[course.name].begin
            begin = course.spans[0].begin
            kept = {"seq": None, "at": 0, "attempt": 0}
            assert attrs.evolve(last, **kept) == attrs.evolve(begin, **kept)  # type: ignore[arg-type]


@FEW
@given(entries=JOURNALS, limit=st.integers(1, 5))
def test_a_limit_leaves_out_the_oldest_and_counts_them(
    entries: Entries, limit: int
) -> None:
    whole = told_of(entries)
    short = told_of(entries, limit)
    assert short.boots == whole.boots[-limit:]
    for some, every in zip(short.courses, whole.courses, strict=True):
        assert some.totals == every.totals
        for kind in ("spans", "runs", "decisions", "requests", "checks", "failures"):
            kept, known = getattr(some, kind), getattr(every, kind)
            assert kept == known[-limit:]
            assert len(kept) + (some.left_out.get(kind) or 0) == len(known)


@FEW
@given(entries=JOURNALS)
def test_what_is_told_of_one_does_not_depend_on_who_else_is_asked_for(
    entries: Entries,
) -> None:
    whole = told_of(entries)
    for course in whole.courses[:2]:
        alone = timeline(
            entries, policies=POLICIES, containers=(course.name,), limit=None
        )
        assert alone.courses == (course,)
        assert alone.boots == whole.boots


@FEW
@given(entries=JOURNALS)
def test_items_come_in_order_of_time_and_starts_have_their_rule(
    entries: Entries,
) -> None:
    items = items_of(entries)
    assert isinstance(items[0], Opened)
    assert isinstance(items[-1], Closed)
    places = [(item.seq or 0, item.at) for item in items]
    assert places == sorted(places)
    for item in items:
        if isinstance(item, Decided) and item.what is What.START:
            assert item.rule is not None


# Strips

CHANGES: st.SearchStrategy[list[Change]] = st.lists(
    st.tuples(st.integers(0, 400), st.sampled_from(("a", "b", "c", ""))), min_size=1
).map(sorted)


@given(changes=CHANGES, grain=st.integers(1, 50), more=st.integers(0, 100))
def test_a_coarser_strip_says_of_each_grain_what_it_was_for_longest(
    changes: list[Change], grain: int, more: int
) -> None:
    end = changes[-1][0] + more
    found = coarse(changes, end, grain)
    for begin in range(changes[0][0] // grain * grain, end, grain):
        inside = range(max(begin, changes[0][0]), min(end, begin + grain))
        if not inside:
            continue
        shares = Counter(_at(changes, at) for at in inside)
        assert shares[_at(found, inside[0])] == max(shares.values())
    assert all(sooner[1] != later[1] for sooner, later in pairwise(found))
    assert coarse(changes, end, 1) == coarse(coarse(changes, end, 1), end, 1)


def _at(changes: list[Change], at: int) -> str:
    return next(what for since, what in reversed(changes) if since <= at)


@FEW
@given(entries=JOURNALS)
def test_no_start_and_no_crash_is_lost_in_a_strip(entries: Entries) -> None:
    strips = Strips()
    for item in items_of(entries):
        strips.take(item)
    for course in told_of(entries, 1).courses:
        strip = strips.by_name.get(course.name) or Strip()
        assert sum(n for _, n in strip.starts.marks()) == course.totals.starts
        assert sum(n for _, n in strip.crashes.marks()) == course.totals.crashes


@pytest.mark.parametrize("gap", [0, 1, 997, 86_400_000])
def test_a_strip_does_not_grow_beyond_its_bound(gap: int) -> None:
    strip, counts = Strip(), Counts()
    for number in range(3 * KEPT_MOST):
        strip.change(number * gap, "ab"[number % 2])
        counts.add(number * gap)
    assert len(strip.changes) <= KEPT_MOST
    assert len(counts.by_grain) <= KEPT_MOST
    assert sum(n for _, n in counts.marks()) == 3 * KEPT_MOST
    assert strip.changes[-1][1] == "ab"[(3 * KEPT_MOST - 1) % 2]


# What is shown

SHOWN: tuple[Callable[[Iterable[Happening]], list[str]], ...] = (
    lambda items: list(by_time(items)),
    lambda items: list(by_container(items, 3)),
)


@FEW
@given(entries=JOURNALS, show=st.sampled_from(SHOWN))
def test_whatever_a_journal_holds_its_timeline_can_be_read_on_a_terminal(
    entries: Entries, show: Callable[[Iterable[Happening]], list[str]]
) -> None:
    for line in show(items_of(entries)):
        assert line.isprintable()
        assert len(line) <= 80
        assert line == line.rstrip()


@FEW
@given(entries=JOURNALS)
def test_whatever_a_journal_holds_its_drawing_is_well_formed(entries: Entries) -> None:
    recorder, strips = Recorder(1), Strips()
    for item in items_of(entries):
        recorder.take(item)
        strips.take(item)
    told = recorder.timeline()
    root = ET.fromstring(drawing_of(told, strips, "<&"))  # noqa: S314 - our own
    lanes = [each for each in root if each.get("role") == "img" and len(each) > 1]
    assert len(lanes) == len(told.courses)


@FEW
@given(entries=JOURNALS)
def test_the_tree_of_a_timeline_has_everything_in_it(entries: Entries) -> None:
    told = told_of(entries)
    tree = tree_of_timeline(told)
    for course, shown in zip(told.courses, tree["containers"], strict=True):
        assert len(shown["spans"]) == len(course.spans)
        assert len(shown["runs"]) == len(course.runs)
        assert [one["since_at"] for one in shown["waits"]] == [
            span.begin.at for span in course.waits
        ]
