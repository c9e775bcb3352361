"""What the platform's news of a run does to a container.

Note [Whose run]. A lifecycle event names its run. Only the live run can move; an
older run, or a second end of the same run, changes nothing.
"""

from __future__ import annotations

from typing import Final

from orchestrator.core.backoff import backoff_wait
from orchestrator.core.commands import ObserveFleet
from orchestrator.core.endings import conclude
from orchestrator.core.errors import (
    PlatformError,
    StaleOperator,
    StaleRun,
    StartError,
    TimedOut,
    Unreachable,
)
from orchestrator.core.events import (
    CommandAccepted,
    CommandFailed,
    CommandKind,
    ContainerEnded,
    ContainerErrored,
    ContainerReady,
    ContainerStarted,
)
from orchestrator.core.evolving import evolve, evolver
from orchestrator.core.exits import Exit, Obstacle, StartFailed
from orchestrator.core.moments import Moment
from orchestrator.core.moves import (
    RETRY_STOP_MS,
    Moved,
    answering,
    begun,
    exact,
    in_phase,
    seen_running,
    start_anew,
    unhindered,
)
from orchestrator.core.phases import (
    Rule,
    Running,
    Starting,
    Stopping,
    Unknown,
)
from orchestrator.core.state import Container
from orchestrator.core.table import Table
from orchestrator.core.terms import Terms

__all__ = (
    "accepted",
    "command_failed",
    "ended",
    "errored",
    "lose_sight",
    "ready",
    "started",
)

_NO_ADDRESSES: Final = Table[str, str]()


def started(container: Container, event: ContainerStarted, _terms: Terms) -> Moved:
    """Take note that a process of the live run exists."""
    phase, at = container.phase, event.at
    if phase.run != event.run:
        return container, ()
    if isinstance(phase, Starting):
        running = begun(container, phase, at)
        return in_phase(unhindered(container), running, at), ()
    seen = seen_running(container, at, ready=False, addresses=_NO_ADDRESSES)
    return exact(container, seen, at), ()


def ready(container: Container, event: ContainerReady, _terms: Terms) -> Moved:
    """Take note that the live run accepts work."""
    phase, at = container.phase, event.at
    if phase.run != event.run:
        return container, ()
    if isinstance(phase, Running) and not phase.is_listening:
        return answering(unhindered(container), phase, at, event.addresses), ()
    seen = seen_running(container, at, ready=True, addresses=event.addresses)
    return exact(container, seen, at), ()


def ended(container: Container, event: ContainerEnded, terms: Terms) -> Moved:
    """Conclude the live run."""
    if container.phase.run != event.run:
        return container, ()
    return conclude(container, event.exit, event.at, terms), ()


def errored(container: Container, event: ContainerErrored, _terms: Terms) -> Moved:
    """Lose sight of the live run; it may or may not be alive, so look."""
    if container.phase.run != event.run:
        return container, ()
    return lose_sight(container, event.at), (ObserveFleet(),)


def lose_sight(container: Container, at: Moment) -> Container:
    """Remember what the run was, and wait; unknown never destroys."""
    match container.phase:
        case Running(run=run) | Starting(run=run, accepted=True):
            unknown = Unknown(since=at, run=run, was=container.phase)
            return in_phase(container, unknown, at)
        case _:
            return container


def accepted(container: Container, event: CommandAccepted, _terms: Terms) -> Moved:
    """Take note that the platform has a command, so that it is not given again."""
    phase, kind = container.phase, event.kind
    if phase.run != event.run:
        return container, ()
    if isinstance(phase, Starting):
        if kind is not _START or (phase.accepted and phase.retry_at is None):
            return container, ()
        return in_phase(container, _taken(phase, True, None), event.at), ()  # noqa: FBT003 - a field
    if not isinstance(phase, Stopping) or phase.accepted or kind not in _ENDING:
        return container, ()
    return in_phase(container, evolve(phase, accepted=True), event.at), ()


def command_failed(container: Container, event: CommandFailed, terms: Terms) -> Moved:
    """Answer a command that was not carried out, or may not have been."""
    phase = container.phase
    if phase.run != event.run or isinstance(event.error, StaleOperator):
        return container, ()
    match phase:
        case Starting() if event.kind is _START:
            return _start_failed(container, phase, event.error, event.at, terms), ()
        case Stopping() if event.kind is not _START:
            soonest, latest = RETRY_STOP_MS
            wait = min(latest, max(soonest, (event.at - phase.since) // 2))
            again = evolve(phase, deadline=event.at + wait, accepted=False)
            return in_phase(container, again, event.at), ()
        case _:
            return container, ()


_START: Final = CommandKind.START
_ENDING: Final = (CommandKind.STOP, CommandKind.DESTROY)
_taken: Final = evolver(Starting, "accepted", "retry_at")


def _start_failed(
    container: Container,
    phase: Starting,
    error: PlatformError | StartError,
    at: Moment,
    terms: Terms,
) -> Container:
    match error:
        case Unreachable() | TimedOut():
            # It may have taken effect: the same run is commanded again, which does
            # the same as once.
            backoff = container.spec.restart.backoff
            tries = phase.retries + 1
            wait = backoff_wait(backoff, tries, container.salt, container.revision)
            again = evolve(phase, retries=tries, retry_at=at + max(wait, 1))
            return in_phase(container, again, at)
        case StaleRun(highest=highest):
            higher = evolve(container, run=max(container.run, highest))
            return start_anew(higher, at, Rule.STALE_RUN)
        case _:
            return conclude(container, _not_started(error), at, terms)


def _not_started(error: PlatformError | StartError) -> Exit:
    """Return how a run ended that never began."""
    return error if isinstance(error, Obstacle) else StartFailed(reason=error.message)
