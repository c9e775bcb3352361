"""What follows the end of a run: the order of deciding, the budgets, the floors."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core.backoff import Backoff, backoff_wait, base_wait
from orchestrator.core.decide import crash_loop, decide
from orchestrator.core.decisions import (
    Complete,
    CoolDown,
    GiveUp,
    Hold,
    Rest,
    RestartAt,
    Sleep,
)
from orchestrator.core.errors import (
    CrashLoopDetected,
    EnvVarsFailed,
    NoCapacity,
    QuotaExceeded,
    RateLimited,
    SecretMissing,
    Unauthorized,
)
from orchestrator.core.exit_rules import ExitAction, ExitKind, ExitRule, Kinds
from orchestrator.core.exits import (
    Exit,
    Exited,
    GroupEnded,
    Lost,
    OutOfMemory,
    RolledOut,
    Signaled,
    Slept,
    StartFailed,
    Stopped,
    Unhealthy,
)
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.histories import counted_failures, record_end
from orchestrator.core.origins import Origin
from orchestrator.core.phases import CrashLooping, Pending, Rule
from orchestrator.core.policies import CrashLimit, OnLoop, When
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container, Desired, History, LastRun
from orchestrator.core.terms import FixedTerms

from .examples import NO_JITTER, SETTINGS, spec

TERMS = FixedTerms(settings=SETTINGS)

FAILURES: list[Exit] = [
    Exited(code=1),
    Signaled(signal=9),
    OutOfMemory(),
    StartFailed(reason="refused"),
    Unhealthy(check="live"),
    Lost(),
]
OF_RUNS = [exit_ for exit_ in FAILURES if not isinstance(exit_, StartFailed)]
OBSTACLES: list[Exit] = [
    NoCapacity(),
    QuotaExceeded(),
    RateLimited(),
    Unauthorized(),
    SecretMissing(name="web", key="KEY"),
    EnvVarsFailed(name="web", cause_type="KeyError"),
]


def last(exit_: Exit, *, ready_at: int | None = None, ended_at: int = 1_000) -> LastRun:
    return LastRun(
        run=1, exit=exit_, ended_at=ended_at, started_at=500, ready_at=ready_at
    )


def container(
    *, when: When = When.ON_FAILURE, running: bool = True, **more: object
) -> Container:
    bare = Container(
        name="web",
        spec=spec(policy=attrs.evolve(NO_JITTER, when=when)),
        salt=1,
        revision=1,
        origin=Origin.MIN_REPLICA_SET,
        desired=Desired(running=running, by="owner", why="", at=0),
        phase=Pending(since=0, rule=Rule.DECLARED),
    )
    return attrs.evolve(bare, **more)  # type: ignore[arg-type]


def after(one: Container, exit_: Exit) -> Container:
    history = record_end(one.history, one.spec.restart, last(exit_))
    return attrs.evolve(one, history=history, last=last(exit_))


@pytest.mark.parametrize("exit_", [*FAILURES, *OBSTACLES, Stopped(), Exited(code=0)])
def test_what_its_owner_wants_stopped_rests(exit_: Exit) -> None:
    ended = after(container(running=False), exit_)
    expected = Rest(rule=Rule.OWNER_WANTS_IT_STOPPED)
    assert decide(ended, last(exit_), TERMS) == expected


@pytest.mark.parametrize("exit_", FAILURES)
@pytest.mark.parametrize("when", [When.ALWAYS, When.ON_FAILURE])
def test_a_failure_is_restarted_after_the_first_wait(exit_: Exit, when: When) -> None:
    ended = after(container(when=when), exit_)
    expected = RestartAt(at=2_000, rule=Rule.FAILURE_BACKOFF)
    assert decide(ended, last(exit_), TERMS) == expected


@pytest.mark.parametrize("exit_", FAILURES)
def test_a_failure_under_never_is_final(exit_: Exit) -> None:
    ended = after(container(when=When.NEVER), exit_)
    assert decide(ended, last(exit_), TERMS) == GiveUp(rule=Rule.NEVER_RESTART)


@pytest.mark.parametrize("when", [When.ON_FAILURE, When.NEVER])
def test_a_clean_exit_completes(when: When) -> None:
    ended = after(container(when=when), Exited(code=0))
    expected = Complete(rule=Rule.CLEAN_EXIT)
    assert decide(ended, last(Exited(code=0)), TERMS) == expected


def test_a_clean_exit_under_always_restarts_at_most_once_an_interval() -> None:
    ended = after(container(when=When.ALWAYS), Exited(code=0))
    expected = RestartAt(at=1_500, rule=Rule.ALWAYS_AFTER_CLEAN_EXIT)
    assert decide(ended, last(Exited(code=0)), TERMS) == expected
    unseen = attrs.evolve(last(Exited(code=0)), started_at=None)
    later = RestartAt(at=2_000, rule=Rule.ALWAYS_AFTER_CLEAN_EXIT)
    assert decide(ended, unseen, TERMS) == later


@pytest.mark.parametrize("when", When)
@pytest.mark.parametrize(
    ("exit_", "rule", "at"),
    [
        (Stopped(), Rule.RESTART_REQUESTED, 1_000),
        (RolledOut(), Rule.ROLLED_OUT, 1_100),
        (Slept(), Rule.KEPT_ALIVE, 1_100),
        *((exit_, Rule.OBSTACLE_BACKOFF, 2_000) for exit_ in OBSTACLES),
    ],
)
def test_an_end_that_is_neither_restarts_under_every_when(
    when: When, exit_: Exit, rule: Rule, at: int
) -> None:
    ended = after(container(when=when), exit_)
    assert decide(ended, last(exit_), TERMS) == RestartAt(at=at, rule=rule)


def test_what_need_not_be_kept_alive_sleeps() -> None:
    sleepy = container(spec=spec(keep_alive=False))
    ended = after(sleepy, Slept())
    assert decide(ended, last(Slept()), TERMS) == Sleep(rule=Rule.ASLEEP_UNTIL_ASKED)


def test_a_rate_limit_is_obeyed() -> None:
    limited = RateLimited(retry_after_ms=90_000)
    ended = after(container(), limited)
    expected = RestartAt(at=91_000, rule=Rule.OBSTACLE_BACKOFF)
    assert decide(ended, last(limited), TERMS) == expected


def test_obstacles_count_no_crash_and_wait_longer_each_time() -> None:
    one = container()
    for n in range(1, 4):
        one = after(one, NoCapacity())
        assert one.history == History(obstacles=n)
    decision = decide(one, last(NoCapacity()), TERMS)
    assert decision == RestartAt(at=5_000, rule=Rule.OBSTACLE_BACKOFF)


@pytest.mark.parametrize(
    ("origin", "on_loop", "expected"),
    [
        (Origin.MIN_REPLICA_SET, None, OnLoop.COOLDOWN),
        (Origin.AD_HOC, None, OnLoop.HOLD),
        (Origin.MIN_REPLICA_SET, OnLoop.HOLD, OnLoop.HOLD),
        (Origin.AD_HOC, OnLoop.COOLDOWN, OnLoop.COOLDOWN),
    ],
)
def test_more_failures_than_allowed_are_a_crash_loop(
    origin: Origin, on_loop: OnLoop | None, expected: OnLoop
) -> None:
    policy = attrs.evolve(NO_JITTER, crash=CrashLimit(on_loop=on_loop))
    one = container(origin=origin, spec=spec(policy=policy))
    for _ in range(4):
        one = after(one, Exited(code=1))
    decision = decide(one, last(Exited(code=1)), TERMS)
    assert len(one.history.failures) == 4
    if expected is OnLoop.HOLD:
        assert decision == Hold(rule=Rule.CRASH_LOOP_HOLD)
    else:
        until = 1_000 + 600_000
        assert decision == CoolDown(until=until, rule=Rule.CRASH_LOOP_COOLDOWN)


def test_with_no_crash_allowed_the_first_failure_is_a_loop() -> None:
    policy = attrs.evolve(NO_JITTER, crash=CrashLimit(allowed_crashes=0))
    ended = after(container(spec=spec(policy=policy)), Exited(code=1))
    decision = decide(ended, last(Exited(code=1)), TERMS)
    assert isinstance(decision, CoolDown)
    assert ended.history.failures == (1_000,)


def test_a_failure_leaves_the_window_at_its_very_end() -> None:
    history = History(failures=(0, 1))
    policy = NO_JITTER
    assert counted_failures(history, policy, 599_999) == (0, 1)
    assert counted_failures(history, policy, 600_000) == (1,)


def test_proven_uptime_forgives_before_the_new_failure_counts() -> None:
    past = History(failures=(1, 2, 3), attempts=3, crashes_total=3)
    long_run = last(Exited(code=1), ready_at=0, ended_at=600_000)
    told = record_end(past, NO_JITTER, long_run)
    assert told == History(
        failures=(600_000,), attempts=1, crashes_total=4, failed_in_a_row=1
    )
    shorter = last(Exited(code=1), ready_at=1, ended_at=600_000)
    assert record_end(past, NO_JITTER, shorter).attempts == 4


def test_a_clean_exit_adds_nothing_and_clears_obstacles() -> None:
    past = History(failures=(1,), attempts=1, obstacles=2)
    told = record_end(past, NO_JITTER, last(Exited(code=0)))
    assert told == History(failures=(1,), attempts=1)


def test_waits_grow_to_the_longest_and_stay() -> None:
    backoff = NO_JITTER.backoff
    waits = [base_wait(backoff, n) for n in range(1, 10)]
    assert waits == [1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000]
    assert base_wait(attrs.evolve(backoff, initial_ms=0), 10**6) == 0
    assert base_wait(backoff, 10**6) == 60_000
    assert base_wait(backoff, 0) == 1_000


def test_jitter_spreads_within_its_share_and_is_the_same_every_time() -> None:
    backoff = attrs.evolve(NO_JITTER.backoff, jitter=0.1)
    waits = [backoff_wait(backoff, 1, salt, 1) for salt in range(200)]
    assert waits == [backoff_wait(backoff, 1, salt, 1) for salt in range(200)]
    assert all(900 <= wait <= 1_100 for wait in waits)
    assert len(set(waits)) > 50
    assert max(backoff_wait(backoff, 50, salt, 1) for salt in range(99)) == 60_000


def ruled(
    action: ExitAction, *kinds: ExitKind, when: When = When.ON_FAILURE
) -> ContainerSpec:
    rule = ExitRule(match=Kinds(values=kinds or tuple(ExitKind)), action=action)
    return spec(policy=attrs.evolve(NO_JITTER, when=when, exit_rules=(rule,)))


EVERY = [*FAILURES, *OBSTACLES, Exited(code=0), RolledOut(), Slept()]


@pytest.mark.parametrize("exit_", EVERY)
@pytest.mark.parametrize("when", When)
def test_a_rule_that_completes_or_fails_is_final_whatever_the_end(
    exit_: Exit, when: When
) -> None:
    done = after(container(spec=ruled(ExitAction.COMPLETE, when=when)), exit_)
    assert decide(done, last(exit_), TERMS) == Complete(rule=Rule.EXIT_RULE_COMPLETE)
    failed = after(container(spec=ruled(ExitAction.FAIL, when=when)), exit_)
    assert decide(failed, last(exit_), TERMS) == GiveUp(rule=Rule.EXIT_RULE_FAIL)


@pytest.mark.parametrize("exit_", [exit_ for exit_ in EVERY if exit_ not in OBSTACLES])
@pytest.mark.parametrize("when", When)
def test_a_rule_that_ignores_restarts_and_not_too_often(
    exit_: Exit, when: When
) -> None:
    one = container(spec=ruled(ExitAction.IGNORE, when=when))
    for _ in range(9):
        one = after(one, exit_)
    expected = RestartAt(at=1_500, rule=Rule.EXIT_RULE_IGNORE)
    assert decide(one, last(exit_), TERMS) == expected
    assert one.history == History(unhealthy=one.history.unhealthy)
    slow = FixedTerms(settings=FleetSettings(min_restart_delay_ms=700))
    later = RestartAt(at=1_700, rule=Rule.EXIT_RULE_IGNORE)
    assert decide(one, last(exit_), slow) == later


@pytest.mark.parametrize("exit_", [*FAILURES, Exited(code=0)])
@pytest.mark.parametrize("when", When)
def test_a_rule_that_restarts_does_so_whatever_when_says(
    exit_: Exit, when: When
) -> None:
    ended = after(container(spec=ruled(ExitAction.RESTART, when=when)), exit_)
    expected = RestartAt(at=2_000, rule=Rule.EXIT_RULE_RESTART)
    assert decide(ended, last(exit_), TERMS) == expected


@pytest.mark.parametrize(
    ("exit_", "expected"),
    [
        (NoCapacity(), RestartAt(at=2_000, rule=Rule.OBSTACLE_BACKOFF)),
        (RolledOut(), RestartAt(at=1_100, rule=Rule.ROLLED_OUT)),
        (Slept(), RestartAt(at=1_100, rule=Rule.KEPT_ALIVE)),
    ],
)
def test_a_rule_that_restarts_makes_no_failure_of_what_is_neither(
    exit_: Exit, expected: RestartAt
) -> None:
    ended = after(container(spec=ruled(ExitAction.RESTART)), exit_)
    assert decide(ended, last(exit_), TERMS) == expected
    assert ended.history.attempts == 0


@pytest.mark.parametrize("exit_", OBSTACLES)
def test_a_rule_that_ignores_shortens_no_wait_for_the_platform(exit_: Exit) -> None:
    one = container(spec=ruled(ExitAction.IGNORE))
    for _ in range(3):
        one = after(one, exit_)
    expected = RestartAt(at=5_000, rule=Rule.OBSTACLE_BACKOFF)
    assert decide(one, last(exit_), TERMS) == expected


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (ExitAction.RESTART, RestartAt(at=1_100, rule=Rule.EXIT_RULE_RESTART)),
        (ExitAction.COMPLETE, Complete(rule=Rule.EXIT_RULE_COMPLETE)),
    ],
)
def test_a_rule_may_wake_what_would_sleep(
    action: ExitAction, expected: RestartAt | Complete
) -> None:
    sleepy = attrs.evolve(ruled(action), keep_alive=False)
    ended = after(container(spec=sleepy), Slept())
    assert decide(ended, last(Slept()), TERMS) == expected


def test_a_clean_exit_begins_the_row_of_max_restarts_anew() -> None:
    loose = CrashLimit(allowed_crashes=1_000)
    policy = attrs.evolve(NO_JITTER, when=When.ALWAYS, max_restarts=1, crash=loose)
    one = container(spec=spec(policy=policy))
    for exit_ in (Exited(code=1), Exited(code=0), Exited(code=1)):
        one = after(one, exit_)
        assert isinstance(decide(one, last(exit_), TERMS), RestartAt)
    one = after(after(one, RolledOut()), Exited(code=1))
    decision = decide(one, last(Exited(code=1)), TERMS)
    assert decision == GiveUp(rule=Rule.MAX_RESTARTS)


def test_a_rule_that_restarts_stays_within_the_budgets() -> None:
    one = container(spec=ruled(ExitAction.RESTART, when=When.NEVER))
    for _ in range(4):
        one = after(one, Exited(code=0))
    decision = decide(one, last(Exited(code=0)), TERMS)
    assert decision == CoolDown(until=601_000, rule=Rule.CRASH_LOOP_COOLDOWN)


@pytest.mark.parametrize(
    "exit_", [Stopped(), GroupEnded(group="g", by="b", restart_at=9)]
)
@pytest.mark.parametrize("action", ExitAction)
def test_no_rule_is_asked_about_what_we_ended_ourselves(
    exit_: Exit, action: ExitAction
) -> None:
    ended = after(container(spec=ruled(action)), exit_)
    decision = decide(ended, last(exit_), TERMS)
    assert isinstance(decision, RestartAt)
    assert decision.rule in (Rule.RESTART_REQUESTED, Rule.GROUP_RESTART)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (When.ON_FAILURE, Complete(rule=Rule.CLEAN_EXIT)),
        (When.NEVER, Complete(rule=Rule.CLEAN_EXIT)),
        (When.ALWAYS, RestartAt(at=1_500, rule=Rule.ALWAYS_AFTER_CLEAN_EXIT)),
    ],
)
def test_a_code_of_success_is_a_clean_exit(when: When, expected: object) -> None:
    policy = attrs.evolve(NO_JITTER, when=when, success_codes=(3, 4))
    ended = after(container(spec=spec(policy=policy)), Exited(code=3))
    assert decide(ended, last(Exited(code=3)), TERMS) == expected
    assert ended.history == History()


def test_a_code_of_success_under_never_and_another_code() -> None:
    policy = attrs.evolve(NO_JITTER, when=When.NEVER, success_codes=(3,))
    ended = after(container(spec=spec(policy=policy)), Exited(code=5))
    decision = decide(ended, last(Exited(code=5)), TERMS)
    assert decision == GiveUp(rule=Rule.NEVER_RESTART)


@pytest.mark.parametrize("most", [0, 1, 3])
def test_after_max_restarts_it_gives_up_for_good(most: int) -> None:
    loose = CrashLimit(allowed_crashes=1_000)
    policy = attrs.evolve(NO_JITTER, max_restarts=most, crash=loose)
    one = container(spec=spec(policy=policy))
    for _ in range(most):
        one = after(one, Exited(code=1))
        assert isinstance(decide(one, last(Exited(code=1)), TERMS), RestartAt)
    one = after(one, StartFailed(reason="no"))
    expected = GiveUp(rule=Rule.MAX_RESTARTS)
    assert decide(one, last(StartFailed(reason="no")), TERMS) == expected


def test_max_restarts_comes_before_the_crash_window() -> None:
    policy = attrs.evolve(
        NO_JITTER, max_restarts=0, crash=CrashLimit(allowed_crashes=0)
    )
    ended = after(container(spec=spec(policy=policy)), Exited(code=1))
    decision = decide(ended, last(Exited(code=1)), TERMS)
    assert decision == GiveUp(rule=Rule.MAX_RESTARTS)


@pytest.mark.parametrize("budget", [0, 2, 5])
def test_failed_starts_in_a_row_have_a_budget_of_their_own(budget: int) -> None:
    policy = attrs.evolve(
        NO_JITTER, start_budget=budget, crash=CrashLimit(allowed_crashes=0)
    )
    failed = StartFailed(reason="refused")
    one = container(spec=spec(policy=policy))
    for _ in range(budget):
        one = after(one, failed)
        assert isinstance(decide(one, last(failed), TERMS), RestartAt)
    one = after(one, failed)
    expected = CoolDown(until=1_000 + 600_000, rule=Rule.START_LOOP_COOLDOWN)
    assert decide(one, last(failed), TERMS) == expected
    assert one.history.failures == ()
    ad_hoc = attrs.evolve(one, origin=Origin.AD_HOC)
    assert decide(ad_hoc, last(failed), TERMS) == Hold(rule=Rule.START_LOOP_HOLD)


@pytest.mark.parametrize("exit_", OF_RUNS)
def test_a_run_that_began_ends_the_row_of_failed_starts(exit_: Exit) -> None:
    policy = attrs.evolve(NO_JITTER, start_budget=1)
    failed = StartFailed(reason="refused")
    one = container(spec=spec(policy=policy))
    for each in (failed, exit_, failed):
        one = after(one, each)
        assert isinstance(decide(one, last(each), TERMS), RestartAt)
    assert isinstance(decide(after(one, failed), last(failed), TERMS), CoolDown)


def test_a_cooldown_ends_no_sooner_than_the_wait_would() -> None:
    patient = attrs.evolve(
        NO_JITTER,
        backoff=Backoff(delays_ms=(700_000,), jitter=0),
        crash=CrashLimit(allowed_crashes=0),
        start_budget=0,
    )
    for exit_ in (Exited(code=1), StartFailed(reason="no")):
        ended = after(container(spec=spec(policy=patient)), exit_)
        decision = decide(ended, last(exit_), TERMS)
        assert isinstance(decision, CoolDown)
        assert decision.until == 701_000


def failing(*moments: int) -> tuple[Container, LastRun]:
    """Return a container that has failed at those moments, and how it ended last."""
    one = container()
    failed = last(Exited(code=1))
    for ended_at in moments:
        failed = last(Exited(code=1), ended_at=ended_at)
        history = record_end(one.history, one.spec.restart, failed)
        one = attrs.evolve(one, history=history, last=failed)
    return one, failed


def test_a_cooldown_ends_when_the_oldest_counted_failure_leaves_the_window() -> None:
    one, failed = failing(10, 1_000, 300_000, 600_009)
    decision = decide(one, failed, TERMS)
    assert decision == CoolDown(until=608_009, rule=Rule.CRASH_LOOP_COOLDOWN)
    assert one.history.failures == (10, 1_000, 300_000, 600_009)
    later = attrs.evolve(failed, ended_at=600_010)
    assert decide(one, later, TERMS).rule is Rule.FAILURE_BACKOFF


def test_the_window_is_longer_than_the_wait() -> None:
    one, failed = failing(10, 1_000, 2_000, 3_000)
    decision = decide(one, failed, TERMS)
    assert decision == CoolDown(until=600_010, rule=Rule.CRASH_LOOP_COOLDOWN)


@pytest.mark.parametrize(
    ("exit_", "when", "at"),
    [
        (Exited(code=1), When.ON_FAILURE, 6_000),
        (Exited(code=0), When.ALWAYS, 6_000),
        (NoCapacity(), When.ON_FAILURE, 6_000),
        (RateLimited(retry_after_ms=10), When.ON_FAILURE, 6_000),
        (RolledOut(), When.ON_FAILURE, 6_000),
        (Slept(), When.ON_FAILURE, 6_000),
        (GroupEnded(group="g", by="b", restart_at=9), When.ON_FAILURE, 6_000),
        (GroupEnded(group="g", by="b", restart_at=7_000), When.ON_FAILURE, 7_000),
        (Stopped(), When.ON_FAILURE, 1_000),
    ],
)
def test_no_policy_undercuts_the_fleets_least_delay(
    exit_: Exit, when: When, at: int
) -> None:
    slow = FixedTerms(settings=FleetSettings(min_restart_delay_ms=5_000))
    decision = decide(after(container(when=when), exit_), last(exit_), slow)
    assert isinstance(decision, RestartAt)
    assert decision.at == at


def test_a_rate_limit_that_is_shorter_than_the_wait_changes_nothing() -> None:
    limited = RateLimited(retry_after_ms=1_500)
    one = after(after(container(), limited), limited)
    expected = RestartAt(at=3_000, rule=Rule.OBSTACLE_BACKOFF)
    assert decide(one, last(limited), TERMS) == expected


def test_what_ended_with_a_held_member_is_held() -> None:
    exit_ = GroupEnded(group="g", by="b", restart_at=None)
    for when in When:
        held = decide(after(container(when=when), exit_), last(exit_), TERMS)
        assert held == Hold(rule=Rule.GROUP_HELD)


def test_a_crash_loop_is_told_as_it_was_when_it_began() -> None:
    one = container()
    for _ in range(4):
        one = after(one, Exited(code=1))
    phase = CrashLooping(since=1_000, until=601_000, rule=Rule.CRASH_LOOP_COOLDOWN)
    assert crash_loop(one, phase) == CrashLoopDetected(
        name="web", crash_count=4, window_ms=600_000, next_start_at=601_000
    )
    for _ in range(6):
        one = after(one, StartFailed(reason="no"))
    for rule in (Rule.START_LOOP_COOLDOWN, Rule.START_LOOP_HOLD):
        phase = CrashLooping(since=1_000, until=None, rule=rule)
        assert crash_loop(one, phase) == CrashLoopDetected(
            name="web", crash_count=6, window_ms=600_000, next_start_at=None
        )


def test_the_same_record_has_the_same_answer_later() -> None:
    for exit_ in EVERY:
        ended = after(container(), exit_)
        answers = {decide(ended, last(exit_), TERMS) for _ in range(3)}
        assert len(answers) == 1
