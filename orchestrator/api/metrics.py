"""Metrics for Prometheus, gathered at one moment and written out.

Gauges are read from the fleet when they are asked for; counters and histograms come
from ``runtime.telemetry`` and begin at zero with each operator. The names are in
``api.metric_names``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import version as version_of
from itertools import accumulate

import attrs
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from orchestrator.api.live.hub import readers_of
from orchestrator.api.measures import (
    Measure,
    of_containers,
    of_fleet,
    of_loads,
    of_rollouts,
    of_telemetry,
)
from orchestrator.api.metric_names import METRICS, Named
from orchestrator.codec.schema import SCHEMA
from orchestrator.core.state import RULES
from orchestrator.runtime.operator import Operator
from orchestrator.runtime.telemetry import Telemetry, Timings

__all__ = ("scraped",)


@attrs.frozen(eq=False)
class _Collected(Collector):
    """What the library writes out."""

    metrics: tuple[Metric, ...]

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        return iter(self.metrics)


@attrs.frozen
class _Gathering:
    """What one answer shows."""

    operator: Operator
    telemetry: Telemetry

    def collect(self) -> Iterator[Metric]:
        """Yield every metric; those without a value now have only their name."""
        measured: dict[str, list[Measure]] = {named.name: [] for named in METRICS}
        for measure in self._measures():
            measured[measure[0]].append(measure)
        timings = self._timings()
        for named in METRICS:
            if named.kind == "histogram":
                yield _histogram(named, timings[named.name])
            else:
                yield _family(named, measured[named.name])

    def _measures(self) -> Iterator[Measure]:
        operator, telemetry = self.operator, self.telemetry
        fleet, now = operator.fleet, operator.feed.at
        yield from of_containers(fleet, now, telemetry)
        yield from of_fleet(fleet)
        yield from of_rollouts(fleet)
        yield from of_loads(fleet, now)
        yield from of_telemetry(telemetry, now)
        yield "fleet_log_sequence", (), operator.seq
        yield "fleet_log_unavailable", (), operator.journal_error is not None
        yield "fleet_invariant_violations_total", (), operator.violations
        yield "fleet_hook_failures_total", (), operator.hook_failures
        yield "fleet_live_readers", (), readers_of(operator)
        yield "fleet_build_info", (_version(), str(SCHEMA), str(RULES)), 1

    def _timings(self) -> dict[str, list[tuple[tuple[str, ...], Timings]]]:
        telemetry = self.telemetry
        return {
            "fleet_command_duration_seconds": [
                ((kind,), timings)
                for kind, timings in sorted(telemetry.command_s.items())
            ],
            "fleet_event_lag_seconds": [((), telemetry.lag_s)],
            "fleet_reconcile_duration_seconds": [((), telemetry.look_s)],
            "fleet_log_commit_duration_seconds": [((), telemetry.commit_s)],
        }


@cache
def _version() -> str:
    return version_of("cf-container-orchestrator")


def _family(named: Named, measures: Iterable[Measure]) -> Metric:
    family = (
        CounterMetricFamily(named.name, named.about, labels=named.labels)
        if named.kind == "counter"
        else GaugeMetricFamily(named.name, named.about, labels=named.labels)
    )
    for _, labels, value in measures:
        family.add_metric(labels, value)
    return family


def _histogram(
    named: Named, measures: Iterable[tuple[tuple[str, ...], Timings]]
) -> Metric:
    family = HistogramMetricFamily(named.name, named.about, labels=named.labels)
    for labels, timings in measures:
        bounds = (*(str(float(bound)) for bound in timings.bounds), "+Inf")
        buckets = list(zip(bounds, accumulate(timings.counts), strict=True))
        family.add_metric(labels, buckets, timings.sum_s)
    return family


async def scraped(
    operator: Operator, telemetry: Telemetry | None = None
) -> tuple[bytes, str]:
    """Write everything in the text format of Prometheus; and say what it is.

    The operator goes on while it is written. The numbers are those of one moment: they
    are gathered before anything is awaited.
    """
    gathering = _Gathering(operator, telemetry or operator.telemetry)
    body = await asyncio.to_thread(_written, tuple(gathering.collect()))
    return body, CONTENT_TYPE_PLAIN_0_0_4


def _written(metrics: tuple[Metric, ...]) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(metrics))
    return generate_latest(registry)
