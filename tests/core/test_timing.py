"""What time does: waits that end, deadlines that strike, and when to be woken."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core.admit import admit
from orchestrator.core.commands import (
    DestroyContainer,
    ObserveFleet,
    StartContainer,
    StopContainer,
)
from orchestrator.core.errors import StaleRun, Unreachable
from orchestrator.core.events import (
    Booted,
    CommandFailed,
    CommandKind,
    FleetObserved,
)
from orchestrator.core.fingerprints import salt_of
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.phases import Escalation, Pending, Rule, Starting, Stopping
from orchestrator.core.policies import OnLost, never_restart_policy
from orchestrator.core.requests import (
    ClearCrashHistory,
    Reconcile,
    Remove,
    Restart,
    Start,
    Stop,
)
from orchestrator.core.state import History
from orchestrator.core.wake import has_a_past, wake_at, wake_at_fleet

from .examples import NO_JITTER, Story, spec


def unanswered(story: Story, kind: CommandKind = CommandKind.START) -> Story:
    error = Unreachable(cause="cut off")
    run = story.container().run
    event = CommandFailed(
        at=story.fleet.at, name="web", run=run, kind=kind, error=error
    )
    return story.happens(event)


def stopping(story: Story) -> Stopping:
    phase = story.container().phase
    assert isinstance(phase, Stopping)
    return phase


def test_a_start_that_stays_unanswered_is_given_again_ever_later() -> None:
    story = Story(spec())
    waits = []
    for retries in (1, 2, 3, 4):
        phase = unanswered(story).container().phase
        assert isinstance(phase, Starting)
        assert phase.retries == retries
        assert phase.retry_at is not None
        waits.append(phase.retry_at - story.fleet.at)
        story.time(phase.retry_at)
        assert story.orders() == (StartContainer(name="web", run=1, revision=1),)
        again = story.container().phase
        assert again == Starting(since=0, run=1, retries=retries)
    assert waits == [1_000, 2_000, 4_000, 8_000]


def test_a_start_that_is_accepted_after_all_is_not_given_again() -> None:
    story = unanswered(Story(spec())).accepted()
    assert story.container().phase == Starting(since=0, run=1, accepted=True, retries=1)
    assert story.time(1_000).orders() == ()


def test_its_waits_are_spread_by_the_salt_and_are_never_nothing() -> None:
    spread = attrs.evolve(NO_JITTER, backoff=attrs.evolve(NO_JITTER.backoff, jitter=1))
    found = set()
    for name in ("web", "db", "queue"):
        story = Story(spec(name, spread))
        run = story.container(name).run
        error = Unreachable(cause="cut off")
        story.happens(
            CommandFailed(at=0, name=name, run=run, kind=CommandKind.START, error=error)
        )
        found.add(getattr(story.container(name).phase, "retry_at", None))
    assert len(found) == 3
    eager = attrs.evolve(
        NO_JITTER, backoff=attrs.evolve(NO_JITTER.backoff, initial_ms=0)
    )
    phase = unanswered(Story(spec(policy=eager))).container().phase
    assert isinstance(phase, Starting)
    assert phase.retry_at == 1


def test_a_stop_that_never_reached_the_platform_is_given_again_with_its_grace() -> None:
    story = Story(spec(stop_grace_ms=3_000)).accepted().ready()
    story.asked(Stop(name="web"), at=1_000).accepted(kind=CommandKind.STOP)
    unanswered(story, CommandKind.STOP)
    assert (stopping(story).deadline, stopping(story).accepted) == (3_000, False)
    story.time(3_000)
    stop = StopContainer(name="web", run=1, signal="TERM", grace_ms=3_000)
    assert story.orders() == (stop,)
    assert stopping(story).deadline == 3_000 + 3_000 + 5_000


def test_a_stop_that_never_reaches_the_platform_is_given_less_and_less_often() -> None:
    story = Story(spec(stop_grace_ms=3_000)).accepted().ready()
    story.asked(Stop(name="web"), at=1_000)
    waits = []
    for _ in range(6):
        before = story.fleet.at
        unanswered(story, CommandKind.STOP)
        waits.append(stopping(story).deadline - before)
        story.time(stopping(story).deadline)
    assert waits == [2_000, 2_000, 2_000, 3_000, 4_500, 6_750]
    for _ in range(9):
        unanswered(story, CommandKind.STOP)
        waits.append(stopping(story).deadline - story.fleet.at)
        story.time(stopping(story).deadline)
    assert waits[-1] == 15_000


def test_a_stop_that_is_not_confirmed_goes_up_the_ladder() -> None:
    story = Story(spec()).accepted().ready().asked(Stop(name="web"), at=1_000)
    story.accepted(kind=CommandKind.STOP).time(16_000)
    assert story.orders() == (ObserveFleet(),)
    assert stopping(story).escalation is Escalation.OBSERVED
    assert stopping(story).deadline == 21_000
    for n, at in enumerate((21_000, 26_000, 31_000), 1):
        story.time(at)
        assert story.orders() == (DestroyContainer(name="web", run=1),)
        phase = stopping(story)
        assert phase.escalation is Escalation.DESTROYED
        assert (phase.destroys, phase.deadline) == (n, at + 5_000)
        assert phase.accepted is False
        story.accepted(kind=CommandKind.DESTROY)
        assert stopping(story).accepted is True


@pytest.mark.parametrize(
    ("on_lost", "wanted", "replaced"),
    [
        (OnLost.REPLACE, True, True),
        (OnLost.WAIT, True, False),
        (OnLost.REPLACE, False, False),
    ],
)
def test_a_stop_that_nobody_can_give_is_given_up_where_the_platform_fences(
    on_lost: OnLost, *, wanted: bool, replaced: bool
) -> None:
    policy = attrs.evolve(NO_JITTER, on_lost=on_lost, lost_after_ms=10_000)
    story = Story(spec(policy=policy)).accepted().ready()
    story.asked(Restart(name="web") if wanted else Stop(name="web"), at=1_000)
    for at in (3_000, 7_000):
        unanswered(story, CommandKind.STOP).time(at)
        assert story.phase() == "Stopping"
    unanswered(story, CommandKind.STOP).time(story.fleet.at + 4_000)
    assert story.fleet.at == 11_000
    assert story.phase() == ("Starting" if replaced else "Stopping")
    assert story.container().run == (2 if replaced else 1)
    assert story.container().history.crashes_total == 0


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (History(), False),
        (History(failures=(1,)), True),
        (History(attempts=1), True),
        (History(crashes_total=5, restarts_total=5), False),
    ],
)
def test_what_uptime_would_forgive(history: History, *, expected: bool) -> None:
    assert has_a_past(history) is expected


def test_the_start_rate_wakes_the_fleet_only_where_somebody_waits_for_it() -> None:
    rated = FleetSettings(max_starts_per_minute=1, reconcile_interval_ms=0)
    story = Story(spec("a"), settings=rated)
    assert wake_at_fleet(story.fleet) is None, "nobody waits"
    story.asked(story.apply(spec("a"), spec("b"), settings=rated), at=10)
    assert wake_at_fleet(story.fleet) == 60_000
    blind = attrs.evolve(story.fleet, observed=False, reconciled_at=None)
    assert wake_at_fleet(blind) is None, "nothing starts before the first look"
    fresh = attrs.evolve(story.fleet, recent_starts=())
    assert wake_at_fleet(fresh) is None, "no start has been counted"
    free = attrs.evolve(story.fleet, settings=FleetSettings(reconcile_interval_ms=0))
    assert wake_at_fleet(free) is None, "there is no rate"


@pytest.mark.parametrize(
    ("ask", "rule"),
    [
        (Start(name="web"), Rule.REQUESTED),
        (Restart(name="web"), Rule.REQUESTED),
    ],
)
def test_what_was_asked_for_waits_its_turn_from_that_moment(
    ask: Start | Restart, rule: Rule
) -> None:
    full = FleetSettings(max_concurrent_starts=1)
    story = Story(spec(), spec("z"), settings=full).accepted().ready()
    story.asked(Stop(name="web"), at=5).ended(at=6)
    assert story.phase("z") == "Starting"
    story.asked(ask, at=7)
    assert story.container().phase == Pending(since=7, rule=rule)


@pytest.mark.parametrize(
    ("ask", "rule"),
    [
        (Start(name="web", force=True), Rule.FORCED),
        (ClearCrashHistory(name="web"), Rule.HISTORY_CLEARED),
    ],
)
def test_what_was_held_waits_its_turn_and_says_why(
    ask: Start | ClearCrashHistory, rule: Rule
) -> None:
    full = FleetSettings(max_concurrent_starts=1)
    held = spec(policy=never_restart_policy())
    story = Story(held, spec("z"), settings=full).accepted().ready().ended(at=6)
    assert (story.phase(), story.phase("z")) == ("Failed", "Starting")
    story.asked(ask, at=7)
    assert story.container().phase == Pending(since=7, rule=rule)


@pytest.mark.parametrize(
    ("allowed", "until", "rule"),
    [
        (1, 1_006, Rule.FAILURE_BACKOFF),
        (0, 600_006, Rule.CRASH_LOOP_COOLDOWN),
    ],
)
def test_one_whose_wait_is_over_waits_its_turn_and_says_why(
    allowed: int, until: int, rule: Rule
) -> None:
    full = FleetSettings(max_concurrent_starts=1)
    crash = attrs.evolve(NO_JITTER.crash, allowed_crashes=allowed)
    waits = spec(policy=attrs.evolve(NO_JITTER, crash=crash))
    story = Story(waits, settings=full).accepted().ready().ended(at=6)
    story.asked(story.apply(waits, spec("z"), settings=full), at=7)
    assert story.phase("z") == "Starting"
    story.time(until)
    assert story.container().phase == Pending(since=until, rule=rule)


def test_a_new_revision_waits_its_turn_and_says_so() -> None:
    full = FleetSettings(max_concurrent_starts=1)
    held = spec(policy=never_restart_policy())
    story = Story(held, spec("z"), settings=full).accepted().ready().ended(at=6)
    changed = story.apply(spec(command=("other",)), spec("z"), settings=full)
    story.asked(changed, at=7)
    assert story.container().phase == Pending(since=7, rule=Rule.NEW_REVISION)


def test_who_asked_and_why_is_kept_with_every_request() -> None:
    story = Story(spec())
    for ask in (
        Start(name="web", by="ann", why="release"),
        Stop(name="web", by="ann", why="release"),
        Restart(name="web", by="ann", why="release"),
        ClearCrashHistory(name="web", by="ann", why="release"),
        Reconcile(),
        story.apply(spec()),
    ):
        asked = attrs.evolve(ask, by="ann", why="release")
        event = admit(story.fleet, asked, 9).unwrap()
        assert (getattr(event, "by", ""), getattr(event, "why", "")) == (
            "ann",
            "release",
        )
        assert event.at == 9


def test_who_started_one_ad_hoc_and_why_is_kept_with_it() -> None:
    story = Story()
    start = Start(name="job", command=("run",), by="ann", why="backfill")
    story.asked(start, at=9)
    container = story.container("job")
    assert container.desired.by == "ann"
    assert container.desired.why == "backfill"
    assert container.desired.at == 9
    assert container.salt == salt_of("demo", "job")
    story.accepted("job").ready("job").asked(Stop(name="job")).ended(name="job", at=20)
    event = admit(story.fleet, Remove(name="job", by="ann", why="done"), 30).unwrap()
    assert (getattr(event, "by", ""), getattr(event, "why", "")) == ("ann", "done")


def test_a_wake_is_never_before_what_it_is_for() -> None:
    story = Story(spec()).accepted().ready()
    assert wake_at(story.container(), fences=True) is None
    story.ended(at=5)
    assert wake_at(story.container(), fences=True) == 1_005
    assert story.time(1_004).phase() == "BackingOff"
    assert story.time(1_005).phase() == "Starting"


def test_what_leaves_the_fleet_is_not_wanted_any_more_and_says_why() -> None:
    story = Story(spec()).accepted().ready().asked(Story.apply(), at=9)
    desired = story.container().desired
    assert desired.running is False
    assert desired.why == "its spec has left the fleet"


def test_a_stale_start_waits_its_turn_with_a_higher_number() -> None:
    full = FleetSettings(max_concurrent_starts=1)
    story = Story(spec(), spec("z"), settings=full)
    stale = CommandFailed(
        at=7,
        name="web",
        run=1,
        kind=CommandKind.START,
        error=StaleRun(name="web", run=1, highest=5),
    )
    story.happens(stale)
    container = story.container()
    assert (container.phase, container.run) == (
        Pending(since=7, rule=Rule.STALE_RUN),
        5,
    )


def test_a_stop_that_is_given_again_is_so_at_a_whole_millisecond() -> None:
    story = Story(spec()).accepted().ready().asked(Stop(name="web"))
    story.time(5_001)
    unanswered(story, CommandKind.STOP)
    deadline = stopping(story).deadline
    assert (deadline, type(deadline)) == (5_001 + 2_500, int)


@pytest.mark.parametrize("fences", [True, False])
def test_where_the_owner_says_nothing_the_fence_says_whether_to_replace(
    *, fences: bool
) -> None:
    story = Story(spec())
    story.happens(Booted(at=0, epoch=2, rules=2, fences=fences))
    story.happens(FleetObserved(at=0, complete=True)).accepted().ready()
    story.asked(Restart(name="web"))
    late = spec().restart.lost_after_ms
    while stopping(story).deadline < late:
        unanswered(story.time(stopping(story).deadline), CommandKind.STOP)
    story.time(stopping(story).deadline)
    assert story.phase() == ("Starting" if fences else "Stopping")
