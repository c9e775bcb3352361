"""Strategies for everything the core knows, valid by construction.

Names, runs and moments come from small pools, so that events meet the containers
they are about. ``events`` draws any event, also those that no platform would tell:
``reduce`` is total.
"""

from __future__ import annotations

from typing import TypeVar

from hypothesis import strategies as st

from orchestrator.core import errors
from orchestrator.core.backoff import Backoff
from orchestrator.core.events import (
    Booted,
    CommandAccepted,
    CommandFailed,
    CommandKind,
    ContainerEnded,
    ContainerErrored,
    ContainerObserved,
    ContainerReady,
    ContainerStarted,
    CrashHistoryCleared,
    Declaration,
    Event,
    FleetObserved,
    ReconcileRequested,
    RemoveRequested,
    RestartRequested,
    SpecApplied,
    StartRequested,
    StopRequested,
    TimeReached,
)
from orchestrator.core.exits import (
    Exit,
    Exited,
    Lost,
    OutOfMemory,
    RolledOut,
    Signaled,
    Slept,
    StartFailed,
    Stopped,
    Unhealthy,
)
from orchestrator.core.fields import Json
from orchestrator.core.hosting import (
    INSTANCE_TYPES,
    JURISDICTIONS,
    LOCATION_HINTS,
    REGIONS,
    InstanceType,
    Placement,
)
from orchestrator.core.observations import (
    SeenAbsent,
    SeenEnded,
    SeenRunning,
    SeenUnreachable,
    Sight,
)
from orchestrator.core.phases import (
    Asleep,
    BackingOff,
    Completed,
    CrashLooping,
    Escalation,
    Failed,
    Pending,
    Phase,
    Rule,
    Running,
    Starting,
    Stopping,
    Unknown,
)
from orchestrator.core.phases import Stopped as AtRest
from orchestrator.core.policies import CrashLimit, OnLoop, OnLost, RestartPolicy, When
from orchestrator.core.specs import (
    STOP_SIGNALS,
    ContainerSpec,
    FleetSettings,
    FleetSpec,
    Origin,
    Prune,
    named,
)
from orchestrator.core.state import Container, Desired, History, LastRun
from orchestrator.core.table import Table

__all__ = (
    "command_errors",
    "configs",
    "container_specs",
    "containers",
    "events",
    "exits",
    "fleet_settings",
    "fleet_specs",
    "instance_types",
    "moments",
    "names",
    "phases",
    "placements",
    "restart_policies",
    "runs",
    "sights",
    "tables",
)

V = TypeVar("V")


def names() -> st.SearchStrategy[str]:
    """Draw a container's name from a small pool."""
    return st.sampled_from(("web-0", "web-1", "worker", "job.nightly", "a"))


def moments() -> st.SearchStrategy[int]:
    """Draw a moment within a day, often near its beginning."""
    return st.one_of(st.integers(0, 5_000), st.integers(0, 86_400_000))


def runs() -> st.SearchStrategy[int]:
    """Draw a run from a small pool."""
    return st.integers(1, 4)


def texts() -> st.SearchStrategy[str]:
    """Draw a short text, of any letters that can be encoded."""
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def tables(
    keys: st.SearchStrategy[str], values: st.SearchStrategy[V]
) -> st.SearchStrategy[Table[str, V]]:
    """Draw a small table."""
    return st.dictionaries(keys, values, max_size=3).map(lambda d: Table.of(d.items()))


def configs() -> st.SearchStrategy[Table[str, Json]]:
    """Draw a user config: any JSON, frozen."""
    leaves: st.SearchStrategy[Json] = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**53), 2**53),
        st.floats(allow_nan=False, allow_infinity=False),
        texts(),
    )
    values: st.SearchStrategy[Json] = st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(tuple), tables(texts(), inner)
        ),
        max_leaves=6,
    )
    return tables(texts(), values)


def restart_policies() -> st.SearchStrategy[RestartPolicy]:
    """Draw a restart policy."""
    return st.builds(
        RestartPolicy,
        when=st.sampled_from(When),
        crash=st.builds(
            CrashLimit,
            window_ms=st.integers(1, 900_000),
            allowed_crashes=st.integers(0, 5),
            on_loop=st.none() | st.sampled_from(OnLoop),
        ),
        backoff=st.builds(
            Backoff,
            initial_ms=st.integers(0, 10_000),
            factor=st.sampled_from((1.0, 1.5, 2.0, 10.0)),
            max_ms=st.integers(10_000, 600_000),
            jitter=st.sampled_from((0.0, 0.1, 1.0)),
            reset_after_ms=st.integers(1, 900_000),
        ),
        min_interval_ms=st.integers(0, 5_000),
        lost_after_ms=st.integers(1, 120_000),
        on_lost=st.none() | st.sampled_from(OnLost),
    )


def container_specs(
    named_as: st.SearchStrategy[str] | None = None,
) -> st.SearchStrategy[ContainerSpec]:
    """Draw a container spec, named from *named_as*."""
    return st.builds(
        ContainerSpec,
        name=names() if named_as is None else named_as,
        replica=st.integers(0, 3),
        image=st.none() | st.just("registry.example/app:1"),
        command=st.sampled_from((("run",), ("run", "--port=${port.http}"))),
        working_dir=st.none() | st.just("/srv"),
        ports=tables(st.sampled_from(("http", "admin")), st.integers(1, 65_535)),
        config=configs(),
        env=tables(
            st.sampled_from(("A", "KEY")), st.sampled_from(("x", "${secret.KEY}"))
        ),
        restart=restart_policies(),
        stop_signal=st.sampled_from(STOP_SIGNALS),
        stop_grace_ms=st.integers(0, 30_000),
        start_timeout_ms=st.integers(1, 120_000),
        sleep_after_ms=st.none() | st.integers(1, 60_000),
        keep_alive=st.booleans(),
        wait_for=st.none() | st.just(()),
        internet=st.booleans(),
        instance_type=instance_types(),
        placement=placements(),
    )


def instance_types() -> st.SearchStrategy[InstanceType]:
    """Draw a size: a named one, or one's own."""
    own = st.builds(
        InstanceType,
        vcpu=st.sampled_from((1.0, 2.5, 4.0)),
        memory_mib=st.just(12_288),
        disk_mb=st.integers(1, 20_000),
    )
    return st.sampled_from(list(INSTANCE_TYPES.values())) | own


def placements() -> st.SearchStrategy[Placement]:
    """Draw a placement."""
    return st.builds(
        Placement,
        regions=st.lists(st.sampled_from(REGIONS), unique=True, max_size=3).map(tuple),
        jurisdiction=st.none() | st.sampled_from(JURISDICTIONS),
        location_hint=st.none() | st.sampled_from(LOCATION_HINTS),
    )


def fleet_settings() -> st.SearchStrategy[FleetSettings]:
    """Draw the settings of a fleet."""
    return st.builds(
        FleetSettings,
        reconcile_interval_ms=st.sampled_from((0, 1_000, 60_000)),
        allow_ad_hoc_containers=st.booleans(),
        min_restart_delay_ms=st.integers(0, 1_000),
        max_concurrent_starts=st.integers(1, 8),
        max_starts_per_minute=st.none() | st.integers(1, 5),
        prune=st.sampled_from(Prune),
        ad_hoc=st.none() | container_specs(st.just("any")),
    )


def fleet_specs() -> st.SearchStrategy[FleetSpec]:
    """Draw a fleet: settings, and a min replica set of related names."""
    declared = st.dictionaries(names(), container_specs(), max_size=4).map(
        lambda drawn: tuple(named(spec, name) for name, spec in sorted(drawn.items()))
    )
    return st.builds(
        FleetSpec,
        name=st.just("demo"),
        settings=fleet_settings(),
        containers=declared,
    )


def platform_errors() -> st.SearchStrategy[errors.PlatformError]:
    """Draw what a platform may answer instead of carrying a command out."""
    return st.one_of(
        st.builds(errors.ContainerStartFailed, name=names(), cause=texts()),
        st.builds(errors.ContainerStopFailed, name=names(), cause=texts()),
        st.builds(errors.Unreachable, cause=texts()),
        st.builds(errors.Refused, cause=texts()),
        st.builds(errors.Unauthorized, cause=texts()),
        st.builds(errors.RateLimited, retry_after_ms=st.none() | st.integers(0, 9_999)),
        st.just(errors.NoCapacity()),
        st.just(errors.QuotaExceeded()),
        st.builds(errors.TimedOut, after_ms=st.integers(0, 30_000)),
        st.builds(errors.StaleRun, name=names(), run=runs(), highest=runs()),
        st.builds(errors.StaleOperator, epoch=runs(), highest=runs()),
    )


def start_errors() -> st.SearchStrategy[errors.StartError]:
    """Draw what may keep a start from reaching the platform."""
    return st.one_of(
        st.builds(errors.SecretMissing, name=names(), key=st.just("KEY")),
        st.builds(errors.EnvVarsFailed, name=names(), cause_type=st.just("KeyError")),
    )


def command_errors() -> st.SearchStrategy[errors.PlatformError | errors.StartError]:
    """Draw why a command was not carried out."""
    return st.one_of(platform_errors(), start_errors())


def exits() -> st.SearchStrategy[Exit]:
    """Draw how a run ends."""
    return st.one_of(
        st.builds(Exited, code=st.sampled_from((0, 1, 7, 255))),
        st.builds(Signaled, signal=st.sampled_from((9, 11, 15))),
        st.sampled_from((OutOfMemory(), RolledOut(), Slept(), Stopped(), Lost())),
        st.builds(StartFailed, reason=texts()),
        st.builds(Unhealthy, check=texts()),
        start_errors(),
        st.sampled_from((errors.NoCapacity(), errors.QuotaExceeded())),
        st.builds(errors.RateLimited, retry_after_ms=st.none() | st.integers(0, 9_999)),
        st.builds(errors.Unauthorized, cause=texts()),
    )


def addresses() -> st.SearchStrategy[Table[str, str]]:
    """Draw where the ports of a run are reached."""
    return tables(st.just("http"), st.just("127.0.0.1:8080"))


def sights() -> st.SearchStrategy[Sight]:
    """Draw what a look may show of one container."""
    return st.one_of(
        st.builds(SeenRunning, ready=st.booleans(), addresses=addresses()),
        st.builds(SeenEnded, exit=exits()),
        st.sampled_from((SeenUnreachable(), SeenAbsent())),
    )


def _running() -> st.SearchStrategy[Running]:
    return st.builds(
        Running,
        since=moments(),
        run=runs(),
        ready_at=st.none() | moments(),
        deadline=st.none() | moments(),
        addresses=addresses(),
    )


def _starting() -> st.SearchStrategy[Starting]:
    return st.builds(
        Starting,
        since=moments(),
        run=runs(),
        accepted=st.booleans(),
        retry_at=st.none() | moments(),
        retries=st.integers(0, 3),
    )


def phases() -> st.SearchStrategy[Phase]:
    """Draw where a container may be."""
    rules = st.sampled_from(Rule)
    return st.one_of(
        st.builds(Pending, since=moments(), rule=rules),
        _starting(),
        _running(),
        st.builds(
            Stopping,
            since=moments(),
            run=runs(),
            deadline=moments(),
            verdict=exits(),
            escalation=st.sampled_from(Escalation),
            accepted=st.booleans(),
        ),
        st.builds(AtRest, since=moments(), rule=rules),
        st.builds(Completed, since=moments(), rule=rules),
        st.builds(BackingOff, since=moments(), until=moments(), rule=rules),
        st.builds(
            CrashLooping, since=moments(), until=st.none() | moments(), rule=rules
        ),
        st.builds(Failed, since=moments(), rule=rules),
        st.builds(
            Unknown, since=moments(), run=runs(), was=st.one_of(_running(), _starting())
        ),
        st.builds(Asleep, since=moments(), rule=rules),
    )


def containers() -> st.SearchStrategy[Container]:
    """Draw the record of a container, in any phase."""
    last = st.builds(
        LastRun,
        run=runs(),
        exit=exits(),
        ended_at=moments(),
        started_at=st.none() | moments(),
        ready_at=st.none() | moments(),
    )
    history = st.builds(
        History,
        failures=st.lists(moments(), max_size=4).map(lambda row: tuple(sorted(row))),
        attempts=st.integers(0, 9),
        obstacles=st.integers(0, 9),
        crashes_total=st.integers(0, 99),
        restarts_total=st.integers(0, 99),
        startup_ms=st.none() | st.integers(0, 9_999),
    )
    return st.builds(
        Container,
        name=names(),
        spec=container_specs(),
        salt=st.integers(0, 2**32 - 1),
        revision=st.integers(1, 3),
        origin=st.sampled_from(Origin),
        desired=st.builds(
            Desired, running=st.booleans(), by=texts(), why=texts(), at=moments()
        ),
        phase=phases(),
        run=st.integers(0, 4),
        started_revision=st.integers(0, 3),
        history=history,
        last=st.none() | last,
        leaving=st.booleans(),
        changed_at=moments(),
    )


def _declarations() -> st.SearchStrategy[Declaration]:
    return st.builds(
        Declaration, spec=container_specs(), salt=st.integers(0, 2**32 - 1)
    )


def _declared_once() -> st.SearchStrategy[tuple[Declaration, ...]]:
    return st.lists(
        _declarations(), max_size=3, unique_by=lambda declared: declared.spec.name
    ).map(tuple)


def events() -> st.SearchStrategy[Event]:
    """Draw any event, likely or not."""
    at, name, run = moments(), names(), runs()
    kinds = st.sampled_from(CommandKind)
    return st.one_of(
        st.builds(Booted, at=at, epoch=runs(), rules=st.just(1), fences=st.booleans()),
        st.builds(
            SpecApplied,
            at=at,
            fleet=st.just("demo"),
            settings=fleet_settings(),
            declarations=_declared_once(),
            by=texts(),
        ),
        _declarations().flatmap(
            lambda declared: st.builds(
                StartRequested,
                at=at,
                name=st.just(declared.spec.name),
                declaration=st.none() | st.just(declared),
                force=st.booleans(),
            )
        ),
        st.builds(StopRequested, at=at, name=name, why=texts()),
        st.builds(RestartRequested, at=at, name=name),
        st.builds(RemoveRequested, at=at, name=name),
        st.builds(CrashHistoryCleared, at=at, name=name),
        st.builds(ReconcileRequested, at=at),
        st.builds(ContainerStarted, at=at, name=name, run=run, cursor=texts()),
        st.builds(ContainerReady, at=at, name=name, run=run, addresses=addresses()),
        st.builds(ContainerEnded, at=at, name=name, run=run, exit=exits()),
        st.builds(ContainerErrored, at=at, name=name, run=run, cause=texts()),
        st.builds(ContainerObserved, at=at, name=name, run=run, sight=sights()),
        st.builds(CommandAccepted, at=at, name=name, run=run, kind=kinds),
        st.builds(
            CommandFailed,
            at=at,
            name=name,
            run=run,
            kind=kinds,
            error=command_errors(),
        ),
        st.builds(
            FleetObserved,
            at=at,
            complete=st.booleans(),
            strangers=tables(names(), runs()),
        ),
        st.builds(TimeReached, at=at, name=st.none() | name),
    )
