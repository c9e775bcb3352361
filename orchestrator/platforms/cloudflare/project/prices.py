"""What a fleet costs in a day at Cloudflare's list prices.

In US dollars, of November 2026 (documentation of Containers, Durable Objects and
Workers, ``platform/pricing`` each). What the plan includes is named and not taken off:
it is the account's, which may run more than this fleet. Traffic to the internet and
what objects store are not counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.hosting import InstanceType
from orchestrator.core.moments import Millis
from orchestrator.core.specs import ContainerSpec

__all__ = (
    "INCLUDED",
    "PLAN_PER_MONTH",
    "DailyCost",
    "cost_of_fleet",
    "cost_of_operator",
    "cost_per_day",
)

MEMORY_GIB_S: Final = 0.000_002_5
VCPU_S: Final = 0.000_020
DISK_GB_S: Final = 0.000_000_07
OBJECT_GB_S: Final = 12.50 / 1_000_000
OBJECT_REQUEST: Final = 0.15 / 1_000_000
WORKER_REQUEST: Final = 0.30 / 1_000_000

PLAN_PER_MONTH: Final = 5.0
"""Workers Paid, without which no container runs."""

INCLUDED: Final = (
    "25 GiB-hours of memory, 375 vCPU-minutes and 200 GB-hours of disk",
    "400,000 GB-s and 1 million requests of objects",
    "10 million requests of Workers",
)
"""What the plan includes in a month."""

QUESTION: Final = WORKER_REQUEST + 2 * OBJECT_REQUEST
"""Of a health check, asked alone: the Worker, the registry, the container's object."""

DAY_S: Final = 86_400
OBJECT_GB: Final = 0.128
"""An object in memory is billed as 128 MB, whatever it uses."""

CALLS_A_DAY: Final = DAY_S / 20
"""The operator's, that wait for news: each ends after some 20 seconds at most."""

CALLS_OF_A_CONTAINER: Final = DAY_S / 300
"""Of the object of a container, which looks after it every five minutes."""

LOOKS_OF_AN_OPERATOR: Final = DAY_S / 10
"""Of the object of a hosted operator, which asks it every ten seconds how it is."""

MINUTES_A_DAY: Final = DAY_S / 60
"""The Worker is called in each, to see that this goes on."""


@attrs.frozen(kw_only=True)
class DailyCost:
    """Dollars a day, each for what it is; ``cpu`` where all of it is used."""

    containers: int
    memory: float
    disk: float
    cpu: float
    objects: float
    requests: float

    @property
    def idle(self) -> float:
        """Return what it costs where the containers do nothing."""
        return self.memory + self.disk + self.objects + self.requests

    @property
    def busy(self) -> float:
        """Return what it costs where they use all of their processors."""
        return self.idle + self.cpu


def cost_of_fleet(fleet: FleetSpec) -> DailyCost:
    """Return what the declared containers cost while all of them run, all day."""
    return cost_per_day(fleet.containers, fleet.settings.reconcile_interval_ms)


def cost_per_day(
    specs: Iterable[ContainerSpec], reconcile_interval_ms: Millis
) -> DailyCost:
    """Return what containers cost that run all day, with the objects that watch them.

    An object is in memory as long as its container runs, and so is the registry, which
    the operator asks all the time.
    """
    given = tuple(specs)
    sizes = [spec.instance_type for spec in given]
    looks = DAY_S * 1_000 / reconcile_interval_ms if reconcile_interval_ms else 0.0
    calls = CALLS_A_DAY + looks
    requests = calls * WORKER_REQUEST
    requests += (calls + len(sizes) * CALLS_OF_A_CONTAINER) * OBJECT_REQUEST
    requests += sum(map(_questions, given)) * QUESTION
    return DailyCost(
        containers=len(sizes),
        memory=sum(size.memory_mib for size in sizes) / 1_024 * MEMORY_GIB_S * DAY_S,
        disk=sum(size.disk_mb for size in sizes) / 1_000 * DISK_GB_S * DAY_S,
        cpu=sum(size.vcpu for size in sizes) * VCPU_S * DAY_S,
        objects=(len(sizes) + 1) * OBJECT_GB * OBJECT_GB_S * DAY_S,
        requests=requests,
    )


def cost_of_operator(size: InstanceType) -> DailyCost:
    """Return what an operator costs that Cloudflare hosts, beside its fleet."""
    requests = MINUTES_A_DAY * (WORKER_REQUEST + OBJECT_REQUEST)
    requests += LOOKS_OF_AN_OPERATOR * OBJECT_REQUEST
    return DailyCost(
        containers=1,
        memory=size.memory_mib / 1_024 * MEMORY_GIB_S * DAY_S,
        disk=size.disk_mb / 1_000 * DISK_GB_S * DAY_S,
        cpu=size.vcpu * VCPU_S * DAY_S,
        objects=OBJECT_GB * OBJECT_GB_S * DAY_S,
        requests=requests,
    )


def _questions(spec: ContainerSpec) -> float:
    """Return how often a container that is ready is asked in a day, at most."""
    checks = (spec.health.readiness, spec.health.liveness)
    return sum(DAY_S * 1_000 / check.period_ms for check in checks if check)
