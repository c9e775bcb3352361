"""What ``orchestrator.fleet`` and ``orchestrator.container`` may be given, with types.

The keys are those of the fleet file, so its reference is theirs, too. A duration has
two keys, as there: ``stop_grace="10s"`` is ``stop_grace_ms=10_000``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, Literal, Required, TypeAlias, TypedDict

from orchestrator.codec.api_choice import ApiChoice
from orchestrator.codec.fleet_entries import ContainerEntry
from orchestrator.codec.fleet_service_keys import (
    AutoscalingTable,
    Duration,
    RolloutTable,
)
from orchestrator.codec.journal_choice import JournalChoice, JournalKind, LeaseChoice
from orchestrator.codec.platform_choices import PlatformChoice, SchedulingPolicy
from orchestrator.core.autoscaling import Autoscaling
from orchestrator.core.backoff import Backoff
from orchestrator.core.dependencies import Condition
from orchestrator.core.exit_rules import ExitAction, ExitKind, ExitRule
from orchestrator.core.groups import GroupStrategy
from orchestrator.core.health import HealthCheck, HealthChecks, HttpProbe, TcpProbe
from orchestrator.core.hosting import InstanceType, Placement
from orchestrator.core.notify import NoticeKind, Notify
from orchestrator.core.origins import Prune
from orchestrator.core.policies import (
    CrashLimit,
    CustomPolicyRef,
    OnLoop,
    OnLost,
    RestartPolicy,
    When,
)
from orchestrator.core.rollout_policies import RolloutPolicy

__all__ = ("ContainerKeys", "Duration", "FleetKeys", "TemplateKeys")

Placed: TypeAlias = str | PathLike[str]
"""A path, relative to the folder of the file."""


class BackoffTable(TypedDict, total=False):
    """How long to wait before a restart."""

    initial: Duration
    initial_ms: int
    factor: float
    max: Duration
    max_ms: int
    jitter: float
    reset_after: Duration
    reset_after_ms: int
    delays: Sequence[Duration]
    delays_ms: Sequence[int]


class CrashTable(TypedDict, total=False):
    """How many crashes are too many."""

    window: Duration
    window_ms: int
    allowed_crashes: int
    on_loop: OnLoop | Literal["cooldown", "hold"]


class ExitRuleTable(TypedDict, total=False):
    """What an end counts as; one key beside ``action`` says which ends are meant."""

    codes: Sequence[int]
    codes_not_in: Sequence[int]
    signals: Sequence[int | str]
    signals_not_in: Sequence[int | str]
    kinds: Sequence[ExitKind | str]
    kinds_not_in: Sequence[ExitKind | str]
    action: Required[ExitAction | Literal["restart", "complete", "fail", "ignore"]]


class CustomTable(TypedDict, total=False):
    """A policy of the embedding program."""

    name: Required[str]
    version: Required[int]
    params: Mapping[str, Any]


class RestartTable(TypedDict, total=False):
    """A restart policy; what it does not say is that of the fleet, then the default."""

    when: When | Literal["always", "on_failure", "never"]
    crash: CrashTable | CrashLimit
    backoff: BackoffTable | Backoff
    min_interval: Duration
    min_interval_ms: int
    lost_after: Duration
    lost_after_ms: int
    on_lost: OnLost | Literal["replace", "wait"]
    max_restarts: int
    start_budget: int
    success_codes: Sequence[int]
    exit_rules: Sequence[ExitRuleTable | ExitRule]
    custom: CustomTable | CustomPolicyRef


class HttpTable(TypedDict, total=False):
    """A question that is asked with HTTP."""

    port: Required[str]
    path: str
    headers: Mapping[str, str]
    statuses: Sequence[int]


class TcpTable(TypedDict):
    """A connection that is opened."""

    port: str


class CheckTable(TypedDict, total=False):
    """A health check: one of ``http``, ``tcp`` and ``command``, and how often."""

    http: HttpTable | HttpProbe
    tcp: TcpTable | TcpProbe
    command: Sequence[str]
    initial_delay: Duration
    initial_delay_ms: int
    period: Duration
    period_ms: int
    timeout: Duration
    timeout_ms: int
    success_threshold: int
    failure_threshold: int


class HealthTable(TypedDict, total=False):
    """The health checks of a container."""

    startup: CheckTable | HealthCheck
    readiness: CheckTable | HealthCheck
    liveness: CheckTable | HealthCheck


class SizeTable(TypedDict):
    """A size of one's own."""

    vcpu: float
    memory_mib: int
    disk_mb: int


SizeName: TypeAlias = Literal[
    "lite", "basic", "standard-1", "standard-2", "standard-3", "standard-4"
]


class PlacementTable(TypedDict, total=False):
    """Where a container may be."""

    regions: Sequence[str]
    jurisdiction: Literal["eu", "fedramp", "us"]
    location_hint: str
    spread: Sequence[str]


class TemplateKeys(TypedDict, total=False):
    """The keys of a container, also of one that is started by request."""

    image: str
    command: Sequence[str]
    working_dir: Placed
    ports: Mapping[str, int]
    config: Mapping[str, Any]
    env: Mapping[str, str]
    restart: RestartTable | RestartPolicy
    stop_signal: Literal["TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "KILL"]
    stop_grace: Duration
    stop_grace_ms: int
    start_timeout: Duration
    start_timeout_ms: int
    sleep_after: Duration
    sleep_after_ms: int
    keep_alive: bool
    wait_for: Sequence[str]
    internet: bool
    instance_type: SizeName | SizeTable | InstanceType
    placement: PlacementTable | Placement
    health: HealthTable | HealthChecks
    depends_on: Mapping[str, Condition | Literal["started", "ready", "completed"]]


class ContainerKeys(TemplateKeys, total=False):
    """The keys of ``container``, beside its name."""

    replicas: int
    rollout: RolloutTable | RolloutPolicy
    autoscaling: AutoscalingTable | Autoscaling


class GroupTable(TypedDict):
    """Containers that are restarted together."""

    strategy: GroupStrategy | Literal["one_for_all", "rest_for_one"]
    members: Sequence[str]


class PlatformTable(TypedDict, total=False):
    """Where the fleet runs; which keys there are depends on its kind."""

    kind: Required[Literal["local", "cloudflare", "simulated"]]
    log_max_bytes: int
    seed: int
    url: str
    token_secret: str
    access_secrets: str
    scheduling_policy: SchedulingPolicy | Literal["default", "durable_object"]
    worker: str
    headroom: int
    orphan_after: Duration
    orphan_after_ms: int
    account_id: str
    api_token_secret: str
    timeout: Duration
    timeout_ms: int


class JournalTable(TypedDict, total=False):
    """Where the journal is, and how it is kept."""

    kind: JournalKind | Literal["sqlite", "durable_object"]
    snapshot_every: int
    keep: Duration
    keep_ms: int
    keep_rows: int
    archive: bool


class LeaseTable(TypedDict, total=False):
    """For how long an operator leads by itself."""

    duration: Duration
    duration_ms: int


class ApiTable(TypedDict, total=False):
    """Where HTTP is served, to whom, and within which limits."""

    listen: str
    read_only: bool
    hosts: Sequence[str]
    tls_cert: Placed
    tls_key: Placed
    requests_per_second: int
    body_max_bytes: int
    metrics_max_names: int


class NotifyTable(TypedDict, total=False):
    """Whom to tell of trouble."""

    url: Required[str]
    secret: str
    events: Sequence[NoticeKind | Literal["crash_looping", "failed", "recovered"]]
    timeout: Duration
    timeout_ms: int
    attempts: int
    backoff: BackoffTable | Backoff


class FleetKeys(TypedDict, total=False):
    """The keys of ``fleet``, beside its name; ``folder`` is in no file."""

    containers: Iterable[ContainerEntry]
    restart: RestartTable | RestartPolicy
    rollout: RolloutTable | RolloutPolicy
    groups: Mapping[str, GroupTable]
    ad_hoc: TemplateKeys
    platform: PlatformTable | PlatformChoice
    journal: JournalTable | JournalChoice
    lease: LeaseTable | LeaseChoice
    api: ApiTable | ApiChoice
    notify: NotifyTable | Notify
    reconcile_interval: Duration
    reconcile_interval_ms: int
    allow_ad_hoc_containers: bool
    container_name_env_key: str
    min_restart_delay: Duration
    min_restart_delay_ms: int
    max_concurrent_starts: int
    max_starts_per_minute: int
    prune: Prune | Literal["stop", "keep", "forget"]
    env_vars: str
    hooks: str
    policies: str
    folder: Placed
