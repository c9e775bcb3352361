"""What the passing of time does to a container: waits end, deadlines strike.

Nothing happens before ``core.wake.wake_at``; whoever asks earlier changes nothing.
A stop that was accepted and is not confirmed in time is looked for first and
destroyed only then; a stop that never reached the platform is given again.
"""

from __future__ import annotations

from orchestrator.core.commands import (
    Command,
    DestroyContainer,
    ObserveFleet,
    StartContainer,
    StopContainer,
)
from orchestrator.core.endings import conclude
from orchestrator.core.events import TimeReached
from orchestrator.core.evolving import evolve
from orchestrator.core.exits import Lost, StartFailed
from orchestrator.core.moments import Moment, format_duration
from orchestrator.core.moves import (
    CONFIRM_MARGIN_MS,
    Moved,
    in_phase,
    order_stop,
    start_anew,
)
from orchestrator.core.phases import (
    BackingOff,
    CrashLooping,
    Escalation,
    Running,
    Starting,
    Stopping,
    Unknown,
)
from orchestrator.core.renewals import clear_history
from orchestrator.core.state import Container
from orchestrator.core.terms import Terms
from orchestrator.core.wake import may_replace, wake_at

__all__ = ("time_passed",)


def time_passed(container: Container, event: TimeReached, terms: Terms) -> Moved:
    """Do what is due; nothing where nothing is."""
    at, waits = event.at, container.phase
    if isinstance(waits, BackingOff):  # mostly
        if at < waits.until:
            return container, ()
        return start_anew(container, at, waits.rule), ()
    due = wake_at(container, fences=terms.fences)
    if due is None or at < due:
        return container, ()
    match container.phase:
        case CrashLooping(rule=rule):
            return start_anew(container, at, rule), ()
        case Starting() as phase:
            return _start_is_slow(container, phase, at)
        case Running(ready_at=None):
            return order_stop(container, at, _too_slow(container, "ready"))
        case Running():
            return clear_history(container), ()
        case Stopping() as phase if _is_out_of_reach(container, phase, at, terms):
            return conclude(container, phase.verdict, at, terms), ()
        case Stopping() as phase:
            return _stop_is_slow(container, phase, at)
        case Unknown():
            return conclude(container, Lost(), at, terms), ()
        case _:  # pragma: no cover - the other phases are never due
            return container, ()


def _start_is_slow(container: Container, phase: Starting, at: Moment) -> Moved:
    if at >= phase.since + container.spec.start_timeout_ms:
        return order_stop(container, at, _too_slow(container, "started"))
    again = StartContainer(
        name=container.name, run=phase.run, revision=container.started_revision
    )
    waiting = evolve(phase, retry_at=None)
    return in_phase(container, waiting, at), (again,)


def _too_slow(container: Container, what: str) -> StartFailed:
    limit = format_duration(container.spec.start_timeout_ms)
    return StartFailed(reason=f"not {what} within {limit}")


def _is_out_of_reach(
    container: Container, phase: Stopping, at: Moment, terms: Terms
) -> bool:
    """Say whether a run that nobody can end may be replaced: the platform fences it.

    Only for one that shall run again: not reachable is not stopped.
    """
    waited = at >= phase.since + container.spec.restart.lost_after_ms
    may = container.desired.running and may_replace(container, fences=terms.fences)
    return waited and may and not phase.accepted


def _stop_is_slow(container: Container, phase: Stopping, at: Moment) -> Moved:
    name, run, spec = container.name, phase.run, container.spec
    margin = CONFIRM_MARGIN_MS
    command: Command
    if phase.escalation is Escalation.SIGNALED and not phase.accepted:
        grace_ms = spec.stop_grace_ms
        command = StopContainer(
            name=name, run=run, signal=spec.stop_signal, grace_ms=grace_ms
        )
        longer = evolve(phase, deadline=at + grace_ms + margin)
    elif phase.escalation is Escalation.SIGNALED:
        command = ObserveFleet()
        longer = evolve(phase, deadline=at + margin, escalation=Escalation.OBSERVED)
    else:
        command = DestroyContainer(name=name, run=run)
        longer = evolve(
            phase,
            deadline=at + margin,
            escalation=Escalation.DESTROYED,
            accepted=False,
            destroys=phase.destroys + 1,
        )
    return in_phase(container, longer, at), (command,)
