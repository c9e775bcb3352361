"""What should run: one container, and the fleet.

A ``ContainerSpec`` is complete and self-contained; what a fleet file says once for
many (replicas, defaults) is already spelt out, and kept beside it as a *service*, so
that it can be scaled.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Final

import attrs
from attrs.validators import ge, gt, in_, instance_of, le, optional

from orchestrator.core.dependencies import (
    Condition,
    is_dependency_table,
    needs_of,
    refusal,
)
from orchestrator.core.fields import (
    LATER,
    Json,
    are_port_names,
    holds,
    is_command,
    is_env_table,
    is_json_table,
    is_port_table,
)
from orchestrator.core.groups import GroupStrategy, Membership
from orchestrator.core.health import CommandProbe, HealthChecks
from orchestrator.core.hosting import LITE, InstanceType, Placement
from orchestrator.core.moments import DURATION_MAX, Millis
from orchestrator.core.names import is_env_key, is_name
from orchestrator.core.notify import Notify
from orchestrator.core.origins import Origin, Prune
from orchestrator.core.policies import RestartPolicy
from orchestrator.core.table import Table

__all__ = (
    "REPLICAS_MAX",
    "STOP_SIGNALS",
    "ContainerSpec",
    "FleetSettings",
    "FleetSpec",
    "Origin",
    "Prune",
    "Service",
    "named",
    "replica_of",
)

REPLICAS_MAX: Final = 10_000
"""Replicas of one service."""

STOP_SIGNALS: Final = ("TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "KILL")
"""Signals that may ask a container to stop, without the ``SIG``."""


_duration = [instance_of(int), ge(0), le(DURATION_MAX)]
_positive = [instance_of(int), gt(0), le(DURATION_MAX)]
_index = [instance_of(int), ge(0), le(2**63 - 1)]  # what a journal can hold
_name = holds(is_name, "a name of a-z, 0-9, '.', '_' and '-'")


@attrs.frozen(kw_only=True)
class ContainerSpec:
    """One container: what runs, with which environment, and how it is looked after.

    ``service`` and ``replica`` say which entry of the fleet file it came from;
    a container of its own is replica 0 of the service of its name. ``env`` values
    and words of ``command`` are templates (``core.templates``). ``wait_for`` names the
    ports that must listen before it is ready, None all of them.
    """

    name: str = attrs.field(validator=_name)
    service: str = attrs.field(
        default=attrs.Factory(lambda spec: spec.name, takes_self=True), validator=_name
    )
    replica: int = attrs.field(default=0, validator=_index)
    image: str | None = attrs.field(default=None, validator=optional(instance_of(str)))
    command: tuple[str, ...] = attrs.field(
        default=(), validator=holds(is_command, "words with known placeholders")
    )
    working_dir: str | None = attrs.field(
        default=None, validator=optional(instance_of(str))
    )
    ports: Table[str, int] = attrs.field(
        default=Table[str, int](),
        validator=holds(is_port_table, "names with ports 1 to 65535"),
    )
    config: Table[str, Json] = attrs.field(
        default=Table[str, Json](),
        validator=holds(is_json_table, "a table of frozen JSON"),
    )
    env: Table[str, str] = attrs.field(
        default=Table[str, str](),
        validator=holds(is_env_table, "keys with known placeholders"),
    )
    restart: RestartPolicy = attrs.field(
        default=RestartPolicy(), validator=instance_of(RestartPolicy)
    )
    stop_signal: str = attrs.field(default="TERM", validator=in_(STOP_SIGNALS))
    stop_grace_ms: Millis = attrs.field(default=10_000, validator=_duration)
    start_timeout_ms: Millis = attrs.field(default=60_000, validator=_positive)
    sleep_after_ms: Millis | None = attrs.field(
        default=None, validator=optional(_positive)
    )
    keep_alive: bool = attrs.field(default=True, validator=instance_of(bool))
    wait_for: tuple[str, ...] | None = attrs.field(
        default=None,
        validator=optional(holds(are_port_names, "names of ports")),
        metadata=LATER,
    )
    internet: bool = attrs.field(
        default=True, validator=instance_of(bool), metadata=LATER
    )
    instance_type: InstanceType = attrs.field(
        default=LITE, validator=instance_of(InstanceType), metadata=LATER
    )
    placement: Placement = attrs.field(
        default=Placement(), validator=instance_of(Placement), metadata=LATER
    )
    health: HealthChecks = attrs.field(
        default=HealthChecks(), validator=instance_of(HealthChecks), metadata=LATER
    )
    group: Membership | None = attrs.field(
        default=None, validator=optional(instance_of(Membership)), metadata=LATER
    )
    depends_on: Table[str, Condition] = attrs.field(
        default=Table[str, Condition](),
        validator=holds(is_dependency_table, "services with started, ready, completed"),
        metadata=LATER,
    )

    def __attrs_post_init__(self) -> None:
        """Refuse a spec that names nothing to run, or a port that it has not."""
        if not self.command and not self.image:
            msg = "command: expected a command or an image, found neither"
            raise ValueError(msg)
        for port in self.wait_for or ():
            if port not in self.ports:
                msg = f"wait_for: expected names of its ports, found {port!r}"
                raise ValueError(msg)
        for kind, check in self.health.all():
            probe = check.probe
            if not isinstance(probe, CommandProbe) and probe.port not in self.ports:
                msg = f"health.{kind}: expected one of its ports, found {probe.port!r}"
                raise ValueError(msg)

    @property
    def awaited_ports(self) -> tuple[str, ...]:
        """Return the names of the ports that make it ready: all, unless it says."""
        return tuple(self.ports) if self.wait_for is None else self.wait_for


@attrs.frozen(kw_only=True)
class FleetSettings:
    """What holds for the whole fleet: its floors, limits and habits.

    ``reconcile_interval_ms`` 0 disables the periodic reconcile; ``ad_hoc`` is the
    template of containers that are started by request with a bare name; ``notify`` says
    who is told of trouble.
    """

    reconcile_interval_ms: Millis = attrs.field(default=60_000, validator=_duration)
    allow_ad_hoc_containers: bool = attrs.field(
        default=True, validator=instance_of(bool)
    )
    container_name_env_key: str = attrs.field(
        default="CONTAINER_NAME",
        validator=holds(is_env_key, "the key of an environment variable"),
    )
    min_restart_delay_ms: Millis = attrs.field(default=100, validator=_duration)
    max_concurrent_starts: int = attrs.field(
        default=8, validator=[instance_of(int), ge(1), le(100_000)]
    )
    max_starts_per_minute: int | None = attrs.field(
        default=None, validator=optional([instance_of(int), ge(1), le(10_000)])
    )
    prune: Prune = attrs.field(default=Prune.STOP, validator=instance_of(Prune))
    ad_hoc: ContainerSpec | None = attrs.field(
        default=None, validator=optional(instance_of(ContainerSpec))
    )
    notify: Notify | None = attrs.field(
        default=None, validator=optional(instance_of(Notify)), metadata=LATER
    )


_replicas = [instance_of(int), ge(0), le(REPLICAS_MAX)]


@attrs.frozen(kw_only=True)
class Service:
    """An entry of the fleet file with ``replicas``: what each of them is, how many.

    ``template`` is a replica without its number; its name is the service's.
    ``replicas`` are asked for now, ``declared`` says the file: a scale changes the
    first alone.
    """

    template: ContainerSpec = attrs.field(validator=instance_of(ContainerSpec))
    replicas: int = attrs.field(validator=_replicas)
    declared: int = attrs.field(
        default=attrs.Factory(lambda service: service.replicas, takes_self=True),
        validator=_replicas,
    )

    @property
    def name(self) -> str:
        """Return the name of the service."""
        return self.template.name


@attrs.frozen(kw_only=True)
class FleetSpec:
    """The fleet as its owner declares it; ``containers`` is the min replica set.

    ``services`` are the entries that can be scaled; their replicas are spelt out among
    the containers.
    """

    name: str = attrs.field(validator=_name)
    settings: FleetSettings = FleetSettings()
    containers: tuple[ContainerSpec, ...] = ()
    services: tuple[Service, ...] = ()

    def __attrs_post_init__(self) -> None:
        """Refuse two containers of one name, and a group with two strategies."""
        seen: set[str] = set()
        groups: dict[str, GroupStrategy] = {}
        for spec in self.containers:
            if spec.name in seen:
                msg = f"containers: {spec.name!r} is declared more than once"
                raise ValueError(msg)
            seen.add(spec.name)
            group = spec.group
            if group and groups.setdefault(group.group, group.strategy) != (
                group.strategy
            ):
                msg = f"containers: group {group.group!r} has two strategies"
                raise ValueError(msg)
        for service in self.services:
            if not _is_spelt_out(service, self.containers):
                msg = f"services: {service.name!r} is not spelt out in containers"
                raise ValueError(msg)
        names = {service.name for service in self.services}
        alone = {spec.name for spec in self.containers if spec.name == spec.service}
        if len(names) < len(self.services) or names & alone:
            msg = "services: each needs a name of its own"
            raise ValueError(msg)
        _check_needs(self)


def _is_spelt_out(service: Service, containers: tuple[ContainerSpec, ...]) -> bool:
    """Say whether the containers hold the replicas of a service, and no more."""
    name = service.name
    members = [each for each in containers if each.service == name != each.name]
    names = {f"{name}-{index}" for index in range(service.declared)}
    is_alike = all(_MEANT(spec) == _MEANT(service.template) for spec in members)
    asked = service.replicas == service.declared
    return asked and is_alike and {spec.name for spec in members} == names


def _check_needs(fleet: FleetSpec) -> None:
    """Refuse a dependency on nobody, and a circle of them."""
    specs = (*fleet.containers, *(service.template for service in fleet.services))
    needs = needs_of((spec.service, spec.depends_on) for spec in specs)
    template = fleet.settings.ad_hoc  # of nobody left: the fleet is on its way down
    if specs and template is not None and template.depends_on:
        needs["[ad_hoc]"] = tuple(template.depends_on)
    wrong = refusal(needs, {spec.service for spec in specs}) if needs else None
    if wrong is not None:
        msg = "depends_on: {}: expected {}, found {}".format(*wrong)
        raise ValueError(msg)


_MEANT: Final = attrgetter(
    *(
        field.name
        for field in attrs.fields(ContainerSpec)
        if field.name not in {"name", "service", "replica"}
    )
)
"""What the replicas of a service have in common."""


def replica_of(service: Service, index: int) -> ContainerSpec:
    """Return the spec of one replica of a service; ``ValueError``: its name is long.

    >>> web = ContainerSpec(name="web", command=("sleep", "1"))
    >>> replica_of(Service(template=web, replicas=2), 1).name
    'web-1'

    """
    template = service.template
    name = f"{template.name}-{index}"
    return attrs.evolve(template, name=name, service=template.name, replica=index)


def named(template: ContainerSpec, name: str) -> ContainerSpec:
    """Return the template as the spec of a container of its own.

    >>> named(ContainerSpec(name="any", command=("sleep", "1")), "worker-7").service
    'worker-7'

    """
    return attrs.evolve(template, name=name, service=name, replica=0)
