"""How much a fleet is, held against the limits of an account; and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs

from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.hosting import InstanceType
from orchestrator.platforms.cloudflare.project.application import Application
from orchestrator.platforms.cloudflare.project.findings import Finding, fine, warning
from orchestrator.platforms.cloudflare.project.prices import (
    INCLUDED,
    PLAN_PER_MONTH,
    DailyCost,
    cost_of_fleet,
)

__all__ = ("Sum", "sums")


@attrs.frozen(kw_only=True)
class Sum:
    """Memory in MiB, processors, disk in MB, of many containers together."""

    memory_mib: int = 0
    vcpu: float = 0.0
    disk_mb: int = 0

    def plus(self, size: InstanceType, times: int) -> Sum:
        """Return the sum with so many more of a size."""
        return Sum(
            memory_mib=self.memory_mib + size.memory_mib * times,
            vcpu=self.vcpu + size.vcpu * times,
            disk_mb=self.disk_mb + size.disk_mb * times,
        )


ACCOUNT: Final = Sum(memory_mib=6 * 1024 * 1024, vcpu=1_500.0, disk_mb=30_000_000)
"""What may live in an account at the same time, unless Cloudflare has raised it."""


def sums(fleet: FleetSpec, applications: tuple[Application, ...]) -> Iterator[Finding]:
    """Yield what the fleet takes of an account, and what that costs."""
    declared, most = Sum(), Sum()
    for spec in fleet.containers:
        declared = declared.plus(spec.instance_type, 1)
    for application in applications:
        if application.instance_type is not None:
            times = application.max_instances or 0
            most = most.plus(application.instance_type, times)
    yield _capacity(declared, most)
    yield fine("cost per day", _told(cost_of_fleet(fleet)))


def _capacity(declared: Sum, most: Sum) -> Finding:
    what = "account limits"
    ask = "ask Cloudflare to raise them, where the account's own are not higher"
    over = _beyond(declared)
    if over:
        found = f"the declared containers take {over}: starts beyond are refused"
        return warning(what, found, f"declare fewer or smaller ones, or {ask}")
    over = _beyond(most)
    if over:
        found = f"with all of the headroom the fleet takes {over}"
        return warning(what, found, f"lower platform.headroom, or {ask}")
    found = (
        f"{declared.memory_mib / 1024:,.1f} GiB, {declared.vcpu:,.1f} vcpu and"
        f" {declared.disk_mb / 1000:,.0f} GB declared, of 6,144 GiB, 1,500 vcpu and"
        " 30,000 GB; what else is in the account counts, too"
    )
    return fine(what, found)


def _beyond(total: Sum) -> str:
    parts = (
        (total.memory_mib > ACCOUNT.memory_mib, f"{total.memory_mib / 1024:,.0f} GiB"),
        (total.vcpu > ACCOUNT.vcpu, f"{total.vcpu:,.0f} vcpu"),
        (total.disk_mb > ACCOUNT.disk_mb, f"{total.disk_mb / 1000:,.0f} GB"),
    )
    limits = ("6,144 GiB of memory", "1,500 vcpu", "30,000 GB of disk")
    return " and ".join(
        f"{found} of {limit}"
        for (is_over, found), limit in zip(parts, limits, strict=True)
        if is_over
    )


def _told(cost: DailyCost) -> str:
    many = "1 container" if cost.containers == 1 else f"{cost.containers} containers"
    return (
        f"{cost.idle:,.2f} USD idle to {cost.busy:,.2f} USD with every processor in"
        f" use, for {many} all day: memory {cost.memory:,.2f},"
        f" disk {cost.disk:,.2f}, processors 0 to {cost.cpu:,.2f}, objects in memory"
        f" {cost.objects:,.2f}, requests {cost.requests:,.2f}; list prices, traffic not"
        f" counted. Workers Paid is {PLAN_PER_MONTH:.0f} USD a month and includes"
        f" {'; '.join(INCLUDED)}: not taken off here"
    )
