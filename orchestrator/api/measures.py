"""What is measured of a fleet: one value of each metric, for each set of labels.

Names of containers are bounded: declared ones come first, then the others, each in the
order of their names. What goes beyond the bound is told together, as ``_other``: states
and restarts are added up, of failures in a row and of waits the largest is told.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Final, TypeAlias

import attrs

from orchestrator.api.counts import Tally, backoff_s, is_ready
from orchestrator.codec.converter import tag_of
from orchestrator.core.exits import Exited
from orchestrator.core.lineages import ENDED, Rollout, RolloutStatus
from orchestrator.core.moments import Moment
from orchestrator.core.origins import Origin
from orchestrator.core.phases import PHASE_NAMES, Running, phase_name
from orchestrator.core.rollout_info import newest_rollout
from orchestrator.core.service_loads import service_load
from orchestrator.core.state import Container, Fleet
from orchestrator.runtime.telemetry import Telemetry

__all__ = (
    "OTHER",
    "Measure",
    "Named",
    "named_of",
    "of_fleet",
    "of_loads",
    "of_named",
    "of_others",
    "of_rollouts",
    "of_telemetry",
)

Measure: TypeAlias = tuple[str, tuple[str, ...], float]
"""The name of a metric, the values of its labels in order, the value."""

OTHER: Final = "_other"
"""The name that stands for all containers beyond the bound; none can be called so."""

_NONE: Final[Mapping[str, int]] = MappingProxyType({})

STATES: Final = tuple(PHASE_NAMES.values())


@attrs.frozen(kw_only=True)
class Named:
    """The containers with series of their own, at one moment, and their restarts."""

    containers: tuple[Container, ...]
    restarts: Mapping[str, Mapping[str, int]]

    def of(self, name: str) -> Mapping[str, int]:
        """Return the restarts that this operator has seen, by cause."""
        return self.restarts.get(name, _NONE)

    def causes(self) -> Counter[str]:
        """Return the restarts of all of them, by cause."""
        causes: Counter[str] = Counter()
        for restarts in self.restarts.values():
            causes.update(restarts)
        return causes


def named_of(fleet: Fleet, tally: Tally, telemetry: Telemetry) -> Named:
    """Return the first containers of a fleet, as many as have series of their own.

    Only these are looked at, but for ad-hoc ones whose names come before theirs.
    """
    most, containers = telemetry.names_max, fleet.containers
    declared = islice(
        (each for each in containers.values() if each.origin is Origin.MIN_REPLICA_SET),
        min(most, tally.declared),
    )
    others = islice(
        (each for each in containers.values() if each.origin is Origin.AD_HOC),
        max(0, min(most, len(containers)) - tally.declared),
    )
    chosen = (*declared, *others)
    seen = telemetry.restarts
    restarts = {
        each.name: dict(seen[each.name]) for each in chosen if each.name in seen
    }
    return Named(containers=chosen, restarts=restarts)


def of_named(named: Named, now: Moment) -> Iterator[Measure]:
    """Yield what is measured of each container with series of its own, *now*."""
    for container in named.containers:
        yield from _of_one(container, now, named.of(container.name))


def _of_one(
    container: Container, now: Moment, restarts: Mapping[str, int]
) -> Iterator[Measure]:
    name, phase = container.name, container.phase
    current = phase_name(phase)
    for state in STATES:
        yield "fleet_container_state", (name, state), float(state == current)
    yield "fleet_container_ready", (name,), float(is_ready(phase))
    for cause, count in sorted(restarts.items()):
        yield "fleet_container_restarts_total", (name, cause), count
    earlier = container.history.restarts_total - sum(restarts.values())
    yield "fleet_container_restarts_earlier", (name,), max(0, earlier)
    if container.last is not None:
        ended = container.last.exit
        kind = tag_of(type(ended))
        yield "fleet_container_last_exit_info", (name, kind), 1
        if isinstance(ended, Exited):
            yield "fleet_container_last_exit_code", (name,), ended.code
    failures = container.history.failed_in_a_row
    yield "fleet_container_backoff_seconds", (name,), backoff_s(phase)
    yield "fleet_container_consecutive_failures", (name,), failures
    up_ms = max(0, now - phase.since) if isinstance(phase, Running) else 0
    yield "fleet_container_uptime_seconds", (name,), up_ms / 1_000


def of_others(tally: Tally, named: Named, causes: Counter[str]) -> Iterator[Measure]:
    """Yield what is measured of all other containers, together.

    They are what is left of the whole *tally* without those that are *named*, as are
    their restarts of all *causes*: none of them is looked at.

    What a container had before this operator is no part of the restarts: the counter
    would rise by all of it at once whenever an operator starts, and pass for a storm.
    """
    rest = tally.without(Tally.of(named.containers))
    if not rest.phases:
        return
    for state in STATES:
        yield "fleet_container_state", (OTHER, state), rest.phases[state]
    yield "fleet_container_ready", (OTHER,), rest.ready
    restarts = causes - named.causes()
    for cause, count in sorted(restarts.items()):
        yield "fleet_container_restarts_total", (OTHER, cause), count
    earlier = max(0, rest.restarts - restarts.total())
    yield "fleet_container_restarts_earlier", (OTHER,), earlier
    yield "fleet_container_backoff_seconds", (OTHER,), max(rest.waits, default=0)
    failures = max(rest.failures, default=0)
    yield "fleet_container_consecutive_failures", (OTHER,), failures


def of_fleet(fleet: Fleet, tally: Tally) -> Iterator[Measure]:
    """Yield what is measured of the fleet as a whole; *tally* counts it."""
    for state in STATES:
        yield "fleet_containers", (state,), tally.phases[state]
    yield "fleet_desired_containers", (), tally.wanted
    yield "fleet_healthy_containers", (), tally.ready
    yield "fleet_strangers", (), len(fleet.strangers)
    yield "fleet_misplaced", (), tally.misplaced
    interval_s = fleet.settings.reconcile_interval_ms / 1_000
    yield "fleet_reconcile_interval_seconds", (), interval_s
    yield "fleet_epoch", (), fleet.epoch
    yield "fleet_revision", (), fleet.revision
    yield "fleet_notices_open", (), len(fleet.notices.open)
    yield "fleet_notices_lost_total", (), fleet.notices.lost


def of_rollouts(fleet: Fleet) -> Iterator[Measure]:
    """Yield what is measured of the newest rollout of each service."""
    newest = {
        name: rollout
        for name, lineage in fleet.lineages.items()
        if name in fleet.services and (rollout := newest_rollout(lineage)) is not None
    }
    statuses = Counter(rollout.status for rollout in newest.values())
    for status in RolloutStatus:
        yield "fleet_rollouts", (status.value,), statuses[status]
    for name, rollout in newest.items():
        share = _share(rollout, fleet.services[name].replicas)
        if share is not None:
            yield "fleet_rollout_progress_ratio", (name,), share
        if rollout.status not in ENDED:
            yield "fleet_rollout_failures", (name,), rollout.failures


def _share(rollout: Rollout, replicas: int) -> float | None:
    """Return how much of a rollout is over; None where it has ended without that."""
    if rollout.status in ENDED:
        return 1.0 if rollout.status is RolloutStatus.DONE else None
    return min(1.0, len(rollout.roster.counted) / replicas) if replicas else 1.0


def of_loads(fleet: Fleet, now: Moment) -> Iterator[Measure]:
    """Yield what is measured of services that scale by themselves."""
    for name, service in fleet.services.items():
        told = service_load(fleet, service, now)
        if told is None:
            continue
        yield "fleet_service_replicas", (name,), service.replicas
        yield "fleet_service_wanted", (name,), told.wanted
        if told.load is not None and service.replicas:
            ratio = told.load / (told.target * service.replicas)
            yield "fleet_service_load_ratio", (name,), ratio


def of_telemetry(telemetry: Telemetry, now: Moment) -> Iterator[Measure]:
    """Yield what the operator has counted and noted, but for durations."""
    seen = telemetry.looked_at
    age = math.inf if seen is None else max(0, now - seen) / 1_000
    yield "fleet_observation_age_seconds", (), age
    for (kind, outcome), count in sorted(telemetry.commands.items()):
        yield "fleet_commands_total", (kind, outcome), count
    for kind, count in sorted(telemetry.in_flight.items()):
        yield "fleet_commands_inflight", (kind,), count
    for (tag, outcome), count in sorted(telemetry.events.items()):
        yield "fleet_events_total", (tag, outcome), count
    yield "fleet_replay_divergence_total", (), telemetry.divergences
    compacted_s = telemetry.compacted_s
    since = math.inf if compacted_s is None else telemetry.clock() - compacted_s
    yield "fleet_log_compactions_total", (), telemetry.compactions
    yield "fleet_log_compaction_failures_total", (), telemetry.compaction_failures
    yield "fleet_log_compaction_age_seconds", (), since
    size = telemetry.journal_bytes()
    if size is not None:
        yield "fleet_log_bytes", (), size
