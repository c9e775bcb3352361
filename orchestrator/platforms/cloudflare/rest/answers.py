"""How each object of Cloudflare's REST API is read.

Required is only what a value would mean nothing without: ids, names, states. The rest
may be missing, but where it is there it must be of its type.
"""

from __future__ import annotations

from typing import Final

from orchestrator.core.table import Table
from orchestrator.platforms.cloudflare.rest.enums import (
    PreparationStatus,
    SchedulingPolicy,
)
from orchestrator.platforms.cloudflare.rest.reading import (
    Node,
    Reader,
    each,
    flag,
    moment,
    number,
    text,
    whole,
)
from orchestrator.platforms.cloudflare.rest.types import (
    Application,
    AuthorizedKey,
    Configuration,
    Constraints,
    DurableObjectApplication,
    EnvironmentVariable,
    Health,
    HealthProblem,
    ImagePreparation,
    Instance,
    InstanceSize,
    InstanceStatus,
    Location,
    Rollout,
    RolloutProgress,
    RolloutStep,
    ScheduledApplication,
    Ssh,
    Version,
)

__all__ = ("application", "instance", "preparation", "rollout", "version")

COUNTS: Final = ("active", "assigned", "starting")
"""Counts that must be numbers; of others, those that are numbers are kept."""

OK: Final = 200


def application(node: Node) -> Application:
    """Read an application of either policy."""
    policy = node.need("scheduling_policy", text)
    if policy == SchedulingPolicy.DURABLE_OBJECT:
        return _durable_object_application(node)
    return ScheduledApplication(
        id=node.need("id", text),
        name=node.need("name", text),
        scheduling_policy=policy,
        account_id=node.maybe("account_id", text),
        created_at=node.maybe("created_at", moment),
        updated_at=node.maybe("updated_at", moment),
        version=node.maybe("version", whole),
        instances=node.maybe("instances", whole),
        max_instances=node.maybe("max_instances", whole),
        configuration=_configuration(node.inside("configuration")),
        constraints=node.maybe("constraints", _constraints),
        namespace_id=node.inside("durable_objects").maybe("namespace_id", text),
        logs_enabled=_logs(node),
        rollout_active_grace_period_s=node.maybe("rollout_active_grace_period", whole),
        active_rollout_id=node.maybe("active_rollout_id", text) or None,
        health=node.maybe("health", _health),
    )


def _durable_object_application(node: Node) -> DurableObjectApplication:
    return DurableObjectApplication(
        id=node.need("id", text),
        name=node.need("name", text),
        account_id=node.maybe("account_id", text),
        created_at=node.maybe("created_at", moment),
        updated_at=node.maybe("updated_at", moment),
        configuration=_configuration(node.inside("configuration")),
        namespace_id=node.inside("durable_objects").maybe("namespace_id", text),
        logs_enabled=_logs(node),
        health=node.maybe("health", _health),
    )


def instance(node: Node) -> Instance:
    """Read an instance."""
    return Instance(
        id=node.need("id", text),
        status=node.need("status", _status),
        application_id=node.maybe("application_id", text),
        image=node.maybe("image", text),
        name=node.maybe("name", text),
        started_at=node.maybe("started_at", moment),
        location=node.maybe("location", _location),
        size=node.maybe("configuration", _size),
    )


def version(node: Node) -> Version:
    """Read a version of an application."""
    return Version(
        version=node.need("version", whole),
        percentage=node.maybe("percentage", number),
        configuration=_configuration(node.inside("configuration")),
    )


def rollout(node: Node) -> Rollout:
    """Read a rollout."""
    return Rollout(
        id=node.need("id", text),
        status=node.need("status", text),
        strategy=node.maybe("strategy", text),
        kind=node.maybe("kind", text),
        description=node.maybe("description", text),
        created_at=node.maybe("created_at", moment),
        started_at=node.maybe("started_at", moment),
        current_version=node.maybe("current_version", whole),
        target_version=node.maybe("target_version", whole),
        target_configuration=_configuration(node.inside("target_configuration")),
        steps=node.maybe("steps", each(_step)) or (),
        progress=node.maybe("progress", _progress),
        percentage=node.maybe("percentage", number),
    )


def preparation(status: int) -> Reader[ImagePreparation]:
    """Return the reader of an image preparation that came with a status of HTTP.

    A word that is not known is an end where the status says so.
    """

    def reader(node: Node) -> ImagePreparation:
        word = node.need("status", text)
        ended = word in {PreparationStatus.READY, PreparationStatus.ERROR}
        return ImagePreparation(
            image=node.need("image", text),
            status=word,
            done=ended or (status == OK and word != PreparationStatus.PENDING),
            artifact_digest=node.maybe("artifact_digest", text),
            reason=node.maybe("reason", text),
        )

    return reader


def _configuration(node: Node) -> Configuration:
    return Configuration(
        image=node.maybe("image", text),
        instance_type=node.maybe("instance_type", text),
        command=node.maybe("command", each(text)),
        entrypoint=node.maybe("entrypoint", each(text)),
        environment=node.maybe("environment_variables", each(_variable)),
        authorized_keys=node.maybe("authorized_keys", each(_key)),
        ssh=node.maybe("wrangler_ssh", _ssh),
        logs_enabled=_logs(node),
    )


def _variable(node: Node) -> EnvironmentVariable:
    return EnvironmentVariable(
        name=node.need("name", text), value=node.need("value", text)
    )


def _key(node: Node) -> AuthorizedKey:
    return AuthorizedKey(
        public_key=node.need("public_key", text), name=node.maybe("name", text)
    )


def _ssh(node: Node) -> Ssh:
    return Ssh(enabled=node.need("enabled", flag), port=node.maybe("port", whole))


def _constraints(node: Node) -> Constraints:
    return Constraints(
        regions=node.maybe("regions", each(text)),
        jurisdiction=node.maybe("jurisdiction", text),
    )


def _logs(node: Node) -> bool | None:
    return node.inside("observability").inside("logs").maybe("enabled", flag)


def _health(node: Node) -> Health:
    instances = node.inside("instances")
    counted = (
        (key, instances.maybe(key, whole if key in COUNTS else _whole_or_none))
        for key in instances.keys()  # noqa: SIM118 - a node is no dict
    )
    return Health(
        counts=Table.of((key, count) for key, count in counted if count is not None),
        summary=node.maybe("summary", text),
        problems=node.maybe("errors", each(_problem)) or (),
    )


def _whole_or_none(node: Node) -> int | None:
    return whole(node) if type(node.tree) is int else None


def _problem(node: Node) -> HealthProblem:
    """Read a problem; its event is a name, or a table that has one."""
    event = node.maybe("event", lambda inner: inner)
    if event is None or isinstance(event.tree, str):
        named, typed = node.maybe("event", text), None
    else:
        named, typed = event.maybe("name", text), event.maybe("type", text)
    return HealthProblem(
        instance_id=node.maybe("instance_id", text), name=named, type=typed
    )


def _status(node: Node) -> InstanceStatus:
    return InstanceStatus(
        state=node.need("state", text),
        updated_at=node.maybe("updated_at", moment),
        exit_code=node.maybe("exit_code", whole),
    )


def _location(node: Node) -> Location:
    return Location(name=node.maybe("name", text), region=node.maybe("region", text))


def _size(node: Node) -> InstanceSize:
    return InstanceSize(
        vcpu=node.maybe("vcpu", number),
        memory_mib=node.maybe("memory", number),
        disk_mb=node.maybe("disk", number),
    )


def _step(node: Node) -> RolloutStep:
    return RolloutStep(
        id=node.need("id", whole),
        status=node.need("status", text),
        reason=node.maybe("reason", text),
        started_at=node.maybe("started_at", moment),
        completed_at=node.maybe("completed_at", moment),
    )


def _progress(node: Node) -> RolloutProgress:
    return RolloutProgress(
        total_steps=node.maybe("total_steps", whole),
        current_step=node.maybe("current_step", whole),
        updated_instances=node.maybe("updated_instances", whole),
        total_instances=node.maybe("total_instances", whole),
    )
