"""Entries of the fleet file with ``replicas``: what each of them is, and how many."""

from __future__ import annotations

from operator import attrgetter
from typing import Final

import attrs
from attrs.validators import ge, instance_of, le, optional

from orchestrator.core.autoscaling import Autoscaling
from orchestrator.core.fields import LATER
from orchestrator.core.hosting import placed
from orchestrator.core.rollout_policies import RolloutPolicy
from orchestrator.core.specs import ContainerSpec

__all__ = ("REPLICAS_MAX", "Service", "is_alike", "replica_of")

REPLICAS_MAX: Final = 10_000
"""Replicas of one service."""

_replicas = [instance_of(int), ge(0), le(REPLICAS_MAX)]


@attrs.frozen(kw_only=True)
class Service:
    """An entry of the fleet file with ``replicas``: what each of them is, how many.

    ``template`` is a replica without its number; its name is the service's.
    ``replicas`` are asked for now, ``declared`` says the file: a scale changes the
    first alone. ``rollout`` says how its replicas come to another template: None, all
    at once. ``autoscaling`` says by what it is scaled: None, by its owner.
    """

    template: ContainerSpec = attrs.field(validator=instance_of(ContainerSpec))
    replicas: int = attrs.field(validator=_replicas)
    declared: int = attrs.field(
        default=attrs.Factory(lambda service: service.replicas, takes_self=True),
        validator=_replicas,
    )
    rollout: RolloutPolicy | None = attrs.field(
        default=None, validator=optional(instance_of(RolloutPolicy)), metadata=LATER
    )
    autoscaling: Autoscaling | None = attrs.field(
        default=None, validator=optional(instance_of(Autoscaling)), metadata=LATER
    )

    @property
    def name(self) -> str:
        """Return the name of the service."""
        return self.template.name


def replica_of(service: Service, index: int) -> ContainerSpec:
    """Return the spec of one replica of a service; ``ValueError``: its name is long.

    >>> web = ContainerSpec(name="web", command=("sleep", "1"))
    >>> replica_of(Service(template=web, replicas=2), 1).name
    'web-1'

    """
    template = service.template
    name = f"{template.name}-{index}"
    return attrs.evolve(
        template,
        name=name,
        service=template.name,
        replica=index,
        placement=placed(template.placement, index),
    )


def is_alike(spec: ContainerSpec, template: ContainerSpec) -> bool:
    """Say whether a spec is that of a replica, but for its name and its number.

    Where the template spreads its replicas, each is to have the place of its number.
    """
    place = placed(template.placement, spec.replica)
    return bool(_MEANT(spec) == _MEANT(template)) and spec.placement == place


_MEANT: Final = attrgetter(
    *(
        field.name
        for field in attrs.fields(ContainerSpec)
        if field.name not in {"name", "service", "replica", "placement"}
    )
)
"""What the replicas of a service have in common, but for their places."""
