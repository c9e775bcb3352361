"""The fleet as its owner declares it, and what holds for the whole of it."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from attrs.validators import ge, instance_of, le, optional

from orchestrator.core.dependencies import needs_of, refusal
from orchestrator.core.fields import LATER, holds
from orchestrator.core.groups import GroupStrategy
from orchestrator.core.moments import DURATION_MAX, Millis
from orchestrator.core.names import is_env_key, is_name
from orchestrator.core.notify import Notify
from orchestrator.core.origins import Prune
from orchestrator.core.services import Service, is_alike
from orchestrator.core.specs import ContainerSpec

__all__ = ("FleetSettings", "FleetSpec")

_duration = [instance_of(int), ge(0), le(DURATION_MAX)]
_name = holds(is_name, "a name of a-z, 0-9, '.', '_' and '-'")


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
        replicas: dict[str, list[ContainerSpec]] = {}
        for spec in self.containers:
            if spec.name in seen:
                msg = f"containers: {spec.name!r} is declared more than once"
                raise ValueError(msg)
            seen.add(spec.name)
            if spec.service != spec.name:
                replicas.setdefault(spec.service, []).append(spec)
            _check_spread(spec)
            group = spec.group
            if group and groups.setdefault(group.group, group.strategy) != (
                group.strategy
            ):
                msg = f"containers: group {group.group!r} has two strategies"
                raise ValueError(msg)
        if self.settings.ad_hoc is not None:
            _check_spread(self.settings.ad_hoc)
        for service in self.services:
            if not _is_spelt_out(service, replicas.get(service.name, ())):
                msg = f"services: {service.name!r} is not spelt out in containers"
                raise ValueError(msg)
        names = {service.name for service in self.services}
        alone = {spec.name for spec in self.containers if spec.name == spec.service}
        if len(names) < len(self.services) or names & alone:
            msg = "services: each needs a name of its own"
            raise ValueError(msg)
        _check_needs(self)


def _is_spelt_out(service: Service, members: Sequence[ContainerSpec]) -> bool:
    """Say whether all replicas that a file holds of a service are those it has."""
    names = {f"{service.name}-{index}" for index in range(service.declared)}
    alike = all(is_alike(spec, service.template) for spec in members)
    asked = service.replicas == service.declared
    return asked and alike and {spec.name for spec in members} == names


def _check_spread(spec: ContainerSpec) -> None:
    """Refuse a spread of what is one container: it has no replicas to spread."""
    if spec.placement.spread:
        msg = f"placement.spread: expected a service with replicas, found {spec.name!r}"
        raise ValueError(msg)


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
