"""Why a command was not carried out, as values.

They reach the journal inside ``CommandFailed``, and some are how a run ended
(``NoCapacity``): one class, one meaning. Import them from ``core.errors``.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias

import attrs

from orchestrator.core.moments import Millis, format_duration

__all__ = (
    "ContainerStartFailed",
    "ContainerStopFailed",
    "EnvVarsFailed",
    "NoCapacity",
    "PlatformError",
    "QuotaExceeded",
    "RateLimited",
    "Refused",
    "SecretMissing",
    "StaleOperator",
    "StaleRun",
    "StartError",
    "TimedOut",
    "Unauthorized",
    "Unreachable",
)


@attrs.frozen(kw_only=True)
class ContainerStartFailed:
    """The platform says that the process could not be started."""

    code: ClassVar[str] = "container_start_failed"
    name: str
    cause: str

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"container {self.name!r} could not be started: {self.cause}"


@attrs.frozen(kw_only=True)
class ContainerStopFailed:
    """The platform says that the process could not be stopped."""

    code: ClassVar[str] = "container_stop_failed"
    name: str
    cause: str

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"container {self.name!r} could not be stopped: {self.cause}"


@attrs.frozen(kw_only=True)
class Unreachable:
    """The platform did not answer; whether the command took effect is unknown."""

    code: ClassVar[str] = "unreachable"
    cause: str

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"platform unreachable: {self.cause}"


@attrs.frozen(kw_only=True)
class Refused:
    """The platform understood the command and will not carry it out."""

    code: ClassVar[str] = "refused"
    cause: str

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"refused by the platform: {self.cause}"


@attrs.frozen(kw_only=True)
class Unauthorized:
    """The platform does not accept the operator's credentials."""

    code: ClassVar[str] = "unauthorized"
    cause: str = ""

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"not authorized{': ' if self.cause else ''}{self.cause}"


@attrs.frozen(kw_only=True)
class RateLimited:
    """The platform asks to come back later."""

    code: ClassVar[str] = "rate_limited"
    retry_after_ms: Millis | None = None

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        if self.retry_after_ms is None:
            return "rate limited"
        return f"rate limited for {format_duration(self.retry_after_ms)}"


@attrs.frozen(kw_only=True)
class NoCapacity:
    """The platform has no room for another container now."""

    code: ClassVar[str] = "no_capacity"

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return "no capacity"


@attrs.frozen(kw_only=True)
class QuotaExceeded:
    """The account may not run more."""

    code: ClassVar[str] = "quota_exceeded"

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return "quota exceeded"


@attrs.frozen(kw_only=True)
class TimedOut:
    """No answer within the limit; whether the command took effect is unknown."""

    code: ClassVar[str] = "timed_out"
    after_ms: Millis

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"timed out after {format_duration(self.after_ms)}"


@attrs.frozen(kw_only=True)
class StaleRun:
    """The platform has seen a higher run of this container."""

    code: ClassVar[str] = "stale_run"
    name: str
    run: int
    highest: int

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"run {self.run} of {self.name!r} is stale: run {self.highest} was seen"


@attrs.frozen(kw_only=True)
class StaleOperator:
    """A newer operator has taken over the fleet."""

    code: ClassVar[str] = "stale_operator"
    epoch: int
    highest: int

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"operator epoch {self.epoch} is stale: {self.highest} was granted"


PlatformError: TypeAlias = (
    ContainerStartFailed
    | ContainerStopFailed
    | Unreachable
    | Refused
    | Unauthorized
    | RateLimited
    | NoCapacity
    | QuotaExceeded
    | TimedOut
    | StaleRun
    | StaleOperator
)
"""Why a platform did not carry out a command."""


@attrs.frozen(kw_only=True)
class SecretMissing:
    """The environment asks for a secret that the operator does not have."""

    code: ClassVar[str] = "secret_missing"
    name: str
    key: str

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"container {self.name!r} needs the secret {self.key!r}"


@attrs.frozen(kw_only=True)
class EnvVarsFailed:
    """The env-vars builder raised; its message may hold a secret and is not kept."""

    code: ClassVar[str] = "env_vars_failed"
    name: str
    cause_type: str

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"the env-vars builder failed for {self.name!r}: {self.cause_type}"


StartError: TypeAlias = SecretMissing | EnvVarsFailed
"""Why a start did not even reach the platform."""
