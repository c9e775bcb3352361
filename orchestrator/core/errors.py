"""Every way to fail, as values: the facts in fields, the sentence derived.

``code`` is stable: programs match on it, the HTTP API and the command map it to a
status (one table, at the edge). ``message`` is for people and may change. No field
ever holds a secret: where a cause could, only its type is kept.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias

import attrs

from orchestrator.core.access_errors import KeyReused
from orchestrator.core.journal_errors import (
    Difference,
    JournalBusy,
    JournalCompacted,
    JournalConflict,
    JournalCorrupt,
    JournalError,
    JournalLocked,
    JournalTooNew,
    JournalUnavailable,
    NotReplayable,
    PolicyNotRegistered,
)
from orchestrator.core.moments import Millis, Moment, format_duration
from orchestrator.core.operator_errors import (
    LeaseHeld,
    NotLeader,
    OperatorClosed,
    PartialReconcile,
    ReconcileFailed,
)
from orchestrator.core.platform_errors import (
    ContainerStartFailed,
    ContainerStopFailed,
    EnvVarsFailed,
    NoCapacity,
    PlatformError,
    QuotaExceeded,
    RateLimited,
    Refused,
    SecretMissing,
    StaleOperator,
    StaleRun,
    StartError,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from orchestrator.core.service_errors import (
    RolloutNotFound,
    RolloutRefused,
    ServiceNotFound,
)

__all__ = (
    "AdHocContainerNotAllowed",
    "ContainerError",
    "ContainerFailed",
    "ContainerNotFound",
    "ContainerNotStopped",
    "ContainerStartFailed",
    "ContainerStopFailed",
    "CrashLoopDetected",
    "Difference",
    "EnvVarsFailed",
    "InvalidSpec",
    "JournalBusy",
    "JournalCompacted",
    "JournalConflict",
    "JournalCorrupt",
    "JournalError",
    "JournalLocked",
    "JournalTooNew",
    "JournalUnavailable",
    "KeyReused",
    "LeaseHeld",
    "MinReplicaSetContainer",
    "NoCapacity",
    "NotLeader",
    "NotReplayable",
    "OperatorClosed",
    "PartialReconcile",
    "PlatformError",
    "PolicyNotRegistered",
    "Problem",
    "QuotaExceeded",
    "RateLimited",
    "ReconcileFailed",
    "Refused",
    "RequestError",
    "RevisionConflict",
    "RolloutNotFound",
    "RolloutRefused",
    "SecretMissing",
    "ServiceNotFound",
    "StaleOperator",
    "StaleRun",
    "StartError",
    "StartNeedsForce",
    "TimedOut",
    "Unauthorized",
    "Unreachable",
)


@attrs.frozen(kw_only=True)
class ContainerNotFound:
    """No container of that name belongs to the fleet."""

    code: ClassVar[str] = "container_not_found"
    name: str

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"there is no container {self.name!r}"


@attrs.frozen(kw_only=True)
class CrashLoopDetected:
    """More failures in the window than the policy allows; ``force`` starts anyway.

    ``next_start_at`` is when the cooldown ends, None where it holds until cleared.
    """

    code: ClassVar[str] = "crash_loop_detected"
    name: str
    crash_count: int
    window_ms: Millis
    next_start_at: Moment | None = None

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return (
            f"container {self.name!r} is crash-looping: {self.crash_count} failures"
            f" within {format_duration(self.window_ms)}"
        )


@attrs.frozen(kw_only=True)
class ContainerNotStopped:
    """Only a container at rest can be removed."""

    code: ClassVar[str] = "container_not_stopped"
    name: str
    current_status: str

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"container {self.name!r} is {self.current_status}; stop it first"


@attrs.frozen(kw_only=True)
class StartNeedsForce:
    """The container has failed or completed for good; ``force`` starts it anew."""

    code: ClassVar[str] = "start_needs_force"
    name: str
    current_status: str

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"container {self.name!r} has {self.current_status}; start it with force"


@attrs.frozen(kw_only=True)
class ContainerFailed:
    """A container that was waited for has failed: its policy has given up."""

    code: ClassVar[str] = "container_failed"
    name: str
    why: str

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"container {self.name!r} has failed: {self.why}"


@attrs.frozen(kw_only=True)
class MinReplicaSetContainer:
    """A member of the min replica set is declared in the fleet file, not by request."""

    code: ClassVar[str] = "min_replica_set_container"
    name: str

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"container {self.name!r} belongs to the min replica set"


@attrs.frozen(kw_only=True)
class AdHocContainerNotAllowed:
    """The fleet is closed: ``allow_ad_hoc_containers`` is false."""

    code: ClassVar[str] = "ad_hoc_container_not_allowed"
    name: str

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"container {self.name!r} is not declared and ad-hoc ones are forbidden"


@attrs.frozen(kw_only=True)
class Problem:
    """One thing wrong with an input: where, what was expected, what was found."""

    place: str
    expected: str
    found: str
    hint: str = ""

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.place}: expected {self.expected}, found {self.found}{hint}"


@attrs.frozen(kw_only=True)
class InvalidSpec:
    """A spec, a fleet file or a request says something impossible; all problems."""

    code: ClassVar[str] = "invalid_spec"
    problems: tuple[Problem, ...] = attrs.field(validator=attrs.validators.min_len(1))

    @property
    def message(self) -> str:
        """Say it in a sentence, one line a problem."""
        return "\n".join(problem.message for problem in self.problems)


@attrs.frozen(kw_only=True)
class RevisionConflict:
    """The fleet has moved on since the caller looked."""

    code: ClassVar[str] = "revision_conflict"
    expected: int
    found: int

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"expected revision {self.expected} of the fleet, found {self.found}"


RequestError: TypeAlias = (
    ContainerNotFound
    | CrashLoopDetected
    | ContainerNotStopped
    | StartNeedsForce
    | MinReplicaSetContainer
    | AdHocContainerNotAllowed
    | InvalidSpec
    | PolicyNotRegistered
    | RevisionConflict
    | KeyReused
    | ServiceNotFound
    | RolloutNotFound
    | RolloutRefused
)
"""Why ``admit`` refuses."""

ContainerError: TypeAlias = (
    RequestError
    | PlatformError
    | StartError
    | JournalError
    | ContainerFailed
    | ReconcileFailed
    | PartialReconcile
    | OperatorClosed
    | LeaseHeld
    | NotLeader
)
"""Everything that an operation of the face may answer instead of its result."""
