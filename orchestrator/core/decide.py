"""The restart policy at work: what follows the end of a run.

``decide`` is the only place that answers this, whoever asks: a lifecycle event, a
reconcile, a start after the operator's own crash. It reads the record alone, so the
same record has the same answer now and later. The order:

1. the owner's desired state;
2. ends that are neither success nor failure: the run was not over by itself, so every
   ``when`` treats them alike;
3. ``when``;
4. the crash limit;
5. the backoff.

``record_end`` is its other half: what the end of a run adds to the history.
"""

from __future__ import annotations

from typing import TypeAlias, assert_never

import attrs

from orchestrator.core.errors import CrashLoopDetected, RateLimited
from orchestrator.core.exits import (
    Exit,
    Obstacle,
    Outcome,
    RolledOut,
    Slept,
    Stopped,
    outcome,
)
from orchestrator.core.moments import Moment
from orchestrator.core.phases import CrashLooping, Rule
from orchestrator.core.policies import OnLoop, RestartPolicy, When, backoff_wait
from orchestrator.core.specs import FleetSettings, Origin
from orchestrator.core.state import Container, History, LastRun

__all__ = (
    "Complete",
    "CoolDown",
    "Decision",
    "GiveUp",
    "Hold",
    "Rest",
    "RestartAt",
    "Sleep",
    "counted_failures",
    "crash_loop",
    "decide",
    "is_proven",
    "record_end",
)


@attrs.frozen(kw_only=True)
class RestartAt:
    """Start again at a moment."""

    at: Moment
    rule: Rule


@attrs.frozen(kw_only=True)
class Complete:
    """The work is done."""

    rule: Rule


@attrs.frozen(kw_only=True)
class GiveUp:
    """Do not start again."""

    rule: Rule


@attrs.frozen(kw_only=True)
class CoolDown:
    """A crash loop: try again at ``until``."""

    until: Moment
    rule: Rule


@attrs.frozen(kw_only=True)
class Hold:
    """A crash loop: stay until somebody clears it."""

    rule: Rule


@attrs.frozen(kw_only=True)
class Rest:
    """The owner wants it stopped."""

    rule: Rule


@attrs.frozen(kw_only=True)
class Sleep:
    """Idle: start when asked for."""

    rule: Rule


Decision: TypeAlias = RestartAt | Complete | GiveUp | CoolDown | Hold | Rest | Sleep


def decide(container: Container, last: LastRun, settings: FleetSettings) -> Decision:
    """Answer what follows the end of *last*, which the history already counts."""
    if not container.desired.running:
        return Rest(rule=Rule.OWNER_WANTS_IT_STOPPED)
    match outcome(last.exit):
        case Outcome.NEITHER:
            return _after_neither(container, last, settings)
        case Outcome.CLEAN:
            return _after_success(container, last, settings)
        case Outcome.FAILURE:
            return _after_failure(container, last, settings)
        case _:
            assert_never(outcome(last.exit))


def _after_neither(
    container: Container, last: LastRun, settings: FleetSettings
) -> Decision:
    soon = last.ended_at + settings.min_restart_delay_ms
    match last.exit:
        case Stopped():
            return RestartAt(at=last.ended_at, rule=Rule.RESTART_REQUESTED)
        case RolledOut():
            return RestartAt(at=soon, rule=Rule.ROLLED_OUT)
        case Slept() if container.spec.keep_alive:
            return RestartAt(at=soon, rule=Rule.KEPT_ALIVE)
        case Slept():
            return Sleep(rule=Rule.ASLEEP_UNTIL_ASKED)
        case RateLimited(retry_after_ms=int(retry_after_ms)):
            wait = max(_wait(container, container.history.obstacles), retry_after_ms)
        case _:
            wait = _wait(container, container.history.obstacles)
    return RestartAt(at=max(soon, last.ended_at + wait), rule=Rule.OBSTACLE_BACKOFF)


def _after_success(
    container: Container, last: LastRun, settings: FleetSettings
) -> Decision:
    policy = container.spec.restart
    if policy.when is not When.ALWAYS:
        return Complete(rule=Rule.CLEAN_EXIT)
    began = last.ended_at if last.started_at is None else last.started_at
    soon = last.ended_at + settings.min_restart_delay_ms
    return RestartAt(
        at=max(soon, began + policy.min_interval_ms),
        rule=Rule.ALWAYS_AFTER_CLEAN_EXIT,
    )


def _after_failure(
    container: Container, last: LastRun, settings: FleetSettings
) -> Decision:
    policy = container.spec.restart
    if policy.when is When.NEVER:
        return GiveUp(rule=Rule.NEVER_RESTART)
    wait = max(
        settings.min_restart_delay_ms, _wait(container, container.history.attempts)
    )
    counted = counted_failures(container.history, policy, last.ended_at)
    if len(counted) <= policy.crash.allowed_crashes:
        return RestartAt(at=last.ended_at + wait, rule=Rule.FAILURE_BACKOFF)
    if _on_loop(container) is OnLoop.HOLD:
        return Hold(rule=Rule.CRASH_LOOP_HOLD)
    leaves = counted[0] + policy.crash.window_ms
    return CoolDown(
        until=max(leaves, last.ended_at + wait), rule=Rule.CRASH_LOOP_COOLDOWN
    )


def _wait(container: Container, attempt: int) -> int:
    backoff = container.spec.restart.backoff
    return backoff_wait(backoff, attempt, container.salt, container.revision)


def _on_loop(container: Container) -> OnLoop:
    """Say what a crash loop leads to; unsaid, the declared heal and the others wait."""
    said = container.spec.restart.crash.on_loop
    if said is not None:
        return said
    declared = container.origin is Origin.MIN_REPLICA_SET
    return OnLoop.COOLDOWN if declared else OnLoop.HOLD


def counted_failures(
    history: History, policy: RestartPolicy, at: Moment
) -> tuple[Moment, ...]:
    """Return the failures that lie within the window that ends at *at*.

    A failure leaves the window exactly ``window_ms`` after it happened.

    >>> counted_failures(History(failures=(0, 5)), RestartPolicy(), 600_000)
    (5,)

    """
    oldest = at - policy.crash.window_ms
    return tuple(moment for moment in history.failures if moment > oldest)


def crash_loop(container: Container, phase: CrashLooping) -> CrashLoopDetected:
    """Tell the crash loop that a container is in, as it was when it entered it."""
    policy = container.spec.restart
    return CrashLoopDetected(
        name=container.name,
        crash_count=len(counted_failures(container.history, policy, phase.since)),
        window_ms=policy.crash.window_ms,
        next_start_at=phase.until,
    )


def is_proven(policy: RestartPolicy, ready_at: Moment | None, at: Moment) -> bool:
    """Say whether a run has been up and ready for long enough to forgive the past.

    >>> is_proven(RestartPolicy(), 0, 600_000), is_proven(RestartPolicy(), None, 9**9)
    (True, False)

    """
    return ready_at is not None and at - ready_at >= policy.backoff.reset_after_ms


def record_end(history: History, policy: RestartPolicy, last: LastRun) -> History:
    """Return the history after the end of a run: what it forgave, what it counts."""
    if is_proven(policy, last.ready_at, last.ended_at):
        history = attrs.evolve(history, failures=(), attempts=0)
    match outcome(last.exit):
        case Outcome.FAILURE:
            counted = counted_failures(history, policy, last.ended_at)
            kept = (*counted, last.ended_at)[-policy.crash.allowed_crashes - 1 :]
            return attrs.evolve(
                history,
                failures=kept,
                attempts=history.attempts + 1,
                obstacles=0,
                crashes_total=history.crashes_total + 1,
            )
        case Outcome.NEITHER if _is_obstacle(last.exit):
            return attrs.evolve(history, obstacles=history.obstacles + 1)
        case _:
            return attrs.evolve(history, obstacles=0)


def _is_obstacle(exit_: Exit) -> bool:
    return isinstance(exit_, Obstacle)
