"""The routes that change something: each takes an idempotency key."""

from __future__ import annotations

from typing import Final

from orchestrator.api import answers, parameters
from orchestrator.api.bodies import (
    AdoptBody,
    Asking,
    ScaleBody,
    StartBody,
    UndoBody,
)
from orchestrator.api.headers import SEQ_HEADER
from orchestrator.api.route import Failing, Form, Route
from orchestrator.core import errors
from orchestrator.core.access_errors import KeyReused
from orchestrator.core.explain import ContainerInfo
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.rollout_info import RolloutInfo
from orchestrator.runtime.reports import ReconcileReport
from orchestrator.runtime.scales import Orphan, ServiceInfo

__all__ = ("ASKS",)

_ASKED: Final[tuple[Failing, ...]] = (
    errors.InvalidSpec,
    errors.JournalConflict,
    errors.JournalCorrupt,
    errors.JournalUnavailable,
    errors.OperatorClosed,
    errors.StaleOperator,
    KeyReused,
)
"""Why a request is not taken in, whatever it asks for."""

_NAME: Final = "/v1/containers/{name}"

_BODIES: Final = {
    "start": StartBody,
    "scale": ScaleBody,
    "adopt": AdoptBody,
    "undo_rollout": UndoBody,
}
"""What those ask with that say more than who asks, and what for."""

_GONE: Final = errors.ContainerNotFound


def _ask(
    path: str, handler: str, summary: str, answer: Form, *failing: Failing
) -> Route:
    return Route(
        method="POST",
        path=path,
        handler=handler,
        summary=summary,
        scope="write",
        body=_BODIES.get(handler, Asking),
        answer=answer,
        headers=(parameters.KEY,),
        tells=(SEQ_HEADER,),
        errors=(*_ASKED, *failing),
    )


def _roll(action: str, summary: str) -> Route:
    """Return the route of something that is asked of a service's rollout."""
    return _ask(
        f"/v1/services/{{name}}/rollout/{action}",
        f"{action}_rollout",
        summary,
        RolloutInfo,
        errors.ServiceNotFound,
        errors.RolloutNotFound,
        errors.RolloutRefused,
        errors.PolicyNotRegistered,
    )


ASKS: Final = (
    _ask(
        f"{_NAME}/start",
        "start",
        "Start a container; an unknown name takes the fleet's template.",
        ContainerInfo,
        _GONE,
        errors.AdHocContainerNotAllowed,
        errors.StartNeedsForce,
        errors.ContainerFailed,
        errors.CrashLoopDetected,
        errors.ContainerNotStopped,
        errors.MinReplicaSetContainer,
        errors.PolicyNotRegistered,
    ),
    _ask(f"{_NAME}/stop", "stop", "Stop a container.", ContainerInfo, _GONE),
    _ask(
        f"{_NAME}/restart",
        "restart",
        "End the run, and start another; counts no crash.",
        ContainerInfo,
        _GONE,
        errors.StartNeedsForce,
        errors.ContainerFailed,
        errors.CrashLoopDetected,
    ),
    _ask(
        f"{_NAME}/reset",
        "reset",
        "Empty the failure history; a held or failed container starts again.",
        ContainerInfo,
        _GONE,
    ),
    Route(
        method="DELETE",
        path=_NAME,
        handler="remove",
        summary="Forget an ad-hoc container that is at rest.",
        scope="write",
        body=Asking,
        headers=(parameters.KEY,),
        tells=(SEQ_HEADER,),
        errors=(
            *_ASKED,
            _GONE,
            errors.MinReplicaSetContainer,
            errors.ContainerNotStopped,
        ),
    ),
    Route(
        method="PUT",
        path="/v1/spec",
        handler="apply",
        summary="Make a fleet the declared one.",
        scope="write",
        body=FleetSpec,
        query=(parameters.PRUNE, parameters.BY, parameters.WHY),
        headers=(parameters.IF_MATCH, parameters.KEY),
        tells=(SEQ_HEADER,),
        answer=answers.Applied,
        errors=(*_ASKED, errors.RevisionConflict, errors.PolicyNotRegistered),
    ),
    _ask(
        "/v1/services/{name}/scale",
        "scale",
        "Have a service run so many replicas; its fleet file stays as it is.",
        ServiceInfo,
        errors.ServiceNotFound,
        errors.PolicyNotRegistered,
    ),
    _roll("start", "Roll a service out anew, or once more to what was reverted."),
    _roll("pause", "Have the rollout of a service wait."),
    _roll("resume", "Have a rollout that waits go on."),
    _roll("promote", "Have a rollout go on that waits for it, or watches what is new."),
    _roll("abort", "Have a rollout go back to the revision before."),
    _roll("undo", "Roll a service out to an earlier revision."),
    _ask(
        "/v1/orphans/{name}/adopt",
        "adopt",
        "Make an orphan a container of the fleet; its run goes on, if it can.",
        ContainerInfo,
        _GONE,
        errors.ServiceNotFound,
        errors.AdHocContainerNotAllowed,
        errors.PolicyNotRegistered,
    ),
    _ask(
        "/v1/orphans/{name}/stop",
        "stop_orphan",
        "End an orphan, and have the platform forget it.",
        Orphan,
        _GONE,
    ),
    _ask(
        "/v1/reconcile",
        "reconcile",
        "Observe now, and close every difference.",
        ReconcileReport,
        errors.ReconcileFailed,
        errors.PartialReconcile,
    ),
    _ask(
        "/v1/down",
        "down",
        "Stop everything, and end the operator.",
        None,
        errors.TimedOut,
        errors.ContainerNotStopped,
    ),
)
