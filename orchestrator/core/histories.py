"""What the end of a run adds to a container's history, and what it forgives.

| end | window | failures | in a row: failures | failed starts | obstacles |
|---|---|---|---|---|---|
| a failure of a run | + 1 | + 1 | + 1 | 0 | 0 |
| a start that failed | | + 1 | + 1 | + 1 | 0 |
| a clean exit | | | 0 | 0 | 0 |
| stopped, rolled out, asleep, ended with its group | | | | | 0 |
| an obstacle | | | | | + 1 |

Before that, a run that was up and ready for ``reset_after_ms`` empties them. A run that
becomes ready ends a row of failed starts; any other end one of ``Unhealthy``.
"""

from __future__ import annotations

from typing import Final

from orchestrator.core.evolving import evolve, evolver
from orchestrator.core.exits import (
    Exit,
    Obstacle,
    Outcome,
    StartFailed,
    Unhealthy,
    outcome,
)
from orchestrator.core.moments import Moment
from orchestrator.core.policies import RestartPolicy, judged
from orchestrator.core.state import History, LastRun

__all__ = ("counted", "counted_failures", "forgiven", "is_proven", "record_end")


def counted_failures(
    history: History, policy: RestartPolicy, at: Moment
) -> tuple[Moment, ...]:
    """Return the failures that lie within the window that ends at *at*.

    A failure leaves the window exactly ``window_ms`` after it happened.

    >>> counted_failures(History(failures=(0, 5)), RestartPolicy(), 600_000)
    (5,)

    """
    oldest = at - policy.crash.window_ms
    if not history.failures or history.failures[0] > oldest:  # they are in order
        return history.failures
    return tuple([moment for moment in history.failures if moment > oldest])


def is_proven(policy: RestartPolicy, ready_at: Moment | None, at: Moment) -> bool:
    """Say whether a run has been up and ready for long enough to forgive the past.

    >>> is_proven(RestartPolicy(), 0, 600_000), is_proven(RestartPolicy(), None, 9**9)
    (True, False)

    """
    return ready_at is not None and at - ready_at >= policy.backoff.reset_after_ms


def forgiven(history: History) -> History:
    """Forget failures and waits; the counters of the whole life stay."""
    return evolve(
        history,
        failures=(),
        attempts=0,
        obstacles=0,
        start_failures=0,
        unhealthy=0,
        failed_in_a_row=0,
    )


def record_end(history: History, policy: RestartPolicy, last: LastRun) -> History:
    """Return the history after the end of a run: what it forgave, what it counts."""
    return counted(history, policy, last, judged(policy, last.exit).outcome)


def counted(
    history: History, policy: RestartPolicy, last: LastRun, counts_as: Outcome
) -> History:
    """Return the history after an end of which is known already how it counts."""
    if is_proven(policy, last.ready_at, last.ended_at):
        history = evolve(forgiven(history), obstacles=history.obstacles)
    exit_ = last.exit
    if counts_as is Outcome.NEITHER and isinstance(exit_, Obstacle):
        return evolve(history, obstacles=history.obstacles + 1)
    failed, is_clean = counts_as is Outcome.FAILURE, counts_as is Outcome.CLEAN
    failures = history.failures
    if failed and not isinstance(exit_, StartFailed):
        recent = (*counted_failures(history, policy, last.ended_at), last.ended_at)
        failures = recent[-policy.crash.allowed_crashes - 1 :]
    return _counted(
        history,
        failures,
        history.attempts + failed,
        0,  # obstacles
        history.crashes_total + failed,
        _starts(history.start_failures, exit_, failed),
        history.unhealthy + 1 if isinstance(exit_, Unhealthy) else 0,
        0 if is_clean else history.failed_in_a_row + failed,
    )


_counted: Final = evolver(
    History,
    "failures",
    "attempts",
    "obstacles",
    "crashes_total",
    "start_failures",
    "unhealthy",
    "failed_in_a_row",
)


def _starts(count: int, exit_: Exit, failed: bool) -> int:  # noqa: FBT001 - counted
    """Count starts in a row that failed; an end that says nothing breaks no row."""
    if isinstance(exit_, StartFailed):
        return count + failed
    return count if count and outcome(exit_) is Outcome.NEITHER else 0
