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
    InvalidSpec,
    MinReplicaSetContainer,
    Problem,
    RequestError,
    RevisionConflict,
    StartNeedsForce,
)
from orchestrator.core.events import (
    CrashHistoryCleared,
    Declaration,
    Event,
    ReconcileRequested,
    RemoveRequested,
    RestartRequested,
    SpecApplied,
    StartRequested,
    StopRequested,
)
from orchestrator.core.moments import Moment
from orchestrator.core.names import is_name
from orchestrator.core.phases import (
    Completed,
    CrashLooping,
    Failed,
    Rule,
    phase_name,
)
from orchestrator.core.registry import not_registered
from orchestrator.core.requests import (
    Apply,
    ClearCrashHistory,
    Reconcile,
    Remove,
    Request,
    Restart,
    Start,
    Stop,
)
from orchestrator.core.specs import ContainerSpec, Origin, named, salt_of
from orchestrator.core.state import Container, Fleet

__all__ = ("admit",)


def admit(
    fleet: Fleet, request: Request, at: Moment, policies: CustomPolicies = NO_POLICIES
) -> Result[Event, RequestError]:
    """Answer a request with its event, or with the reason why it may not be.

    *policies* are the custom ones that a spec may name.

    >>> from orchestrator.core.state import empty_fleet
    >>> admit(empty_fleet("demo"), Stop(name="web"), at=0).failure()
    ContainerNotFound(name='web')

    """
    answer = _admitted(fleet, request, at)
    if isinstance(answer, Failure):
        return answer
    missing = not_registered(answer.unwrap(), policies)
    return answer if missing is None else Failure(missing)


def _admitted(
    fleet: Fleet, request: Request, at: Moment
) -> Result[Event, RequestError]:
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
        case _:
            assert_never(request)


def _of_known(
    fleet: Fleet, event: StopRequested | CrashHistoryCleared
) -> Result[Event, RequestError]:
    if event.name in fleet.containers:
        return Success(event)
    return Failure(ContainerNotFound(name=event.name))


def _start(fleet: Fleet, request: Start, at: Moment) -> Result[Event, RequestError]:
    known = fleet.containers.get(request.name)
    refusal = (
        _may_be_new(fleet, request)
        if known is None or known.leaving
        else _may_start(known, request)
    )
    if refusal is not None:
        return Failure(refusal)
    return _spec_of(fleet, request, known).map(
        lambda spec: StartRequested(
            at=at,
            name=request.name,
            declaration=_declaration(fleet, spec, known),
            force=request.force,
            by=request.by,
            why=request.why,
        )
    )


def _may_be_new(fleet: Fleet, request: Start) -> RequestError | None:
    if not is_name(request.name):
        expected = "a name of a-z, 0-9, '.', '_' and '-', at most 63 long"
        return _invalid("name", expected, repr(request.name))
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


def _spec_of(
    fleet: Fleet, request: Start, known: Container | None
) -> Result[ContainerSpec, RequestError]:
    """Return the spec that a start shall use: given, kept, or from the template."""
    try:
        given = _given(fleet, request, known)
        if given is None:
            expected = "a spec, a command, or an [ad_hoc] template in the fleet"
            return Failure(_invalid(request.name, expected, "none of them"))
        if given.name != request.name:
            return Failure(_invalid("spec.name", repr(request.name), repr(given.name)))
        if _has_another_strategy(fleet, given):
            place = f"{request.name}.group.strategy"
            return Failure(_invalid(place, "that of its group", "another"))
        return Success(
            attrs.evolve(
                given,
                config=given.config if request.config is None else request.config,
                command=given.command if request.command is None else request.command,
                restart=request.restart_policy or given.restart,
            )
        )
    except ValueError as error:
        return Failure(_invalid(request.name, "a valid spec", str(error)))


def _has_another_strategy(fleet: Fleet, spec: ContainerSpec) -> bool:
    """Say whether others of its group are restarted together in another way."""
    if spec.group is None:
        return False
    for _, name in fleet.groups.get(spec.group.group) or ():
        other = fleet.containers[name].spec.group
        if name != spec.name and other is not None:
            return other.strategy is not spec.group.strategy
    return False


def _given(
    fleet: Fleet, request: Start, known: Container | None
) -> ContainerSpec | None:
    if request.spec is not None:
        return request.spec
    if known is not None:
        return known.spec
    if fleet.settings.ad_hoc is not None:
        return named(fleet.settings.ad_hoc, request.name)
    if request.command is not None:
        return ContainerSpec(name=request.name, command=request.command)
    return None


def _declaration(
    fleet: Fleet, spec: ContainerSpec, known: Container | None
) -> Declaration | None:
    """Return what the event has to declare: nothing where the spec stays."""
    if known is None:
        return Declaration(spec=spec, salt=salt_of(fleet.name, spec.name))
    if spec == known.spec:
        return None
    return Declaration(spec=spec, salt=known.salt)


def _restart(fleet: Fleet, request: Restart, at: Moment) -> Result[Event, RequestError]:
    known = fleet.containers.get(request.name)
    event = RestartRequested(at=at, name=request.name, by=request.by, why=request.why)
    missing = ContainerNotFound(name=request.name)
    return _unless(missing if known is None else _is_held(known), event)


def _unless(refusal: RequestError | None, event: Event) -> Result[Event, RequestError]:
    return Success(event) if refusal is None else Failure(refusal)


def _remove(fleet: Fleet, request: Remove, at: Moment) -> Result[Event, RequestError]:
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


def _apply(fleet: Fleet, request: Apply, at: Moment) -> Result[Event, RequestError]:
    expected = request.expect_revision
    if expected is not None and expected != fleet.revision:
        return Failure(RevisionConflict(expected=expected, found=fleet.revision))
    if len(fleet.containers) and request.spec.name != fleet.name:
        return Failure(
            _invalid("fleet.name", repr(fleet.name), repr(request.spec.name))
        )
    return Success(
        SpecApplied(
            at=at,
            fleet=request.spec.name,
            settings=request.spec.settings,
            declarations=tuple(
                Declaration(spec=spec, salt=_salt(fleet, request.spec.name, spec.name))
                for spec in request.spec.containers
            ),
            by=request.by,
            why=request.why,
        )
    )


def _salt(fleet: Fleet, fleet_name: str, name: str) -> int:
    known = fleet.containers.get(name)
    return salt_of(fleet_name, name) if known is None else known.salt


def _invalid(place: str, expected: str, found: str) -> InvalidSpec:
    return InvalidSpec(problems=(Problem(place=place, expected=expected, found=found),))
