"""What Cloudflare's REST API tells of applications, instances and rollouts.

Fields that the API may leave out are None where it did. Words of its enumerations are
kept as text (``enums`` lists those known today). Times are moments. The values
of environment variables may be secret and are never shown.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs

from orchestrator.core.moments import Moment
from orchestrator.core.table import Table
from orchestrator.platforms.cloudflare.rest.enums import SchedulingPolicy

__all__ = (
    "Application",
    "AuthorizedKey",
    "Configuration",
    "Constraints",
    "Creation",
    "DurableObjectApplication",
    "EnvironmentVariable",
    "Health",
    "HealthProblem",
    "ImagePreparation",
    "Instance",
    "InstanceSize",
    "InstanceStatus",
    "Location",
    "Rollout",
    "RolloutProgress",
    "RolloutSight",
    "RolloutStart",
    "RolloutStep",
    "ScheduledApplication",
    "Ssh",
    "Version",
)


@attrs.frozen(kw_only=True)
class AuthorizedKey:
    """A public key that may log in."""

    public_key: str
    name: str | None = None


@attrs.frozen(kw_only=True)
class EnvironmentVariable:
    """A variable that the platform itself gives to each instance."""

    name: str
    value: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Ssh:
    """Whether one may log in, and where."""

    enabled: bool
    port: int | None = None


@attrs.frozen(kw_only=True)
class Configuration:
    """What an instance is made of; None is what was not said."""

    image: str | None = None
    instance_type: str | None = None
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: tuple[EnvironmentVariable, ...] | None = None
    authorized_keys: tuple[AuthorizedKey, ...] | None = None
    ssh: Ssh | None = None
    logs_enabled: bool | None = None


@attrs.frozen(kw_only=True)
class Constraints:
    """Where instances may be placed."""

    regions: tuple[str, ...] | None = None
    jurisdiction: str | None = None


@attrs.frozen(kw_only=True)
class HealthProblem:
    """Something that went wrong with an instance, in the platform's own words."""

    instance_id: str | None = None
    name: str | None = None
    type: str | None = None


@attrs.frozen(kw_only=True)
class Health:
    """How an application does; counted by sweeps, so it lags.

    ``counts`` is how many instances are ``active``, ``assigned``, ``starting``, or
    whatever else the platform counts.
    """

    counts: Table[str, int] = Table()
    summary: str | None = None
    problems: tuple[HealthProblem, ...] = ()


@attrs.frozen(kw_only=True)
class ScheduledApplication:
    """An application whose image, size, limits and rollouts are the scheduler's.

    One under a policy that is not known is taken for one of these: all that were ever
    seen are kinds of scheduler.
    """

    id: str
    name: str
    scheduling_policy: str = SchedulingPolicy.DEFAULT.value
    account_id: str | None = None
    created_at: Moment | None = None
    updated_at: Moment | None = None
    version: int | None = None
    instances: int | None = None
    max_instances: int | None = None
    configuration: Configuration = Configuration()
    constraints: Constraints | None = None
    namespace_id: str | None = None
    logs_enabled: bool | None = None
    rollout_active_grace_period_s: int | None = None
    active_rollout_id: str | None = None
    health: Health | None = None


@attrs.frozen(kw_only=True)
class DurableObjectApplication:
    """An application whose Durable Object picks image and size at each start.

    Its id is the id of the namespace, and it has neither versions nor rollouts.
    """

    id: str
    name: str
    account_id: str | None = None
    created_at: Moment | None = None
    updated_at: Moment | None = None
    configuration: Configuration = Configuration()
    namespace_id: str | None = None
    logs_enabled: bool | None = None
    health: Health | None = None


Application: TypeAlias = ScheduledApplication | DurableObjectApplication
"""What one container class of a Worker is to the platform."""


@attrs.frozen(kw_only=True)
class Creation:
    """The application that was asked for; ``existed`` if this call did not make it.

    An application whose creation was answered by nobody, and was found afterwards,
    counts as one that existed.
    """

    application: Application
    existed: bool


@attrs.frozen(kw_only=True)
class Location:
    """Where an instance runs."""

    name: str | None = None
    region: str | None = None


@attrs.frozen(kw_only=True)
class InstanceSize:
    """What an instance may use."""

    vcpu: float | None = None
    memory_mib: float | None = None
    disk_mb: float | None = None


@attrs.frozen(kw_only=True)
class InstanceStatus:
    """What an instance did when the platform looked last."""

    state: str
    updated_at: Moment | None = None
    exit_code: int | None = None


@attrs.frozen(kw_only=True)
class Instance:
    """One container; its id is that of its Durable Object, its name too if known."""

    id: str
    status: InstanceStatus
    application_id: str | None = None
    image: str | None = None
    name: str | None = None
    started_at: Moment | None = None
    location: Location | None = None
    size: InstanceSize | None = None


@attrs.frozen(kw_only=True)
class Version:
    """A version of an application, and the share of the instances that it has."""

    version: int
    percentage: float | None = None
    configuration: Configuration = Configuration()


@attrs.frozen(kw_only=True)
class RolloutStep:
    """One step of a rolling rollout."""

    id: int
    status: str
    reason: str | None = None
    started_at: Moment | None = None
    completed_at: Moment | None = None


@attrs.frozen(kw_only=True)
class RolloutProgress:
    """How far a rolling rollout is, in numbers."""

    total_steps: int | None = None
    current_step: int | None = None
    updated_instances: int | None = None
    total_instances: int | None = None


@attrs.frozen(kw_only=True)
class Rollout:
    """A change of version, as it was accepted: the API never tells of it again."""

    id: str
    status: str
    strategy: str | None = None
    kind: str | None = None
    description: str | None = None
    created_at: Moment | None = None
    started_at: Moment | None = None
    current_version: int | None = None
    target_version: int | None = None
    target_configuration: Configuration = Configuration()
    steps: tuple[RolloutStep, ...] = ()
    progress: RolloutProgress | None = None
    percentage: float | None = None


@attrs.frozen(kw_only=True)
class RolloutStart:
    """A rollout is under way; None for it where the answer was lost but the id seen."""

    id: str
    rollout: Rollout | None


@attrs.frozen(kw_only=True)
class RolloutSight:
    """What can be seen of a rollout from outside.

    ``images`` is how many active ``instances`` run each image; those that do not tell
    theirs count under the empty text.
    """

    application: ScheduledApplication
    versions: tuple[Version, ...]
    images: Table[str, int]
    instances: tuple[Instance, ...] = ()


@attrs.frozen(kw_only=True)
class ImagePreparation:
    """How far an image is on its way to where instances start.

    ``done``: the platform has nothing more to do, be it ``ready`` or an ``error``.
    """

    image: str
    status: str
    done: bool
    artifact_digest: str | None = None
    reason: str | None = None
