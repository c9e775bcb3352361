"""Keep a fleet of containers in the shape that its owner asked for.

The names that an embedding program needs. They are loaded when they are first used:
importing ``orchestrator.core`` imports neither aiohttp nor sqlite3.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from orchestrator.codec.fleet_entries import ContainerEntry
    from orchestrator.codec.fleet_file import FleetFile, read_fleet_file
    from orchestrator.codec.fleet_functions import InvalidFleet, container, fleet
    from orchestrator.codec.platform_choices import CloudflareChoice, SchedulingPolicy
    from orchestrator.core.autoscaling import Autoscaling, Metric
    from orchestrator.core.backoff import Backoff
    from orchestrator.core.custom import CustomPolicy, Situation, registered
    from orchestrator.core.decisions import (
        Complete,
        CoolDown,
        GiveUp,
        Hold,
        RestartAt,
    )
    from orchestrator.core.dependencies import Condition
    from orchestrator.core.drift import Drift, DriftKind
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
        JournalBusy,
        JournalCompacted,
        JournalConflict,
        JournalCorrupt,
        JournalLocked,
        JournalTooNew,
        JournalUnavailable,
        KeyReused,
        LeaseHeld,
        MinReplicaSetContainer,
        NoCapacity,
        NotLeader,
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
        RolloutNotFound,
        RolloutRefused,
        SecretMissing,
        ServiceNotFound,
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
    from orchestrator.core.field_changes import FieldChange
    from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
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
    from orchestrator.core.lineages import RolloutAction, RolloutStatus
    from orchestrator.core.origins import Prune
    from orchestrator.core.placing import Misplaced
    from orchestrator.core.planning import Plan, PlanAction, PlannedChange
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
    from orchestrator.core.rollout_info import ReplicaState, RolloutInfo, RolloutMember
    from orchestrator.core.rollout_policies import (
        CanaryStep,
        OnFailure,
        Promotion,
        RolloutPolicy,
        Share,
    )
    from orchestrator.core.service_loads import ServiceLoad
    from orchestrator.core.services import Service
    from orchestrator.core.specs import ContainerSpec
    from orchestrator.core.strategies import (
        AskPromotion,
        CustomStrategy,
        Finish,
        Move,
        Retire,
        Soak,
        Step,
        View,
    )
    from orchestrator.core.table import Table
    from orchestrator.core.tickets import Ticket
    from orchestrator.journal.memory import MemoryJournal
    from orchestrator.journal.sqlite import open_sqlite
    from orchestrator.platforms.cloudflare.gateway import CloudflarePlatform
    from orchestrator.platforms.leases import Claim
    from orchestrator.platforms.local.platform import LocalPlatform
    from orchestrator.platforms.port import PlatformDetail
    from orchestrator.platforms.simulated.platform import SimulatedPlatform
    from orchestrator.runtime.durable import open_durable
    from orchestrator.runtime.leadership import Leadership, Role
    from orchestrator.runtime.operator import OpenFailed, Operator
    from orchestrator.runtime.outcomes import settled
    from orchestrator.runtime.reports import (
        EventRecord,
        FleetConfig,
        ReconcileOutcome,
        ReconcileReport,
    )
    from orchestrator.runtime.rollings import EndedRollout, RevisionInfo, RolloutHistory
    from orchestrator.runtime.scales import Orphan, ServiceInfo
    from orchestrator.runtime.secrets import EnvironmentSecrets, FileSecrets, Secrets
    from orchestrator.runtime.standby import Standby
    from orchestrator.runtime.steps import Asked

_NAMES: Final = {
    "codec.fleet_entries": "ContainerEntry",
    "codec.fleet_file": "FleetFile read_fleet_file",
    "codec.fleet_functions": "InvalidFleet container fleet",
    "codec.platform_choices": "CloudflareChoice SchedulingPolicy",
    "core.autoscaling": "Autoscaling Metric",
    "core.backoff": "Backoff",
    "core.custom": "CustomPolicy Situation registered",
    "core.decisions": "Complete CoolDown GiveUp Hold RestartAt",
    "core.dependencies": "Condition",
    "core.drift": "Drift DriftKind",
    "core.errors": (
        "AdHocContainerNotAllowed ContainerError ContainerFailed ContainerNotFound "
        "ContainerNotStopped ContainerStartFailed ContainerStopFailed "
        "CrashLoopDetected EnvVarsFailed InvalidSpec JournalBusy JournalCompacted "
        "JournalConflict JournalCorrupt JournalLocked JournalTooNew JournalUnavailable "
        "KeyReused LeaseHeld MinReplicaSetContainer NoCapacity NotLeader "
        "NotReplayable OperatorClosed PartialReconcile PolicyNotRegistered Problem "
        "QuotaExceeded RateLimited ReconcileFailed Refused RevisionConflict "
        "RolloutNotFound RolloutRefused SecretMissing ServiceNotFound StaleOperator "
        "StaleRun StartNeedsForce TimedOut Unauthorized Unreachable"
    ),
    "core.exit_rules": "Codes ExitAction ExitKind ExitRule Kinds Signals",
    "core.explain": "ContainerInfo Explanation",
    "core.field_changes": "FieldChange",
    "core.fleet_specs": "FleetSettings FleetSpec",
    "core.groups": "GroupStrategy Membership",
    "core.health": "CheckKind CommandProbe HealthCheck HealthChecks HttpProbe TcpProbe",
    "core.hosting": "INSTANCE_TYPES InstanceType Placement",
    "core.lineages": "RolloutAction RolloutStatus",
    "core.origins": "Prune",
    "core.placing": "Misplaced",
    "core.planning": "Plan PlanAction PlannedChange",
    "core.policies": (
        "CrashLimit CustomPolicyRef OnLoop OnLost RestartPolicy When "
        "always_restart_policy default_restart_policy never_restart_policy"
    ),
    "core.rollout_info": "ReplicaState RolloutInfo RolloutMember",
    "core.rollout_policies": "CanaryStep OnFailure Promotion RolloutPolicy Share",
    "core.service_loads": "ServiceLoad",
    "core.services": "Service",
    "core.specs": "ContainerSpec",
    "core.strategies": "AskPromotion CustomStrategy Finish Move Retire Soak Step View",
    "core.table": "Table",
    "core.tickets": "Ticket",
    "journal.memory": "MemoryJournal",
    "journal.sqlite": "open_sqlite",
    "platforms.cloudflare.gateway": "CloudflarePlatform",
    "platforms.leases": "Claim",
    "platforms.local.platform": "LocalPlatform",
    "platforms.port": "PlatformDetail",
    "platforms.simulated.platform": "SimulatedPlatform",
    "runtime.durable": "open_durable",
    "runtime.leadership": "Leadership Role",
    "runtime.operator": "OpenFailed Operator",
    "runtime.outcomes": "settled",
    "runtime.reports": "EventRecord FleetConfig ReconcileOutcome ReconcileReport",
    "runtime.rollings": "EndedRollout RevisionInfo RolloutHistory",
    "runtime.scales": "Orphan ServiceInfo",
    "runtime.secrets": "EnvironmentSecrets FileSecrets Secrets",
    "runtime.standby": "Standby",
    "runtime.steps": "Asked",
}
"""Which module has which names."""

_HOMES: Final = {name: home for home, names in _NAMES.items() for name in names.split()}

# A line for each name would be more than a screen.
# fmt: off
__all__ = (
    "INSTANCE_TYPES", "AdHocContainerNotAllowed", "AskPromotion", "Asked",
    "Autoscaling", "Backoff", "CanaryStep", "CheckKind", "Claim", "CloudflareChoice",
    "CloudflarePlatform", "Codes", "CommandProbe", "Complete", "Condition",
    "ContainerEntry", "ContainerError", "ContainerFailed", "ContainerInfo",
    "ContainerNotFound", "ContainerNotStopped", "ContainerSpec", "ContainerStartFailed",
    "ContainerStopFailed", "CoolDown", "CrashLimit", "CrashLoopDetected",
    "CustomPolicy", "CustomPolicyRef", "CustomStrategy", "Drift", "DriftKind",
    "EndedRollout", "EnvVarsFailed", "EnvironmentSecrets", "EventRecord", "ExitAction",
    "ExitKind", "ExitRule", "Explanation", "FieldChange", "FileSecrets", "Finish",
    "FleetConfig", "FleetFile", "FleetSettings", "FleetSpec", "GiveUp", "GroupStrategy",
    "HealthCheck", "HealthChecks", "Hold", "HttpProbe", "InstanceType", "InvalidFleet",
    "InvalidSpec", "JournalBusy", "JournalCompacted", "JournalConflict",
    "JournalCorrupt", "JournalLocked", "JournalTooNew", "JournalUnavailable",
    "KeyReused", "Kinds", "Leadership", "LeaseHeld", "LocalPlatform", "Membership",
    "MemoryJournal", "Metric", "MinReplicaSetContainer", "Misplaced", "Move",
    "NoCapacity", "NotLeader", "NotReplayable", "OnFailure", "OnLoop", "OnLost",
    "OpenFailed", "Operator", "OperatorClosed", "Orphan", "PartialReconcile",
    "Placement", "Plan", "PlanAction", "PlannedChange", "PlatformDetail",
    "PolicyNotRegistered", "Problem", "Promotion", "Prune", "QuotaExceeded",
    "RateLimited", "ReconcileFailed", "ReconcileOutcome", "ReconcileReport", "Refused",
    "ReplicaState", "RestartAt", "RestartPolicy", "Retire", "RevisionConflict",
    "RevisionInfo", "Role", "RolloutAction", "RolloutHistory", "RolloutInfo",
    "RolloutMember", "RolloutNotFound", "RolloutPolicy", "RolloutRefused",
    "RolloutStatus", "SchedulingPolicy", "SecretMissing", "Secrets", "Service",
    "ServiceInfo", "ServiceLoad", "ServiceNotFound", "Share", "Signals",
    "SimulatedPlatform", "Situation", "Soak", "StaleOperator", "StaleRun", "Standby",
    "StartNeedsForce", "Step", "Table", "TcpProbe", "Ticket", "TimedOut",
    "Unauthorized", "Unreachable", "View", "When", "always_restart_policy", "container",
    "default_restart_policy", "fleet", "never_restart_policy", "open_durable",
    "open_sqlite", "read_fleet_file", "registered", "settled",
)
# fmt: on


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
