"""May this be done now? The only place that refuses.

``admit`` turns an owner's request into the event that says it happened, or into the
error that says why not. Whatever is admitted, ``reduce`` accepts; what reached the
journal is never refused again.
"""

from __future__ import annotations

from typing import assert_never

import attrs
from returns.result import Failure, Result, Success

from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.decide import crash_loop
from orchestrator.core.drafts import is_removable
from orchestrator.core.errors import (
    AdHocContainerNotAllowed,
    ContainerNotFound,
    ContainerNotStopped,
    KeyReused,
    MinReplicaSetContainer,
    RequestError,
    RevisionConflict,
    StartNeedsForce,
)
from orchestrator.core.events import (
    CrashHistoryCleared,
    Declaration,
    OwnerEvent,
    ReconcileRequested,
    RemoveRequested,
    RestartRequested,
    SpecApplied,
    StartRequested,
    StopRequested,
)
from orchestrator.core.fingerprints import salt_of
from orchestrator.core.moments import Moment
from orchestrator.core.names import is_name
from orchestrator.core.needs import wrong_needs_of_fleet
from orchestrator.core.origins import Origin
from orchestrator.core.phases import (
    Completed,
    CrashLooping,
    Failed,
    Rule,
    phase_name,
)
from orchestrator.core.registry import not_registered
from orchestrator.core.requests import (
    Adopt,
    Apply,
    ClearCrashHistory,
    Reconcile,
    Remove,
    Request,
    Restart,
    Roll,
    Scale,
    Start,
    Stop,
    StopOrphan,
)
from orchestrator.core.rollout_requests import rolled, wrong_names
from orchestrator.core.scaling import as_scaled, scaled
from orchestrator.core.start_specs import declaration_of, invalid, spec_of
from orchestrator.core.state import Container, Fleet
from orchestrator.core.strangers import adoption, eviction
from orchestrator.core.tickets import use_of

__all__ = ("admit", "is_repeated")


def admit(
    fleet: Fleet, request: Request, at: Moment, policies: CustomPolicies = NO_POLICIES
) -> Result[OwnerEvent, RequestError]:
    """Answer a request with its event, or with the reason why it may not be.

    *policies* are the custom ones that a spec may name.

    >>> from orchestrator.core.state import empty_fleet
    >>> admit(empty_fleet("demo"), Stop(name="web"), at=0).failure()
    ContainerNotFound(name='web')

    """
    ticket = request.ticket
    if ticket is not None:
        used = use_of(fleet.tickets, ticket.key, at)
        if used is not None and used.digest != ticket.digest:
            return Failure(KeyReused(key=ticket.key))
    answer = _admitted(fleet, request, at)
    if isinstance(answer, Failure):
        return answer
    event = answer.unwrap()
    missing = not_registered(event, policies)
    if missing is not None:
        return Failure(missing)
    return Success(event if ticket is None else attrs.evolve(event, ticket=ticket))


def is_repeated(fleet: Fleet, request: Request, at: Moment) -> bool:
    """Say whether a request was admitted before: the same wish with the same ticket.

    To ask that is to answer it, as a success: nothing is left to do. Were its event
    let in once more, it would change nothing (``core.reduce``).
    """
    ticket = request.ticket
    used = None if ticket is None else use_of(fleet.tickets, ticket.key, at)
    return used is not None and ticket is not None and used.digest == ticket.digest


def _admitted(
    fleet: Fleet, request: Request, at: Moment
) -> Result[OwnerEvent, RequestError]:
    match request:
        case Start():
            return _start(fleet, request, at)
        case Stop():
            return _of_known(
                fleet,
                StopRequested(at=at, name=request.name, by=request.by, why=request.why),
            )
        case Restart():
            return _restart(fleet, request, at)
        case Remove():
            return _remove(fleet, request, at)
        case ClearCrashHistory():
            return _of_known(
                fleet,
                CrashHistoryCleared(
                    at=at, name=request.name, by=request.by, why=request.why
                ),
            )
        case Reconcile():
            event = ReconcileRequested(at=at, by=request.by, why=request.why)
            return Success(event)
        case Apply():
            return _apply(fleet, request, at)
        case Scale():
            return scaled(fleet, request, at)
        case Adopt():
            return adoption(fleet, request, at)
        case StopOrphan():
            return eviction(fleet, request, at)
        case Roll():
            return rolled(fleet, request, at)
        case _:
            assert_never(request)


def _of_known(
    fleet: Fleet, event: StopRequested | CrashHistoryCleared
) -> Result[OwnerEvent, RequestError]:
    if event.name in fleet.containers:
        return Success(event)
    return Failure(ContainerNotFound(name=event.name))


def _start(
    fleet: Fleet, request: Start, at: Moment
) -> Result[OwnerEvent, RequestError]:
    known = fleet.containers.get(request.name)
    refusal = (
        _may_be_new(fleet, request)
        if known is None or known.leaving
        else _may_start(known, request)
    )
    if refusal is not None:
        return Failure(refusal)
    return spec_of(fleet, request, known).map(
        lambda spec: StartRequested(
            at=at,
            name=request.name,
            declaration=declaration_of(fleet, spec, known),
            force=request.force,
            by=request.by,
            why=request.why,
        )
    )


def _may_be_new(fleet: Fleet, request: Start) -> RequestError | None:
    if not is_name(request.name):
        expected = "a name of a-z, 0-9, '.', '_' and '-', at most 63 long"
        return invalid("name", expected, repr(request.name))
    if not fleet.settings.allow_ad_hoc_containers:
        return AdHocContainerNotAllowed(name=request.name)
    return None


def _may_start(known: Container, request: Start) -> RequestError | None:
    asks_for_another = (
        request.spec not in (None, known.spec)
        or request.config not in (None, known.spec.config)
        or request.command not in (None, known.spec.command)
        or request.restart_policy not in (None, known.spec.restart)
    )
    if asks_for_another:
        if known.origin is Origin.MIN_REPLICA_SET:
            return MinReplicaSetContainer(name=known.name)
        return None  # a new revision leaves every phase
    return None if request.force else _is_held(known)


def _is_held(known: Container) -> RequestError | None:
    """Say what keeps a container from starting by a plain request."""
    match known.phase:
        case CrashLooping(rule=Rule.GROUP_HELD | Rule.CUSTOM_POLICY) as phase:
            return StartNeedsForce(name=known.name, current_status=phase_name(phase))
        case CrashLooping() as phase:
            return crash_loop(known, phase)
        case Failed() | Completed() as phase if known.desired.running:
            return StartNeedsForce(name=known.name, current_status=phase_name(phase))
        case _:
            return None


def _restart(
    fleet: Fleet, request: Restart, at: Moment
) -> Result[OwnerEvent, RequestError]:
    known = fleet.containers.get(request.name)
    event = RestartRequested(at=at, name=request.name, by=request.by, why=request.why)
    missing = ContainerNotFound(name=request.name)
    return _unless(missing if known is None else _may_restart(known), event)


def _may_restart(known: Container) -> RequestError | None:
    """Say what keeps a container from a new run; who leaves would not get one."""
    if known.leaving:
        expected = "a container that stays (a start takes back one that leaves)"
        return invalid("name", expected, f"{known.name!r}, which leaves the fleet")
    return _is_held(known)


def _unless(
    refusal: RequestError | None, event: OwnerEvent
) -> Result[OwnerEvent, RequestError]:
    return Success(event) if refusal is None else Failure(refusal)


def _remove(
    fleet: Fleet, request: Remove, at: Moment
) -> Result[OwnerEvent, RequestError]:
    known = fleet.containers.get(request.name)
    event = RemoveRequested(at=at, name=request.name, by=request.by, why=request.why)
    missing = ContainerNotFound(name=request.name)
    return _unless(missing if known is None else _may_go(known), event)


def _may_go(known: Container) -> RequestError | None:
    if known.origin is Origin.MIN_REPLICA_SET and not known.leaving:
        return MinReplicaSetContainer(name=known.name)
    if not is_removable(known):
        status = phase_name(known.phase)
        return ContainerNotStopped(name=known.name, current_status=status)
    return None


def _apply(
    fleet: Fleet, request: Apply, at: Moment
) -> Result[OwnerEvent, RequestError]:
    expected = request.expect_revision
    if expected is not None and expected != fleet.revision:
        return Failure(RevisionConflict(expected=expected, found=fleet.revision))
    if len(fleet.containers) and request.spec.name != fleet.name:
        return Failure(invalid("fleet.name", repr(fleet.name), repr(request.spec.name)))
    prune = request.prune or request.spec.settings.prune
    specs, services = as_scaled(fleet, request.spec, keep_all=request.keep_scale)
    wrong = wrong_needs_of_fleet(fleet, specs, services, prune)
    wrong = wrong or wrong_names(services)
    if wrong is not None:
        return Failure(wrong)
    return Success(
        SpecApplied(
            at=at,
            fleet=request.spec.name,
            settings=request.spec.settings,
            declarations=tuple(
                Declaration(spec=spec, salt=_salt(fleet, request.spec.name, spec.name))
                for spec in specs
            ),
            by=request.by,
            why=request.why,
            prune=request.prune,
            services=services,
        )
    )


def _salt(fleet: Fleet, fleet_name: str, name: str) -> int:
    known = fleet.containers.get(name)
    return salt_of(fleet_name, name) if known is None else known.salt
