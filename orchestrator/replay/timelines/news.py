"""What an event itself says: what its owner asked for, what the platform told."""

from __future__ import annotations

from typing import Final, TypeAlias

from orchestrator.core.events import (
    Booted,
    CommandFailed,
    ContainerErrored,
    CrashHistoryCleared,
    Event,
    FleetObserved,
    HealthChanged,
    ReconcileRequested,
    RemoveRequested,
    RestartRequested,
    SpecApplied,
    StartRequested,
    StopRequested,
)
from orchestrator.core.service_events import (
    AdoptRequested,
    OrphanStopRequested,
    RolloutRequested,
    ScaleRequested,
)
from orchestrator.replay.timelines.happenings import (
    Asked,
    Checked,
    LookFailed,
    LostSight,
    OrderFailed,
    TookOver,
    Wish,
)

__all__ = ("Message", "news_of")

_WISHES: Final = {
    SpecApplied: Wish.APPLY,
    StartRequested: Wish.START,
    StopRequested: Wish.STOP,
    RestartRequested: Wish.RESTART,
    RemoveRequested: Wish.REMOVE,
    CrashHistoryCleared: Wish.CLEAR,
    ReconcileRequested: Wish.RECONCILE,
    ScaleRequested: Wish.SCALE,
    AdoptRequested: Wish.ADOPT,
    OrphanStopRequested: Wish.STOP_ORPHAN,
    RolloutRequested: Wish.ROLLOUT,
}

Message: TypeAlias = TookOver | LookFailed | Asked | Checked | OrderFailed | LostSight


def news_of(event: Event, seq: int) -> Message | None:
    """Return what an event says itself; None where only what follows is to be told."""
    at = event.at
    match event:
        case Booted(epoch=epoch, rules=rules):
            return TookOver(seq=seq, at=at, epoch=epoch, rules=rules)
        case FleetObserved(complete=False, cause=cause):
            return LookFailed(seq=seq, at=at, cause=cause)
        case HealthChanged():
            return Checked(
                seq=seq,
                at=at,
                name=event.name,
                run=event.run,
                check=event.check,
                passing=event.passing,
                cause=event.cause,
            )
        case CommandFailed(name=name, run=run, kind=kind, error=error):
            return OrderFailed(
                seq=seq, at=at, name=name, run=run, kind=kind, error=error
            )
        case ContainerErrored(name=name, run=run, cause=cause):
            return LostSight(seq=seq, at=at, name=name, run=run, cause=cause)
        case (
            SpecApplied()
            | StartRequested()
            | StopRequested()
            | RestartRequested()
            | RemoveRequested()
            | CrashHistoryCleared()
            | ReconcileRequested()
            | ScaleRequested()
            | AdoptRequested()
            | OrphanStopRequested()
            | RolloutRequested()
        ):
            is_of_fleet = isinstance(event, OrphanStopRequested)
            return Asked(
                seq=seq,
                at=at,
                name="" if is_of_fleet else getattr(event, "name", ""),
                about=_about(event),
                wish=_WISHES[type(event)],
                by=event.by,
                why=event.why,
                force=isinstance(event, StartRequested) and event.force,
            )
        case _:
            return None


def _about(event: Event) -> str:
    """Say what a wish is about that is of the fleet as a whole."""
    match event:
        case ScaleRequested(service=service, replicas=replicas):
            return f"{service} to {replicas}"
        case OrphanStopRequested(name=name):
            return name
        case RolloutRequested(service=service, action=action, to=to):
            place = "" if to is None else f" to revision {to}"
            return f"{service}: {action.value}{place}"
        case _:
            return ""
