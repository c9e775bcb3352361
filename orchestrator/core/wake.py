"""The next moment at which time alone changes something.

Timers are a question about the state, never a command: there is no timer to lose,
and after a crash of the operator the same question has the same answer.
"""

from __future__ import annotations

from collections.abc import Sized
from typing import Final, Protocol, assert_never

from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.lineages import Rollout, RolloutStatus
from orchestrator.core.moments import Millis, Moment, earliest
from orchestrator.core.phases import (
    Asleep,
    BackingOff,
    Completed,
    CrashLooping,
    Failed,
    Pending,
    Running,
    Starting,
    Stopped,
    Stopping,
    Unknown,
)
from orchestrator.core.policies import OnLost
from orchestrator.core.state import Container, Fleet, History

__all__ = (
    "MINUTE",
    "OBSERVE_RETRY_MS",
    "has_a_past",
    "may_replace",
    "observe_due",
    "progress_due",
    "rollout_due",
    "wake_at",
    "wake_at_fleet",
)

OBSERVE_RETRY_MS: Final[Millis] = 2_000
"""How soon the first look after boot is repeated while it fails."""

MINUTE: Final[Millis] = 60_000
"""The span of ``max_starts_per_minute``."""


class Looking(Protocol):
    """What a fleet and its draft both say about looks at the platform."""

    @property
    def observing(self) -> bool: ...
    @property
    def observed(self) -> bool: ...
    @property
    def reconciled_at(self) -> Moment | None: ...
    @property
    def settings(self) -> FleetSettings: ...
    @property
    def evicting(self) -> Sized: ...


def wake_at(container: Container, *, fences: bool) -> Moment | None:
    """Return when ``TimeReached`` would change the container; None: never by itself."""
    spec = container.spec
    match container.phase:
        case BackingOff(until=until) | CrashLooping(until=until):
            return until
        case Starting(since=since, retry_at=retry_at):
            return earliest(retry_at, since + spec.start_timeout_ms)
        case Running(ready_at=ready_at, deadline=deadline):
            if ready_at is None:
                return deadline
            forgiven_at = ready_at + spec.restart.backoff.reset_after_ms
            return forgiven_at if has_a_past(container.history) else None
        case Stopping(deadline=deadline):
            return deadline
        case Unknown(since=since):
            if may_replace(container, fences=fences) and not container.is_claimed:
                return since + spec.restart.lost_after_ms
            return None
        case Pending() | Stopped() | Completed() | Failed() | Asleep():
            return None
        case _:
            assert_never(container.phase)


def has_a_past(history: History) -> bool:
    """Say whether there is anything that proven uptime would forgive."""
    return bool(history.failures or history.attempts)


def may_replace(container: Container, *, fences: bool) -> bool:
    """Say whether a container that stays unknown is replaced, or waited for."""
    on_lost = container.spec.restart.on_lost
    if on_lost is None:
        return fences
    return on_lost is OnLost.REPLACE


def wake_at_fleet(fleet: Fleet) -> Moment | None:
    """Return when ``TimeReached(name=None)`` would change something."""
    notice = fleet.notices.due.first()
    notice_at = None if notice is None else notice[0][0]
    roll = fleet.rolls_at.first() if fleet.observed else None  # judged after a look
    roll_at = None if roll is None else roll[0][0]
    return earliest(_observe_at(fleet), _start_at(fleet), notice_at, roll_at)


def rollout_due(rollout: Rollout) -> Moment | None:
    """Return when a rollout has something to decide by time alone.

    A new replica counts, or is late; a soak is over; there was no progress for too
    long.
    """
    if rollout.status is RolloutStatus.PAUSED:
        return None
    policy, roster = rollout.policy, rollout.roster
    due, ripening = roster.due.first(), roster.ripening.first()
    return earliest(
        None if due is None else due[0][0] + policy.container_deadline_ms,
        None if ripening is None else ripening[0][0] + policy.min_ready_ms,
        None if roster.moved else rollout.until,
        progress_due(rollout),
    )


def progress_due(rollout: Rollout) -> Moment | None:
    """Return when a rollout has failed if nothing becomes better; None: never."""
    if rollout.status not in _PROGRESSING:
        return None
    return rollout.progress_at + rollout.policy.progress_deadline_ms


_PROGRESSING: Final = {
    RolloutStatus.PREPARING,
    RolloutStatus.PROGRESSING,
    RolloutStatus.REVERTING,
}
"""Where something is to be moved, or to come about."""


def _observe_at(fleet: Looking) -> Moment | None:
    """Return when the next look is due; while a stranger is to end, within a minute.

    Each look asks again who was asked to end and does not: the request may be lost.
    """
    if fleet.observing or fleet.reconciled_at is None:
        return None
    if not fleet.observed:
        return fleet.reconciled_at + OBSERVE_RETRY_MS
    interval = fleet.settings.reconcile_interval_ms
    if len(fleet.evicting):
        interval = min(interval or MINUTE, MINUTE)
    return fleet.reconciled_at + interval if interval else None


def observe_due(fleet: Looking, at: Moment) -> bool:
    """Say whether the time for a look has come."""
    due = _observe_at(fleet)
    return due is not None and at >= due


def _start_at(fleet: Fleet) -> Moment | None:
    """Return when the start rate lets the next waiting container go.

    A lack of slots needs no timer: a slot becomes free by an event.
    """
    limit = fleet.settings.max_starts_per_minute
    if limit is None or not fleet.waiting or not fleet.observed:
        return None
    if len(fleet.starting) >= fleet.settings.max_concurrent_starts:
        return None
    return (
        fleet.recent_starts[-limit] + MINUTE
        if len(fleet.recent_starts) >= limit
        else None
    )
