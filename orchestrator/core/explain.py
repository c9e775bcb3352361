"""What a person wants to know of a container: where it is, why, and what comes next.

All of it is derived from the record at a moment; nothing here is stored.
"""

from __future__ import annotations

from typing import assert_never

import attrs

from orchestrator.core.backoff import backoff_wait
from orchestrator.core.circumstances import circumstances, is_stuck, to_be
from orchestrator.core.exits import Outcome, exit_text
from orchestrator.core.fields import LATER
from orchestrator.core.histories import counted_failures
from orchestrator.core.moments import Millis, Moment, format_duration
from orchestrator.core.origins import Origin
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
    phase_name,
)
from orchestrator.core.placing import Misplaced, misplaced
from orchestrator.core.policies import RestartPolicy, judged
from orchestrator.core.reasons import because
from orchestrator.core.state import Container, Fleet, LastRun
from orchestrator.core.table import Table
from orchestrator.core.wake import wake_at

__all__ = (
    "ContainerInfo",
    "Explanation",
    "because",
    "container_info",
    "explain",
    "next_start_at",
    "why",
)


@attrs.frozen(kw_only=True)
class ContainerInfo:
    """One container as its owner sees it, at one moment.

    ``stuck``: it waits for what does not come by itself (``core.circumstances``).
    ``place`` is where the platform says that it runs, "" where it does not; a
    ``misplaced`` one is not where its spec asks for (``core.placing``).
    """

    name: str
    origin: Origin
    min_replica_set: bool
    desired: str
    phase: str
    ready: bool
    run: int
    revision: int
    restarts: int
    crash_count: int
    last_exit: str | None
    next_start_at: Moment | None
    why: str
    started_at: Moment | None
    ready_at: Moment | None
    uptime_ms: Millis | None
    startup_ms: Millis | None
    observed_at: Moment | None
    addresses: Table[str, str]
    stuck: bool = attrs.field(default=False, metadata=LATER)
    place: str = attrs.field(default="", metadata=LATER)
    misplaced: Misplaced | None = attrs.field(default=None, metadata=LATER)


@attrs.frozen(kw_only=True)
class Explanation:
    """Why a container is where it is: the rule, its inputs, what comes next.

    ``start_failures`` and ``unhealthy`` count ends of that kind in a row;
    ``last_outcome`` is what the policy judges the last end to be.
    """

    name: str
    phase: str
    why: str
    rule: Rule | None
    desired: str
    desired_by: str
    desired_why: str
    failures: tuple[Moment, ...]
    allowed_crashes: int
    window_ms: Millis
    attempts: int
    next_wait_ms: Millis
    start_failures: int
    unhealthy: int
    last: LastRun | None
    last_outcome: Outcome | None
    next_change_at: Moment | None
    place: str = attrs.field(default="", metadata=LATER)
    misplaced: Misplaced | None = attrs.field(default=None, metadata=LATER)


def container_info(fleet: Fleet, container: Container, now: Moment) -> ContainerInfo:
    """Return one container as its owner sees it at *now*."""
    started_at, ready_at = _lifetimes(container)
    counted = counted_failures(container.history, container.spec.restart, now)
    running = container.phase if isinstance(container.phase, Running) else None
    return ContainerInfo(
        name=container.name,
        origin=container.origin,
        min_replica_set=container.origin is Origin.MIN_REPLICA_SET,
        desired="running" if container.desired.running else "stopped",
        phase=phase_name(container.phase),
        ready=running is not None and ready_at is not None,
        run=container.run,
        revision=container.revision,
        restarts=container.history.restarts_total,
        crash_count=len(counted),
        last_exit=None if container.last is None else exit_text(container.last.exit),
        next_start_at=next_start_at(container),
        why=why(container, now) + circumstances(fleet, container),
        started_at=started_at,
        ready_at=ready_at,
        uptime_ms=None if started_at is None else max(0, now - started_at),
        startup_ms=container.history.startup_ms,
        observed_at=fleet.observed_at,
        addresses=Table() if running is None else running.addresses,
        stuck=is_stuck(fleet, container),
        place=container.place,
        misplaced=misplaced(container),
    )


def _lifetimes(container: Container) -> tuple[Moment | None, Moment | None]:
    match container.phase:
        case Running(since=since, ready_at=ready_at):
            return since, ready_at
        case Unknown(was=Running(since=since, ready_at=ready_at)):
            return since, ready_at
        case _:
            return None, None


def next_start_at(container: Container) -> Moment | None:
    """Return when the policy starts it next, None where it does not by itself."""
    match container.phase:
        case BackingOff(until=until) | CrashLooping(until=until):
            return until
        case Pending(since=since, waits_for=""):
            return since
        case _:
            return None


def why(container: Container, now: Moment) -> str:
    """Say in one sentence why a container is in its phase."""
    match container.phase:
        case Pending(rule=rule, waits_for=service):
            reported = _again_unhealthy(container.history.unhealthy)
            what = f"{service}{to_be(container, service)}" if service else "its turn"
            start = "" if service else " to start"
            return f"waits for {what}{start}: {because(rule)}{reported}"
        case Starting() | Running() | Unknown() if container.stops_after:
            return "is to stop, and runs on until those that depend on it have stopped"
        case Starting(accepted=False, retries=0):
            return "a start was commanded"
        case Starting(accepted=False, retries=retries):
            return f"a start was commanded {retries + 1} times without an answer"
        case Starting():
            return "the platform is starting it"
        case Running() as running:
            return _running_why(container, running)
        case Stopping() as stopping:
            return f"is being ended: {exit_text(stopping.verdict)}{_deaf(stopping)}"
        case Stopped():
            return _stopped_why(container)
        case Unknown() if container.is_claimed:
            return "was adopted; the next look says whether its run goes on"
        case Unknown(since=since):
            return f"cannot be seen since {format_duration(max(0, now - since))}"
        case Completed(rule=rule) | Failed(rule=rule) | Asleep(rule=rule):
            return because(rule) + _after(container)
        case BackingOff(rule=rule) | CrashLooping(rule=rule):
            return because(rule) + _after(container)
        case _:
            assert_never(container.phase)


def _running_why(container: Container, phase: Running) -> str:
    if phase.ready_at is not None:
        return "runs and is ready"
    checks = container.spec.health
    if not phase.is_listening:
        return "runs and is not ready yet"
    if checks.startup is not None and not phase.startup_passed:
        return "runs and is not ready: its startup check has not passed yet"
    if phase.deadline is not None:
        return "runs and is not ready: its readiness check has not passed yet"
    return "runs and is not ready: its readiness check fails"


def _deaf(phase: Stopping) -> str:
    if phase.destroys <= 1:
        return ""
    return f"; destroyed {phase.destroys} times, and the platform has not confirmed it"


def _after(container: Container) -> str:
    last = "" if container.last is None else f" ({exit_text(container.last.exit)})"
    return last + _again_unhealthy(container.history.unhealthy)


def _again_unhealthy(row: int) -> str:
    """Report what a new run does not cure (see ``core.checkups``)."""
    if row < 2:  # noqa: PLR2004 - twice is the first time that is again
        return ""
    if row == 2:  # noqa: PLR2004 - the second run was destroyed
        return "; it was unhealthy 2 times in a row, and was destroyed"
    return (
        f"; it was unhealthy {row} times in a row,"
        " although it was destroyed and started anew"
    )


def _stopped_why(container: Container) -> str:
    desired = container.desired
    reason = f": {desired.why}" if desired.why else ""
    return f"stopped by {desired.by}{reason}"


def explain(container: Container, *, fences: bool, now: Moment) -> Explanation:
    """Say which rule decided, from what, and when something can change next."""
    policy: RestartPolicy = container.spec.restart
    history = container.history
    phase = container.phase
    rule: Rule | None = getattr(phase, "rule", None)
    return Explanation(
        name=container.name,
        phase=phase_name(phase),
        why=why(container, now),
        rule=rule,
        desired="running" if container.desired.running else "stopped",
        desired_by=container.desired.by,
        desired_why=container.desired.why,
        failures=counted_failures(history, policy, now),
        allowed_crashes=policy.crash.allowed_crashes,
        window_ms=policy.crash.window_ms,
        attempts=history.attempts,
        next_wait_ms=backoff_wait(
            policy.backoff, history.attempts + 1, container.salt, container.revision
        ),
        start_failures=history.start_failures,
        unhealthy=history.unhealthy,
        last=container.last,
        last_outcome=_outcome_of(container.last, policy),
        next_change_at=wake_at(container, fences=fences),
        place=container.place,
        misplaced=misplaced(container),
    )


def _outcome_of(last: LastRun | None, policy: RestartPolicy) -> Outcome | None:
    return None if last is None else judged(policy, last.exit).outcome
