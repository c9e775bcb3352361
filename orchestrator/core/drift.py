"""Where what is believed to run differs from what is asked for.

A container that is done, asleep or stopped by its owner is where it shall be. All else
that does not run although it shall is told with the reason; reconcile and the policies
close it. What the platform has and the fleet does not know is for the owner to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import attrs

from orchestrator.core.circumstances import circumstances
from orchestrator.core.explain import why
from orchestrator.core.lineages import Lineage
from orchestrator.core.moments import Moment
from orchestrator.core.phases import (
    Asleep,
    Completed,
    Running,
    Unknown,
    live_run,
    phase_name,
)
from orchestrator.core.placing import REMEDY, misplaced
from orchestrator.core.standings import is_member
from orchestrator.core.state import Container, Fleet

__all__ = ("Drift", "DriftKind", "drift")


class DriftKind(StrEnum):
    """In which way a container is not what is asked for.

    ``unknown``: the platform has lost sight of it; ``not_forgotten``: it was removed,
    and the platform has not confirmed that yet; ``other_generation``: it is of another
    revision of its service than new replicas are, which only a rollout changes;
    ``misplaced``: it runs elsewhere than its spec asks for, which reconcile leaves.
    """

    NOT_RUNNING = "not_running"
    NOT_STOPPED = "not_stopped"
    OLDER_REVISION = "older_revision"
    UNKNOWN = "unknown"
    NOT_FORGOTTEN = "not_forgotten"
    STRANGER = "stranger"
    OTHER_GENERATION = "other_generation"
    MISPLACED = "misplaced"


@attrs.frozen(kw_only=True)
class Drift:
    """One difference: what is asked for, what is believed, and why it is so."""

    name: str
    kind: DriftKind
    asked: str
    found: str
    why: str


def drift(fleet: Fleet, at: Moment) -> tuple[Drift, ...]:
    """Return every difference, in the order of names; () where there is none.

    The reasons are told as they are at a moment.

    >>> from orchestrator.core.state import empty_fleet
    >>> drift(empty_fleet("demo"), 0)
    ()

    """
    found = [
        *_of_containers(fleet, at),
        *_of_places(fleet),
        *_of_the_platform(fleet),
    ]
    if fleet.lineages:
        found += _of_services(fleet)
    return tuple(sorted(found, key=lambda one: (one.name, one.kind)))


def _of_containers(fleet: Fleet, at: Moment) -> Iterator[Drift]:
    for container in fleet.containers.values():
        kind = _kind(container)
        if kind is None:
            continue
        is_older = kind is DriftKind.OLDER_REVISION
        asked = "running" if container.desired.running else "stopped"
        found = phase_name(container.phase)
        yield Drift(
            name=container.name,
            kind=kind,
            asked=f"revision {container.revision}" if is_older else asked,
            found=f"revision {container.started_revision}" if is_older else found,
            why=why(container, at) + circumstances(fleet, container),
        )


def _kind(container: Container) -> DriftKind | None:
    lives = live_run(container.phase) is not None
    match container.phase:
        case Unknown():
            return DriftKind.UNKNOWN
        case _ if not container.desired.running:
            return DriftKind.NOT_STOPPED if lives else None
        case Running() if container.started_revision != container.revision:
            return DriftKind.OLDER_REVISION
        case Running() | Completed() | Asleep():
            return None
        case _:
            return DriftKind.NOT_RUNNING


def _of_places(fleet: Fleet) -> Iterator[Drift]:
    for container in fleet.containers.values():
        wrong = misplaced(container) if container.place else None
        if wrong is not None:
            yield Drift(
                name=wrong.name,
                kind=DriftKind.MISPLACED,
                asked=wrong.expected,
                found=wrong.found,
                why=REMEDY,
            )


def _of_services(fleet: Fleet) -> Iterator[Drift]:
    """Yield the replicas that are of another revision than their service serves."""
    for container in fleet.containers.values():
        service = container.spec.service
        lineage = fleet.lineages.get(service)
        is_replica = lineage is not None and is_member(container, service)
        if lineage is None or not is_replica or container.leaving:
            continue
        if container.generation != lineage.serving:
            yield Drift(
                name=container.name,
                kind=DriftKind.OTHER_GENERATION,
                asked=f"revision {lineage.serving} of {service}",
                found=f"revision {container.generation}",
                why=_rolled(lineage),
            )


def _rolled(lineage: Lineage) -> str:
    """Say where the newest rollout of a service is."""
    rollout = lineage.rollout or (lineage.past[-1] if lineage.past else None)
    if rollout is None:
        return "it was made before its service changed"
    status = rollout.status.value.replace("_", " ")
    return f"the rollout of its service is {status}: {rollout.reason}".removesuffix(
        ": "
    )


def _of_the_platform(fleet: Fleet) -> Iterator[Drift]:
    for name, run in fleet.forgetting.items():
        yield Drift(
            name=name,
            kind=DriftKind.NOT_FORGOTTEN,
            asked="nothing",
            found=f"run {run}",
            why="it was removed; the platform has not confirmed that yet",
        )
    for name, run in fleet.strangers.items():
        yield Drift(
            name=name,
            kind=DriftKind.STRANGER,
            asked="nothing",
            found=f"run {run}",
            why="the platform has it; it belongs to no container of the fleet",
        )
