"""What the platform runs and the fleet does not know: adopted, ended, or left alone.

A stranger is adopted as a container of the fleet *whose run is not seen yet*: its phase
is unknown. The look that follows shows it: its run goes on where it was started as the
spec says now (``core.fingerprints``), it is replaced where it was not, and judged by
its policy where it has ended meanwhile. Nothing is started before that look.

A stranger that its owner wants ended is *evicted*: stopped, asked again at each look
that shows it, and forgotten at the platform once it has ended.
"""

from __future__ import annotations

from typing import Final

from returns.result import Failure, Result, Success

from orchestrator.core.belonging import belonging_to
from orchestrator.core.commands import (
    Command,
    ForgetContainer,
    ObserveFleet,
)
from orchestrator.core.drafts import FleetDraft, place
from orchestrator.core.errors import (
    AdHocContainerNotAllowed,
    ContainerNotFound,
    RequestError,
    ServiceNotFound,
)
from orchestrator.core.events import (
    ContainerEnded,
    ContainerEvent,
    ContainerObserved,
    FleetObserved,
    TimeReached,
)
from orchestrator.core.evolving import evolve
from orchestrator.core.fingerprints import salt_of
from orchestrator.core.generations import spec_for, template_of
from orchestrator.core.moments import Moment
from orchestrator.core.names import is_name
from orchestrator.core.needs import wrong_needs
from orchestrator.core.observations import SeenEnded
from orchestrator.core.origins import Origin
from orchestrator.core.outstanding import evictions
from orchestrator.core.phases import Running, Unknown
from orchestrator.core.requests import Adopt, StopOrphan
from orchestrator.core.service_events import (
    AdoptRequested,
    Declaration,
    OrphanStopRequested,
)
from orchestrator.core.services import REPLICAS_MAX, Service
from orchestrator.core.specs import ContainerSpec, named
from orchestrator.core.standings import is_member
from orchestrator.core.start_specs import has_another_strategy, invalid
from orchestrator.core.state import Container, Desired, Fleet

__all__ = (
    "adopt",
    "adoption",
    "evict",
    "eviction",
    "meet",
    "stranger_ended",
)

INDEX_DIGITS: Final = 9
"""At most, of the index of a replica that is adopted: nobody counts further."""

# Asked for


def adoption(
    fleet: Fleet, request: Adopt, at: Moment
) -> Result[AdoptRequested, RequestError]:
    """Answer the wish to adopt a stranger: as a replica, or as an ad-hoc container."""
    run = fleet.strangers.get(request.name)
    if run is None:
        return Failure(_no_stranger(fleet, request.name))
    spec = _spec_for(fleet, request)
    if not isinstance(spec, ContainerSpec):
        return Failure(spec)
    wrong = _unfit(fleet, spec)
    if wrong is not None:
        return Failure(wrong)
    return Success(
        AdoptRequested(
            at=at,
            name=request.name,
            run=run,
            declaration=Declaration(spec=spec, salt=salt_of(fleet.name, spec.name)),
            origin=_origin_of(fleet, spec),
            by=request.by,
            why=request.why,
        )
    )


def _origin_of(fleet: Fleet, spec: ContainerSpec) -> Origin:
    is_replica = spec.service in fleet.services and spec.service != spec.name
    return Origin.MIN_REPLICA_SET if is_replica else Origin.AD_HOC


def _unfit(fleet: Fleet, spec: ContainerSpec) -> RequestError | None:
    """Say why the fleet cannot have one more of that spec."""
    if _origin_of(fleet, spec) is Origin.MIN_REPLICA_SET:
        found = fleet.services[spec.service].replicas
        if found >= REPLICAS_MAX:
            expected = f"fewer than {REPLICAS_MAX} replicas of {spec.service!r}"
            return invalid("name", expected, str(found))
        if _is_taken(fleet, spec):
            expected = f"an index of {spec.service!r} that no replica has"
            return invalid("name", expected, str(spec.replica))
    if has_another_strategy(fleet, spec):
        place = f"{spec.name}.group.strategy"
        return invalid(place, "that of its group", "another")
    return wrong_needs(fleet, spec)


def _is_taken(fleet: Fleet | FleetDraft, spec: ContainerSpec) -> bool:
    """Say whether a replica of that index runs under another name: it was rolled."""
    return spec.service in fleet.lineages and any(
        each.spec.replica == spec.replica and not each.leaving
        for each in belonging_to(fleet, spec.service)
        if is_member(each, spec.service)
    )


def _spec_for(fleet: Fleet, request: Adopt) -> ContainerSpec | RequestError:
    """Return the spec that a stranger is to have from now on."""
    name = request.name
    if not is_name(name):
        expected = "a name of a-z, 0-9, '.', '_' and '-', at most 63 long"
        return invalid("name", expected, repr(name))
    if request.service is None:
        stem = name.rpartition("-")[0]
        service = fleet.services.get(stem)
        spec = None if service is None else _replica(fleet, service, name)
        return spec or _ad_hoc(fleet, name)
    if not request.service:
        return _ad_hoc(fleet, name)
    service = fleet.services.get(request.service)
    if service is None:
        return ServiceNotFound(name=request.service)
    expected = f"a name of {service.name!r} and an index, such as {service.name}-0"
    return _replica(fleet, service, name) or invalid("name", expected, repr(name))


def _replica(fleet: Fleet, service: Service, name: str) -> ContainerSpec | None:
    """Return the replica of a service that has a name, if one can have it."""
    index = name.removeprefix(f"{service.name}-")
    if not (index.isascii() and index.isdecimal() and len(index) <= INDEX_DIGITS):
        return None
    made_of = template_of(service, fleet.lineages.get(service.name))
    spec = spec_for(made_of, int(index))
    return spec if spec.name == name else None


def _ad_hoc(fleet: Fleet, name: str) -> ContainerSpec | RequestError:
    if not fleet.settings.allow_ad_hoc_containers:
        return AdHocContainerNotAllowed(name=name)
    if fleet.settings.ad_hoc is None:
        expected = "an [ad_hoc] template in the fleet, or the service it belongs to"
        return invalid(name, expected, "neither")
    return named(fleet.settings.ad_hoc, name)


def eviction(
    fleet: Fleet, request: StopOrphan, at: Moment
) -> Result[OrphanStopRequested, RequestError]:
    """Answer the wish to end a stranger."""
    name, run = request.name, fleet.strangers.get(request.name)
    if run is None:
        return Failure(_no_stranger(fleet, name))
    by, why = request.by, request.why
    return Success(OrphanStopRequested(at=at, name=name, run=run, by=by, why=why))


def _no_stranger(fleet: Fleet, name: str) -> RequestError:
    if name in fleet.containers:
        expected = "an orphan: a container that the fleet does not know"
        return invalid("name", expected, f"{name!r}, which belongs to the fleet")
    return ContainerNotFound(name=name)


# Taken in


def adopt(draft: FleetDraft, event: AdoptRequested) -> tuple[Command, ...]:
    """Make a stranger a container of the fleet, and look at it."""
    name, run, at = event.name, event.run, event.at
    if draft.strangers.get(name) != run or name in draft.containers:
        draft.ignored += 1
        return ()
    spec = event.declaration.spec
    is_replica = event.origin is Origin.MIN_REPLICA_SET
    if is_replica and _is_taken(draft, spec):
        draft.ignored += 1
        return ()
    lineage = draft.lineages.get(spec.service) if is_replica else None
    deadline = at + spec.start_timeout_ms
    container = Container(
        name=name,
        spec=spec,
        salt=event.declaration.salt,
        revision=1,
        origin=event.origin,
        desired=Desired(running=True, by=event.by, why=event.why, at=at),
        phase=Unknown(
            since=at, run=run, was=Running(since=at, run=run, deadline=deadline)
        ),
        run=run,
        changed_at=at,
        generation=1 if lineage is None else lineage.serving,
    )
    _let_go(draft, name)
    if is_replica:
        _count_in(draft, spec.service)
    return (*place(draft, None, container), ObserveFleet())


def _count_in(draft: FleetDraft, name: str) -> None:
    """Ask for one replica more: it is there already."""
    draft.revision += 1
    service = draft.services.get(name)
    if service is not None:
        more = evolve(service, replicas=min(REPLICAS_MAX, service.replicas + 1))
        draft.services = draft.services.put(name, more)


def evict(draft: FleetDraft, event: OrphanStopRequested) -> tuple[Command, ...]:
    """Begin to end a stranger; the look finds out whether it has ended already."""
    if draft.strangers.get(event.name) != event.run:
        draft.ignored += 1
        return ()
    draft.evicting = draft.evicting.put(event.name, event.run)
    return (*evictions([(event.name, event.run)]), ObserveFleet())


def meet(draft: FleetDraft, event: FleetObserved) -> tuple[Command, ...]:
    """Take down who the strangers are; ask those again that are to end and do not.

    A look that began before an adoption shows nothing of it: there is another one.
    """
    for name in list(draft.strangers):
        if name not in event.strangers:
            _let_go(draft, name)
    for name, run in event.strangers.items():
        draft.strangers = draft.strangers.put(name, run)
    for name, run in list(draft.evicting.items()):
        if draft.strangers.get(name) != run:
            draft.evicting = draft.evicting.drop(name)
    again = (ObserveFleet(),) if _is_older(draft) else ()
    return (*evictions(draft.evicting.items()), *again)


def _is_older(draft: FleetDraft) -> bool:
    """Say whether the look that is over began before an adoption not yet compared."""
    began = draft.reconciled_at
    wandering = (draft.containers[name] for name in draft.diverged)
    return began is not None and any(
        each.is_claimed and each.changed_at > began for each in wandering
    )


def stranger_ended(
    draft: FleetDraft, event: ContainerEvent | TimeReached
) -> tuple[Command, ...]:
    """Have the platform forget a stranger that was to end, and has."""
    match event:
        case ContainerEnded(name=name, run=run):
            pass
        case ContainerObserved(name=name, run=run, sight=SeenEnded()):
            pass
        case _:
            draft.ignored += 1
            return ()
    if draft.evicting.get(name) != run:
        draft.ignored += 1
        return ()
    _let_go(draft, name)
    draft.forgetting = draft.forgetting.put(name, run)
    draft.run_floor = max(draft.run_floor, run)
    return (ForgetContainer(name=name, run=run),)


def _let_go(draft: FleetDraft, name: str) -> None:
    draft.strangers = draft.strangers.drop(name)
    draft.evicting = draft.evicting.drop(name)
