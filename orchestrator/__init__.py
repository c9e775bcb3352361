"""Keep a fleet of containers in the shape that its owner asked for.

The names that an embedding program needs. They are loaded when they are first used:
importing ``orchestrator.core`` imports neither aiohttp nor sqlite3.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from orchestrator.codec.fleet_file import FleetFile, read_fleet_file
    from orchestrator.codec.platform_choices import CloudflareChoice, SchedulingPolicy
    from orchestrator.core.backoff import Backoff
    from orchestrator.core.custom import CustomPolicy, Situation, registered
    from orchestrator.core.decisions import (
        Complete,
        CoolDown,
        GiveUp,
        Hold,
        RestartAt,
    )
    from orchestrator.core.errors import (
        AdHocContainerNotAllowed,
        ContainerError,
        ContainerFailed,
        ContainerNotFound,
        ContainerNotStopped,
        ContainerStartFailed,
        ContainerStopFailed,
        CrashLoopDetected,
        EnvVarsFailed,
        InvalidSpec,
        JournalCompacted,
        JournalConflict,
        JournalCorrupt,
        JournalLocked,
        JournalTooNew,
        JournalUnavailable,
        KeyReused,
        MinReplicaSetContainer,
        NoCapacity,
        NotReplayable,
        OperatorClosed,
        PartialReconcile,
        PolicyNotRegistered,
        Problem,
        QuotaExceeded,
        RateLimited,
        ReconcileFailed,
        Refused,
        RevisionConflict,
        SecretMissing,
        StaleOperator,
        StaleRun,
        StartNeedsForce,
        TimedOut,
        Unauthorized,
        Unreachable,
    )
    from orchestrator.core.exit_rules import (
        Codes,
        ExitAction,
        ExitKind,
        ExitRule,
        Kinds,
        Signals,
    )
    from orchestrator.core.explain import ContainerInfo, Explanation
    from orchestrator.core.groups import GroupStrategy, Membership
    from orchestrator.core.health import (
        CheckKind,
        CommandProbe,
        HealthCheck,
        HealthChecks,
        HttpProbe,
        TcpProbe,
    )
    from orchestrator.core.hosting import INSTANCE_TYPES, InstanceType, Placement
    from orchestrator.core.policies import (
        CrashLimit,
        CustomPolicyRef,
        OnLoop,
        OnLost,
        RestartPolicy,
        When,
        always_restart_policy,
        default_restart_policy,
        never_restart_policy,
    )
    from orchestrator.core.specs import ContainerSpec, FleetSettings, FleetSpec, Prune
    from orchestrator.core.table import Table
    from orchestrator.core.tickets import Ticket
    from orchestrator.journal.memory import MemoryJournal
    from orchestrator.journal.sqlite import open_sqlite
    from orchestrator.platforms.cloudflare.gateway import CloudflarePlatform
    from orchestrator.platforms.local.platform import LocalPlatform
    from orchestrator.platforms.port import PlatformDetail
    from orchestrator.platforms.simulated.platform import SimulatedPlatform
    from orchestrator.runtime.operator import OpenFailed, Operator
    from orchestrator.runtime.outcomes import settled
    from orchestrator.runtime.reports import (
        EventRecord,
        FleetConfig,
        ReconcileOutcome,
        ReconcileReport,
    )
    from orchestrator.runtime.secrets import EnvironmentSecrets, FileSecrets, Secrets
    from orchestrator.runtime.steps import Asked

_ERRORS: Final = """
AdHocContainerNotAllowed ContainerError ContainerFailed ContainerNotFound
ContainerNotStopped ContainerStartFailed ContainerStopFailed CrashLoopDetected
EnvVarsFailed InvalidSpec JournalCompacted JournalConflict JournalCorrupt JournalLocked
JournalTooNew JournalUnavailable KeyReused MinReplicaSetContainer NoCapacity
NotReplayable OperatorClosed PartialReconcile PolicyNotRegistered Problem QuotaExceeded
RateLimited ReconcileFailed Refused RevisionConflict SecretMissing StaleOperator
StaleRun StartNeedsForce TimedOut Unauthorized Unreachable
"""

_HOMES: Final[dict[str, str]] = {
    **dict.fromkeys(_ERRORS.split(), "core.errors"),
    **dict.fromkeys(("FleetFile", "read_fleet_file"), "codec.fleet_file"),
    **dict.fromkeys(("ContainerInfo", "Explanation"), "core.explain"),
    **dict.fromkeys(
        (
            "CrashLimit",
            "CustomPolicyRef",
            "OnLoop",
            "OnLost",
            "RestartPolicy",
            "When",
            "always_restart_policy",
            "default_restart_policy",
            "never_restart_policy",
        ),
        "core.policies",
    ),
    **dict.fromkeys(
        ("ContainerSpec", "FleetSettings", "FleetSpec", "Prune"), "core.specs"
    ),
    "Backoff": "core.backoff",
    **dict.fromkeys(("CustomPolicy", "Situation", "registered"), "core.custom"),
    **dict.fromkeys(
        ("Complete", "CoolDown", "GiveUp", "Hold", "RestartAt"), "core.decisions"
    ),
    **dict.fromkeys(
        ("Codes", "ExitAction", "ExitKind", "ExitRule", "Kinds", "Signals"),
        "core.exit_rules",
    ),
    **dict.fromkeys(("GroupStrategy", "Membership"), "core.groups"),
    **dict.fromkeys(
        (
            "CheckKind",
            "CommandProbe",
            "HealthCheck",
            "HealthChecks",
            "HttpProbe",
            "TcpProbe",
        ),
        "core.health",
    ),
    **dict.fromkeys(("CloudflareChoice", "SchedulingPolicy"), "codec.platform_choices"),
    **dict.fromkeys(("INSTANCE_TYPES", "InstanceType", "Placement"), "core.hosting"),
    "Table": "core.table",
    "Ticket": "core.tickets",
    "CloudflarePlatform": "platforms.cloudflare.gateway",
    "PlatformDetail": "platforms.port",
    "MemoryJournal": "journal.memory",
    "open_sqlite": "journal.sqlite",
    "LocalPlatform": "platforms.local.platform",
    "SimulatedPlatform": "platforms.simulated.platform",
    **dict.fromkeys(("OpenFailed", "Operator"), "runtime.operator"),
    "settled": "runtime.outcomes",
    "Asked": "runtime.steps",
    **dict.fromkeys(
        ("EventRecord", "FleetConfig", "ReconcileOutcome", "ReconcileReport"),
        "runtime.reports",
    ),
    **dict.fromkeys(
        ("EnvironmentSecrets", "FileSecrets", "Secrets"), "runtime.secrets"
    ),
}

__all__ = (
    "INSTANCE_TYPES",
    "AdHocContainerNotAllowed",
    "Asked",
    "Backoff",
    "CheckKind",
    "CloudflareChoice",
    "CloudflarePlatform",
    "Codes",
    "CommandProbe",
    "Complete",
    "ContainerError",
    "ContainerFailed",
    "ContainerInfo",
    "ContainerNotFound",
    "ContainerNotStopped",
    "ContainerSpec",
    "ContainerStartFailed",
    "ContainerStopFailed",
    "CoolDown",
    "CrashLimit",
    "CrashLoopDetected",
    "CustomPolicy",
    "CustomPolicyRef",
    "EnvVarsFailed",
    "EnvironmentSecrets",
    "EventRecord",
    "ExitAction",
    "ExitKind",
    "ExitRule",
    "Explanation",
    "FileSecrets",
    "FleetConfig",
    "FleetFile",
    "FleetSettings",
    "FleetSpec",
    "GiveUp",
    "GroupStrategy",
    "HealthCheck",
    "HealthChecks",
    "Hold",
    "HttpProbe",
    "InstanceType",
    "InvalidSpec",
    "JournalCompacted",
    "JournalConflict",
    "JournalCorrupt",
    "JournalLocked",
    "JournalTooNew",
    "JournalUnavailable",
    "KeyReused",
    "Kinds",
    "LocalPlatform",
    "Membership",
    "MemoryJournal",
    "MinReplicaSetContainer",
    "NoCapacity",
    "NotReplayable",
    "OnLoop",
    "OnLost",
    "OpenFailed",
    "Operator",
    "OperatorClosed",
    "PartialReconcile",
    "Placement",
    "PlatformDetail",
    "PolicyNotRegistered",
    "Problem",
    "Prune",
    "QuotaExceeded",
    "RateLimited",
    "ReconcileFailed",
    "ReconcileOutcome",
    "ReconcileReport",
    "Refused",
    "RestartAt",
    "RestartPolicy",
    "RevisionConflict",
    "SchedulingPolicy",
    "SecretMissing",
    "Secrets",
    "Signals",
    "SimulatedPlatform",
    "Situation",
    "StaleOperator",
    "StaleRun",
    "StartNeedsForce",
    "Table",
    "TcpProbe",
    "Ticket",
    "TimedOut",
    "Unauthorized",
    "Unreachable",
    "When",
    "always_restart_policy",
    "default_restart_policy",
    "never_restart_policy",
    "open_sqlite",
    "read_fleet_file",
    "registered",
    "settled",
)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
