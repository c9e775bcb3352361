"""The restart policy, as a specification: read it from the top.

1. How a run ends, and what each end counts as.
2. What follows each end under each ``when``: the big table.
3. What the rules of an owner make of an end.
4. The fields of a policy, with their defaults, and what each one does.
5. The promises, one sentence each.

Everything here is told as a ``Story``: a fleet, moved event by event through
``admit`` and ``reduce``, with every invariant checked after each step.
"""

from __future__ import annotations

from typing import Any, Final

import attrs
import pytest

from orchestrator.core.backoff import Backoff
from orchestrator.core.commands import DestroyContainer, StartContainer, StopContainer
from orchestrator.core.errors import (
    ContainerStartFailed,
    CrashLoopDetected,
    EnvVarsFailed,
    NoCapacity,
    QuotaExceeded,
    RateLimited,
    SecretMissing,
    StartNeedsForce,
    Unauthorized,
)
from orchestrator.core.events import (
    Booted,
    CommandFailed,
    CommandKind,
    ContainerErrored,
    ContainerObserved,
    FleetObserved,
)
from orchestrator.core.exit_rules import (
    Codes,
    ExitAction,
    ExitKind,
    ExitMatch,
    ExitRule,
    Kinds,
    Signals,
)
from orchestrator.core.exits import (
    Exit,
    Exited,
    Lost,
    Outcome,
    OutOfMemory,
    RolledOut,
    Signaled,
    Slept,
    StartFailed,
    Stopped,
    Unhealthy,
    outcome,
)
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.observations import SeenUnreachable
from orchestrator.core.phases import BackingOff, CrashLooping, Rule, phase_name
from orchestrator.core.policies import (
    CrashLimit,
    OnLoop,
    OnLost,
    RestartPolicy,
    When,
    always_restart_policy,
    default_restart_policy,
    judged,
    never_restart_policy,
)
from orchestrator.core.requests import (
    ClearCrashHistory,
    Remove,
    Restart,
    Start,
    Stop,
)
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table

from .examples import NO_JITTER, SETTINGS, Story, spec

# 1. How a run ends


COUNTS_AS: Final[list[tuple[Exit, str]]] = [
    (Exited(code=0), "clean"),
    (Exited(code=1), "failure"),
    (Exited(code=255), "failure"),
    (Signaled(signal=9), "failure"),
    (OutOfMemory(), "failure"),
    (StartFailed(reason="image missing"), "failure"),
    (Unhealthy(check="liveness"), "failure"),
    (Lost(), "failure"),
    (NoCapacity(), "neither"),
    (RateLimited(), "neither"),
    (QuotaExceeded(), "neither"),
    (Unauthorized(), "neither"),
    (SecretMissing(name="web", key="KEY"), "neither"),
    (EnvVarsFailed(name="web", cause_type="KeyError"), "neither"),
    (RolledOut(), "neither"),
    (Slept(), "neither"),
    (Stopped(), "neither"),
]


@pytest.mark.parametrize(("exit_", "expected"), COUNTS_AS)
def test_what_an_end_counts_as(exit_: Exit, expected: str) -> None:
    assert outcome(exit_) == expected
    assert judged(RestartPolicy(), exit_).outcome == expected


def test_a_listed_code_of_success_is_clean_too() -> None:
    policy = RestartPolicy(success_codes=(3,))
    assert judged(policy, Exited(code=3)).outcome is Outcome.CLEAN
    assert judged(policy, Exited(code=4)).outcome is Outcome.FAILURE


# 2. What follows


def running(
    policy: RestartPolicy = NO_JITTER,
    settings: FleetSettings = SETTINGS,
    **more: Any,
) -> Story:
    """Tell of one container that is ready at 1 000."""
    return (
        Story(spec(policy=policy, **more), settings=settings).accepted().ready(at=1_000)
    )


def ended(exit_: Exit, policy: RestartPolicy = NO_JITTER, **more: Any) -> Story:
    return running(policy, **more).ended(exit_, at=5_000)


def where(story: Story) -> tuple[str, str, int | None]:
    """Return the phase, the rule that decided, and when it starts again."""
    phase = story.container().phase
    rule, until = getattr(phase, "rule", ""), getattr(phase, "until", None)
    return phase_name(phase), str(rule), until


def under(when: When, **more: Any) -> RestartPolicy:
    return attrs.evolve(NO_JITTER, when=when, **more)


ALWAYS, ON_FAILURE, NEVER = When.ALWAYS, When.ON_FAILURE, When.NEVER

FAILED_RUNS: Final[list[Exit]] = [
    Exited(code=1),
    Signaled(signal=9),
    OutOfMemory(),
    StartFailed(reason="not ready"),
    Unhealthy(check="liveness"),
    Lost(),
]
OBSTACLES: Final[list[Exit]] = [
    NoCapacity(),
    RateLimited(),
    QuotaExceeded(),
    Unauthorized(),
    SecretMissing(name="web", key="KEY"),
    EnvVarsFailed(name="web", cause_type="KeyError"),
]
AGAIN: Final = ("backing_off", "failure_backoff", 6_000)
FOLLOWS: Final[list[tuple[list[Exit], list[When], tuple[str, str, int | None]]]] = [
    ([Exited(code=0)], [ALWAYS], ("backing_off", "always_after_clean_exit", 5_100)),
    ([Exited(code=0)], [ON_FAILURE, NEVER], ("completed", "clean_exit", None)),
    (FAILED_RUNS, [ALWAYS, ON_FAILURE], AGAIN),
    (FAILED_RUNS, [NEVER], ("failed", "never_restart", None)),
    (OBSTACLES, [*When], ("backing_off", "obstacle_backoff", 6_000)),
    ([RolledOut()], [*When], ("backing_off", "rolled_out", 5_100)),
    ([Slept()], [*When], ("backing_off", "kept_alive", 5_100)),
]


@pytest.mark.parametrize(
    ("exit_", "when", "expected"),
    [
        (exit_, when, expected)
        for exits, whens, expected in FOLLOWS
        for exit_ in exits
        for when in whens
    ],
)
def test_what_follows_each_end_under_each_when(
    exit_: Exit, when: When, expected: tuple[str, str, int | None]
) -> None:
    assert where(ended(exit_, under(when))) == expected


@pytest.mark.parametrize("when", When)
@pytest.mark.parametrize("exit_", [exit_ for exit_, _ in COUNTS_AS])
def test_what_its_owner_wants_stopped_rests_whatever_its_end(
    exit_: Exit, when: When
) -> None:
    story = running(under(when)).asked(Stop(name="web"), at=4_000)
    assert where(story.ended(exit_, at=5_000)) == (
        "stopped",
        "owner_wants_it_stopped",
        None,
    )
    assert story.container().history.crashes_total == 0


@pytest.mark.parametrize("when", When)
def test_what_need_not_be_kept_alive_sleeps_until_it_is_asked_for(when: When) -> None:
    story = ended(Slept(), under(when), keep_alive=False)
    assert where(story) == ("asleep", "asleep_until_asked", None)
    assert story.asked(Start(name="web")).phase() == "Starting"


@pytest.mark.parametrize("when", When)
def test_what_was_stopped_to_restart_starts_at_once(when: When) -> None:
    story = running(under(when)).asked(Restart(name="web"), at=4_000)
    assert story.phase() == "Stopping"
    story.ended(Exited(code=1), at=5_000)
    assert story.phase() == "Starting"
    assert story.container().history.crashes_total == 0


# 3. The rules of an owner


@pytest.mark.parametrize(
    ("match", "about", "not_about"),
    [
        (Codes(values=(3, 4)), [Exited(code=3), Exited(code=4)], [Exited(code=5)]),
        (Codes(values=(3,), negated=True), [Exited(code=0)], [Exited(code=3), Lost()]),
        (Signals(values=(9,)), [Signaled(signal=9)], [Exited(code=9)]),
        (Signals(values=(9,), negated=True), [Signaled(signal=15)], [Exited(code=1)]),
        (Kinds(values=(ExitKind.LOST,)), [Lost()], [Exited(code=1)]),
        (
            Kinds(values=(ExitKind.EXITED,), negated=True),
            [Lost(), OutOfMemory()],
            [Exited(code=0)],
        ),
    ],
)
def test_a_rule_is_about_codes_signals_or_kinds(
    match: ExitMatch, about: list[Exit], not_about: list[Exit]
) -> None:
    rules = (ExitRule(match=match, action=ExitAction.FAIL),)
    policy = under(ON_FAILURE, exit_rules=rules)
    for exit_ in about:
        assert where(ended(exit_, policy))[:2] == ("failed", "exit_rule_fail")
    for exit_ in not_about:
        assert where(ended(exit_, policy))[1] != "exit_rule_fail"


ACTIONS: Final[list[tuple[ExitAction, Exit, tuple[str, str, int | None], int]]] = [
    (
        ExitAction.RESTART,
        Exited(code=0),
        ("backing_off", "exit_rule_restart", 6_000),
        1,
    ),
    (
        ExitAction.RESTART,
        Exited(code=1),
        ("backing_off", "exit_rule_restart", 6_000),
        1,
    ),
    (ExitAction.COMPLETE, Exited(code=0), ("completed", "exit_rule_complete", None), 0),
    (ExitAction.COMPLETE, Exited(code=1), ("completed", "exit_rule_complete", None), 0),
    (ExitAction.FAIL, Exited(code=0), ("failed", "exit_rule_fail", None), 1),
    (ExitAction.FAIL, Exited(code=1), ("failed", "exit_rule_fail", None), 1),
    (ExitAction.IGNORE, Exited(code=0), ("backing_off", "exit_rule_ignore", 5_100), 0),
    (ExitAction.IGNORE, Exited(code=1), ("backing_off", "exit_rule_ignore", 5_100), 0),
]


@pytest.mark.parametrize("when", When)
@pytest.mark.parametrize(("action", "exit_", "expected", "failures"), ACTIONS)
def test_what_an_action_does_whatever_when_says(
    action: ExitAction,
    exit_: Exit,
    expected: tuple[str, str, int | None],
    failures: int,
    when: When,
) -> None:
    rule = ExitRule(match=Codes(values=(0, 1)), action=action)
    story = ended(exit_, under(when, exit_rules=(rule,)))
    assert where(story) == expected
    assert story.container().history.crashes_total == failures


def test_the_first_rule_that_matches_wins() -> None:
    rules = (
        ExitRule(match=Codes(values=(7,)), action=ExitAction.COMPLETE),
        ExitRule(match=Kinds(values=(ExitKind.EXITED,)), action=ExitAction.FAIL),
    )
    policy = under(ON_FAILURE, exit_rules=rules)
    assert where(ended(Exited(code=7), policy))[1] == "exit_rule_complete"
    assert where(ended(Exited(code=8), policy))[1] == "exit_rule_fail"
    backwards = under(ON_FAILURE, exit_rules=rules[::-1])
    assert where(ended(Exited(code=7), backwards))[1] == "exit_rule_fail"


# 4. The fields


def test_the_defaults() -> None:
    assert default_restart_policy() == RestartPolicy(
        when=When.ON_FAILURE,
        crash=CrashLimit(window_ms=600_000, allowed_crashes=3, on_loop=None),
        backoff=Backoff(
            initial_ms=1_000,
            factor=2.0,
            max_ms=60_000,
            jitter=0.1,
            reset_after_ms=600_000,
            delays_ms=(),
        ),
        min_interval_ms=1_000,
        lost_after_ms=60_000,
        on_lost=None,
        max_restarts=None,
        start_budget=5,
        success_codes=(),
        exit_rules=(),
        custom=None,
    )


def test_the_defaults_of_a_container_and_of_a_fleet() -> None:
    one = ContainerSpec(name="web", command=("run",))
    assert (one.stop_signal, one.stop_grace_ms) == ("TERM", 10_000)
    assert (one.start_timeout_ms, one.sleep_after_ms) == (60_000, None)
    assert one.keep_alive is True
    fleet = FleetSettings()
    assert (fleet.min_restart_delay_ms, fleet.max_concurrent_starts) == (100, 8)
    assert (fleet.max_starts_per_minute, str(fleet.prune)) == (None, "stop")


def always_dying(
    policy: RestartPolicy, exit_: Exit, count: int, *, ad_hoc: bool = False
) -> tuple[Story, list[int]]:
    """Let a container die at once, *count* times; return the waits in between."""
    if ad_hoc:
        story = Story().asked(Start(name="web", spec=spec(policy=policy)))
    else:
        story = Story(spec(policy=policy))
    waits: list[int] = []
    for _ in range(count):
        story.accepted()
        if not isinstance(exit_, StartFailed):
            story.ready()
        story.ended(exit_)
        until = getattr(story.container().phase, "until", None)
        if until is None:
            break
        waits.append(until - story.fleet.at)
        story.time(until)
    return story, waits


def test_crash_more_failures_in_the_window_than_allowed_are_a_crash_loop() -> None:
    policy = under(ON_FAILURE, crash=CrashLimit(window_ms=60_000, allowed_crashes=2))
    _, waits = always_dying(policy, Exited(code=1), 3)
    assert waits == [1_000, 2_000, 60_000 - 3_000]


def test_crash_none_allowed_means_that_the_first_failure_is_a_crash_loop() -> None:
    policy = under(ON_FAILURE, crash=CrashLimit(window_ms=60_000, allowed_crashes=0))
    story = ended(Exited(code=1), policy)
    assert where(story) == ("crash_looping", "crash_loop_cooldown", 65_000)


@pytest.mark.parametrize(
    ("on_loop", "ad_hoc", "expected"),
    [
        (None, False, "crash_loop_cooldown"),
        (None, True, "crash_loop_hold"),
        (OnLoop.COOLDOWN, True, "crash_loop_cooldown"),
        (OnLoop.HOLD, False, "crash_loop_hold"),
    ],
)
def test_on_loop_the_declared_try_again_and_the_ad_hoc_wait_for_somebody(
    on_loop: OnLoop | None,
    ad_hoc: bool,  # noqa: FBT001 - a case
    expected: str,
) -> None:
    policy = under(ON_FAILURE, crash=CrashLimit(allowed_crashes=0, on_loop=on_loop))
    story, _ = always_dying(policy, Exited(code=1), 0, ad_hoc=ad_hoc)
    story.accepted().ready().ended()
    assert where(story)[1] == expected


def test_backoff_waits_grow_up_to_the_longest() -> None:
    loose = CrashLimit(allowed_crashes=1_000)
    backoff = Backoff(initial_ms=500, factor=3, max_ms=10_000, jitter=0)
    policy = under(ON_FAILURE, crash=loose, backoff=backoff)
    _, waits = always_dying(policy, Exited(code=1), 5)
    assert waits == [500, 1_500, 4_500, 10_000, 10_000]


def test_backoff_a_list_says_each_wait() -> None:
    loose = CrashLimit(allowed_crashes=1_000)
    backoff = Backoff(delays_ms=(5_000, 200, 90_000), jitter=0)
    policy = under(ON_FAILURE, crash=loose, backoff=backoff)
    _, waits = always_dying(policy, Exited(code=1), 5)
    assert waits == [5_000, 200, 90_000, 90_000, 90_000]


def test_backoff_jitter_spreads_within_its_share_and_never_beyond_the_longest() -> None:
    loose = CrashLimit(allowed_crashes=1_000)
    backoff = Backoff(initial_ms=1_000, factor=1, max_ms=1_050, jitter=0.2)
    policy = under(ON_FAILURE, crash=loose, backoff=backoff)
    _, waits = always_dying(policy, Exited(code=1), 200)
    assert min(waits) < 850
    assert min(waits) >= 800
    assert max(waits) == 1_050


@pytest.mark.parametrize(("uptime", "wait"), [(60_000, 1_000), (59_999, 4_000)])
def test_backoff_reset_after_that_long_up_and_ready_the_wait_is_the_first(
    uptime: int, wait: int
) -> None:
    backoff = attrs.evolve(NO_JITTER.backoff, reset_after_ms=60_000)
    policy = under(ON_FAILURE, backoff=backoff)
    story, waits = always_dying(policy, Exited(code=1), 2)
    assert waits == [1_000, 2_000]
    story.accepted().ready().ended(at=story.fleet.at + uptime)
    assert where(story)[2] == story.fleet.at + wait


def test_max_restarts_that_many_failures_in_a_row_and_it_gives_up_for_good() -> None:
    policy = under(ALWAYS, max_restarts=2, crash=CrashLimit(allowed_crashes=1_000))
    story, waits = always_dying(policy, Exited(code=1), 9)
    assert waits == [1_000, 2_000]
    assert where(story) == ("failed", "max_restarts", None)
    assert story.time(10**9).phase() == "Failed"


def test_start_budget_that_many_failed_starts_in_a_row_and_it_is_a_crash_loop() -> None:
    failed = StartFailed(reason="image missing")
    story, waits = always_dying(under(ON_FAILURE), failed, 6)
    assert waits == [1_000, 2_000, 4_000, 8_000, 16_000, 600_000]
    assert story.container().history.failures == ()
    budget = under(ON_FAILURE, start_budget=1)
    _, waits = always_dying(budget, failed, 3)
    assert waits == [1_000, 600_000, 600_000]


def test_start_budget_is_spent_by_starts_that_the_platform_refuses() -> None:
    story = Story(spec(policy=under(ON_FAILURE, start_budget=0)))
    error = ContainerStartFailed(name="web", cause="no such image")
    story.happens(
        CommandFailed(at=5, name="web", run=1, kind=CommandKind.START, error=error)
    )
    assert where(story)[:2] == ("crash_looping", "start_loop_cooldown")


def test_start_budget_a_process_that_ends_before_it_is_ready_counts_as_a_run() -> None:
    story = Story(spec()).accepted().started(at=10).ended(Exited(code=1), at=20)
    assert story.container().history.failures == (20,)
    assert story.container().history.start_failures == 0


@pytest.mark.parametrize(("uptime", "wait"), [(300, 700), (5_000, 100)])
def test_min_interval_is_the_least_time_between_starts_after_clean_exits(
    uptime: int, wait: int
) -> None:
    story = running(under(ALWAYS)).ended(Exited(code=0), at=1_000 + uptime)
    assert where(story)[1:] == ("always_after_clean_exit", 1_000 + uptime + wait)


@pytest.mark.parametrize(
    ("on_lost", "fences", "replaced"),
    [
        (None, True, True),
        (None, False, False),
        (OnLost.REPLACE, False, True),
        (OnLost.WAIT, True, False),
    ],
)
def test_on_lost_what_is_unknown_for_too_long_is_replaced_or_waited_for(
    on_lost: OnLost | None,
    fences: bool,  # noqa: FBT001 - a case
    replaced: bool,  # noqa: FBT001 - a case
) -> None:
    policy = under(ON_FAILURE, on_lost=on_lost, lost_after_ms=30_000)
    story = running(policy)
    story.happens(Booted(at=1_000, epoch=2, rules=2, fences=fences))
    story.happens(FleetObserved(at=1_000, complete=True))
    story.happens(ContainerErrored(at=5_000, name="web", run=1, cause="cut off"))
    assert story.time(34_999).phase() == "Unknown"
    story.time(35_000)
    assert story.phase() == ("BackingOff" if replaced else "Unknown")
    assert story.container().history.crashes_total == replaced


def test_the_three_ready_made_policies_differ_in_when_alone() -> None:
    plain = default_restart_policy()
    assert always_restart_policy() == attrs.evolve(plain, when=When.ALWAYS)
    assert never_restart_policy() == attrs.evolve(plain, when=When.NEVER)


# 5. The promises


def looping(*, ad_hoc: bool = False) -> Story:
    """Tell of a container in a crash loop."""
    story, _ = always_dying(under(ON_FAILURE), Exited(code=1), 3, ad_hoc=ad_hoc)
    return story.accepted().ready().ended()


def test_a_clean_exit_under_always_restarts_and_never_counts_as_a_crash() -> None:
    story, waits = always_dying(under(ALWAYS), Exited(code=0), 50)
    assert waits == [1_000] * 50
    assert story.container().history.crashes_total == 0
    assert story.container().history.failures == ()


@pytest.mark.parametrize(
    ("when", "exit_", "phase"),
    [
        (ON_FAILURE, Exited(code=0), "completed"),
        (NEVER, Exited(code=0), "completed"),
        (NEVER, Exited(code=1), "failed"),
    ],
)
def test_reconcile_leaves_alone_what_is_completed_or_failed(
    when: When, exit_: Exit, phase: str
) -> None:
    story = ended(exit_, under(when))
    for at in (60_000, 120_000):
        story.time(at, None).happens(FleetObserved(at=at, complete=True))
        assert story.orders() == ()
        assert where(story)[0] == phase


def test_a_stopped_member_of_the_min_replica_set_stays_stopped_and_says_by_whom() -> (
    None
):
    story = running().asked(Stop(name="web", by="ann", why="upgrade"), at=2_000)
    story.ended(Exited(code=0), at=2_500)
    story.time(60_000, None).happens(FleetObserved(at=60_000, complete=True))
    story.happens(Booted(at=61_000, epoch=2, rules=2, fences=True))
    story.happens(FleetObserved(at=61_001, complete=True))
    story.asked(story.apply(spec(policy=NO_JITTER)), at=62_000)
    assert story.phase() == "Stopped"
    desired = story.container().desired
    assert (desired.running, desired.by, desired.why) == (False, "ann", "upgrade")


@pytest.mark.parametrize("way", ["start", "restart", "revision"])
def test_it_leaves_its_rest_by_start_restart_or_a_new_revision(way: str) -> None:
    story = running().asked(Stop(name="web"), at=2_000).ended(at=2_500)
    if way == "revision":
        story.asked(story.apply(spec(command=("run", "more"))), at=3_000)
    else:
        asked = Start(name="web") if way == "start" else Restart(name="web")
        story.asked(asked, at=3_000)
    assert story.phase() == "Starting"


HELD: Final = {
    "failed": lambda: ended(Exited(code=1), under(NEVER)),
    "completed": lambda: ended(Exited(code=0)),
    "crash_looping": lambda: looping(ad_hoc=True),
}


@pytest.mark.parametrize("phase", HELD)
@pytest.mark.parametrize("way", ["force", "revision", "clear"])
def test_what_is_held_leaves_by_force_a_new_revision_or_clearing(
    phase: str, way: str
) -> None:
    story = HELD[phase]()
    assert where(story)[0] == phase
    now = story.fleet.at + 1
    if way == "force":
        story.asked(Start(name="web", force=True), at=now)
    elif way == "clear":
        story.asked(ClearCrashHistory(name="web"), at=now)
    elif phase == "crash_looping":
        changed = spec(policy=NO_JITTER, command=("run", "more"))
        story.asked(Start(name="web", spec=changed), at=now)
    else:
        story.asked(story.apply(spec(command=("run", "more"))), at=now)
    stays = way == "clear" and phase == "completed"
    assert where(story)[0] == (phase if stays else "starting")
    assert story.container().history.failures == ()
    assert story.container().history.attempts == 0


@pytest.mark.parametrize("phase", ["failed", "completed"])
def test_a_plain_start_of_what_is_done_or_has_failed_needs_force(phase: str) -> None:
    story = HELD[phase]()
    expected = StartNeedsForce(name="web", current_status=phase)
    assert story.refused(Start(name="web")) == expected
    assert story.refused(Restart(name="web")) == expected


def test_a_start_of_what_runs_succeeds_and_changes_nothing() -> None:
    story = running()
    before = story.container()
    assert story.asked(Start(name="web"), at=2_000).container() == before
    assert story.orders() == ()


def test_a_spec_that_is_removed_from_the_file_is_stopped_then_forgotten() -> None:
    story = running().asked(Story.apply(), at=2_000)
    assert [type(order) for order in story.orders()] == [StopContainer]
    story.ended(Exited(code=0), at=2_500)
    assert "web" not in story.fleet.containers
    assert story.fleet.forgetting.get("web") == 1


@pytest.mark.parametrize("way", ["uptime", "clear", "revision"])
def test_the_history_is_emptied_by_uptime_clearing_or_a_new_revision(way: str) -> None:
    story, _ = always_dying(under(ON_FAILURE), Exited(code=1), 2)
    story.accepted().ready()
    assert len(story.container().history.failures) == 2
    now = story.fleet.at + 600_000
    if way == "uptime":
        story.time(now - 1)
        assert story.container().history.attempts == 2
        story.time(now)
    elif way == "clear":
        story.asked(ClearCrashHistory(name="web"), at=now)
    else:
        story.asked(story.apply(spec(policy=under(ALWAYS))), at=now)
    history = story.container().history
    assert (history.failures, history.attempts) == ((), 0)
    assert history.crashes_total == 2, "the counter of the whole life stays"
    assert history.restarts_total == 2


def test_a_start_in_a_crash_loop_says_so_and_by_force_opens_a_new_history() -> None:
    story = looping()
    phase = story.container().phase
    assert isinstance(phase, CrashLooping)
    refusal = CrashLoopDetected(
        name="web", crash_count=4, window_ms=600_000, next_start_at=phase.until
    )
    assert story.refused(Start(name="web")) == refusal
    assert story.refused(Restart(name="web")) == refusal
    story.asked(Start(name="web", force=True))
    assert story.phase() == "Starting"
    assert story.container().history.failures == ()


def test_force_on_what_runs_stops_confirms_and_starts_with_a_new_run() -> None:
    story = running().asked(Start(name="web", force=True), at=2_000)
    (order,) = story.orders()
    assert order == StopContainer(name="web", run=1, signal="TERM", grace_ms=10_000)
    assert story.time(2_001).orders() == ()
    story.ended(Signaled(signal=15), at=3_000)
    assert story.orders() == (StartContainer(name="web", run=2, revision=1),)
    assert story.container().history.crashes_total == 0


def test_a_stop_is_a_protocol_signal_grace_look_and_only_then_destroy() -> None:
    story = running().asked(Stop(name="web"), at=2_000).accepted(kind=CommandKind.STOP)
    assert story.time(16_999).orders() == ()
    story.time(17_000)
    assert [type(order).__name__ for order in story.orders()] == ["ObserveFleet"]
    story.time(22_000)
    assert story.orders() == (DestroyContainer(name="web", run=1),)
    story.ended(Signaled(signal=9), at=22_500)
    assert story.phase() == "Stopped"


def test_a_start_that_is_asked_for_while_stopping_waits_for_the_end() -> None:
    story = running().asked(Stop(name="web"), at=2_000).asked(Start(name="web"))
    assert (story.phase(), story.orders()) == ("Stopping", ())
    story.ended(Exited(code=1), at=2_500)
    assert story.orders() == (StartContainer(name="web", run=2, revision=1),)


def test_what_cannot_be_reached_is_not_stopped_and_never_destroyed() -> None:
    for event in (
        ContainerObserved(at=2_000, name="web", run=1, sight=SeenUnreachable()),
        ContainerErrored(at=2_000, name="web", run=1, cause="cut off"),
    ):
        story = running(under(ON_FAILURE, on_lost=OnLost.WAIT)).happens(event)
        for at in (2_000, 62_000, 10**8):
            orders = story.time(at).orders()
            ends = (StopContainer, DestroyContainer)
            assert not any(isinstance(order, ends) for order in orders)
        assert story.phase() == "Unknown"


@pytest.mark.parametrize("exit_", [Exited(code=1), RolledOut(), Slept(), NoCapacity()])
def test_no_spec_undercuts_the_fleets_least_delay(exit_: Exit) -> None:
    quick = under(ALWAYS, backoff=Backoff(initial_ms=0, jitter=0), min_interval_ms=0)
    slow = FleetSettings(min_restart_delay_ms=3_000)
    assert where(ended(exit_, quick, settings=slow))[2] == 8_000


def test_no_spec_undercuts_the_fleets_starts_in_flight_and_a_minute() -> None:
    several = [spec(f"web-{n}") for n in range(5)]
    narrow = Story(*several, settings=FleetSettings(max_concurrent_starts=2))
    assert len(narrow.fleet.starting) == 2
    rated = Story(*several, settings=FleetSettings(max_starts_per_minute=3))
    assert len(rated.fleet.starting) == 3
    rated.time(59_999, None)
    assert len(rated.fleet.starting) == 3
    rated.time(60_000, None)
    assert len(rated.fleet.starting) == 5


def test_a_lack_of_capacity_has_a_wait_of_its_own_and_counts_no_crash() -> None:
    story, waits = always_dying(under(NEVER), NoCapacity(), 0)
    found = []
    for _ in range(4):
        error = NoCapacity()
        run = story.container().run
        story.happens(
            CommandFailed(
                at=story.fleet.at,
                name="web",
                run=run,
                kind=CommandKind.START,
                error=error,
            )
        )
        phase = story.container().phase
        assert isinstance(phase, BackingOff)
        assert phase.rule is Rule.OBSTACLE_BACKOFF
        found.append(phase.until - phase.since)
        story.time(phase.until)
    assert (found, waits) == ([1_000, 2_000, 4_000, 8_000], [])
    assert story.container().history.crashes_total == 0


def test_an_ad_hoc_container_is_removed_when_it_rests() -> None:
    story = Story().asked(Start(name="web", spec=spec()), at=0).accepted().ready()
    story.asked(Stop(name="web"), at=5).ended(at=6).asked(Remove(name="web"), at=7)
    assert story.fleet.containers == Table()
