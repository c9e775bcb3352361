"""Where one replica stands in the rollout of its service, by what it is now.

| a replica | is |
|---|---|
| not of the revision that is headed for | ``old``, ``old_down``, or ``lost`` |
| the same, stopped by its owner, or by the rollout | ``resting``, ``drained`` |
| the same, with another one of its index | ``kept`` |
| of that revision, not ready for long enough | ``moved`` |
| of that revision, and ready for long enough | ``counted`` |
| on its way out | ``going`` |

One whose owner has stopped it is not waited for: once it is new it counts. So does one
that is asleep or whose work is done.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from orchestrator.core.moments import Millis, Moment
from orchestrator.core.origins import Origin
from orchestrator.core.phases import Asleep, Completed, Running, Unknown, live_run
from orchestrator.core.state import Container, Desired

__all__ = (
    "DRAINED",
    "UNMOVED",
    "Gauge",
    "Spot",
    "is_as_before",
    "is_drained",
    "is_lost",
    "is_member",
    "is_up",
    "ready_since",
    "spot_of",
)


class Gauge(NamedTuple):
    """What replicas are judged by: the revision headed for, the time, how long."""

    service: str
    heading: int
    at: Moment
    min_ready_ms: Millis


DRAINED: Final = Desired(
    running=False, by="rollout", why="all are stopped before new ones start", at=0
)
"""The wish under which a rollout stops replicas that it starts again itself."""


class Spot(StrEnum):
    """The table that a replica is in."""

    NOWHERE = "nowhere"
    GOING = "going"
    COUNTED = "counted"
    MOVED = "moved"
    OLD = "old"
    OLD_DOWN = "old_down"
    LOST = "lost"
    RESTING = "resting"
    DRAINED = "drained"
    KEPT = "kept"


UNMOVED: Final = (Spot.OLD, Spot.OLD_DOWN, Spot.LOST, Spot.RESTING, Spot.DRAINED)


def is_member(container: Container | None, service: str) -> bool:
    """Say whether a container is a replica of a service, maybe on its way out."""
    return (
        container is not None
        and container.spec.service == service != container.name
        and container.origin is Origin.MIN_REPLICA_SET
    )


def is_drained(container: Container) -> bool:
    """Say whether a rollout has stopped it, and will start it again."""
    wish = container.desired
    return (wish.running, wish.by, wish.why) == (False, DRAINED.by, DRAINED.why)


def is_up(container: Container) -> bool:
    """Say whether a replica is as available as it ever is."""
    match container.phase:
        case Running(ready_at=ready_at):
            return ready_at is not None and container.desired.running
        case Asleep() | Completed():
            return container.desired.running
        case _:
            return False


def is_lost(container: Container) -> bool:
    """Say whether it is out of sight, and may accept work.

    A run that was adopted, and that no look has compared yet, is nobody's work yet.
    """
    return isinstance(container.phase, Unknown) and not container.is_claimed


def is_as_before(before: Container | None, after: Container | None) -> bool:
    """Say whether a step has moved a container and changed nothing for a rollout.

    Most events of a start are of that kind: that it was accepted, and has begun.
    """
    if before is None or after is None:
        return before is after
    return (
        before.spec is after.spec
        and before.generation == after.generation
        and before.leaving is after.leaving
        and before.desired is after.desired
        and before.origin is after.origin
        and before.history.crashes_total == after.history.crashes_total
        and (_is_alike(before, after) or _stance(before) == _stance(after))
    )


def _is_alike(before: Container, after: Container) -> bool:
    """Say whether both are in the same phase, and its class alone says all of it."""
    kind = before.phase.__class__
    return kind is after.phase.__class__ and kind is not Running and kind is not Unknown


def _stance(container: Container) -> object:
    """Return all that a rollout sees of a phase: whether it lives, and is ready."""
    phase = container.phase
    match phase:
        case Running(ready_at=ready_at) if ready_at is not None:
            return ready_at, container.started_revision == container.revision
        case Unknown() if not container.is_claimed:
            return Spot.LOST
        case Asleep() | Completed():
            return Spot.COUNTED
        case _:
            return live_run(phase) is None


def spot_of(container: Container, gauge: Gauge) -> Spot:
    """Say where a replica belongs that is the only one of its index."""
    if container.leaving:
        return Spot.GOING
    rests = not container.desired.running and not is_drained(container)
    if container.generation != gauge.heading:
        if rests:
            return Spot.RESTING
        if is_drained(container):
            return Spot.DRAINED
        if is_up(container):
            return Spot.OLD
        return Spot.LOST if is_lost(container) else Spot.OLD_DOWN
    if rests:
        return Spot.COUNTED
    match container.phase:
        case Asleep() | Completed() if container.desired.running:
            return Spot.COUNTED
        case _:
            ready_at = ready_since(container)
            is_ripe = ready_at is not None and ready_at + gauge.min_ready_ms <= gauge.at
            return Spot.COUNTED if is_ripe else Spot.MOVED


def ready_since(container: Container) -> Moment | None:
    """Return since when a new replica has been ready, by what it is now."""
    phase = container.phase
    is_new = container.started_revision == container.revision
    return phase.ready_at if isinstance(phase, Running) and is_new else None
