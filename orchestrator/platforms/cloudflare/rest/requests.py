"""What may be asked of Cloudflare's REST API, and how it is written.

Only documented keys are sent, and only those that were said: None is not written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import attrs

from orchestrator.platforms.cloudflare.rest.enums import (
    RolloutKind,
    RolloutStrategy,
    SchedulingPolicy,
)
from orchestrator.platforms.cloudflare.rest.types import (
    Configuration,
    Constraints,
    Ssh,
)

__all__ = (
    "ApplicationChange",
    "ApplicationDraft",
    "DurableObjectDraft",
    "NamespaceByClass",
    "NamespaceById",
    "NewInstances",
    "RollingEvenly",
    "RollingInSteps",
    "RolloutDraft",
    "ScheduledDraft",
    "StepDraft",
    "change_tree",
    "draft_tree",
    "rollout_tree",
)

STEP_PERCENTAGES: Final = (5, 10, 20, 25, 50, 100)
GRACE_MAX_S: Final = 604_800
_COUNT: Final = attrs.validators.ge(0)
_SHARE: Final = (attrs.validators.ge(0), attrs.validators.le(100))
_GRACE: Final = attrs.validators.optional(
    [attrs.validators.ge(0), attrs.validators.le(GRACE_MAX_S)]
)


@attrs.frozen
class NamespaceById:
    """The namespace of Durable Objects with this id."""

    id: str


@attrs.frozen(kw_only=True)
class NamespaceByClass:
    """The namespace of the Durable Objects of a class of a Worker."""

    script_name: str
    class_name: str


Namespace: TypeAlias = NamespaceById | NamespaceByClass


@attrs.frozen(kw_only=True)
class ScheduledDraft:
    """An application for the scheduler; ``configuration.image`` must be said."""

    name: str
    configuration: Configuration
    max_instances: int = attrs.field(validator=_COUNT)
    instances: int = attrs.field(default=0, validator=_COUNT)
    namespace: Namespace | None = None
    constraints: Constraints | None = None
    logs_enabled: bool | None = None
    rollout_active_grace_period_s: int | None = attrs.field(
        default=None, validator=_GRACE
    )

    def __attrs_post_init__(self) -> None:
        """Refuse what the API would refuse anyway."""
        if self.configuration.image is None:
            raise ValueError("a scheduled application needs an image")
        if None not in (self.logs_enabled, self.configuration.logs_enabled):
            raise ValueError("say once whether logs are kept")


@attrs.frozen(kw_only=True)
class DurableObjectDraft:
    """An application whose Durable Objects choose image and size themselves."""

    name: str
    namespace: Namespace
    configuration: Configuration = Configuration()
    logs_enabled: bool | None = None


ApplicationDraft: TypeAlias = ScheduledDraft | DurableObjectDraft
"""An application that is to be."""


@attrs.frozen(kw_only=True)
class ApplicationChange:
    """What can change without a rollout; None stays as it is.

    An application of Durable Objects takes ``logs_enabled`` only.
    """

    max_instances: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(_COUNT)
    )
    constraints: Constraints | None = None
    logs_enabled: bool | None = None
    rollout_active_grace_period_s: int | None = attrs.field(
        default=None, validator=_GRACE
    )
    configuration: Configuration | None = None


@attrs.frozen(kw_only=True)
class RollingEvenly:
    """Replace instances in equal steps of so many percent."""

    step_percentage: int = attrs.field(
        default=100, validator=attrs.validators.in_(STEP_PERCENTAGES)
    )


@attrs.frozen(kw_only=True)
class StepDraft:
    """One step of a rollout, up to a share of the instances."""

    percentage: int = attrs.field(
        validator=[attrs.validators.ge(10), attrs.validators.le(100)]
    )
    description: str


@attrs.frozen(kw_only=True)
class RollingInSteps:
    """Replace instances in the steps given."""

    steps: tuple[StepDraft, ...] = attrs.field(validator=attrs.validators.min_len(1))


@attrs.frozen(kw_only=True)
class NewInstances:
    """Replace none; give the new version to a share of those that start."""

    percentage: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(list(_SHARE))
    )


@attrs.frozen(kw_only=True)
class RolloutDraft:
    """A rollout that is to be; of the target only what is said changes."""

    description: str
    target: Configuration
    plan: RollingEvenly | RollingInSteps | NewInstances = RollingEvenly()
    kind: str = RolloutKind.FULL_AUTO.value

    def __attrs_post_init__(self) -> None:
        """Refuse what the API would refuse anyway."""
        manual = self.kind == RolloutKind.FULL_MANUAL
        if manual and self.plan == NewInstances(percentage=None):
            raise ValueError("a manual rollout to new instances needs a percentage")


def draft_tree(draft: ApplicationDraft) -> dict[str, Any]:
    """Write an application that is to be."""
    both = {
        "name": draft.name,
        "observability": _logs(draft.logs_enabled),
        "durable_objects": _namespace(draft.namespace),
        "configuration": _configuration(draft.configuration) or None,
    }
    if isinstance(draft, DurableObjectDraft):
        return _said(both, scheduling_policy=SchedulingPolicy.DURABLE_OBJECT.value)
    return _said(
        both,
        scheduling_policy=SchedulingPolicy.DEFAULT.value,
        instances=draft.instances,
        max_instances=draft.max_instances,
        constraints=_constraints(draft.constraints),
        rollout_active_grace_period=draft.rollout_active_grace_period_s,
    )


def change_tree(change: ApplicationChange) -> dict[str, Any]:
    """Write a change of an application."""
    return _said(
        {},
        max_instances=change.max_instances,
        constraints=_constraints(change.constraints),
        observability=_logs(change.logs_enabled),
        rollout_active_grace_period=change.rollout_active_grace_period_s,
        configuration=change.configuration and _configuration(change.configuration),
    )


def rollout_tree(draft: RolloutDraft) -> dict[str, Any]:
    """Write a rollout that is to be."""
    tree: dict[str, Any] = {
        "description": draft.description,
        "kind": draft.kind,
        "strategy": RolloutStrategy.ROLLING.value,
        "target_configuration": _configuration(draft.target),
    }
    match draft.plan:
        case RollingEvenly(step_percentage=percentage):
            tree["step_percentage"] = percentage
        case RollingInSteps(steps=steps):
            tree["steps"] = [
                {
                    "step_size": {"percentage": step.percentage},
                    "description": step.description,
                }
                for step in steps
            ]
        case NewInstances(percentage=share):
            tree["strategy"] = RolloutStrategy.NEW_INSTANCES.value
            return _said(tree, percentage=share)
    return tree


def _configuration(configuration: Configuration) -> dict[str, Any]:
    variables, keys = configuration.environment, configuration.authorized_keys
    return _said(
        {},
        image=configuration.image,
        instance_type=configuration.instance_type,
        command=configuration.command,
        entrypoint=configuration.entrypoint,
        environment_variables=None
        if variables is None
        else [{"name": one.name, "value": one.value} for one in variables],
        authorized_keys=None
        if keys is None
        else [_said({"public_key": key.public_key}, name=key.name) for key in keys],
        wrangler_ssh=_ssh(configuration.ssh),
        observability=_logs(configuration.logs_enabled),
    )


def _namespace(namespace: Namespace | None) -> dict[str, Any] | None:
    match namespace:
        case None:
            return None
        case NamespaceById(id=namespace_id):
            return {"namespace_id": namespace_id}
        case NamespaceByClass(script_name=script, class_name=kind):
            return {"script_name": script, "class_name": kind}


def _constraints(constraints: Constraints | None) -> dict[str, Any] | None:
    if constraints is None:
        return None
    return _said({}, regions=constraints.regions, jurisdiction=constraints.jurisdiction)


def _ssh(ssh: Ssh | None) -> dict[str, Any] | None:
    return None if ssh is None else _said({"enabled": ssh.enabled}, port=ssh.port)


def _logs(enabled: bool | None) -> dict[str, Any] | None:  # noqa: FBT001 - a field
    return None if enabled is None else {"logs": {"enabled": enabled}}


def _said(tree: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Leave out what was not said."""
    whole = {**tree, **more}
    return {key: value for key, value in whole.items() if value is not None}
