"""What the owner's requests do to a container.

They were admitted before (``core.admit``); a replayed one that no longer applies
changes nothing. ``force`` opens a new failure history: who forces, forgives.
"""

from __future__ import annotations

from orchestrator.core.events import (
    CrashHistoryCleared,
    RestartRequested,
    StartRequested,
    StopRequested,
)
from orchestrator.core.evolving import evolve
from orchestrator.core.exits import Stopped
from orchestrator.core.moments import Moment
from orchestrator.core.moves import (
    Moved,
    in_phase,
    order_stop,
    start_anew,
    want,
)
from orchestrator.core.origins import Origin
from orchestrator.core.phases import (
    Asleep,
    BackingOff,
    Completed,
    CrashLooping,
    Failed,
    Rule,
    Running,
    Starting,
    Stopping,
    Unknown,
)
from orchestrator.core.phases import Stopped as AtRest
from orchestrator.core.renewals import clear_history, redeclare
from orchestrator.core.state import Container, Desired
from orchestrator.core.terms import Terms

__all__ = ("clear", "leave", "restart", "start", "stop")


def start(container: Container, event: StartRequested, _terms: Terms) -> Moved:
    """Want it running; begin where it rests, restart where forced."""
    wanted = want(container, running=True, asked=_asked(event))
    if event.force:
        wanted = clear_history(wanted)
    if wanted.leaving:
        wanted = evolve(wanted, leaving=False, origin=Origin.AD_HOC)
    if event.declaration is not None and event.declaration.spec != wanted.spec:
        return redeclare(wanted, event.declaration.spec, event.at)
    if isinstance(wanted.phase, Stopping) and not container.desired.running:
        return order_stop(wanted, event.at, Stopped())
    match wanted.phase:
        case AtRest() | Asleep():
            return start_anew(wanted, event.at, Rule.REQUESTED), ()
        case _ if event.force:
            return _force(wanted, event.at)
        case _:
            return wanted, ()


def _force(container: Container, at: Moment) -> Moved:
    match container.phase:
        case BackingOff() | CrashLooping() | Completed() | Failed():
            return start_anew(container, at, Rule.FORCED), ()
        case _:
            return order_stop(container, at, Stopped())


def stop(container: Container, event: StopRequested, _terms: Terms) -> Moved:
    """Want it stopped; end the live run, or rest at once where there is none."""
    return _stop(want(container, running=False, asked=_asked(event)), event.at)


def leave(container: Container, asked: Desired) -> Moved:
    """Stop a container for good: its spec has left the fleet."""
    leaving = evolve(container, leaving=True)
    return _stop(want(leaving, running=False, asked=asked), asked.at)


def _stop(container: Container, at: Moment) -> Moved:
    match container.phase:
        case Starting() | Running() | Unknown():
            now = evolve(container, stops_after="")
            return order_stop(now, at, Stopped())
        case Stopping() | AtRest():
            return container, ()
        case _:
            return in_phase(container, AtRest(since=at), at), ()


def restart(container: Container, event: RestartRequested, _terms: Terms) -> Moved:
    """Want it running, with a new run; where it rests, that is a start."""
    wanted = want(container, running=True, asked=_asked(event))
    match wanted.phase:
        case Starting() | Running() | Unknown() | Stopping():
            return order_stop(wanted, event.at, Stopped())
        case AtRest() | Asleep():
            return start_anew(wanted, event.at, Rule.REQUESTED), ()
        case _:
            return wanted, ()


def clear(container: Container, event: CrashHistoryCleared, _terms: Terms) -> Moved:
    """Forget the failures; what they held back starts again."""
    cleared = clear_history(container)
    match cleared.phase:
        case CrashLooping() | Failed() if cleared.desired.running:
            return start_anew(cleared, event.at, Rule.HISTORY_CLEARED), ()
        case _:
            return cleared, ()


def _asked(event: StartRequested | StopRequested | RestartRequested) -> Desired:
    return Desired(running=True, by=event.by, why=event.why, at=event.at)
