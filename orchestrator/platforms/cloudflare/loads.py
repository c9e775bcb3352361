"""What services bear on Cloudflare: requests in flight, and the processors' time.

*In flight*: each container's object counts the owner's own traffic, and sums it up over
time (``worker/traffic.js``). The average since the last question is what is told. One
that does not answer counts as the others of its service do on the average; a service of
which nobody answers is not measured.

*Processors*: Cloudflare's metrics tell the seconds that each container has used, some
minutes late (``metrics``). A service of which nothing is known yet is not measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias, assert_never

import attrs
from returns.result import Failure, Result, Success

from orchestrator.core.autoscaling import Metric
from orchestrator.core.errors import PlatformError, Refused, Unreachable
from orchestrator.platforms.cloudflare.http import Tree
from orchestrator.platforms.cloudflare.lister import Lister
from orchestrator.platforms.cloudflare.rest.metrics import SPAN_MS, Metrics
from orchestrator.platforms.measuring import MeasuredService

__all__ = ("LoadReader",)

Loads: TypeAlias = Mapping[str, float]

OLD: Final = (
    "the gateway counts no traffic: run `orchestrator gateway init` again and deploy"
)
NO_ACCOUNT: Final = (
    "platform.account_id and an API token are needed to read Cloudflare's metrics"
)


@attrs.frozen(kw_only=True)
class _Count:
    """What an object has counted, by its own clock."""

    in_flight: int
    busy_ms: int
    since: int
    now: int

    def after(self, before: _Count | None) -> float:
        """Return what was in flight on the average since an earlier count."""
        begin = before if before is not None and before.since == self.since else None
        if before is None or self.now <= (begin.now if begin else self.since):
            return float(self.in_flight)
        if begin is None:  # it counts anew: it was evicted meanwhile
            return self.busy_ms / (self.now - self.since)
        return max(0, self.busy_ms - begin.busy_ms) / (self.now - begin.now)


class LoadReader:
    """Measures the services of a fleet."""

    def __init__(self, lister: Lister, fleet: str, metrics: Metrics | None) -> None:
        """Ask *lister* for traffic, and *metrics* for the processors' time."""
        self._lister = lister
        self._fleet = fleet
        self._metrics = metrics
        self._counts: dict[str, _Count] = {}

    async def read(
        self, metric: Metric, services: tuple[MeasuredService, ...], epoch: int | None
    ) -> Result[Loads, PlatformError]:
        """Return the load of each service that could be measured."""
        match metric:
            case Metric.IN_FLIGHT:
                return await self._in_flight(services, epoch)
            case Metric.CPU:
                return await self._cpu(services)
            case Metric.PUSHED:
                return Success({})
            case _:
                assert_never(metric)

    async def close(self) -> None:
        """Let go of the connections."""
        if self._metrics is not None:
            await self._metrics.close()

    # Requests in flight

    async def _in_flight(
        self, services: tuple[MeasuredService, ...], epoch: int | None
    ) -> Result[Loads, PlatformError]:
        told = await self._lister.listed(epoch)
        if isinstance(told, Failure):
            error = told.failure()
            is_old = isinstance(error, Refused) and "no such path" in error.cause
            return Failure(Refused(cause=OLD) if is_old else error)
        counts = _counts(told.unwrap().items)
        if counts is None:
            cause = "the loads that the gateway told are not understood"
            return Failure(Unreachable(cause=cause))
        means = {
            name: None if count is None else count.after(self._counts.get(name))
            for name, count in counts.items()
        }
        self._counts = {
            name: count for name, count in counts.items() if count is not None
        }
        sums = ((one.name, _sum_of(one.containers, means)) for one in services)
        return Success({name: load for name, load in sums if load is not None})

    # The processors' time

    async def _cpu(
        self, services: tuple[MeasuredService, ...]
    ) -> Result[Loads, PlatformError]:
        if self._metrics is None:
            return Failure(Refused(cause=NO_ACCOUNT))
        used = await self._metrics.cpu_seconds(self._fleet)
        return used.map(lambda seconds: dict(_percents(services, seconds)))


def _counts(items: Iterable[Tree]) -> dict[str, _Count | None] | None:
    """Read what containers bear; None of one that did not answer."""
    found: dict[str, _Count | None] = {}
    for item in items:
        match item:
            case {
                "name": str(name),
                "in_flight": int(in_flight),
                "busy_ms": int(busy_ms),
                "since": int(since),
                "now": int(now),
            }:
                found[name] = _Count(
                    in_flight=in_flight, busy_ms=busy_ms, since=since, now=now
                )
            case {"name": str(name)}:
                found[name] = None
            case _:
                return None
    return found


def _sum_of(
    containers: Iterable[str], means: Mapping[str, float | None]
) -> float | None:
    """Sum up what containers bear; who did not answer bears what the others do."""
    asked = [means[name] for name in containers if name in means]
    known = [mean for mean in asked if mean is not None]
    return sum(known) * len(asked) / len(known) if known else None


def _percents(
    services: Iterable[MeasuredService], seconds: Mapping[str, float]
) -> Iterable[tuple[str, float]]:
    """Yield what each service uses, in percent of what one replica may."""
    for service in services:
        used = [seconds[name] for name in service.containers if name in seconds]
        if used:
            may_use_ms = SPAN_MS * service.template.instance_type.vcpu
            yield service.name, sum(used) * 100_000 / may_use_ms
