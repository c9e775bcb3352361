"""What a row of a journal was to a service: its rollout, its load, where replicas are.

A rollout is told where its status or its goal is another one behind the row; that
follows from the fleets before and after it alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import attrs

from orchestrator.core.events import PlaceObserved
from orchestrator.core.lineages import Lineage, Rollout, RolloutStatus
from orchestrator.core.loads import LoadObserved, RollOutcome, ServiceRolled
from orchestrator.core.moments import Moment
from orchestrator.core.state import Fleet
from orchestrator.core.steps import Step

__all__ = (
    "ImageRolled",
    "LoadSeen",
    "PlaceSeen",
    "RolloutMoved",
    "ServiceHappening",
    "of_services",
)


@attrs.frozen(kw_only=True)
class RolloutMoved:
    """A rollout began, went on to another step or status, or ended.

    ``revision`` is the one that it rolls out, ``back_to`` the one that it goes back to.
    ``goal`` is how many replicas its present step wants new; ``until`` when a soak is
    over.
    """

    seq: int
    at: Moment
    service: str
    revision: int
    back_to: int | None
    status: RolloutStatus
    goal: int
    until: Moment | None
    failures: int
    reason: str


@attrs.frozen(kw_only=True)
class ImageRolled:
    """The platform told of its own rollout of a service."""

    seq: int
    at: Moment
    service: str
    revision: int
    outcome: RollOutcome
    updated: int
    total: int
    cause: str


@attrs.frozen(kw_only=True)
class LoadSeen:
    """A service was measured; ``replicas`` are those that are asked for since.

    None: as many as before.
    """

    seq: int
    at: Moment
    service: str
    load_milli: int
    replicas: int | None


@attrs.frozen(kw_only=True)
class PlaceSeen:
    """The platform said where a run is."""

    seq: int
    at: Moment
    name: str
    run: int
    place: str


ServiceHappening: TypeAlias = RolloutMoved | ImageRolled | LoadSeen | PlaceSeen


def of_services(step: Step, seq: int) -> Iterator[ServiceHappening]:
    """Yield what a step was to services, the event itself first."""
    event, at = step.event, step.after.at
    match event:
        case ServiceRolled():
            yield ImageRolled(
                seq=seq,
                at=at,
                service=event.service,
                revision=event.revision,
                outcome=event.outcome,
                updated=event.updated,
                total=event.total,
                cause=event.cause,
            )
        case LoadObserved(service=service, load_milli=load):
            yield LoadSeen(
                seq=seq,
                at=at,
                service=service,
                load_milli=load,
                replicas=_scaled_to(step, service),
            )
        case PlaceObserved(name=name, run=run, place=place):
            if _place(step.before, name) != _place(step.after, name):
                yield PlaceSeen(seq=seq, at=at, name=name, run=run, place=place)
        case _:
            pass
    if step.before.lineages is not step.after.lineages:
        yield from _moved(step, seq)


def _scaled_to(step: Step, service: str) -> int | None:
    """Return how many replicas a step has asked for, if it is another number."""
    before = step.before.services.get(service)
    after = step.after.services.get(service)
    if before is None or after is None or before.replicas == after.replicas:
        return None
    return after.replicas


def _place(fleet: Fleet, name: str) -> str:
    container = fleet.containers.get(name)
    return "" if container is None else container.place


def _moved(step: Step, seq: int) -> Iterator[RolloutMoved]:
    for name, lineage in step.after.lineages.items():
        before = step.before.lineages.get(name)
        if before is lineage:
            continue
        was = {} if before is None else dict(map(_known, _all(before)))
        for rollout in _all(lineage):
            key, stands = _known(rollout)
            if was.get(key) != stands:
                yield RolloutMoved(
                    seq=seq,
                    at=step.after.at,
                    service=name,
                    revision=rollout.target,
                    back_to=rollout.back_to,
                    status=rollout.status,
                    goal=rollout.goal,
                    until=rollout.until,
                    failures=rollout.failures,
                    reason=rollout.reason,
                )


def _all(lineage: Lineage) -> tuple[Rollout, ...]:
    """Return the rollouts that are kept of a service, the newest last."""
    now = lineage.rollout
    return lineage.past if now is None else (*lineage.past, now)


def _known(rollout: Rollout) -> tuple[tuple[int, Moment], tuple[RolloutStatus, int]]:
    return (rollout.target, rollout.began_at), (rollout.status, rollout.goal)
