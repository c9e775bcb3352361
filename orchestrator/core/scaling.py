"""How many replicas a service has: which ones come, and which ones go.

| asked for | what comes, what goes |
|---|---|
| more | the lowest indexes whose names are free, from the service's template |
| fewer | first those that are not ready, then the highest indexes |
| a file, by who boots | what was scaled to, unless the file has another number now |
| a file, by its owner | what the file says: the replicas 0, 1, 2 ... of its number |
| a file, of a service that scales by itself | as by who boots; within its bounds |

``admit`` says which ones come: their specs are part of the event. Which ones go is
decided when the event is taken in. A replica that comes back while its last run is
still ending is the same container, and starts again when that has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count

import attrs
from returns.result import Failure, Result, Success

from orchestrator.core.belonging import belonging_to
from orchestrator.core.commands import Command
from orchestrator.core.companions import release_orphans
from orchestrator.core.declare import dismiss, enlist
from orchestrator.core.drafts import FleetDraft
from orchestrator.core.errors import RequestError, ServiceNotFound
from orchestrator.core.fingerprints import salt_of
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.generations import spec_for, template_of
from orchestrator.core.moments import Moment
from orchestrator.core.origins import Origin
from orchestrator.core.phases import Running
from orchestrator.core.requests import Scale
from orchestrator.core.service_events import Declaration, ScaleRequested
from orchestrator.core.services import REPLICAS_MAX, Service, replica_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.start_specs import invalid
from orchestrator.core.state import Container, Desired, Fleet
from orchestrator.core.within_bounds import within_bounds

__all__ = (
    "as_scaled",
    "departing",
    "indexes",
    "is_ready",
    "members",
    "scale",
    "scaled",
)


def members(containers: Iterable[Container], service: str) -> tuple[Container, ...]:
    """Return the replicas that a service has, the lowest index first.

    One that is on its way out is none any more. While a rollout makes new ones beside
    the old ones, there may be two of one index.
    """
    found = [
        container
        for container in containers
        if container.spec.service == service != container.name
        and container.origin is Origin.MIN_REPLICA_SET
        and not container.leaving
    ]
    return tuple(sorted(found, key=lambda each: (each.spec.replica, each.name)))


def is_ready(container: Container) -> bool:
    """Say whether a container runs and accepts work."""
    phase = container.phase
    return isinstance(phase, Running) and phase.ready_at is not None


def indexes(present: Iterable[Container]) -> tuple[int, ...]:
    """Return the indexes that members have: as many as there are replicas."""
    return tuple(dict.fromkeys(each.spec.replica for each in present))


def departing(present: Iterable[Container], replicas: int) -> tuple[Container, ...]:
    """Return which members go so that *replicas* stay: unready first, then the newest.

    The newest is the one with the highest index. Both go of two of one index, of which
    one may be ready.
    """
    present = tuple(present)
    ready = {each.spec.replica for each in present if is_ready(each)}
    stay_first = sorted(
        present,
        key=lambda each: (each.spec.replica not in ready, each.spec.replica, each.name),
    )
    stay = set(indexes(stay_first)[:replicas])
    return tuple(each for each in stay_first if each.spec.replica not in stay)


# Asked for


def scaled(
    fleet: Fleet | FleetDraft, request: Scale, at: Moment
) -> Result[ScaleRequested, RequestError]:
    """Answer a wish for another number of replicas: with those that come."""
    service = fleet.services.get(request.service)
    if service is None:
        return Failure(ServiceNotFound(name=request.service))
    replicas = request.replicas
    if type(replicas) is not int or not 0 <= replicas <= REPLICAS_MAX:
        expected = f"a number from 0 to {REPLICAS_MAX}"
        return Failure(invalid("replicas", expected, repr(replicas)))
    taken = set(indexes(_replicas(fleet, service)))
    try:
        new = tuple(_new(fleet, service, taken, replicas - len(taken)))
    except ValueError as error:
        return Failure(invalid(service.name, "a valid name for each", str(error)))
    return Success(
        ScaleRequested(
            at=at,
            service=service.name,
            replicas=replicas,
            declarations=new,
            by=request.by,
            why=request.why,
        )
    )


def _replicas(fleet: Fleet | FleetDraft, service: Service) -> tuple[Container, ...]:
    """Return the members of a service; nobody else is looked at."""
    return members(belonging_to(fleet, service.name), service.name)


def _new(
    fleet: Fleet | FleetDraft, service: Service, taken: set[int], missing: int
) -> Iterator[Declaration]:
    """Yield the replicas that come: the lowest indexes whose names are free.

    None of the *taken* ones is. They are made of the revision that the service serves.
    """
    index = count()
    made_of = template_of(service, fleet.lineages.get(service.name))
    while missing > 0:
        free = next(index)
        if free in taken:
            continue
        spec = spec_for(made_of, free)
        known = fleet.containers.get(spec.name)
        if known is None or known.leaving:
            salt = _salt(fleet, spec) if known is None else known.salt
            yield Declaration(spec=spec, salt=salt)
            missing -= 1


def _salt(fleet: Fleet | FleetDraft, spec: ContainerSpec) -> int:
    """Return the salt of a replica that nobody knew.

    What is decided while an event is taken in follows no name: a history in other
    words comes to the same.
    """
    if isinstance(fleet, Fleet):
        return salt_of(fleet.name, spec.name)
    return salt_of(f"{fleet.at}", f"{spec.replica}")


def as_scaled(
    fleet: Fleet, spec: FleetSpec, *, keep_all: bool = True
) -> tuple[tuple[ContainerSpec, ...], tuple[Service, ...]]:
    """Return what a fleet spec declares where what was scaled stays as it is.

    A service of which the file says another number now is what the file says. A replica
    whose name the file gives to another container goes. Without *keep_all* only those
    stay that scale by themselves, which have as many as they may.
    """
    kept = {
        service.name: service
        for service in spec.services
        if (known := fleet.services.get(service.name)) is not None
        and known.declared == service.declared
        and (keep_all or service.autoscaling is not None)
    }
    specs = [each for each in spec.containers if each.service not in kept]
    taken = {each.name for each in specs}
    for service in kept.values():
        present = _replicas(fleet, service)
        own = [replica_of(service, index) for index in indexes(present)]
        stay = [each for each in own if each.name not in taken]
        kept[service.name] = attrs.evolve(service, replicas=len(stay))
        specs += stay
    services = tuple(kept.get(service.name, service) for service in spec.services)
    ready = {
        f"{each.spec.service}-{each.spec.replica}"  # whatever a rollout has called it
        for each in fleet.containers.values()
        if is_ready(each)
    }
    return within_bounds(specs, services, ready)


# Taken in


def scale(draft: FleetDraft, event: ScaleRequested) -> tuple[Command, ...]:
    """Let come what was declared, and go what is too many."""
    service = draft.services.get(event.service)
    if service is None:
        draft.ignored += 1
        return ()
    asked = Desired(running=True, by=event.by, why=event.why, at=event.at)
    commands: list[Command] = []
    changed = service.replicas != event.replicas
    lineage = draft.lineages.get(service.name)
    generation = 1 if lineage is None else lineage.serving
    for declaration in event.declarations:
        known = draft.containers.get(declaration.spec.name)
        if known is None or known.leaving:
            commands += enlist(draft, declaration, asked, generation=generation)
            changed = True
    present = _replicas(draft, service)
    away = attrs.evolve(asked, why="its service was scaled down")
    for container in departing(present, event.replicas):
        commands += dismiss(draft, container, away)
        changed = True
    release_orphans(draft)
    asks = attrs.evolve(service, replicas=event.replicas)
    draft.services = draft.services.put(service.name, asks)
    draft.revision += changed
    return tuple(commands)
