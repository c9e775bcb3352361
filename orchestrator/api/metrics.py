"""Metrics for Prometheus, gathered at one moment and written out.

Gauges are read from the fleet when they are asked for; counters and histograms come
from ``runtime.telemetry`` and begin at zero with each operator. The names are in
``api.metric_names``.
"""

from __future__ import annotations

import asyncio
from collections import Counter
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

from orchestrator.api.counts import Tally
from orchestrator.api.live.hub import readers_of
from orchestrator.api.measures import (
    Measure,
    Named,
    named_of,
    of_fleet,
    of_loads,
    of_named,
    of_others,
    of_rollouts,
    of_telemetry,
)
from orchestrator.api.metric_names import METRICS
from orchestrator.api.metric_names import Named as Metrics
from orchestrator.codec.schema import SCHEMA
from orchestrator.core.moments import Moment
from orchestrator.core.state import RULES, Fleet
from orchestrator.runtime.leadership import Leadership, Role
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


@attrs.frozen(kw_only=True)
class _Moment:
    """What one answer shows, all of it as it was at one moment.

    What is counted in place is written down at once; the rest are values, and are read
    when the answer is written.
    """

    fleet: Fleet
    now: Moment
    tally: Tally
    named: Named
    causes: Counter[str]
    counted: tuple[Measure, ...]
    timed: tuple[Metric, ...]

    def metrics(self) -> Iterator[Metric]:
        """Yield every metric; those without a value now have only their name."""
        timed = {metric.name: metric for metric in self.timed}
        measured: dict[str, list[Measure]] = {named.name: [] for named in METRICS}
        for measure in self._measures():
            measured[measure[0]].append(measure)
        for named in METRICS:
            yield timed.get(named.name) or _family(named, measured[named.name])

    def _measures(self) -> Iterator[Measure]:
        yield from of_named(self.named, self.now)
        yield from of_others(self.tally, self.named, self.causes)
        yield from of_fleet(self.fleet, self.tally)
        yield from of_rollouts(self.fleet)
        yield from of_loads(self.fleet, self.now)
        yield from self.counted


def _moment(operator: Operator, tally: Tally, telemetry: Telemetry) -> _Moment:
    """Gather what there is now; its cost does not follow the size of the fleet."""
    fleet, now = operator.fleet, operator.feed.at
    return _Moment(
        fleet=fleet,
        now=now,
        tally=tally.copied(),
        named=named_of(fleet, tally, telemetry),
        causes=Counter(telemetry.causes),
        counted=(*of_telemetry(telemetry, now), *_of_operator(operator, telemetry)),
        timed=tuple(_timed(telemetry)),
    )


def _of_operator(operator: Operator, telemetry: Telemetry) -> Iterator[Measure]:
    yield "fleet_log_sequence", (), operator.seq
    yield "fleet_log_rows", (), operator.seq - telemetry.journal_base
    yield "fleet_log_unavailable", (), operator.journal_error is not None
    yield "fleet_invariant_violations_total", (), operator.violations
    yield "fleet_hook_failures_total", (), operator.hook_failures
    yield "fleet_live_readers", (), readers_of(operator)
    yield from _of_lease(operator.leadership)
    yield "fleet_build_info", (_version(), str(SCHEMA), str(RULES)), 1


def _of_lease(told: Leadership) -> Iterator[Measure]:
    yield "orchestrator_is_leader", (), told.role is Role.LEADER
    yield "orchestrator_lease_epoch", (), told.epoch
    if told.expires_in_ms is not None:
        left_s = told.expires_in_ms / 1_000
        yield "orchestrator_lease_expires_seconds", (), left_s
    yield "orchestrator_takeovers_total", (), told.takeovers
    yield "orchestrator_standby_lag_rows", (), told.lag_rows


def _timed(telemetry: Telemetry) -> Iterator[Metric]:
    timings: dict[str, list[tuple[tuple[str, ...], Timings]]] = {
        "fleet_command_duration_seconds": [
            ((kind,), timings) for kind, timings in sorted(telemetry.command_s.items())
        ],
        "fleet_event_lag_seconds": [((), telemetry.lag_s)],
        "fleet_reconcile_duration_seconds": [((), telemetry.look_s)],
        "fleet_log_commit_duration_seconds": [((), telemetry.commit_s)],
    }
    for named in METRICS:
        if named.kind == "histogram":
            yield _histogram(named, timings[named.name])


@cache
def _version() -> str:
    return version_of("cf-container-orchestrator")


def _family(named: Metrics, measures: Iterable[Measure]) -> Metric:
    family = (
        CounterMetricFamily(named.name, named.about, labels=named.labels)
        if named.kind == "counter"
        else GaugeMetricFamily(named.name, named.about, labels=named.labels)
    )
    for _, labels, value in measures:
        family.add_metric(labels, value)
    return family


def _histogram(
    named: Metrics, measures: Iterable[tuple[tuple[str, ...], Timings]]
) -> Metric:
    family = HistogramMetricFamily(named.name, named.about, labels=named.labels)
    for labels, timings in measures:
        bounds = (*(str(float(bound)) for bound in timings.bounds), "+Inf")
        buckets = list(zip(bounds, accumulate(timings.counts), strict=True))
        family.add_metric(labels, buckets, timings.sum_s)
    return family


async def scraped(
    operator: Operator, tally: Tally, telemetry: Telemetry | None = None
) -> tuple[bytes, str]:
    """Write everything in the text format of Prometheus; and say what it is.

    *tally* counts the fleet as it is now. The operator goes on while it is written. The
    numbers are those of one moment: they are gathered before anything is awaited.
    """
    moment = _moment(operator, tally, telemetry or operator.telemetry)
    body = await asyncio.to_thread(_written, moment)
    return body, CONTENT_TYPE_PLAIN_0_0_4


def _written(moment: _Moment) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(tuple(moment.metrics())))
    return generate_latest(registry)
