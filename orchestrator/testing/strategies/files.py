"""What a fleet file may say: fleets as its reader gives them, in one folder."""

from __future__ import annotations

from typing import Final, TypeAlias

import attrs
from hypothesis import strategies as st

from orchestrator.codec.api_choice import ApiChoice
from orchestrator.codec.fleet_checks import notes_of, warnings_of
from orchestrator.codec.fleet_file import FleetFile
from orchestrator.codec.fleet_notify import notify_notes, notify_warnings
from orchestrator.codec.journal_choice import JournalChoice, JournalKind, LeaseChoice
from orchestrator.codec.platform_choices import (
    CloudflareChoice,
    LocalChoice,
    PlatformChoice,
    SchedulingPolicy,
    SimulatedChoice,
)
from orchestrator.core.autoscaling import Autoscaling
from orchestrator.core.fields import Json
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.hosting import Placement
from orchestrator.core.rollout_policies import RolloutPolicy
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec, named
from orchestrator.core.table import Table
from orchestrator.testing.strategies.rollouts import autoscalings, rollout_policies
from orchestrator.testing.strategies.specs import fleet_specs

__all__ = ("FILE_FOLDER", "fleet_files", "platform_choices")

FILE_FOLDER: Final = "/srv"
"""The folder of the files that are drawn."""


def platform_choices() -> st.SearchStrategy[PlatformChoice]:
    """Draw where a fleet runs."""
    cloudflare = st.builds(
        CloudflareChoice,
        url=st.none() | st.just("https://fleet.example.com"),
        access_secrets=st.none() | st.just("ACCESS"),
        scheduling_policy=st.sampled_from(SchedulingPolicy),
        worker=st.none() | st.just("demo-gateway"),
        headroom=st.integers(0, 9),
        orphan_after_ms=st.none() | st.integers(60_000, 900_000),
        timeout_ms=st.integers(1, 120_000),
    )
    local = st.builds(LocalChoice, log_max_bytes=st.sampled_from((1_000, 1_048_576)))
    simulated = st.builds(SimulatedChoice, seed=st.integers(0, 3))
    return st.one_of(local, simulated, cloudflare)


def _api_choices() -> st.SearchStrategy[ApiChoice]:
    pairs = st.sampled_from(
        ((None, None), (f"{FILE_FOLDER}/tls/cert.pem", "/etc/key.pem"))
    )
    drawn = st.builds(
        ApiChoice,
        listen=st.none() | st.just("127.0.0.1:8400"),
        read_only=st.booleans(),
        hosts=st.sampled_from(((), ("ops.example.com", "other:80"))),
        requests_per_second=st.integers(1, 100),
    )
    return st.tuples(drawn, pairs).map(
        lambda both: attrs.evolve(both[0], tls_cert=both[1][0], tls_key=both[1][1])
    )


def _journal_choices() -> st.SearchStrategy[JournalChoice]:
    return st.builds(
        JournalChoice,
        kind=st.sampled_from(JournalKind),
        snapshot_every=st.integers(1, 20_000),
        keep_ms=st.none() | st.integers(60_000, 10**10),
        keep_rows=st.none() | st.integers(100, 10**6),
        archive=st.booleans(),
    )


def fleet_files(*, nulls: bool = True) -> st.SearchStrategy[FleetFile]:
    """Draw a fleet file, read; without *nulls*, one that TOML can hold."""
    return st.builds(
        _file,
        fleet_specs(custom=True),
        st.lists(_counts(), min_size=5, max_size=5),
        platform_choices(),
        st.builds(
            FleetFile,
            spec=st.just(FleetSpec(name="demo")),
            platform=st.just(LocalChoice()),
            journal=_journal_choices(),
            lease=st.none()
            | st.builds(LeaseChoice, duration_ms=st.integers(3_000, 600_000)),
            api=_api_choices(),
            env_vars=st.none() | st.just("ours.env:build"),
            hooks=st.none() | st.just("ours:hooks.ours"),
            policies=st.just("ours:POLICIES"),
        ),
        nulls=st.just(nulls),
    )


_Count: TypeAlias = tuple[int, RolloutPolicy | None, Autoscaling | None]
"""How many replicas there are of an entry, -1: it says none; and its policies."""


def _counts() -> st.SearchStrategy[_Count]:
    policies = st.none() | rollout_policies(custom=True)
    return st.tuples(st.integers(-1, 2), policies, st.none() | autoscalings())


def _file(
    spec: FleetSpec,
    counts: list[_Count],
    platform: PlatformChoice,
    file: FleetFile,
    *,
    nulls: bool,
) -> FleetFile:
    """Return a file with that fleet."""
    template = spec.settings.ad_hoc
    if template is not None:
        template = _written(named(template, "ad-hoc"), platform, nulls=nulls)
        template = attrs.evolve(template, group=None)
    specs = [_written(each, platform, nulls=nulls) for each in _entries(spec)]
    containers: list[ContainerSpec] = []
    services: list[Service] = []
    for each, (count, policy, scaling) in zip(specs, counts, strict=False):
        if count < 0:
            containers.append(_unspread(each))
            continue
        service = Service(
            template=each,
            replicas=count,
            rollout=_said(policy, nulls=nulls),
            autoscaling=scaling,
        )
        services.append(service)
        containers += [replica_of(service, index) for index in range(count)]
    fleet = FleetSpec(
        name=spec.name,
        settings=attrs.evolve(spec.settings, ad_hoc=template),
        containers=tuple(containers),
        services=tuple(services),
    )
    notify = fleet.settings.notify
    is_far = file.journal.kind is JournalKind.DURABLE_OBJECT
    is_shared = is_far and isinstance(platform, CloudflareChoice)
    kind = file.journal.kind if is_shared else JournalKind.SQLITE
    return attrs.evolve(
        file,
        journal=attrs.evolve(file.journal, kind=kind),
        lease=file.lease if is_shared else None,
        spec=fleet,
        platform=platform,
        warnings=(*warnings_of(fleet, platform), *notify_warnings(notify)),
        notes=(*notes_of(fleet, platform), *notify_notes(notify)),
    )


def _entries(spec: FleetSpec) -> list[ContainerSpec]:
    """Return what the entries of a file are, with places in groups as it gives them."""
    services = {service.name: service.template for service in spec.services}
    alone = [each for each in spec.containers if each.service not in services]
    members: dict[str, int] = {}
    entries: list[ContainerSpec] = []
    for each in (*alone, *services.values()):
        group = each.group
        if group is not None:
            place = members.setdefault(group.group, 0)
            members[group.group] += 1
            group = attrs.evolve(group, position=place)
        entries.append(attrs.evolve(each, group=group))
    return entries


def _written(
    spec: ContainerSpec, platform: PlatformChoice, *, nulls: bool
) -> ContainerSpec:
    """Return a spec as the file of that platform can say it."""
    command = spec.command if "http" in spec.ports else ("run",)
    config = spec.config if nulls else _without_nulls(spec.config)
    written = attrs.evolve(spec, command=command, config=config)
    custom = spec.restart.custom
    if custom is not None and not nulls:
        params = _without_nulls(custom.params)
        restart = attrs.evolve(spec.restart, custom=attrs.evolve(custom, params=params))
        written = attrs.evolve(written, restart=restart)
    if isinstance(platform, LocalChoice):
        return attrs.evolve(written, working_dir=spec.working_dir or FILE_FOLDER)
    if not isinstance(platform, CloudflareChoice):
        return written
    places_itself = platform.scheduling_policy is SchedulingPolicy.DURABLE_OBJECT
    return attrs.evolve(
        written,
        image=spec.image or "registry.example/app:2",
        working_dir=None,
        placement=Placement() if places_itself else spec.placement,
    )


def _said(policy: RolloutPolicy | None, *, nulls: bool) -> RolloutPolicy | None:
    """Return a policy as a file can say it."""
    if policy is None or nulls:
        return policy
    return attrs.evolve(policy, params=_without_nulls(policy.params))


def _unspread(spec: ContainerSpec) -> ContainerSpec:
    """Return a container of its own, which nothing is spread of."""
    return attrs.evolve(spec, placement=attrs.evolve(spec.placement, spread=()))


def _without_nulls(table: Table[str, Json]) -> Table[str, Json]:
    return Table.of((key, _without_null(value)) for key, value in table.items())


def _without_null(value: Json) -> Json:
    if isinstance(value, Table):
        return _without_nulls(value)
    if isinstance(value, tuple):
        return tuple(map(_without_null, value))
    return "" if value is None else value
