"""The invariants about budgets and waits: what a history may hold, how long one waits.

A wait is held to the limits of the rule that made it. Those of a group are as long as
the member's that it waits for; those of a custom policy are the program's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from orchestrator.core.backoff import longest_wait
from orchestrator.core.exits import Outcome, StartFailed
from orchestrator.core.histories import counted_failures, is_proven
from orchestrator.core.phases import BackingOff, Rule, Running, Stopping, Unknown
from orchestrator.core.policies import judged
from orchestrator.core.state import Container, LastRun
from orchestrator.core.steps import Step, is_asked_for

__all__ = (
    "max_restarts_is_kept",
    "only_failures_count",
    "resets_have_a_reason",
    "start_budget_is_kept",
    "waits_are_bounded",
    "window_is_kept",
)

_AFTER_FAILURE: Final = (Rule.FAILURE_BACKOFF, Rule.EXIT_RULE_RESTART)
_BOUNDED: Final = (
    *_AFTER_FAILURE,
    Rule.EXIT_RULE_IGNORE,
    Rule.ALWAYS_AFTER_CLEAN_EXIT,
    Rule.OBSTACLE_BACKOFF,
    Rule.RESTART_REQUESTED,
    Rule.ROLLED_OUT,
    Rule.KEPT_ALIVE,
)


def only_failures_count(step: Step) -> Iterable[str]:
    """Clean ends, requested stops, rollouts and lack of capacity never add failures."""
    for before, after in step.pairs():
        if before is None or after is None or after.last is None:
            continue
        grew = after.history.crashes_total > before.history.crashes_total
        counts = judged(before.spec.restart, after.last.exit).outcome
        if grew and counts is not Outcome.FAILURE:
            yield after.name


def resets_have_a_reason(step: Step) -> Iterable[str]:
    """Only proven uptime, a request or a new revision forgives failures."""
    if is_asked_for(step.event):
        return
    for before, after in step.pairs():
        if before is None or after is None or after.revision > before.revision:
            continue
        if after.generation != before.generation:
            continue  # another one has its name now
        fewer = after.history.attempts < before.history.attempts
        if fewer and not _was_proven(before, step.after.at):
            yield after.name


def _was_proven(container: Container, at: int) -> bool:
    phase = container.phase
    if isinstance(phase, Unknown):
        phase = phase.was
    ready_at = phase.ready_at if isinstance(phase, Running | Stopping) else None
    return is_proven(container.spec.restart, ready_at, at)


def _answered(step: Step) -> Iterator[tuple[Container, LastRun]]:
    """Yield the containers whose failed run is answered with a restart."""
    for _, after in step.pairs():
        if after is not None and after.last is not None:
            phase = after.phase
            if isinstance(phase, BackingOff) and phase.rule in _AFTER_FAILURE:
                yield after, after.last


def window_is_kept(step: Step) -> Iterable[str]:
    """No restart answers more failures of runs than the window allows."""
    for _, after in step.pairs():
        allowed = None if after is None else after.spec.restart.crash.allowed_crashes
        if after is not None and len(after.history.failures) > (allowed or 0) + 1:
            yield after.name
    for container, last in _answered(step):
        policy = container.spec.restart
        counted = counted_failures(container.history, policy, last.ended_at)
        is_start = isinstance(last.exit, StartFailed)
        if not is_start and len(counted) > policy.crash.allowed_crashes:
            yield container.name


def start_budget_is_kept(step: Step) -> Iterable[str]:
    """No restart answers more failed starts in a row than the budget allows."""
    for container, last in _answered(step):
        spent = container.history.start_failures
        is_start = isinstance(last.exit, StartFailed)
        if is_start and spent > container.spec.restart.start_budget:
            yield container.name


def max_restarts_is_kept(step: Step) -> Iterable[str]:
    """No restart answers more failures in a row than the policy ever allows."""
    for container, _ in _answered(step):
        most = container.spec.restart.max_restarts
        if most is not None and container.history.failed_in_a_row > most:
            yield container.name


def waits_are_bounded(step: Step) -> Iterable[str]:
    """No wait is longer than the longest that its rule can give."""
    for _, after in step.pairs():
        phase = None if after is None else after.phase
        if after is None or not isinstance(phase, BackingOff):
            continue
        policy = after.spec.restart
        longest = max(
            longest_wait(policy.backoff),
            policy.min_interval_ms,
            step.after.settings.min_restart_delay_ms,
        )
        asked = getattr(after.last and after.last.exit, "retry_after_ms", None) or 0
        waits = phase.until - phase.since
        if phase.rule in _BOUNDED and waits > max(longest, asked):
            yield after.name
