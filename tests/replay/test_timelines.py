"""A timeline tells what happened: each story with its spans, runs and decisions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import attrs
import pytest

from orchestrator.core.admit import admit
from orchestrator.core.errors import Refused, StaleRun, Unreachable
from orchestrator.core.events import (
    Booted,
    CommandAccepted,
    CommandFailed,
    CommandKind,
    ContainerEnded,
    ContainerErrored,
    ContainerObserved,
    ContainerReady,
    ContainerStarted,
    Event,
    FleetObserved,
    HealthChanged,
    TimeReached,
)
from orchestrator.core.exits import Exited, Slept, StartFailed, Stopped
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.groups import GroupStrategy, Membership
from orchestrator.core.health import CheckKind, HealthCheck, HealthChecks, TcpProbe
from orchestrator.core.observations import SeenEnded, SeenRunning
from orchestrator.core.origins import Prune
from orchestrator.core.phases import BackingOff, Rule, live_run
from orchestrator.core.policies import CrashLimit, OnLoop, RestartPolicy
from orchestrator.core.reduce import step_of
from orchestrator.core.requests import (
    Apply,
    ClearCrashHistory,
    Reconcile,
    Request,
    Restart,
    Start,
    Stop,
)
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import RULES, Fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.replay import AfterRow, AtMoment, timeline
from orchestrator.replay.history import NOTHING, Entry, fold, states
from orchestrator.replay.timelines.happenings import (
    Asked,
    Checked,
    Decided,
    Fate,
    Happening,
    LookFailed,
    LostSight,
    OrderFailed,
    RunEnded,
    What,
    Wish,
)
from orchestrator.replay.timelines.of_services import ServiceHappening
from orchestrator.replay.timelines.stretches import Course, Timeline
from orchestrator.replay.timelines.strips import Strips
from orchestrator.replay.timelines.telling import happenings
from orchestrator.replay.totals import tally_from
from tests.replay.golden import GOLDEN, POLICIES
from tests.replay.kit import entries_of, read_of

T0 = 1_700_000_000_000
WEB = ContainerSpec(name="web", command=("run",), ports=Table.of([("http", 80)]))


class Story:
    """A journal, event by event, a second from one to the next unless said."""

    def __init__(self, *specs: ContainerSpec, **settings: object) -> None:
        self.fleet: Fleet = NOTHING
        self.steps: list[Step] = []
        self.at = T0 - 1_000
        self.settings = attrs.evolve(FleetSettings(), **settings)  # type: ignore[arg-type]
        self.happens(Booted(at=0, epoch=1, rules=RULES))
        self.asks(Apply(spec=self.spec(*specs or (WEB,))))
        self.happens(FleetObserved(at=0, complete=True))

    def spec(self, *specs: ContainerSpec) -> FleetSpec:
        return FleetSpec(name="demo", settings=self.settings, containers=specs)

    def happens(self, event: Event, after: int = 1_000) -> None:
        self.at += after
        step = step_of(self.fleet, attrs.evolve(event, at=self.at))
        self.fleet = step.after
        self.steps.append(step)

    def asks(self, request: Request, after: int = 1_000) -> None:
        self.happens(admit(self.fleet, request, self.at + after).unwrap(), after)

    def run(self, name: str = "web") -> int:
        run = live_run(self.fleet.containers[name].phase)
        assert run is not None
        return run

    def gets_ready(self, name: str = "web") -> None:
        run = self.run(name)
        self.happens(CommandAccepted(at=0, name=name, run=run, kind=CommandKind.START))
        self.happens(ContainerStarted(at=0, name=name, run=run))
        self.happens(ContainerReady(at=0, name=name, run=run))

    def ends(self, name: str = "web", code: int = 1) -> None:
        run = self.run(name)
        self.happens(ContainerEnded(at=0, name=name, run=run, exit=Exited(code=code)))

    def waits(self, name: str = "web") -> None:
        phase = self.fleet.containers[name].phase
        assert isinstance(phase, BackingOff)
        self.happens(TimeReached(at=0, name=name), phase.until - self.at)

    @property
    def entries(self) -> list[Entry]:
        return entries_of(self.steps)

    def told(self) -> Timeline:
        return timeline(self.entries)

    def course(self, name: str = "web") -> Course:
        return next(each for each in self.told().courses if each.name == name)

    def row(self) -> list[Happening]:
        """Return the items of the last row."""
        return [one for one in happenings(self.entries) if one.seq == len(self.steps)][
            :-1
        ]


def decided(course: Course) -> list[tuple[What, Rule | None]]:
    return [(one.what, one.rule) for one in course.decisions]


def test_a_crash_and_the_wait_after_it_are_told() -> None:
    story = Story()
    story.gets_ready()
    story.ends()
    story.waits()
    web = story.course()
    assert [span.begin.phase for span in web.spans] == [
        "pending",
        "starting",
        "running",
        "running",
        "backing_off",
        "starting",
    ]
    assert [span.begin.ready for span in web.spans] == [
        False,
        False,
        False,
        True,
        False,
        False,
    ]
    first, second = web.runs
    assert (first.begun.run, first.exit, first.fate) == (1, Exited(code=1), Fate.ENDED)
    assert first.crashed
    assert first.commands == 1
    assert first.begun.commanded_at == T0 + 2_000
    assert (first.started_at, first.ready_at) == (T0 + 4_000, T0 + 5_000)
    assert (first.ended_at, first.ended_seq) == (T0 + 6_000, 7)
    assert first.uptime(0) == 2_000
    assert (second.begun.run, second.rule) == (2, Rule.FAILURE_BACKOFF)
    assert (second.fate, second.uptime(T0)) == (None, None)
    assert decided(web) == [
        (What.QUEUE, Rule.DECLARED),
        (What.START, Rule.DECLARED),
        (What.WAIT, Rule.FAILURE_BACKOFF),
        (What.START, Rule.FAILURE_BACKOFF),
    ]
    (wait,) = [span for span in web.waits if span.begin.phase == "backing_off"]
    assert wait.begin.planned == wait.until == story.at
    assert (wait.begin.attempt, wait.until_seq) == (1, 8)
    assert wait.lasted(0) == story.at - T0 - 6_000
    totals = web.totals
    assert (totals.starts, totals.restarts, totals.crashes) == (2, 1, 1)
    assert totals.ready_ms == 1_000


def test_a_crash_loop_is_held_until_it_is_cleared() -> None:
    loop = RestartPolicy(crash=CrashLimit(allowed_crashes=0, on_loop=OnLoop.HOLD))
    story = Story(attrs.evolve(WEB, restart=loop))
    story.gets_ready()
    story.ends()
    story.asks(ClearCrashHistory(name="web", by="me", why="fixed"))
    web = story.course()
    assert decided(web)[-2:] == [
        (What.HOLD, Rule.CRASH_LOOP_HOLD),
        (What.START, Rule.HISTORY_CLEARED),
    ]
    (asked,) = web.requests
    assert (asked.wish, asked.by, asked.why) == (Wish.CLEAR, "me", "fixed")


def test_a_start_without_an_answer_is_one_run_commanded_twice() -> None:
    story = Story()
    error = Unreachable(cause="no way")
    story.happens(
        CommandFailed(at=0, name="web", run=1, kind=CommandKind.START, error=error)
    )
    story.happens(TimeReached(at=0, name="web"), 10_000)
    web = story.course()
    assert [run.commands for run in web.runs] == [2]
    assert decided(web)[-1] == (What.START_AGAIN, None)
    (failure,) = web.failures
    assert isinstance(failure, OrderFailed)
    assert failure.error == error
    assert web.totals.starts == 1


def test_a_run_that_the_platform_refuses_never_began() -> None:
    story = Story()
    error = StaleRun(name="web", run=1, highest=6)
    story.happens(
        CommandFailed(at=0, name="web", run=1, kind=CommandKind.START, error=error)
    )
    first, second = story.course().runs
    assert (first.fate, first.exit, first.started_at) == (Fate.REFUSED, None, None)
    assert (second.begun.run, second.rule) == (7, Rule.STALE_RUN)


def test_a_start_that_fails_has_an_exit() -> None:
    story = Story()
    error = Refused(cause="no such image")
    story.happens(
        CommandFailed(at=0, name="web", run=1, kind=CommandKind.START, error=error)
    )
    (run,) = story.course().runs
    assert isinstance(run.exit, StartFailed)
    assert run.crashed


def test_what_leaves_the_fleet_has_an_end_and_may_come_back_later() -> None:
    story = Story()
    story.gets_ready()
    story.asks(Apply(spec=story.spec()))
    story.ends()
    story.asks(Apply(spec=story.spec(WEB)), 60_000)
    web = story.course()
    first, second = web.runs
    assert (first.exit, first.fate, first.crashed) == (Stopped(), Fate.ENDED, False)
    assert (first.begun.run, second.begun.run) == (1, 2)
    assert second.rule is Rule.DECLARED
    assert (What.FORGET, None) in decided(web)
    stopping, again = web.spans[-2:]
    assert stopping.begin.phase == "stopping"
    assert (stopping.until, again.begin.at) == (T0 + 7_000, T0 + 67_000)
    assert sum(time for _, time in web.totals.phase_ms.items()) == 6_000


def test_what_is_forgotten_while_it_runs_is_let_go() -> None:
    story = Story(prune=Prune.FORGET)
    story.gets_ready()
    story.asks(Apply(spec=story.spec()))
    (run,) = story.course().runs
    assert (run.fate, run.exit, run.ended_at) == (Fate.LET_GO, None, story.at)


def test_a_run_that_is_found_alive_is_taken_over() -> None:
    story = Story()
    story.gets_ready()
    story.ends()
    sight = SeenRunning(ready=True)
    story.happens(ContainerObserved(at=0, name="web", run=4, sight=sight), 1)
    run = story.course().runs[-1]
    assert (run.begun.run, run.begun.adopted, run.commands) == (4, True, 0)
    assert (run.rule, run.begun.commanded_at) == (None, None)
    assert (run.started_at, run.ready_at) == (story.at, story.at)
    assert (run.started_seen, run.ready_seen, run.ended_seen) == (True, True, None)
    assert story.course().totals.starts == 1


def test_what_a_look_has_seen_is_told_apart_from_what_the_platform_told() -> None:
    story = Story()
    for sight in (SeenRunning(ready=True), SeenEnded(exit=Exited(code=70))):
        story.happens(ContainerObserved(at=0, name="web", run=1, sight=sight))
    assert [one.seen for one in story.row() if isinstance(one, RunEnded)] == [True]
    story.waits()
    story.gets_ready()
    story.ends()
    assert [one.seen for one in story.row() if isinstance(one, RunEnded)] == [False]
    first, second = story.course().runs
    assert (first.started_seen, first.ready_seen, first.ended_seen) == (True,) * 3
    assert (second.started_seen, second.ready_seen, second.ended_seen) == (False,) * 3


def test_a_run_that_was_never_up_was_not_seen_up_but_may_be_seen_ended() -> None:
    story = Story()
    sight = SeenEnded(exit=Exited(code=70))
    story.happens(ContainerObserved(at=0, name="web", run=1, sight=sight))
    (run,) = story.course().runs
    assert (run.started_at, run.started_seen, run.ready_seen) == (None, None, None)
    assert (run.ended_at, run.ended_seen) == (story.at, True)


def test_what_was_so_before_the_stretch_is_neither_seen_nor_told() -> None:
    story = Story()
    story.gets_ready()
    (web,) = timeline(story.entries, since=AfterRow(len(story.steps))).courses
    (run,) = web.runs
    assert (run.started_at, run.started_seen) == (T0 + 4_000, None)
    assert (run.ready_at, run.ready_seen) == (T0 + 5_000, None)
    assert run.ended_seen is None


def test_a_run_that_nobody_wants_is_stopped_and_is_none_of_ours() -> None:
    story = Story()
    story.asks(Stop(name="web"))
    story.happens(ContainerEnded(at=0, name="web", run=1, exit=Exited(code=0)))
    sight = SeenRunning(ready=True)
    story.happens(ContainerObserved(at=0, name="web", run=4, sight=sight))
    web = story.course()
    last = web.decisions[-1]
    assert (last.what, last.run, last.verdict) == (What.STOP, 4, None)
    assert [run.begun.run for run in web.runs] == [1]


def test_what_is_out_of_sight_and_seen_again_is_the_same_run() -> None:
    story = Story()
    story.gets_ready()
    story.happens(ContainerErrored(at=0, name="web", run=1, cause="gone dark"))
    sight = SeenRunning(ready=True)
    story.happens(ContainerObserved(at=0, name="web", run=1, sight=sight))
    web = story.course()
    assert [span.begin.phase for span in web.spans[-2:]] == ["unknown", "running"]
    assert [run.begun.run for run in web.runs] == [1]
    (failure,) = web.failures
    assert isinstance(failure, LostSight)
    assert failure.cause == "gone dark"


def test_readiness_that_comes_and_goes_splits_the_span_and_not_the_run() -> None:
    check = HealthCheck(probe=TcpProbe(port="http"))
    story = Story(attrs.evolve(WEB, health=HealthChecks(readiness=check)))
    story.gets_ready()
    for passing in (True, False, True):
        story.happens(
            HealthChanged(
                at=0, name="web", run=1, check=CheckKind.READINESS, passing=passing
            )
        )
    web = story.course()
    ready = [span.begin.ready for span in web.spans]
    assert ready == [False, False, False, True, False, True]
    (run,) = web.runs
    assert run.ready_at == T0 + 6_000
    assert [one.passing for one in web.checks] == [True, False, True]
    assert isinstance(web.checks[0], Checked)


def test_a_wish_that_changes_while_a_run_ends_splits_the_span() -> None:
    story = Story()
    story.gets_ready()
    story.asks(Stop(name="web"))
    story.asks(Start(name="web"))
    spans = [(span.begin.phase, span.begin.wanted) for span in story.course().spans]
    assert spans[-2:] == [("stopping", False), ("stopping", True)]


def test_every_start_has_the_rule_that_queued_it() -> None:
    story = Story()
    story.asks(Stop(name="web"))
    story.happens(ContainerEnded(at=0, name="web", run=1, exit=Exited(code=0)))
    story.asks(Start(name="web"))
    story.asks(Restart(name="web"))
    story.happens(ContainerEnded(at=0, name="web", run=2, exit=Exited(code=0)))
    story.ends()
    story.asks(Start(name="web", force=True), 1)
    story.ends()
    changed = attrs.evolve(WEB, command=("other",))
    story.asks(Apply(spec=story.spec(changed)), 1)
    assert [run.rule for run in story.course().runs] == [
        Rule.DECLARED,
        Rule.REQUESTED,
        Rule.RESTART_REQUESTED,
        Rule.FORCED,
        Rule.NEW_REVISION,
    ]


def test_a_group_restarts_together_by_its_rule() -> None:
    strategy = GroupStrategy.ONE_FOR_ALL
    story = Story(
        *(
            attrs.evolve(
                WEB,
                name=name,
                group=Membership(group="pair", strategy=strategy, position=place),
            )
            for place, name in enumerate(("one", "two"))
        )
    )
    for name in ("one", "two"):
        story.gets_ready(name)
    story.ends("one")
    story.happens(ContainerEnded(at=0, name="two", run=1, exit=Exited(code=0)), 1)
    story.waits("one")
    two = story.course("two")
    assert two.runs[0].exit is not None
    assert (What.WAIT, Rule.GROUP_RESTART) in decided(two)
    wait = two.waits[-1]
    assert wait.begin.waits_for in ("", "one")


def test_what_concerns_the_fleet_stands_beside_the_containers() -> None:
    story = Story()
    story.happens(FleetObserved(at=0, complete=False, cause="timed out"))
    story.asks(Reconcile())
    story.happens(Booted(at=0, epoch=2, rules=RULES))
    told = story.told()
    assert [(boot.epoch, boot.seq) for boot in told.boots] == [(1, 1), (2, 6)]
    assert [asked.wish for asked in told.requests] == [Wish.APPLY, Wish.RECONCILE]
    assert [look.cause for look in told.failed_looks] == ["timed out"]
    assert isinstance(told.failed_looks[0], LookFailed)
    assert (told.begin, told.end) == (T0, story.at)


def test_an_event_that_changes_nothing_is_not_told() -> None:
    story = Story()
    story.happens(TimeReached(at=0, name="web"))
    assert story.row() == []
    story.happens(ContainerStarted(at=0, name="nobody", run=3))
    assert story.row() == []
    sight = SeenEnded(exit=Slept())
    story.happens(ContainerObserved(at=0, name="nobody", run=1, sight=sight))
    assert story.row() == []


# Stretches


def test_a_stretch_begins_with_what_was_there() -> None:
    story = Story()
    story.gets_ready()
    story.ends()
    told = timeline(story.entries, since=AfterRow(5), until=AfterRow(6))
    (web,) = told.courses
    assert (told.after_seq, told.seq) == (5, 6)
    assert (told.begin, told.end) == (T0 + 4_000, T0 + 5_000)
    first, second = web.spans
    assert (first.begin.seq, first.begin.at) == (None, T0 + 4_000)
    assert first.until == second.begin.at == T0 + 5_000
    (run,) = web.runs
    assert (run.begun.seq, run.started_at, run.ready_at) == (
        None,
        T0 + 4_000,
        T0 + 5_000,
    )
    assert web.totals.starts == 0


def test_a_stretch_may_begin_where_nothing_runs() -> None:
    story = Story()
    story.gets_ready()
    story.ends()
    ended_at = story.at
    story.waits()
    told = timeline(story.entries, since=AfterRow(7), until=AfterRow(8))
    (web,) = told.courses
    waited = {"backing_off": story.at - ended_at}
    assert dict(web.totals.phase_ms.items()) == waited
    (run,) = web.runs
    assert (run.begun.seq, run.begun.run) == (8, 2)


def test_a_stretch_may_begin_and_end_between_rows() -> None:
    story = Story()
    story.gets_ready()
    told = timeline(
        story.entries, since=AtMoment(T0 + 2_500), until=AtMoment(T0 + 3_500)
    )
    assert (told.begin, told.end) == (T0 + 2_500, T0 + 3_500)
    assert (told.after_seq, told.seq) == (3, 4)
    (web,) = told.courses
    assert dict(web.totals.phase_ms.items()) == {"starting": 1_000}
    assert web.runs[0].begun.commanded_at == T0 + 2_000


@pytest.mark.parametrize(
    ("since", "until", "begin", "end"),
    [
        (None, None, T0, T0 + 2_000),
        (AtMoment(0), AtMoment(T0 + 99_000), T0, T0 + 2_000),
        (AtMoment(T0 + 99_000), None, T0 + 2_000, T0 + 2_000),
        (AfterRow(99), None, T0 + 2_000, T0 + 2_000),
        (None, AfterRow(0), T0, T0),
        (None, AtMoment(T0 + 1_500), T0, T0 + 1_500),
    ],
)
def test_a_stretch_is_within_what_the_journal_knows(
    since: AfterRow | AtMoment | None,
    until: AfterRow | AtMoment | None,
    begin: int,
    end: int,
) -> None:
    told = timeline(Story().entries, since=since, until=until)
    assert (told.begin, told.end) == (begin, end)


def test_a_stretch_may_follow_a_fleet_that_is_given() -> None:
    story = Story()
    story.gets_ready()
    head, tail = story.entries[:4], story.entries[4:]
    told = timeline(tail, fleet=fold(head))
    assert (told.after_seq, told.begin) == (4, T0 + 3_000)
    assert told.courses == timeline(story.entries, since=AfterRow(4)).courses
    assert timeline([]).courses == ()
    assert (timeline([]).begin, timeline([]).end) == (0, 0)


def test_only_those_are_told_of_whom_it_is_asked() -> None:
    story = Story(WEB, attrs.evolve(WEB, name="other"))
    story.asks(Stop(name="other"))
    told = timeline(story.entries, containers=("web",))
    assert [each.name for each in told.courses] == ["web"]
    later = timeline(story.entries, containers=("web",), since=AfterRow(3))
    assert [each.name for each in later.courses] == ["web"]


def test_a_row_that_holds_other_commands_is_counted() -> None:
    entries = Story().entries
    entries[2] = attrs.evolve(entries[2], commands=())
    told = timeline(entries)
    assert (told.differing, told.first_differing) == (1, 3)
    assert (Story().told().differing, Story().told().first_differing) == (0, None)


def test_totals_are_those_of_the_steps() -> None:
    story = Story()
    story.gets_ready()
    story.ends()
    tally = tally_from(NOTHING)
    for _, step in states(story.entries):
        tally.take(step)
    tally.close(story.at + 500)
    assert tally.totals()["web"].phase_ms["backing_off"] == 500
    again = tally_from(story.fleet)
    again.close(story.at + 500)
    assert dict(again.totals()["web"].phase_ms.items()) == {"backing_off": 500}
    virtual = tally_from(story.fleet, 0)
    virtual.take(story.steps[-1], 70)
    assert virtual.totals()["web"].phase_ms["backing_off"] == 70


# All of it


def golden() -> Iterator[Path]:
    yield from sorted(GOLDEN.glob("journal.rules-*.jsonl.gz"))


def test_golden_journals_have_items_of_every_kind_and_decisions_of_every_kind() -> None:
    kinds: set[type] = set()
    whats: set[What] = set()
    wishes: set[Wish] = set()
    for path in golden():
        strips = Strips()
        with read_of(path) as read:
            for item in happenings(read.entries(), policies=POLICIES):
                kinds.add(type(item))
                strips.take(item)
                if isinstance(item, Decided):
                    whats.add(item.what)
                if isinstance(item, Asked):
                    wishes.add(item.wish)
        assert strips.end > strips.begin
    every = {kind for part in get_args(Happening) for kind in _kinds(part)}
    assert kinds >= every - set(get_args(ServiceHappening))
    assert whats >= set(What) - {What.SLEEP}
    later = {Wish.SCALE, Wish.ADOPT, Wish.STOP_ORPHAN, Wish.ROLLOUT}
    assert wishes >= set(Wish) - {Wish.RECONCILE} - later


def _kinds(part: Any) -> tuple[type, ...]:
    return get_args(part) or (part,)
