"""The fleet moves as its contract says, told as small stories."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from orchestrator.core.admit import admit
from orchestrator.core.advance import advance
from orchestrator.core.commands import (
    DestroyContainer,
    ForgetContainer,
    ObserveFleet,
    StartContainer,
    StopContainer,
)
from orchestrator.core.errors import (
    ContainerStartFailed,
    NoCapacity,
    PlatformError,
    StaleOperator,
    StaleRun,
    TimedOut,
    Unreachable,
)
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
    ReconcileRequested,
    RemoveRequested,
    StartRequested,
    TimeReached,
)
from orchestrator.core.exits import (
    Exit,
    Exited,
    Lost,
    Signaled,
    Slept,
    StartFailed,
    Stopped,
)
from orchestrator.core.fingerprints import fingerprint
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.moves import Moved, order_destroy, order_stop
from orchestrator.core.observations import (
    Observation,
    SeenAbsent,
    SeenEnded,
    SeenRunning,
    SeenUnreachable,
    Sight,
    Sighting,
)
from orchestrator.core.origins import Origin, Prune
from orchestrator.core.outstanding import outstanding
from orchestrator.core.phases import (
    Asleep,
    BackingOff,
    Completed,
    CrashLooping,
    Escalation,
    Failed,
    Pending,
    Phase,
    Rule,
    Running,
    Starting,
    Stopping,
    Unknown,
)
from orchestrator.core.phases import Stopped as AtRest
from orchestrator.core.policies import (
    CrashLimit,
    OnLoop,
    OnLost,
    RestartPolicy,
    When,
    always_restart_policy,
    never_restart_policy,
)
from orchestrator.core.reduce import fold, reduce
from orchestrator.core.requests import (
    Apply,
    ClearCrashHistory,
    Reconcile,
    Remove,
    Restart,
    Start,
    Stop,
)
from orchestrator.core.sights import differences
from orchestrator.core.state import Desired, LastRun, empty_fleet
from orchestrator.core.table import Table
from orchestrator.core.terms import FixedTerms
from orchestrator.core.wake import wake_at, wake_at_fleet

from .examples import NO_JITTER, SETTINGS, Story, spec


def stop(run: int = 1, name: str = "web") -> StopContainer:
    return StopContainer(name=name, run=run, signal="TERM", grace_ms=10_000)


def start(run: int, revision: int = 1, name: str = "web") -> StartContainer:
    return StartContainer(name=name, run=run, revision=revision)


def failed(
    error: PlatformError, kind: CommandKind = CommandKind.START, at: int = 0
) -> CommandFailed:
    return CommandFailed(at=at, name="web", run=1, kind=kind, error=error)


def crashed(times: int, **more: object) -> Story:
    """Tell of a container that has failed so many times, a second apart at least."""
    story = Story(spec(**more))  # type: ignore[arg-type]
    for _ in range(times):
        story.accepted().ready()
        story.ended(at=story.fleet.at + 1)
        phase = story.container().phase
        if isinstance(phase, BackingOff):
            story.time(phase.until)
    return story


class TestStarting:
    def test_nothing_starts_before_the_first_complete_look(self) -> None:
        story = Story()
        story.happens(Booted(at=0, epoch=2, rules=1)).asked(story.apply(spec()))
        assert story.orders() == ()
        story.happens(FleetObserved(at=1, complete=False, cause="cut off"))
        assert story.orders() == ()
        assert wake_at_fleet(story.fleet) == 2_000
        story.time(2_000, None)
        assert story.orders() == (ObserveFleet(),)
        story.happens(FleetObserved(at=2_001, complete=True))
        assert story.orders() == (start(1),)

    def test_what_is_believed_is_as_old_as_the_newest_complete_look(self) -> None:
        story = Story()
        story.happens(Booted(at=5, epoch=2, rules=1))
        story.happens(FleetObserved(at=7, complete=False, cause="cut off"))
        assert story.fleet.reconciled_at == 5
        assert story.fleet.observed_at == 0
        story.time(2_005, None).happens(FleetObserved(at=2_009, complete=True))
        assert story.fleet.observed_at == 2_005
        story.happens(ReconcileRequested(at=9_000))
        story.happens(FleetObserved(at=9_100, complete=False, cause="cut off"))
        assert story.fleet.reconciled_at == 9_000
        assert story.fleet.observed_at == 2_005

    def test_starts_in_flight_stay_within_the_limit_first_come_first_served(
        self,
    ) -> None:
        limited = FleetSettings(max_concurrent_starts=2)
        specs = [spec(name) for name in ("d", "c", "b", "a")]
        story = Story(*specs, settings=limited)
        assert story.orders() == (start(1, name="a"), start(1, name="b"))
        story.accepted("a").ready("a")
        assert story.phase("c") == "Starting"
        assert story.phase("d") == "Pending"

    def test_a_start_that_is_granted_later_is_a_change_of_that_moment(self) -> None:
        limited = FleetSettings(max_concurrent_starts=1)
        story = Story(spec("a"), spec("b"), settings=limited)
        story.accepted("a").ready("a", at=70)
        assert story.phase("b") == "Starting"
        assert story.container("b").changed_at == 70

    def test_starts_a_minute_stay_within_the_limit(self) -> None:
        limited = FleetSettings(max_starts_per_minute=2)
        story = Story(*(spec(name) for name in "abc"), settings=limited)
        assert len(story.orders()) == 2
        assert wake_at_fleet(story.fleet) == 60_000
        story.time(59_999, None)
        assert story.phase("c") == "Pending"
        story.time(60_000, None)
        assert story.phase("c") == "Starting"

    def test_a_full_house_needs_no_timer(self) -> None:
        limited = FleetSettings(
            max_starts_per_minute=1, max_concurrent_starts=1, reconcile_interval_ms=0
        )
        story = Story(spec("a"), spec("b"), settings=limited)
        assert wake_at_fleet(story.fleet) is None

    def test_a_start_is_ready_when_it_says_so(self) -> None:
        story = Story(spec())
        story.accepted().ready(at=70)
        history = story.container().history
        assert (story.phase(), history.startup_ms) == ("Running", 70)

    def test_one_that_is_ready_says_where_it_listens(self) -> None:
        places = Table.of([("http", "10.0.0.1:80")])
        story = Story(spec()).accepted().started(at=5)
        story.happens(ContainerReady(at=9, name="web", run=1, addresses=places))
        assert story.container().phase == Running(
            since=5, run=1, ready_at=9, addresses=places
        )

    def test_a_process_that_exists_ends_the_row_of_obstacles(self) -> None:
        story = Story(spec()).happens(failed(NoCapacity()))
        assert story.container().history.obstacles == 1
        story.time(1_000).accepted()
        assert story.container().history.obstacles == 1
        assert story.started().container().history.obstacles == 0

    def test_a_run_that_is_ready_ends_the_row_of_failed_starts(self) -> None:
        story = Story(spec())
        story.happens(failed(ContainerStartFailed(name="web", cause="no such image")))
        story.time(1_000).accepted().started()
        assert story.container().history.start_failures == 1
        assert story.ready().container().history.start_failures == 0

    def test_another_start_timeout_holds_for_the_start_under_way(self) -> None:
        story = Story(spec()).accepted().started(at=10)
        story.asked(story.apply(spec(start_timeout_ms=600)), at=50)
        assert wake_at(story.container(), fences=True) == 600
        assert story.ready(at=100).container().history.startup_ms == 100

    def test_news_of_another_run_change_nothing(self) -> None:
        story = Story(spec()).accepted().ready()
        before = story.fleet
        for run in (0, 2):
            story.happens(ContainerStarted(at=5, name="web", run=run))
            story.happens(
                ContainerEnded(at=5, name="web", run=run, exit=Exited(code=0))
            )
            story.happens(ContainerErrored(at=5, name="web", run=run, cause="?"))
            story.happens(failed(NoCapacity(), at=5))
        assert story.fleet.containers == before.containers
        assert story.fleet.ignored == before.ignored + 8

    def test_what_is_not_known_is_ignored(self) -> None:
        story = Story()
        forget = CommandKind.FORGET
        for event in (
            ContainerStarted(at=1, name="ghost", run=1),
            RemoveRequested(at=1, name="ghost"),
            StartRequested(at=1, name="ghost"),
            CommandAccepted(at=1, name="ghost", run=1, kind=forget),
            ContainerStarted(at=0, name="ghost", run=1),
        ):
            before = story.fleet.ignored
            for count in (1, 2):
                assert story.happens(event).fleet.ignored == before + count
        assert story.fleet.ignored == 10

    def test_time_that_runs_backwards_is_ignored(self) -> None:
        story = Story(spec()).time(10)
        story.happens(ContainerStarted(at=9, name="web", run=1))
        assert story.phase() == "Starting"

    @pytest.mark.parametrize("error", [Unreachable(cause="cut"), TimedOut(after_ms=9)])
    def test_an_unanswered_start_is_given_again_with_the_same_run(
        self, error: PlatformError
    ) -> None:
        story = Story(spec()).happens(failed(error))
        due = wake_at(story.container(), fences=True)
        assert due == 1_000
        story.time(1_000)
        assert story.orders() == (start(1),)

    def test_a_refused_start_is_a_failure(self) -> None:
        story = Story(spec())
        story.happens(failed(ContainerStartFailed(name="web", cause="no such image")))
        last = story.container().last
        assert story.phase() == "BackingOff"
        assert last is not None
        assert isinstance(last.exit, StartFailed)
        assert "no such image" in last.exit.reason

    def test_no_capacity_waits_and_counts_nothing(self) -> None:
        story = Story(spec()).happens(failed(NoCapacity()))
        assert story.phase() == "BackingOff"
        assert story.container().history.crashes_total == 0

    def test_a_stale_run_is_followed_by_a_higher_one(self) -> None:
        story = Story(spec())
        story.happens(failed(StaleRun(name="web", run=1, highest=7)))
        assert story.orders() == (start(8),)

    def test_a_stale_operator_decides_nothing(self) -> None:
        story = Story(spec()).happens(failed(StaleOperator(epoch=1, highest=2)))
        assert story.phase() == "Starting"

    def test_not_started_in_time_is_stopped_and_counts_as_a_failed_start(self) -> None:
        story = Story(spec(start_timeout_ms=500)).accepted().time(500)
        assert story.orders() == (stop(),)
        story.ended(Signaled(signal=15))
        last = story.container().last
        assert last is not None
        assert last.exit == StartFailed(reason="not started within 500ms")
        assert story.container().history.crashes_total == 1

    def test_not_ready_in_time_is_stopped_and_counts_as_a_failed_start(self) -> None:
        story = Story(spec(start_timeout_ms=500)).accepted().started(at=10)
        story.time(499)
        assert story.phase() == "Running"
        story.time(500)
        assert story.phase() == "Stopping"
        story.ended(Exited(code=0), at=600)
        assert story.container().history.crashes_total == 1


class TestRestarting:
    def test_a_failure_waits_and_starts_with_the_next_run(self) -> None:
        story = Story(spec()).accepted().ready().ended(at=100)
        assert wake_at(story.container(), fences=True) == 1_100
        story.time(1_099)
        assert story.phase() == "BackingOff"
        story.time(1_100)
        assert story.orders() == (start(2),)
        assert story.container().history.restarts_total == 1

    def test_the_crash_loop_cools_down_until_the_oldest_leaves_the_window(self) -> None:
        story = crashed(4)
        assert story.phase() == "CrashLooping"
        first = story.container().history.failures[0]
        assert wake_at(story.container(), fences=True) == first + 600_000
        story.time(first + 600_000)
        assert story.phase() == "Starting"

    def test_the_crash_loop_of_an_ad_hoc_container_holds_until_cleared(self) -> None:
        story = Story().asked(Start(name="web", spec=spec()))
        for _ in range(4):
            story.accepted().ready().ended(at=story.fleet.at + 1)
            if isinstance(phase := story.container().phase, BackingOff):
                story.time(phase.until)
        assert story.phase() == "CrashLooping"
        assert wake_at(story.container(), fences=True) is None
        story.happens(FleetObserved(at=10**9, complete=True))
        assert story.phase() == "CrashLooping"
        story.asked(ClearCrashHistory(name="web"))
        assert story.phase() == "Starting"

    def test_proven_uptime_forgives(self) -> None:
        story = crashed(2).accepted().ready(at=10_000)
        assert wake_at(story.container(), fences=True) == 610_000
        story.time(609_999)
        assert story.container().history.attempts == 2
        story.time(610_000)
        assert story.container().history.attempts == 0
        assert story.container().history.crashes_total == 2
        assert wake_at(story.container(), fences=True) is None

    def test_never_fails_and_stays(self) -> None:
        story = Story(spec(policy=never_restart_policy())).accepted().ready().ended()
        story.happens(FleetObserved(at=99, complete=True))
        assert story.phase() == "Failed"
        assert story.orders() == ()

    def test_always_restarts_after_a_clean_exit_and_counts_no_crash(self) -> None:
        story = Story(spec(policy=always_restart_policy())).accepted().ready()
        story.ended(Exited(code=0), at=5_000)
        assert story.container().history.crashes_total == 0
        story.time(5_100)
        assert story.orders() == (start(2),)


HOLDS = attrs.evolve(
    NO_JITTER, crash=CrashLimit(allowed_crashes=0, on_loop=OnLoop.HOLD)
)
AT_ONCE = attrs.evolve(NO_JITTER, when=When.ALWAYS, min_interval_ms=0)


@pytest.mark.parametrize(
    ("policy", "exit_", "phase"),
    [
        (
            AT_ONCE,
            Exited(code=0),
            Pending(since=700, rule=Rule.ALWAYS_AFTER_CLEAN_EXIT),
        ),
        (
            NO_JITTER,
            Lost(),
            BackingOff(since=700, until=1_700, rule=Rule.FAILURE_BACKOFF),
        ),
        (
            HOLDS,
            Lost(),
            CrashLooping(since=700, until=None, rule=Rule.CRASH_LOOP_HOLD),
        ),
        (NO_JITTER, Exited(code=0), Completed(since=700)),
        (never_restart_policy(), Lost(), Failed(since=700, rule=Rule.NEVER_RESTART)),
        (NO_JITTER, Slept(), Asleep(since=700)),
    ],
)
def test_a_run_that_ends_leads_to_a_phase_that_begins_then(
    policy: RestartPolicy, exit_: Exit, phase: Phase
) -> None:
    narrow = FleetSettings(max_concurrent_starts=1, min_restart_delay_ms=0)
    one, other = spec("web", policy, keep_alive=False), spec("x")
    story = Story(one, settings=narrow).accepted().ready(at=100)
    story.asked(story.apply(one, other, settings=narrow), at=200)
    assert story.phase("x") == "Starting", "the only slot is taken"
    assert story.ended(exit_, at=700).container().phase == phase


class TestOwner:
    def test_a_stop_rests_until_asked_and_says_who(self) -> None:
        story = Story(spec()).accepted().ready().asked(Stop(name="web", by="ann"))
        assert story.orders() == (stop(),)
        story.ended(Signaled(signal=15))
        assert story.phase() == "Stopped"
        story.happens(FleetObserved(at=50, complete=True)).asked(story.apply(spec()))
        story.happens(Booted(at=60, epoch=2, rules=1))
        story.happens(FleetObserved(at=61, complete=True))
        assert (story.phase(), story.container().desired.by) == ("Stopped", "ann")
        story.asked(Start(name="web"))
        assert story.orders() == (start(2),)

    def test_the_record_says_when_and_why_the_owner_wanted_it(self) -> None:
        story = Story(spec()).accepted().ready()
        story.asked(Stop(name="web", by="ann", why="too loud"), at=500)
        wish = Desired(running=False, by="ann", why="too loud", at=500)
        assert story.container().desired == wish
        story.asked(Start(name="web", by="bob", why="too quiet"), at=700)
        wish = Desired(running=True, by="bob", why="too quiet", at=700)
        assert story.container().desired == wish

    def test_what_waits_rests_from_the_moment_it_is_told_to(self) -> None:
        story = Story(spec()).accepted().ready().ended(at=100)
        story.asked(Stop(name="web"), at=500)
        assert story.container().phase == AtRest(since=500)

    def test_a_run_that_is_ended_leaves_on_record_how_it_lived(self) -> None:
        story = Story(spec()).accepted().started(at=100).ready(at=300)
        story.asked(Stop(name="web"), at=500)
        phase = story.container().phase
        assert isinstance(phase, Stopping)
        assert (phase.started_at, phase.ready_at) == (100, 300)
        story.ended(Exited(code=0), at=600)
        assert story.container().last == LastRun(
            run=1, exit=Stopped(), ended_at=600, started_at=100, ready_at=300
        )
        assert story.container().phase == AtRest(since=600)

    def test_a_stop_of_what_waits_takes_effect_at_once(self) -> None:
        story = crashed(1)
        story.accepted().ready().ended().asked(Stop(name="web"))
        assert story.phase() == "Stopped"
        assert story.asked(Stop(name="web")).phase() == "Stopped"

    def test_stop_while_starting_stops_the_run_that_was_begun(self) -> None:
        story = Story(spec()).asked(Stop(name="web"))
        assert story.orders() == (stop(),)
        story.happens(failed(NoCapacity()))
        assert story.phase() == "Stopping"

    def test_a_start_asked_for_while_stopping_waits_for_the_end(self) -> None:
        story = Story(spec()).accepted().ready().asked(Stop(name="web"))
        story.asked(Start(name="web"))
        assert story.orders() == ()
        story.ended(Exited(code=0))
        assert story.orders() == (start(2),)

    def test_a_start_of_what_runs_changes_nothing(self) -> None:
        story = Story(spec()).accepted().ready()
        before = story.fleet.containers
        assert story.asked(Start(name="web")).fleet.containers == before

    def test_force_on_what_runs_restarts_it(self) -> None:
        story = crashed(1).accepted().ready()
        story.asked(Start(name="web", force=True))
        assert story.orders() == (stop(2),)
        story.ended(Exited(code=0))
        assert story.orders() == (start(3),)
        assert story.container().history.failures == ()

    @pytest.mark.parametrize("request_", [Start(name="web"), Restart(name="web")])
    def test_a_wait_is_not_cut_short_by_a_plain_request(
        self, request_: Start | Restart
    ) -> None:
        story = Story(spec()).accepted().ready().ended().asked(request_)
        assert story.phase() == "BackingOff"

    def test_a_restart_stops_confirms_and_starts_and_counts_no_crash(self) -> None:
        story = Story(spec()).accepted().ready().asked(Restart(name="web"))
        assert story.orders() == (stop(),)
        story.ended(Signaled(signal=9))
        assert story.orders() == (start(2),)
        last = story.container().last
        assert last is not None
        assert last.exit == Stopped()
        assert story.container().history.crashes_total == 0

    def test_a_restart_of_what_rests_starts_it(self) -> None:
        story = Story(spec()).accepted().ready().asked(Stop(name="web"))
        story.ended(Exited(code=0)).asked(Restart(name="web"))
        assert story.orders() == (start(2),)

    def test_force_and_clearing_open_a_new_history(self) -> None:
        for request in (Start(name="web", force=True), ClearCrashHistory(name="web")):
            story = crashed(4).asked(request)
            assert story.orders() == (start(5),)
            assert story.container().history.failures == ()
            assert story.container().history.crashes_total == 4

    def test_clearing_what_runs_only_forgets(self) -> None:
        story = crashed(1).accepted().ready().asked(ClearCrashHistory(name="web"))
        assert (story.phase(), story.container().history.failures) == ("Running", ())

    def test_clearing_what_is_to_rest_starts_nothing(self) -> None:
        story = crashed(1).accepted().ready().ended()
        story.asked(ClearCrashHistory(name="web"))
        assert story.phase() == "BackingOff"

    def test_an_ad_hoc_container_starts_by_its_name_and_is_forgotten(self) -> None:
        settings = FleetSettings(ad_hoc=spec("any"))
        story = Story(settings=settings).asked(story_apply(settings))
        story.asked(Start(name="worker", config=Table.of([("queue", "eu")])))
        worker = story.container("worker")
        assert worker.origin is Origin.AD_HOC
        assert worker.spec.config.get("queue") == "eu"
        story.accepted("worker").ready("worker").asked(Stop(name="worker"))
        story.ended(Exited(code=0), "worker").asked(Remove(name="worker"))
        assert story.orders() == (ForgetContainer(name="worker", run=1),)
        assert outstanding(story.fleet) == story.orders()
        forget = CommandKind.FORGET
        story.happens(CommandAccepted(at=0, name="worker", run=1, kind=forget))
        assert outstanding(story.fleet) == ()
        story.asked(Start(name="worker"))
        assert story.orders() == (start(2, name="worker"),)

    def test_another_config_is_a_new_revision(self) -> None:
        settings = FleetSettings(ad_hoc=spec("any"))
        story = Story().asked(story_apply(settings)).asked(Start(name="w"))
        story.accepted("w").ready("w")
        story.asked(Start(name="w", config=Table.of([("a", 1)])))
        assert story.orders() == (stop(name="w"),)
        story.ended(Exited(code=0), "w")
        assert story.orders() == (start(2, revision=2, name="w"),)


def story_apply(settings: FleetSettings) -> Apply:
    return Apply(spec=FleetSpec(name="demo", settings=settings))


class TestSpec:
    def test_the_same_spec_again_changes_nothing(self) -> None:
        story = Story(spec()).accepted().ready()
        before = story.fleet
        story.asked(story.apply(spec()))
        assert story.fleet.containers == before.containers
        assert story.fleet.revision == before.revision == 1

    def test_a_changed_command_restarts_with_the_new_revision(self) -> None:
        story = Story(spec()).accepted().ready()
        story.asked(story.apply(spec(command=("other",))))
        assert story.orders() == (stop(),)
        story.ended(Exited(code=0))
        assert story.orders() == (start(2, revision=2),)

    def test_a_changed_policy_takes_effect_without_a_restart(self) -> None:
        story = crashed(1).accepted().ready()
        story.asked(story.apply(spec(policy=always_restart_policy())))
        container = story.container()
        assert (story.orders(), container.revision) == ((), 2)
        assert container.history.failures == ()
        assert container.started_revision == 2

    def test_a_new_revision_leaves_every_phase_of_rest(self) -> None:
        story = crashed(4)
        story.asked(story.apply(spec(command=("fixed",))))
        assert story.orders() == (start(5, revision=2),)

    def test_a_new_revision_starts_what_was_stopped(self) -> None:
        story = Story(spec()).accepted().ready().asked(Stop(name="web"))
        story.ended(Exited(code=0)).asked(story.apply(spec(command=("fixed",))))
        assert story.orders() == (start(2, revision=2),)

    def test_a_removed_spec_is_stopped_then_forgotten(self) -> None:
        story = Story(spec()).accepted().ready()
        story.asked(story.apply())
        assert story.orders() == (stop(),)
        story.asked(story.apply())
        assert story.orders() == ()
        story.ended(Exited(code=0))
        assert story.orders() == (ForgetContainer(name="web", run=1),)
        assert len(story.fleet.containers) == 0

    def test_a_removed_spec_that_rests_is_forgotten_at_once(self) -> None:
        story = crashed(4)
        story.asked(story.apply())
        assert story.orders() == (ForgetContainer(name="web", run=4),)

    def test_a_removed_spec_that_comes_back_runs_again(self) -> None:
        story = Story(spec()).accepted().ready()
        story.asked(story.apply()).asked(story.apply(spec()))
        story.ended(Exited(code=0))
        assert story.orders() == (start(2),)

    def test_one_that_is_leaving_can_be_started_by_request(self) -> None:
        story = Story(spec()).accepted().ready()
        story.asked(story.apply()).asked(Start(name="web"))
        assert not story.container().leaving
        assert story.container().origin is Origin.AD_HOC

    def test_a_kept_one_goes_on_as_ad_hoc(self) -> None:
        story = Story(spec()).accepted().ready()
        story.asked(story.apply(settings=FleetSettings(prune=Prune.KEEP)))
        assert story.container().origin is Origin.AD_HOC
        assert story.phase() == "Running"

    def test_a_forgotten_one_is_let_go_running_and_found_again(self) -> None:
        forget = FleetSettings(prune=Prune.FORGET)
        story = Story(spec()).accepted().ready()
        story.asked(story.apply(settings=forget))
        assert (story.orders(), len(story.fleet.containers)) == ((), 0)
        assert story.fleet.strangers.get("web") == 1
        story.asked(story.apply(spec(), settings=forget))
        assert story.orders() == (start(2),)

    def test_a_forgotten_one_that_rests_is_removed(self) -> None:
        forget = FleetSettings(prune=Prune.FORGET)
        story = crashed(4)
        story.asked(story.apply(settings=forget))
        assert story.orders() == (ForgetContainer(name="web", run=4),)


class TestStopping:
    def stopping(self) -> Story:
        return Story(spec()).accepted().ready().asked(Stop(name="web"))

    def test_a_stop_that_is_not_confirmed_is_looked_for_then_destroyed(self) -> None:
        story = self.stopping().accepted(kind=CommandKind.STOP).time(15_000)
        assert story.orders() == (ObserveFleet(),)
        story.time(20_000)
        destroy = DestroyContainer(name="web", run=1)
        assert story.orders() == (destroy,)
        assert outstanding(story.fleet) == (destroy,)
        story.accepted(kind=CommandKind.DESTROY).time(25_000)
        assert story.orders() == (destroy,)
        story.ended(Signaled(signal=9), at=25_100)
        assert story.phase() == "Stopped"

    def test_a_stop_that_did_not_reach_the_platform_is_given_again(self) -> None:
        story = self.stopping()
        story.happens(failed(Unreachable(cause="cut"), CommandKind.STOP))
        assert wake_at(story.container(), fences=True) == 2_000
        story.time(2_000)
        assert story.orders() == (stop(),)

    def test_outstanding_is_what_was_never_confirmed(self) -> None:
        assert outstanding(self.stopping().fleet) == (stop(),)
        assert outstanding(Story(spec()).fleet) == (start(1),)
        assert outstanding(Story(spec()).accepted().fleet) == ()

    def test_an_acceptance_that_no_longer_matters_changes_nothing(self) -> None:
        story = Story(spec()).accepted().ready()
        before = story.container()
        assert story.accepted().container() == before
        assert story.accepted(kind=CommandKind.STOP).container() == before


class TestBoot:
    def test_what_was_never_confirmed_is_given_again_after_the_first_look(self) -> None:
        story = Story(spec("a"), spec("b")).accepted("b")
        story.happens(Booted(at=5, epoch=2, rules=1, fences=True))
        assert story.orders() == (ObserveFleet(),)
        story.time(70_000, "a")
        assert story.orders() == ()
        story.happens(FleetObserved(at=10, complete=True))
        story.happens(FleetObserved(at=70_000, complete=True))
        assert story.phase("a") == "Stopping"

    def test_a_second_look_gives_nothing_again(self) -> None:
        story = Story(spec())
        story.happens(Booted(at=5, epoch=2, rules=1))
        story.happens(FleetObserved(at=6, complete=True))
        assert story.orders() == (start(1),)
        story.happens(FleetObserved(at=7, complete=True))
        assert story.orders() == ()

    def test_a_look_does_what_is_due_for_each(self) -> None:
        story = Story(spec("a"), spec("b")).accepted("a").accepted("b")
        story.happens(FleetObserved(at=60_000, complete=True))
        assert story.orders() == (stop(name="a"), stop(name="b"))

    def test_one_look_does_for_all_who_want_one(self) -> None:
        story = Story(spec()).asked(Reconcile())
        assert story.orders() == (ObserveFleet(),)
        assert story.asked(Reconcile()).orders() == ()

    def test_the_periodic_look_comes_in_its_interval(self) -> None:
        story = Story(spec())
        assert wake_at_fleet(story.fleet) == 60_000
        assert story.time(59_999, None).orders() == ()
        assert story.time(60_000, None).orders() == (ObserveFleet(),)

    def test_strangers_are_remembered_while_they_are_seen(self) -> None:
        story = Story()
        seen = Table.of([("old", 3)])
        story.happens(FleetObserved(at=1, complete=True, strangers=seen))
        assert story.fleet.strangers == seen
        more = seen.put("new", 1)
        story.happens(FleetObserved(at=2, complete=True, strangers=more))
        assert story.fleet.strangers == more
        story.happens(FleetObserved(at=2, complete=True))
        assert len(story.fleet.strangers) == 0

    def test_a_removal_is_given_again_until_it_is_confirmed(self) -> None:
        story = crashed(4)
        story.asked(story.apply())
        story.happens(FleetObserved(at=99_999, complete=True))
        assert story.orders() == (ForgetContainer(name="web", run=4),)


class TestSights:
    def see(
        self, story: Story, sight: Sight, run: int = 1, mark: str = "", at: int = 9
    ) -> Story:
        return story.happens(
            ContainerObserved(at=at, name="web", run=run, sight=sight, fingerprint=mark)
        )

    def test_a_run_that_is_gone_is_lost_and_counts_as_a_failure(self) -> None:
        story = self.see(Story(spec()).accepted().ready(), SeenAbsent())
        last = story.container().last
        assert last is not None
        assert last.exit == Lost()
        assert story.container().history.crashes_total == 1

    def test_a_start_that_was_not_accepted_was_never_there(self) -> None:
        assert self.see(Story(spec()), SeenAbsent()).phase() == "Starting"
        assert self.see(Story(spec()), SeenUnreachable()).phase() == "Starting"

    def test_an_absent_run_confirms_its_stop(self) -> None:
        story = Story(spec()).accepted().ready().asked(Stop(name="web"))
        assert self.see(story, SeenAbsent()).phase() == "Stopped"

    def test_what_cannot_be_seen_is_unknown_and_replaced_only_after_its_time(
        self,
    ) -> None:
        story = self.see(Story(spec()).accepted().ready(), SeenUnreachable())
        assert story.phase() == "Unknown"
        story.time(60_008)
        assert story.phase() == "Unknown"
        story.time(60_009)
        assert story.phase() == "BackingOff"

    @pytest.mark.parametrize("on_lost", [OnLost.WAIT, OnLost.REPLACE])
    def test_the_owner_chooses_what_becomes_of_the_lost(self, on_lost: OnLost) -> None:
        policy = attrs.evolve(NO_JITTER, on_lost=on_lost)
        story = self.see(Story(spec(policy=policy)).accepted().ready(), SeenAbsent())
        story = Story(spec(policy=policy)).accepted().ready()
        self.see(story, SeenUnreachable()).time(10**6)
        expected = "Unknown" if on_lost is OnLost.WAIT else "BackingOff"
        assert story.phase() == expected

    def test_what_comes_back_goes_on_as_it_was(self) -> None:
        story = Story(spec()).accepted().ready(at=5)
        was = story.container().phase
        self.see(self.see(story, SeenUnreachable()), SeenRunning(ready=True))
        assert story.container().phase == was
        fresh = Story(spec()).accepted()
        self.see(self.see(fresh, SeenUnreachable()), SeenRunning(ready=True))
        assert fresh.phase() == "Running"

    def test_a_run_that_is_lost_out_of_sight_leaves_on_record_how_it_lived(
        self,
    ) -> None:
        story = Story(spec()).accepted().started(at=2).ready(at=5)
        self.see(self.see(story, SeenUnreachable()), SeenAbsent(), at=20)
        assert story.container().last == LastRun(
            run=1, exit=Lost(), ended_at=20, started_at=2, ready_at=5
        )

    @pytest.mark.parametrize(
        ("has_process", "since", "deadline"),
        [(False, 1_100, 61_030), (True, 50, 61_030)],
    )
    def test_the_time_that_nobody_saw_does_not_count_for_a_start(
        self, since: int, deadline: int, *, has_process: bool
    ) -> None:
        story = Story().asked(Story.apply(spec()), at=30).accepted()
        if has_process:
            story.started(at=50)
        self.see(story, SeenUnreachable(), at=100)
        self.see(story, SeenRunning(), at=1_100)
        assert story.container().phase == Running(since=since, run=1, deadline=deadline)

    def test_an_error_of_the_platform_is_looked_into(self) -> None:
        story = Story(spec()).accepted().ready()
        story.happens(ContainerErrored(at=3, name="web", run=1, cause="reset"))
        assert (story.phase(), story.orders()) == ("Unknown", (ObserveFleet(),))
        story.asked(Stop(name="web"))
        assert story.orders() == (stop(),)

    def test_a_seen_end_is_an_end(self) -> None:
        story = self.see(Story(spec()).accepted().ready(), SeenEnded(exit=Lost()))
        assert story.phase() == "BackingOff"
        self.see(story, SeenEnded(exit=Lost()), run=6)
        story.time(2_000)
        assert story.orders() == (start(7),)

    def test_what_runs_already_is_adopted_without_a_restart(self) -> None:
        story = Story()
        story.happens(Booted(at=1, epoch=2, rules=1)).asked(story.apply(spec()))
        mark = fingerprint(spec())
        self.see(story, SeenRunning(ready=True), run=3, mark=mark)
        story.happens(FleetObserved(at=10, complete=True))
        assert (story.phase(), story.orders()) == ("Running", ())
        assert story.container().run == 3

    def test_what_runs_with_another_spec_is_replaced(self) -> None:
        story = Story()
        story.happens(Booted(at=1, epoch=2, rules=1)).asked(story.apply(spec()))
        self.see(story, SeenRunning(ready=True), run=3, mark="another")
        assert story.orders() == (stop(3),)
        story.ended(Exited(code=0)).happens(FleetObserved(at=10, complete=True))
        assert story.orders() == (start(4),)

    def test_what_runs_and_should_not_is_ended(self) -> None:
        story = Story(spec()).accepted().ready().asked(Stop(name="web"))
        story.ended(Exited(code=0))
        self.see(story, SeenRunning(), run=2)
        assert (story.phase(), story.orders()) == ("Stopped", (stop(2),))
        assert story.container().run == 2

    def test_an_older_process_beside_the_live_run_changes_nothing(self) -> None:
        story = crashed(1).accepted().ready()
        before = story.container()
        assert self.see(story, SeenRunning(), run=1).container() == before


class TestDifferences:
    def look(self, *sightings: Sighting, began: int = 50) -> Observation:
        return Observation(began=began, complete=True, sightings=sightings)

    def seen(self, sight: Sight, run: int = 1, name: str = "web") -> Sighting:
        return Sighting(name=name, run=run, sight=sight)

    def names(self, story: Story, look: Observation) -> list[str]:
        return [type(event).__name__ for event in differences(story.fleet, look, 99)]

    def test_a_fleet_seen_as_it_is_makes_one_event(self) -> None:
        story = Story(spec()).accepted().ready()
        look = self.look(self.seen(SeenRunning(ready=True)))
        assert self.names(story, look) == ["FleetObserved"]

    def test_a_look_older_than_the_record_says_nothing_about_it(self) -> None:
        story = Story(spec()).accepted().ready(at=60)
        assert self.names(story, self.look()) == ["FleetObserved"]
        look = self.look(self.seen(SeenEnded(exit=Lost())))
        assert self.names(story, look) == ["FleetObserved"]

    @pytest.mark.parametrize(
        ("sight", "run", "news"),
        [
            (SeenEnded(exit=Lost()), 1, True),
            (SeenUnreachable(), 1, True),
            (SeenAbsent(), 1, True),
            (SeenRunning(ready=True), 2, False),
            (SeenEnded(exit=Lost()), 2, False),
            (SeenEnded(exit=Lost()), 0, False),
            (SeenUnreachable(), 2, False),
            (SeenAbsent(), 2, False),
        ],
    )
    def test_only_what_contradicts_is_news(
        self, sight: Sight, run: int, *, news: bool
    ) -> None:
        story = Story(spec()).accepted().ready()
        found = self.names(story, self.look(self.seen(sight, run)))
        assert ("ContainerObserved" in found) is news

    def test_a_later_run_that_has_ended_is_news_of_what_does_not_live(self) -> None:
        story = Story(spec()).accepted().ready().ended()
        for run, news in ((1, False), (2, True)):
            found = self.names(story, self.look(self.seen(SeenEnded(exit=Lost()), run)))
            assert ("ContainerObserved" in found) is news

    def test_a_run_seen_in_each_phase(self) -> None:
        running = self.look(self.seen(SeenRunning(ready=True)))
        absent = self.look()
        starting = Story(spec()).accepted()
        assert "ContainerObserved" in self.names(starting, running)
        assert "ContainerObserved" in self.names(starting, absent)
        assert self.names(Story(spec()), absent) == ["FleetObserved"]
        stopping = Story(spec()).accepted().ready().asked(Stop(name="web"))
        assert self.names(stopping, running) == ["FleetObserved"]
        stopped = stopping.ended(Exited(code=0))
        assert "ContainerObserved" in self.names(stopped, running)

    def test_strangers_are_listed_and_the_forgotten_are_not(self) -> None:
        story = crashed(4)
        story.asked(story.apply())
        look = self.look(
            self.seen(SeenEnded(exit=Lost()), 4),
            self.seen(SeenRunning(), 2, "stranger"),
            began=99_999,
        )
        [event] = differences(story.fleet, look, 100_000)
        assert isinstance(event, FleetObserved)
        assert list(event.strangers.items()) == [("stranger", 2)]

    def test_an_incomplete_look_proves_no_absence(self) -> None:
        story = Story(spec()).accepted().ready()
        look = attrs.evolve(self.look(), complete=False)
        [event] = differences(story.fleet, look, 99)
        assert event == FleetObserved(at=99, complete=False)


def test_fold_is_reduce_many_times_over() -> None:
    events: list[Event] = [
        Booted(at=0, epoch=1, rules=1),
        FleetObserved(at=1, complete=True),
        TimeReached(at=2),
    ]
    fleet = empty_fleet("demo")
    for event in events:
        fleet = reduce(fleet, event).fleet
    assert fold(empty_fleet("demo"), events) == fleet


def test_phases_carry_what_is_true_in_them() -> None:
    story = crashed(1)
    assert isinstance(story.container().phase, Starting)
    story.accepted().ready()
    assert isinstance(story.container().phase, Running)
    story.asked(Stop(name="web"))
    phase = story.container().phase
    assert isinstance(phase, Stopping)
    assert phase.escalation is Escalation.SIGNALED
    assert not isinstance(phase, Unknown | Failed)
    assert SETTINGS.min_restart_delay_ms == 100
    assert Rule.FORCED.value == "forced"


def test_a_sight_of_an_older_run_changes_nothing() -> None:
    story = Story(spec("web"))
    before = story.fleet.containers["web"]
    sight = SeenRunning(ready=True)
    story.happens(ContainerObserved(at=9, name="web", run=before.run + 7, sight=sight))
    assert story.fleet.containers["web"] == before


def test_only_the_first_run_of_a_name_begins_above_those_of_the_removed() -> None:
    story = Story(spec("web"))
    story.fleet = attrs.evolve(story.fleet, run_floor=7)
    story.asked(Story.apply(spec("web"), spec("new")))
    assert story.fleet.containers["new"].run == 8
    story.happens(ContainerEnded(at=1, name="web", run=1, exit=Exited(code=1)))
    story.happens(TimeReached(at=10_000, name="web"))
    assert story.fleet.containers["web"].run == 2


def test_news_that_come_late_change_nothing() -> None:
    story = Story(spec()).accepted().ready().asked(Stop(name="web"), at=100)
    before = story.container()
    news = (
        ContainerStarted(at=200, name="web", run=1),
        ContainerReady(at=200, name="web", run=1),
        ContainerReady(at=200, name="web", run=7),
        CommandAccepted(at=200, name="web", run=7, kind=CommandKind.STOP),
        CommandAccepted(at=200, name="web", run=1, kind=CommandKind.START),
    )
    for event in news:
        assert (story.happens(event).container(), story.orders()) == (before, ())


def test_a_request_to_remove_moves_no_single_container() -> None:
    story = Story(spec())
    event = RemoveRequested(at=5, name="web")
    terms = FixedTerms()
    assert advance(story.container(), event, terms) == (story.container(), ())


@pytest.mark.parametrize("order", [order_stop, order_destroy])
def test_what_does_not_live_or_is_being_ended_is_not_ended(
    order: Callable[..., Moved],
) -> None:
    resting = Story(spec()).accepted().ended().container()
    ending = Story(spec()).asked(Stop(name="web")).container()
    for container in (resting, ending):
        assert order(container, 5, Lost()) == (container, ())


def test_a_first_look_that_never_came_back_is_asked_for_once() -> None:
    fleet = empty_fleet("demo")
    assert wake_at_fleet(fleet) is None
    booted = reduce(fleet, Booted(at=7, epoch=1, rules=2)).fleet
    assert (booted.observing, wake_at_fleet(booted)) == (True, None)


def test_the_stream_goes_on_after_the_newest_place() -> None:
    story = Story(spec())
    story.happens(ContainerStarted(at=1, name="web", run=1, cursor="5"))
    assert story.fleet.cursor == "5"
    story.happens(ContainerReady(at=2, name="web", run=1))
    assert story.fleet.cursor == "5"
    story.happens(ContainerEnded(at=3, name="ghost", run=1, exit=Lost(), cursor="6"))
    assert story.fleet.cursor == "6"


def test_the_first_look_gives_again_what_one_of_a_group_did_not_change() -> None:
    story = Story(spec("a"), spec("b"))
    story.happens(Booted(at=1, epoch=2, rules=2, fences=True))
    story.happens(FleetObserved(at=2, complete=True))
    assert story.orders() == (start(1, name="a"), start(1, name="b"))
    story.happens(FleetObserved(at=3, complete=True))
    assert story.orders() == ()


def test_a_boot_is_on_record_with_its_newest_epoch() -> None:
    story = Story(spec()).happens(Booted(at=9, epoch=5, rules=2, fences=False))
    fleet = story.fleet
    assert (fleet.at, fleet.epoch, fleet.rules, fleet.fences) == (9, 5, 2, False)
    assert (fleet.observed, fleet.observing) == (False, True)
    assert story.happens(Booted(at=10, epoch=3, rules=2)).fleet.epoch == 5


def test_a_transition_names_those_whose_record_it_touched() -> None:
    story = Story(spec("a"), spec("b"), spec("c"))
    event = ContainerStarted(at=1, name="b", run=1)
    assert reduce(story.fleet, event).touched == ("b",)
    applied = admit(story.fleet, story.apply(spec("b")), at=2).unwrap()
    assert reduce(story.fleet, applied).touched == ("a", "c")
    late = ContainerStarted(at=1, name="b", run=7)
    assert reduce(story.fleet, late).touched == ()
