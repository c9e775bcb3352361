"""The laws of "what if": what nothing changes, what may never come of anything.

A hypothesis that changes nothing gives the record, step by step, whatever went wrong in
it; and where nothing went wrong, so does playing it all, without following it.
"""

from __future__ import annotations

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.backoff import Backoff
from orchestrator.core.commands import StartContainer
from orchestrator.core.events import (
    ContainerEnded,
    Event,
    SpecApplied,
    StopRequested,
)
from orchestrator.core.exits import Exited, Outcome
from orchestrator.core.invariants import violations
from orchestrator.core.phases import Failed, Pending, Rule, Starting
from orchestrator.core.policies import (
    CrashLimit,
    RestartPolicy,
    When,
    judged,
    never_restart_policy,
)
from orchestrator.core.reduce import step_of
from orchestrator.core.requests import (
    ClearCrashHistory,
    Reconcile,
    Request,
    Restart,
    Start,
    Stop,
)
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.core.uptimes import begun
from orchestrator.core.wake import has_a_past
from orchestrator.replay.history import NOTHING, Entry, states
from orchestrator.replay.imagined.assumptions import Supposed
from orchestrator.replay.imagined.beats import Beat
from orchestrator.replay.imagined.hypotheses import FOR_ALL, Cause, Hypothesis
from orchestrator.replay.imagined.imagining import WhatIf, what_if
from orchestrator.simulation.faults import draw_plan
from orchestrator.testing.strategies import restart_policies
from tests.replay.simulated import (
    MINUTE,
    Release,
    code_of,
    fleet_of,
    recorded,
    released,
    spec_of,
)

SEEDS = st.integers(0, 2**32)
NAMES = ["dead", "flaky", "steady", "stubborn", "never-ready", "job"]
names = st.sampled_from(NAMES)
requests: st.SearchStrategy[Request] = st.one_of(
    st.builds(Start, name=names, force=st.booleans()),
    st.builds(Stop, name=names),
    st.builds(Restart, name=names),
    st.builds(ClearCrashHistory, name=names),
    st.builds(Reconcile),
)
wishes = st.lists(st.tuples(st.integers(0, 2 * MINUTE), requests), max_size=4)
policies = restart_policies().map(lambda policy: attrs.evolve(policy, custom=None))


def for_all(policy: RestartPolicy) -> Hypothesis:
    return Hypothesis(policies=Table.of([(FOR_ALL, policy)]))


def in_turn(waits: list[tuple[int, Request]]) -> list[tuple[int, Request]]:
    at, asked = 0, list[tuple[int, Request]]()
    for wait, request in waits:
        at += wait
        asked.append((at, request))
    return asked


def journal(
    seed: int, waits: list[tuple[int, Request]], *, is_broken: bool
) -> list[Entry]:
    asked = in_turn(waits)
    until = 6 * MINUTE + (asked[-1][0] if asked else 0)
    plan = draw_plan(seed, 4 * MINUTE) if is_broken else None
    fleet = fleet_of(*map(spec_of, NAMES), limit=2)
    return recorded(fleet, seed=seed, plan=plan, until=until, asked=asked)


def answered(
    entries: list[Entry], hypothesis: Hypothesis
) -> tuple[WhatIf, list[Beat], list[Step]]:
    beats: list[Beat] = []
    answer = what_if(entries, hypothesis, seen=beats.append).unwrap()
    steps = [beat.imagined for beat in beats if beat.imagined is not None]
    return answer, beats, steps


@given(seed=SEEDS, waits=wishes)
@settings(max_examples=10)
def test_what_changes_nothing_gives_the_very_record(
    seed: int, waits: list[tuple[int, Request]]
) -> None:
    entries = journal(seed, waits, is_broken=True)
    answer, beats, _ = answered(entries, Hypothesis())
    assert [beat.entry for beat in beats] == entries
    assert all(beat.imagined == beat.recorded for beat in beats)
    assert answer.recorded == answer.imagined
    assert answer.assumptions == ()


@given(seed=SEEDS, waits=wishes)
@settings(max_examples=10)
def test_where_nothing_fails_the_record_played_is_the_record(
    seed: int, waits: list[tuple[int, Request]]
) -> None:
    """To the millisecond: runs, exits, restarts, the time in every phase."""
    entries = journal(seed, waits, is_broken=False)
    answer, beats, _ = answered(entries, Hypothesis(follows=False))
    for one in answer.containers:
        assert one.recorded == one.imagined, one.name
    recorded_starts = [
        (beat.recorded.after.at, command)
        for beat in beats
        if beat.recorded is not None
        for command in beat.recorded.commands
        if isinstance(command, StartContainer)
    ]
    imagined_starts = [
        (beat.imagined.after.at, command)
        for beat in beats
        if beat.imagined is not None
        for command in beat.imagined.commands
        if isinstance(command, StartContainer)
    ]
    assert sorted(recorded_starts, key=repr) == sorted(imagined_starts, key=repr)


@given(seed=SEEDS, policy=policies, places=st.lists(st.integers(0, 400), max_size=3))
@settings(max_examples=5)
def test_no_invariant_is_violated_whatever_is_supposed(
    seed: int, policy: RestartPolicy, places: list[int]
) -> None:
    entries = journal(seed, [], is_broken=True)
    causes = [entry.seq for entry in entries if isinstance(entry.event, Cause)]
    skip = frozenset(causes[place % len(causes)] for place in places)
    hypothesis = attrs.evolve(for_all(policy), skip=skip)
    answer, _, steps = answered(entries, hypothesis)
    assert [found for step in steps for found in violations(step)] == []
    assert steps[-1].after == answer.fleet
    for follows in (True, False):
        again = attrs.evolve(hypothesis, follows=follows)
        assert what_if(entries, again) == what_if(iter(entries), again)


@given(seed=SEEDS)
@settings(max_examples=10)
def test_never_restarts_nothing_after_a_failure(seed: int) -> None:
    policy = never_restart_policy()
    _, _, steps = answered(journal(seed, [], is_broken=True), for_all(policy))
    for step in steps:
        for before, after in step.pairs():
            if after is None or after.last is None or before is None:
                continue
            is_new = after.last != before.last
            outcome = judged(policy, after.last.exit).outcome
            if is_new and outcome is Outcome.FAILURE and after.desired.running:
                assert after.phase == Failed(
                    since=step.after.at, rule=Rule.NEVER_RESTART
                )
            if isinstance(before.phase, Failed):
                assert not isinstance(after.phase, Pending | Starting)


@given(
    seed=SEEDS,
    delays=st.lists(st.integers(5_000, 20_000), min_size=1, max_size=4),
    more=st.integers(0, 40_000),
)
@settings(max_examples=12)
def test_a_longer_wait_starts_nothing_earlier(
    seed: int, delays: list[int], more: int
) -> None:
    """Where no crash loop is found, whose cool-down a longer wait would spare."""

    def hypothesis(added: int) -> Hypothesis:
        waits = tuple(delay + added for delay in sorted(delays))
        backoff = Backoff(delays_ms=waits, jitter=0, reset_after_ms=60 * MINUTE)
        limit = CrashLimit(allowed_crashes=1_000)
        return for_all(RestartPolicy(backoff=backoff, crash=limit))

    entries = recorded(fleet_of(spec_of("dead")), seed=seed, until=8 * MINUTE)
    shorter, longer = (
        [
            step.after.at
            for step in answered(entries, hypothesis(added))[2]
            for command in step.commands
            if isinstance(command, StartContainer)
        ]
        for added in (0, more)
    )
    assert len(longer) <= len(shorter)
    assert all(late >= soon for soon, late in zip(shorter, longer, strict=False))


def in_another_order(entries: list[Entry]) -> list[Entry]:
    """Return a record whose owner had listed the containers the other way round."""
    fleet, turned = NOTHING, list[Entry]()
    for entry in entries:
        event: Event = entry.event
        if isinstance(event, SpecApplied):
            event = attrs.evolve(event, declarations=event.declarations[::-1])
        step = step_of(fleet, event)
        fleet = step.after
        turned.append(attrs.evolve(entry, event=event, commands=step.commands))
    return turned


@given(seed=SEEDS, policy=policies, follows=st.booleans())
@settings(max_examples=5)
def test_the_order_of_the_names_makes_no_difference(
    seed: int, policy: RestartPolicy, *, follows: bool
) -> None:
    entries = journal(seed, [], is_broken=True)
    hypothesis = attrs.evolve(for_all(policy), follows=follows)
    one = what_if(entries, hypothesis).unwrap()
    assert what_if(in_another_order(entries), hypothesis).unwrap() == one


@given(seed=SEEDS, place=st.integers(0, 400))
@settings(max_examples=8)
def test_what_is_inserted_where_it_was_skipped_is_the_record_again(
    seed: int, place: int
) -> None:
    asked = [(MINUTE * minute, Stop(name=NAMES[minute])) for minute in range(1, 5)]
    entries = recorded(
        fleet_of(*map(spec_of, NAMES)), seed=seed, until=6 * MINUTE, asked=asked
    )
    stops = [entry for entry in entries if isinstance(entry.event, StopRequested)]
    stop = stops[place % len(stops)]
    hypothesis = Hypothesis(skip=frozenset({stop.seq}), insert=(stop.event,))
    answer = what_if(entries, hypothesis).unwrap()
    for one in answer.containers:
        assert one.recorded.phase == one.imagined.phase
        assert one.recorded.totals.starts == one.imagined.totals.starts
        assert one.recorded.totals.crashes == one.imagined.totals.crashes


@given(seed=SEEDS, policy=policies)
@settings(max_examples=4)
def test_until_it_parts_a_container_goes_as_recorded(
    seed: int, policy: RestartPolicy
) -> None:
    entries = journal(seed, [], is_broken=True)
    answer, beats, _ = answered(entries, for_all(policy))
    parted = {
        one.name: one.parted.seq for one in answer.containers if one.parted is not None
    }
    for beat in beats:
        if beat.entry is None or beat.recorded is None or beat.imagined is None:
            continue
        for name in beat.recorded.touched:
            if beat.entry.seq < parted.get(name, len(entries) + 1):
                was = beat.recorded.after.containers.get(name)
                would = beat.imagined.after.containers.get(name)
                assert (was is None) is (would is None)
                if was is not None and would is not None:
                    assert was.run == would.run
                    assert type(was.phase) is type(would.phase)
                    assert has_a_past(was.history) or not was.history.attempts


def imagined_ends(steps: list[Step]) -> list[tuple[int, int]]:
    """Return of which release each run was that ended by itself, and how it ended."""
    begun_of: dict[int, int] = {}
    ends: list[tuple[int, int]] = []
    for step in steps:
        for command in step.commands:
            if isinstance(command, StartContainer):
                spec = step.after.containers[command.name].spec
                begun_of[command.run] = code_of(spec)
        match step.event:
            case ContainerEnded(run=run, exit=Exited(code=code)):
                ends.append((begun_of[run], code))
            case _:
                pass
    return ends


RELEASES = (
    Release(code=10, lives_ms=7_000),
    Release(code=20, lives_ms=900),
    Release(code=30),
    Release(code=40, lives_ms=2_000),
)
applied = st.lists(
    st.tuples(st.integers(0, 30_000), st.sampled_from(RELEASES)), min_size=1, max_size=7
)


def in_order(waits: list[tuple[int, Release]]) -> list[tuple[int, Release]]:
    at, asked = 0, list[tuple[int, Release]]()
    for wait, release in waits:
        at += wait
        asked.append((at, release))
    return asked


def started_codes(entries: list[Entry]) -> set[int]:
    return {
        code_of(step.after.containers[command.name].spec)
        for _, step in states(entries)
        for command in step.commands
        if isinstance(command, StartContainer)
    }


@given(
    waits=applied,
    places=st.sets(st.integers(0, 6)),
    supposed=st.none() | policies | st.sampled_from(RELEASES),
    follows=st.booleans(),
)
@settings(max_examples=40)
def test_how_a_run_ends_belongs_to_what_ran(
    waits: list[tuple[int, Release]],
    places: set[int],
    supposed: RestartPolicy | Release | None,
    *,
    follows: bool,
) -> None:
    """Whichever releases had not been applied, or been others: none goes as another."""
    entries = released(in_order(waits), until=4 * MINUTE)
    applies = [one.seq for one in entries if isinstance(one.event, SpecApplied)]
    skip = frozenset(seq for place, seq in enumerate(applies) if place in places)
    hypothesis = Hypothesis(skip=skip, follows=follows)
    if isinstance(supposed, RestartPolicy):
        hypothesis = attrs.evolve(for_all(supposed), skip=skip, follows=follows)
    elif supposed is not None:
        specs = Table.of([("web", supposed.spec)])
        hypothesis = attrs.evolve(hypothesis, specs=specs)
    answer, _, steps = answered(entries, hypothesis)
    known = started_codes(entries)
    ends = imagined_ends(steps)
    assert [end for end in ends if end[0] in known and end[0] != end[1]] == []
    others = sum(
        code_of(step.after.containers["web"].spec) not in known
        for step in steps
        for _ in begun(step)
    )
    assert others == sum(
        one.count for one in answer.assumptions if one.kind is Supposed.OTHER_SPEC
    )


@given(waits=applied)
@settings(max_examples=20)
def test_a_record_of_many_releases_played_is_the_record(
    waits: list[tuple[int, Release]],
) -> None:
    entries = released(in_order(waits), until=4 * MINUTE)
    answer, _, _ = answered(entries, Hypothesis(follows=False))
    (web,) = answer.containers
    assert web.recorded == web.imagined
    assert answered(entries, Hypothesis())[0].assumptions == ()


def test_the_nightmare_of_an_always_policy_stays_bounded() -> None:
    entries = recorded(fleet_of(spec_of("job")), until=8 * MINUTE)
    always = RestartPolicy(when=When.ALWAYS, min_interval_ms=2_000)
    answer = what_if(entries, for_all(always)).unwrap()
    (job,) = answer.containers
    assert job.imagined.totals.restarts > 10 > job.recorded.totals.restarts
