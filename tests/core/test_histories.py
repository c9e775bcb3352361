"""What an end adds to a history, and what it forgives."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core.errors import NoCapacity, RateLimited
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
from orchestrator.core.histories import (
    counted_failures,
    forgiven,
    is_proven,
    record_end,
)
from orchestrator.core.policies import CrashLimit, RestartPolicy
from orchestrator.core.state import History, LastRun

from .examples import NO_JITTER

PAST = History(
    failures=(1, 2),
    attempts=4,
    obstacles=3,
    crashes_total=9,
    restarts_total=7,
    startup_ms=5,
    start_failures=2,
    unhealthy=1,
    failed_in_a_row=2,
)
AT = 10_000
DAY = 86_400_000


def told(
    exit_: Exit,
    history: History = PAST,
    policy: RestartPolicy = NO_JITTER,
    *,
    ready_at: int | None = None,
) -> History:
    last = LastRun(run=1, exit=exit_, ended_at=AT, ready_at=ready_at)
    return record_end(history, policy, last)


def changes(after: History, before: History = PAST) -> dict[str, object]:
    pairs = attrs.asdict(before, recurse=False), attrs.asdict(after, recurse=False)
    return {key: pairs[1][key] for key in pairs[0] if pairs[0][key] != pairs[1][key]}


@pytest.mark.parametrize(
    "exit_",
    [
        Exited(code=1),
        Exited(code=255),
        Signaled(signal=9),
        OutOfMemory(),
        Lost(),
    ],
)
def test_a_failure_of_a_run_counts_in_the_window(exit_: Exit) -> None:
    assert changes(told(exit_)) == {
        "failures": (1, 2, AT),
        "attempts": 5,
        "obstacles": 0,
        "crashes_total": 10,
        "start_failures": 0,
        "unhealthy": 0,
        "failed_in_a_row": 3,
    }


def test_ill_runs_in_a_row_are_counted_beside_the_window() -> None:
    assert changes(told(Unhealthy(check="liveness"))) == {
        "failures": (1, 2, AT),
        "attempts": 5,
        "obstacles": 0,
        "crashes_total": 10,
        "start_failures": 0,
        "unhealthy": 2,
        "failed_in_a_row": 3,
    }


def test_a_failed_start_counts_for_itself_and_not_in_the_window() -> None:
    assert changes(told(StartFailed(reason="refused"))) == {
        "attempts": 5,
        "obstacles": 0,
        "crashes_total": 10,
        "start_failures": 3,
        "unhealthy": 0,
        "failed_in_a_row": 3,
    }


def test_a_clean_exit_ends_the_rows_and_adds_nothing() -> None:
    assert changes(told(Exited(code=0))) == {
        "obstacles": 0,
        "start_failures": 0,
        "unhealthy": 0,
        "failed_in_a_row": 0,
    }


@pytest.mark.parametrize(
    "exit_",
    [
        Stopped(),
        RolledOut(),
        Slept(),
        GroupEnded(group="g", by="db", restart_at=None),
    ],
)
def test_an_end_that_is_neither_ends_no_row_of_failures(exit_: Exit) -> None:
    assert changes(told(exit_)) == {"obstacles": 0, "unhealthy": 0}


@pytest.mark.parametrize("exit_", [NoCapacity(), RateLimited(retry_after_ms=5)])
def test_an_obstacle_adds_to_the_row_of_obstacles_alone(exit_: Exit) -> None:
    assert changes(told(exit_)) == {"obstacles": 4}


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (ExitAction.IGNORE, {"obstacles": 0, "start_failures": 0, "unhealthy": 0}),
        (ExitAction.COMPLETE, {"obstacles": 0, "start_failures": 0, "unhealthy": 0}),
        (
            ExitAction.RESTART,
            {
                "failures": (1, 2, AT),
                "attempts": 5,
                "obstacles": 0,
                "crashes_total": 10,
                "start_failures": 0,
                "unhealthy": 0,
                "failed_in_a_row": 3,
            },
        ),
    ],
)
@pytest.mark.parametrize("code", [0, 1])
def test_a_rule_says_what_counts(
    action: ExitAction, expected: dict[str, object], code: int
) -> None:
    rule = ExitRule(match=Kinds(values=(ExitKind.EXITED,)), action=action)
    policy = attrs.evolve(NO_JITTER, exit_rules=(rule,))
    found = changes(told(Exited(code=code), policy=policy))
    if action is ExitAction.COMPLETE:
        assert found.pop("failed_in_a_row") == 0, "it counts as clean"
    assert found == expected


def test_what_is_ignored_adds_to_no_count_but_that_of_ill_runs() -> None:
    kinds = (ExitKind.START_FAILED, ExitKind.UNHEALTHY)
    rule = ExitRule(match=Kinds(values=kinds), action=ExitAction.IGNORE)
    policy = attrs.evolve(NO_JITTER, exit_rules=(rule,))
    start = told(StartFailed(reason="no"), policy=policy)
    assert changes(start) == {"obstacles": 0, "unhealthy": 0}
    ill = told(Unhealthy(check="liveness"), policy=policy)
    assert changes(ill) == {"obstacles": 0, "start_failures": 0, "unhealthy": 2}


def test_the_window_keeps_one_failure_more_than_is_allowed() -> None:
    history = History()
    for n in range(10):
        last = LastRun(run=1, exit=Exited(code=1), ended_at=n)
        history = record_end(history, NO_JITTER, last)
    assert history.failures == (6, 7, 8, 9)
    assert history.attempts == 10
    strict = attrs.evolve(NO_JITTER, crash=CrashLimit(allowed_crashes=0))
    last = LastRun(run=1, exit=Exited(code=1), ended_at=10)
    assert record_end(history, strict, last).failures == (10,)


def test_a_failure_that_has_left_the_window_is_dropped() -> None:
    history = History(failures=(0, 1, 500_000))
    last = LastRun(run=1, exit=Exited(code=1), ended_at=600_000)
    assert record_end(history, NO_JITTER, last).failures == (1, 500_000, 600_000)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (0, (0, 1)),
        (599_999, (0, 1)),
        (600_000, (1,)),
        (600_001, ()),
        (DAY, ()),
    ],
)
def test_a_failure_leaves_the_window_at_its_very_end(
    at: int, expected: tuple[int, ...]
) -> None:
    assert counted_failures(History(failures=(0, 1)), NO_JITTER, at) == expected


@pytest.mark.parametrize(
    ("ready_at", "at", "expected"),
    [(0, 600_000, True), (0, 599_999, False), (1, 600_000, False), (None, DAY, False)],
)
def test_uptime_is_proven_by_being_ready_for_long_enough(
    ready_at: int | None,
    at: int,
    expected: bool,  # noqa: FBT001 - a case
) -> None:
    assert is_proven(NO_JITTER, ready_at, at) is expected


def test_proven_uptime_forgives_before_the_end_is_counted() -> None:
    short = attrs.evolve(
        NO_JITTER, backoff=attrs.evolve(NO_JITTER.backoff, reset_after_ms=100)
    )
    proven = told(Exited(code=1), policy=short, ready_at=AT - 100)
    assert changes(proven) == {
        "failures": (AT,),
        "attempts": 1,
        "obstacles": 0,
        "crashes_total": 10,
        "start_failures": 0,
        "unhealthy": 0,
        "failed_in_a_row": 1,
    }
    unproven = told(Exited(code=1), policy=short, ready_at=AT - 99)
    assert unproven.attempts == 5
    clean = told(Exited(code=0), policy=short, ready_at=AT - 100)
    assert changes(clean) == {
        "failures": (),
        "attempts": 0,
        "obstacles": 0,
        "start_failures": 0,
        "unhealthy": 0,
        "failed_in_a_row": 0,
    }
    stopped = told(Stopped(), policy=short, ready_at=AT - 100)
    assert stopped == clean
    ill = told(Unhealthy(check="liveness"), policy=short, ready_at=AT - 100)
    assert (ill.unhealthy, ill.attempts) == (1, 1)


def test_to_forgive_is_to_forget_all_but_the_counters_of_the_whole_life() -> None:
    assert forgiven(PAST) == History(crashes_total=9, restarts_total=7, startup_ms=5)
