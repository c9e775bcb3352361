"""Where a container is, as the span of a timeline that begins there.

A span ends where the phase changes, and within a phase where readiness, the owner's
wish, the rule or the end of the wait does: so the sums of a life are the sums of its
spans.
"""

from __future__ import annotations

from typing import assert_never

import attrs

from orchestrator.core.moments import Moment
from orchestrator.core.phases import (
    Asleep,
    BackingOff,
    Completed,
    CrashLooping,
    Failed,
    Pending,
    Rule,
    Running,
    Starting,
    Stopped,
    Stopping,
    Unknown,
    live_run,
    phase_name,
)
from orchestrator.core.state import Container, History
from orchestrator.core.uptimes import is_ready, is_wanted
from orchestrator.replay.timelines.happenings import Entered

__all__ = ("found", "is_another", "lived")


def found(container: Container, seq: int | None, at: Moment) -> Entered:
    """Return the span that a container is in, as one that begins *at*."""
    phase = container.phase
    rule, planned, waits_for = _wait(container)
    return Entered(
        seq=seq,
        at=at,
        name=container.name,
        phase=phase_name(phase),
        entered_at=phase.since,
        run=live_run(phase),
        ready=is_ready(container),
        wanted=is_wanted(container),
        rule=rule,
        planned=planned,
        attempt=_attempt(container.history, rule),
        waits_for=waits_for,
    )


def _wait(container: Container) -> tuple[Rule | None, Moment | None, str]:
    """Return by which rule a container waits or rests, until when, and for whom."""
    match container.phase:
        case BackingOff() | CrashLooping() as phase:
            return phase.rule, phase.until, phase.waits_for
        case Pending(rule=rule, waits_for=service):
            return rule, None, service
        case (
            Stopped(rule=rule)
            | Completed(rule=rule)
            | Failed(rule=rule)
            | Asleep(rule=rule)
        ):
            return rule, None, ""
        case Starting() | Running() | Stopping() | Unknown():
            return None, None, ""
        case _:
            assert_never(container.phase)


def _attempt(history: History, rule: Rule | None) -> int:
    return history.obstacles if rule is Rule.OBSTACLE_BACKOFF else history.attempts


def is_another(was: Entered, now: Entered) -> bool:
    """Say whether a container is somewhere else, and not only later."""
    return attrs.evolve(was, at=now.at, entered_at=0, attempt=0) != attrs.evolve(
        now, entered_at=0, attempt=0
    )


def lived(container: Container) -> tuple[Moment | None, Moment | None]:
    """Return since when its live run is up, and ready, where that is known."""
    match container.phase:
        case Running() as running:
            return running.since, running.ready_at
        case Unknown(was=Running() as running):
            return running.since, running.ready_at
        case Stopping(started_at=started_at, ready_at=ready_at):
            return started_at, ready_at
        case _:
            return None, None
