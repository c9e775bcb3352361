"""Every row of the restart policy's tables."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core.backoff import backoff_wait, base_wait
from orchestrator.core.decide import decide
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
    EnvVarsFailed,
    NoCapacity,
    QuotaExceeded,
    RateLimited,
    SecretMissing,
    Unauthorized,
)
from orchestrator.core.exits import (
    Exit,
    Exited,
    Lost,
    OutOfMemory,
    RolledOut,
    Signaled,
    Slept,
    StartFailed,
    Stopped,
    Unhealthy,
)
from orchestrator.core.histories import counted_failures, record_end
from orchestrator.core.phases import Pending, Rule
from orchestrator.core.policies import CrashLimit, OnLoop, When
from orchestrator.core.specs import Origin
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
    assert told == History(failures=(600_000,), attempts=1, crashes_total=4)
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
