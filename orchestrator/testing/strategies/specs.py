"""What should run: container specs with checks and groups, settings, whole fleets."""

from __future__ import annotations

from functools import partial

import attrs
from hypothesis import strategies as st

from orchestrator.core.dependencies import Condition
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.groups import GroupStrategy, Membership
from orchestrator.core.health import (
    CommandProbe,
    HealthCheck,
    HealthChecks,
    HttpProbe,
    Probe,
    TcpProbe,
)
from orchestrator.core.hosting import (
    INSTANCE_TYPES,
    JURISDICTIONS,
    LOCATION_HINTS,
    REGIONS,
    InstanceType,
    Placement,
)
from orchestrator.core.notify import NoticeKind, Notify
from orchestrator.core.origins import Prune
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import STOP_SIGNALS, ContainerSpec, named
from orchestrator.core.table import Table
from orchestrator.testing.strategies.policies import backoffs, restart_policies
from orchestrator.testing.strategies.pools import configs, made_once, names, tables
from orchestrator.testing.strategies.rollouts import autoscalings, rollout_policies

__all__ = (
    "container_specs",
    "dependencies",
    "fleet_settings",
    "fleet_specs",
    "health_checks",
    "instance_types",
    "memberships",
    "notifies",
    "placements",
    "probes",
    "services",
)


@made_once
def probes(ports: tuple[str, ...]) -> st.SearchStrategy[Probe]:
    """Draw a question to a container that has those ports."""
    command = st.just(CommandProbe(command=("check", "--quick")))
    if not ports:
        return command
    port = st.sampled_from(ports)
    http = st.builds(
        HttpProbe,
        port=port,
        path=st.sampled_from(("/", "/ready?full=1")),
        headers=tables(st.just("Accept"), st.just("application/json")),
        statuses=st.sampled_from(((), (200,), (200, 503))),
    )
    return st.one_of(command, http, st.builds(TcpProbe, port=port))


@made_once
def health_checks(ports: tuple[str, ...] = ()) -> st.SearchStrategy[HealthChecks]:
    """Draw the checks of a container that has those ports, each or none."""
    check = st.builds(
        HealthCheck,
        probe=probes(ports),
        initial_delay_ms=st.integers(0, 5_000),
        period_ms=st.integers(1, 10_000),
        timeout_ms=st.integers(1, 2_000),
        failure_threshold=st.integers(1, 3),
    )
    readiness = st.tuples(check, st.integers(1, 3)).map(
        lambda drawn: attrs.evolve(drawn[0], success_threshold=drawn[1])
    )
    return st.builds(
        HealthChecks,
        startup=st.none() | check,
        readiness=st.none() | readiness,
        liveness=st.none() | check,
    )


@made_once
def memberships() -> st.SearchStrategy[Membership]:
    """Draw a place in a group; a group has one strategy, and so has its name."""
    return st.one_of(
        st.builds(
            Membership,
            group=st.just("pair"),
            strategy=st.just(GroupStrategy.REST_FOR_ONE),
            position=st.integers(0, 3),
        ),
        st.builds(
            Membership,
            group=st.just("all"),
            strategy=st.just(GroupStrategy.ONE_FOR_ALL),
            position=st.integers(0, 3),
        ),
    )


def dependencies(
    services: st.SearchStrategy[str] | None = None,
) -> st.SearchStrategy[Table[str, Condition]]:
    """Draw what a container depends on, mostly nothing; *services* from all names."""
    drawn = tables(
        names() if services is None else services, st.sampled_from(Condition)
    )
    return st.just(Table[str, Condition]()) | drawn


@made_once
def container_specs(
    named_as: st.SearchStrategy[str] | None = None, *, custom: bool = False
) -> st.SearchStrategy[ContainerSpec]:
    """Draw a container spec, named from *named_as*; with *custom*, see the policies."""
    ports = tables(st.sampled_from(("http", "admin")), st.integers(1, 65_535))
    who = names() if named_as is None else named_as
    return ports.flatmap(
        lambda drawn: _but_ports(who, tuple(drawn), custom=custom).map(
            lambda make: make(ports=drawn)
        )
    )


@made_once
def _but_ports(
    named_as: st.SearchStrategy[str], ports: tuple[str, ...], *, custom: bool
) -> st.SearchStrategy[partial[ContainerSpec]]:
    """Draw a spec but for its ports, of which only the names are known."""
    return st.builds(
        partial,
        st.just(ContainerSpec),
        name=named_as,
        replica=st.integers(0, 3),
        image=st.none() | st.just("registry.example/app:1"),
        command=st.sampled_from((("run",), ("run", "--port=${port.http}"))),
        working_dir=st.none() | st.just("/srv"),
        config=configs(),
        env=tables(
            st.sampled_from(("A", "KEY")), st.sampled_from(("x", "${secret.KEY}"))
        ),
        restart=restart_policies(custom=custom),
        stop_signal=st.sampled_from(STOP_SIGNALS),
        stop_grace_ms=st.integers(0, 30_000),
        start_timeout_ms=st.integers(1, 120_000),
        sleep_after_ms=st.none() | st.integers(1, 60_000),
        keep_alive=st.booleans(),
        wait_for=st.none() | st.just(()),
        internet=st.booleans(),
        instance_type=instance_types(),
        placement=placements(),
        health=health_checks(ports),
        group=st.none() | memberships(),
    )


@made_once
def instance_types() -> st.SearchStrategy[InstanceType]:
    """Draw a size: a named one, or one's own."""
    own = st.builds(
        InstanceType,
        vcpu=st.sampled_from((1.0, 2.5, 4.0)),
        memory_mib=st.just(12_288),
        disk_mb=st.integers(1, 20_000),
    )
    return st.sampled_from(list(INSTANCE_TYPES.values())) | own


@made_once
def placements() -> st.SearchStrategy[Placement]:
    """Draw the placement of one container."""
    return st.builds(
        Placement,
        regions=st.lists(st.sampled_from(REGIONS), unique=True, max_size=3).map(tuple),
        jurisdiction=st.none() | st.sampled_from(JURISDICTIONS),
        location_hint=st.none() | st.sampled_from(LOCATION_HINTS),
    )


@made_once
def _spreads() -> st.SearchStrategy[tuple[str, ...]]:
    """Draw what each replica is given in turn, mostly nothing."""
    hints = st.lists(st.sampled_from(LOCATION_HINTS), min_size=1, max_size=3)
    return st.just(()) | hints.map(tuple)


@made_once
def fleet_settings(*, custom: bool = False) -> st.SearchStrategy[FleetSettings]:
    """Draw the settings of a fleet."""
    return st.builds(
        FleetSettings,
        reconcile_interval_ms=st.sampled_from((0, 1_000, 60_000)),
        allow_ad_hoc_containers=st.booleans(),
        min_restart_delay_ms=st.integers(0, 1_000),
        max_concurrent_starts=st.integers(1, 8),
        max_starts_per_minute=st.none() | st.integers(1, 5),
        prune=st.sampled_from(Prune),
        ad_hoc=st.none() | container_specs(st.just("any"), custom=custom),
        notify=st.none() | notifies(),
    )


@made_once
def notifies() -> st.SearchStrategy[Notify]:
    """Draw whom to tell of trouble, and how."""
    return st.builds(
        Notify,
        url=st.sampled_from(
            ("http://127.0.0.1:9/a?b=c", "https://a.invalid/${secret.PATH}")
        ),
        secret=st.none() | st.just("KEY"),
        events=st.lists(st.sampled_from(NoticeKind), min_size=1, unique=True).map(
            tuple
        ),
        timeout_ms=st.integers(1, 60_000),
        attempts=st.integers(1, 4),
        backoff=backoffs(),
    )


@made_once
def services(*, custom: bool = False, name: str = "crew") -> st.SearchStrategy[Service]:
    """Draw a service of a name: a template, a number of replicas, its policies."""
    return st.builds(
        Service,
        template=st.tuples(
            container_specs(st.just(name), custom=custom), _spreads()
        ).map(lambda both: _spread(named(both[0], name), both[1])),
        replicas=st.integers(0, 3),
        rollout=st.none() | rollout_policies(custom=custom),
        autoscaling=st.none() | autoscalings(),
    )


def _spread(template: ContainerSpec, hints: tuple[str, ...]) -> ContainerSpec:
    """Return a template of which each replica is given a hint in turn."""
    if not hints:
        return template
    place = attrs.evolve(template.placement, location_hint=None, spread=hints)
    return attrs.evolve(template, placement=place)


@made_once
def fleet_specs(*, custom: bool = False) -> st.SearchStrategy[FleetSpec]:
    """Draw a fleet: settings, a min replica set of related names, perhaps a service."""
    declared = (
        st.dictionaries(names(), container_specs(custom=custom), max_size=4)
        .map(
            lambda drawn: tuple(
                named(spec, name) for name, spec in sorted(drawn.items())
            )
        )
        .flatmap(_depending)
    )
    return st.builds(
        _fleet,
        settings=fleet_settings(custom=custom),
        containers=declared,
        served=st.just(()) | st.tuples(services(custom=custom)),
    )


def _fleet(
    settings: FleetSettings,
    containers: tuple[ContainerSpec, ...],
    served: tuple[Service, ...],
) -> FleetSpec:
    replicas = (
        replica_of(service, index)
        for service in served
        for index in range(service.replicas)
    )
    return FleetSpec(
        name="demo",
        settings=settings,
        containers=(*containers, *replicas),
        services=served,
    )


def _depending(
    specs: tuple[ContainerSpec, ...],
) -> st.SearchStrategy[tuple[ContainerSpec, ...]]:
    """Draw on whom of those before it each depends: so there is no circle."""
    drawn = [
        dependencies(st.sampled_from([other.name for other in specs[:index]]))
        if index
        else st.just(Table[str, Condition]())
        for index in range(len(specs))
    ]
    return st.tuples(*drawn).map(
        lambda tables: tuple(
            attrs.evolve(spec, depends_on=table)
            for spec, table in zip(specs, tables, strict=True)
        )
    )
