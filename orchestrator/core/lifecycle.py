"""What the platform's news of a run does to a container.

Note [Whose run]. A lifecycle event names its run. Only the live run can move; an
older run, or a second end of the same run, changes nothing.
"""

from __future__ import annotations

from typing import Final

from orchestrator.core.backoff import backoff_wait
from orchestrator.core.commands import ObserveFleet
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
    conclude,
    in_phase,
    seen_running,
    start_anew,
)
from orchestrator.core.phases import (
    Rule,
    Running,
    Starting,
    Stopping,
    Unknown,
    live_run,
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
_taken: Final = evolver(Starting, "accepted", "retry_at")


def started(container: Container, event: ContainerStarted) -> Container:
    """Take note that a process of the live run exists."""
    if live_run(container.phase) != event.run:
        return container
    return seen_running(container, event.at, ready=False, addresses=_NO_ADDRESSES)


def ready(container: Container, event: ContainerReady) -> Container:
    """Take note that the live run accepts work."""
    if live_run(container.phase) != event.run:
        return container
    return seen_running(container, event.at, ready=True, addresses=event.addresses)


def ended(container: Container, event: ContainerEnded, terms: Terms) -> Container:
    """Conclude the live run."""
    if live_run(container.phase) != event.run:
        return container
    return conclude(container, event.exit, event.at, terms)


def errored(container: Container, event: ContainerErrored) -> Moved:
    """Lose sight of the live run; it may or may not be alive, so look."""
    if live_run(container.phase) != event.run:
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


def accepted(container: Container, event: CommandAccepted) -> Container:
    """Take note that the platform has a command, so that it is not given again."""
    phase = container.phase
    if live_run(phase) != event.run:
        return container
    match phase:
        case Starting() if event.kind is CommandKind.START:
            return in_phase(container, _taken(phase, True, None), event.at)  # noqa: FBT003 - a field
        case Stopping() if event.kind in (CommandKind.STOP, CommandKind.DESTROY):
            return in_phase(container, evolve(phase, accepted=True), event.at)
        case _:
            return container


def command_failed(
    container: Container, event: CommandFailed, terms: Terms
) -> Container:
    """Answer a command that was not carried out, or may not have been."""
    phase = container.phase
    if live_run(phase) != event.run or isinstance(event.error, StaleOperator):
        return container
    match phase:
        case Starting() if event.kind is CommandKind.START:
            return _start_failed(container, phase, event.error, event.at, terms)
        case Stopping() if event.kind is not CommandKind.START:
            soonest, latest = RETRY_STOP_MS
            wait = min(latest, max(soonest, (event.at - phase.since) // 2))
            again = evolve(phase, deadline=event.at + wait, accepted=False)
            return in_phase(container, again, event.at)
        case _:
            return container


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
