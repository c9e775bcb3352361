"""A fleet file brought within the bounds of its services that scale by themselves.

Whatever number of replicas is asked for, by the file or by what was there before: such
a service has at least ``least`` and at most ``most`` of them.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from contextlib import suppress
from itertools import islice

import attrs

from orchestrator.core.autoscaling import Autoscaling
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec

__all__ = ("clamped", "within_bounds")


def clamped(policy: Autoscaling, replicas: int) -> int:
    """Return the nearest number of replicas that a policy allows."""
    return min(max(replicas, policy.least), policy.most)


def within_bounds(
    specs: Iterable[ContainerSpec], services: Iterable[Service], ready: Container[str]
) -> tuple[tuple[ContainerSpec, ...], tuple[Service, ...]]:
    """Give each service as many replicas as it may have, by their specs.

    Of too many, those stay that are *ready*, then those with the lowest index; of too
    few, the lowest indexes come whose names are free, and not too long.
    """
    specs, bounded = tuple(specs), list[Service]()
    for service in services:
        policy, number = service.autoscaling, service.replicas
        replicas = number if policy is None else clamped(policy, number)
        if replicas != number:
            others = len(specs) - number
            specs = _with(specs, service, replicas, ready)
            replicas = len(specs) - others
        bounded.append(attrs.evolve(service, replicas=replicas))
    return specs, tuple(bounded)


def _with(
    specs: tuple[ContainerSpec, ...],
    service: Service,
    replicas: int,
    ready: Container[str],
) -> tuple[ContainerSpec, ...]:
    """Return the specs with so many replicas of a service."""
    own = [each for each in specs if each.service == service.name != each.name]
    if replicas > len(own):
        taken = {each.name for each in specs}
        return (*specs, *islice(_free(service, taken), replicas - len(own)))
    own.sort(key=lambda each: (each.name not in ready, each.replica, each.name))
    gone = {each.name for each in own[replicas:]}
    return tuple(each for each in specs if each.name not in gone)


def _free(service: Service, taken: set[str]) -> Iterator[ContainerSpec]:
    """Yield the replicas of the lowest indexes whose names are free."""
    with suppress(ValueError):  # the name of one is too long, and so of all after it
        index = -1
        while True:
            spec = replica_of(service, index := index + 1)
            if spec.name not in taken:
                yield spec
