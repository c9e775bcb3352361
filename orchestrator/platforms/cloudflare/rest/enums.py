"""Which words of Cloudflare's REST API are known today.

The fields that hold them are plain text, because new words come without notice: a
word that is not listed here stays what it was, and compares unequal to all of these.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = (
    "HealthSummary",
    "InstanceState",
    "InstanceType",
    "Jurisdiction",
    "PreparationStatus",
    "Region",
    "RolloutKind",
    "RolloutStatus",
    "RolloutStrategy",
    "SchedulingPolicy",
    "StepStatus",
)


class SchedulingPolicy(StrEnum):
    """Who chooses image and size: Cloudflare's scheduler, or the Durable Object."""

    DEFAULT = "default"
    DURABLE_OBJECT = "durable_object"


class InstanceState(StrEnum):
    """What an instance does, as the platform's sweep saw it last."""

    PROVISIONING = "provisioning"
    RUNNING = "running"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"
    UNHEALTHY = "unhealthy"
    INACTIVE = "inactive"
    UNKNOWN = "unknown"


class InstanceType(StrEnum):
    """How large an instance is."""

    LITE = "lite"
    BASIC = "basic"
    STANDARD_1 = "standard-1"
    STANDARD_2 = "standard-2"
    STANDARD_3 = "standard-3"
    STANDARD_4 = "standard-4"


class Region(StrEnum):
    """Where instances may be placed."""

    ENAM = "ENAM"
    WNAM = "WNAM"
    EEUR = "EEUR"
    WEUR = "WEUR"
    APAC = "APAC"
    SAM = "SAM"
    ME = "ME"
    OC = "OC"
    AFR = "AFR"


class Jurisdiction(StrEnum):
    """Whose law the place is under."""

    EU = "eu"
    US = "us"
    FEDRAMP = "fedramp"


class HealthSummary(StrEnum):
    """The health of an application in a word."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    PENDING = "pending"


class RolloutStrategy(StrEnum):
    """Whether a rollout replaces instances, or only new ones take the new version."""

    ROLLING = "rolling"
    NEW_INSTANCES = "new_instances"


class RolloutKind(StrEnum):
    """Who takes the next step of a rollout."""

    FULL_AUTO = "full_auto"
    FULL_MANUAL = "full_manual"
    DURABLE_OBJECTS_AUTO = "durable_objects_auto"


class RolloutStatus(StrEnum):
    """How far a rollout is."""

    PENDING = "pending"
    PROGRESSING = "progressing"
    COMPLETED = "completed"
    REVERTED = "reverted"
    REPLACED = "replaced"


class StepStatus(StrEnum):
    """How far one step of a rollout is."""

    PENDING = "pending"
    PROGRESSING = "progressing"
    REVERTING = "reverting"
    COMPLETED = "completed"
    REVERTED = "reverted"


class PreparationStatus(StrEnum):
    """Whether an image was fetched to where instances start."""

    PENDING = "pending"
    READY = "ready"
    ERROR = "error"
