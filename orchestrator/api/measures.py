"""What is measured of a fleet: one value of each metric, for each set of labels.

Names of containers are bounded: declared ones come first, then the others, each in the
order of their names. What goes beyond the bound is told together, as ``_other``: states
and restarts are added up, of failures in a row and of waits the largest is told.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from orchestrator.codec.converter import tag_of
from orchestrator.core.exits import Exited
from orchestrator.core.lineages import ENDED, Rollout, RolloutStatus
from orchestrator.core.moments import Moment
from orchestrator.core.origins import Origin
from orchestrator.core.phases import (
    PHASE_NAMES,
    BackingOff,
    CrashLooping,
    Running,
    phase_name,
)
from orchestrator.core.placing import misplaced
from orchestrator.core.rollout_info import newest_rollout
from orchestrator.core.service_loads import service_load
from orchestrator.core.state import Container, Fleet
from orchestrator.runtime.telemetry import Telemetry

__all__ = (
    "OTHER",
    "Measure",
    "of_containers",
    "of_fleet",
    "of_loads",
    "of_rollouts",
    "of_telemetry",
)

Measure: TypeAlias = tuple[str, tuple[str, ...], float]
"""The name of a metric, the values of its labels in order, the value."""

OTHER: Final = "_other"
"""The name that stands for all containers beyond the bound; none can be called so."""

STATES: Final = tuple(PHASE_NAMES.values())


def of_containers(fleet: Fleet, now: Moment, telemetry: Telemetry) -> Iterator[Measure]:
    """Yield what is measured of each container, *now*."""
    ordered = sorted(
        fleet.containers.values(),
        key=lambda each: (each.origin is not Origin.MIN_REPLICA_SET, each.name),
    )
    named, rest = ordered[: telemetry.names_max], ordered[telemetry.names_max :]
    for container in named:
        yield from _of_one(container, now, telemetry)
    if rest:
        yield from _of_others(rest, telemetry)


def _of_one(
    container: Container, now: Moment, telemetry: Telemetry
) -> Iterator[Measure]:
    name, phase = container.name, container.phase
    current = phase_name(phase)
    for state in STATES:
        yield "fleet_container_state", (name, state), float(state == current)
    ready = isinstance(phase, Running) and phase.ready_at is not None
    yield "fleet_container_ready", (name,), float(ready)
    restarts = _restarts(container, telemetry)
    for cause, count in sorted(restarts.items()):
        yield "fleet_container_restarts_total", (name, cause), count
    earlier = _earlier(container, restarts)
    yield "fleet_container_restarts_earlier", (name,), earlier
    if container.last is not None:
        ended = container.last.exit
        kind = tag_of(type(ended))
        yield "fleet_container_last_exit_info", (name, kind), 1
        if isinstance(ended, Exited):
            yield "fleet_container_last_exit_code", (name,), ended.code
    failures = container.history.failed_in_a_row
    yield "fleet_container_backoff_seconds", (name,), _backoff_s(container)
    yield "fleet_container_consecutive_failures", (name,), failures
    up_ms = max(0, now - phase.since) if isinstance(phase, Running) else 0
    yield "fleet_container_uptime_seconds", (name,), up_ms / 1_000


def _of_others(rest: Iterable[Container], telemetry: Telemetry) -> Iterator[Measure]:
    """Yield what is measured of all containers beyond the bound, together."""
    states: Counter[str] = Counter()
    restarts: Counter[str] = Counter()
    ready = failures = earlier = 0
    backoff = 0.0
    for container in rest:
        phase = container.phase
        states[phase_name(phase)] += 1
        ready += isinstance(phase, Running) and phase.ready_at is not None
        own = _restarts(container, telemetry)
        restarts.update(own)
        earlier += _earlier(container, own)
        failures = max(failures, container.history.failed_in_a_row)
        backoff = max(backoff, _backoff_s(container))
    for state in STATES:
        yield "fleet_container_state", (OTHER, state), states[state]
    yield "fleet_container_ready", (OTHER,), ready
    for cause, count in sorted(restarts.items()):
        yield "fleet_container_restarts_total", (OTHER, cause), count
    yield "fleet_container_restarts_earlier", (OTHER,), earlier
    yield "fleet_container_backoff_seconds", (OTHER,), backoff
    yield "fleet_container_consecutive_failures", (OTHER,), failures


def _restarts(container: Container, telemetry: Telemetry) -> Counter[str]:
    """Return the restarts of a container that this operator has seen, by cause."""
    return Counter(telemetry.restarts.get(container.name, {}))


def _earlier(container: Container, seen: Counter[str]) -> int:
    """Return how many restarts a container had before this operator.

    They are no part of the counter: it would rise by all of them at once whenever an
    operator starts, and pass for a storm of restarts.
    """
    return max(0, container.history.restarts_total - seen.total())


def _backoff_s(container: Container) -> float:
    """Return the whole wait that the policy has decided on; infinite where it holds."""
    match container.phase:
        case CrashLooping(until=None):
            return math.inf
        case BackingOff(since=since, until=int(until)):
            return max(0, until - since) / 1_000
        case CrashLooping(since=since, until=int(until)):
            return max(0, until - since) / 1_000
        case _:
            return 0.0


def of_fleet(fleet: Fleet) -> Iterator[Measure]:
    """Yield what is measured of the fleet as a whole."""
    containers = tuple(fleet.containers.values())
    phases = Counter(phase_name(container.phase) for container in containers)
    for state in STATES:
        yield "fleet_containers", (state,), phases[state]
    wanted = sum(container.desired.running for container in containers)
    healthy = sum(
        isinstance(container.phase, Running) and container.phase.ready_at is not None
        for container in containers
    )
    yield "fleet_desired_containers", (), wanted
    yield "fleet_healthy_containers", (), healthy
    yield "fleet_strangers", (), len(fleet.strangers)
    placed = [container for container in containers if container.place]
    yield "fleet_misplaced", (), sum(map(bool, map(misplaced, placed)))
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
    size = telemetry.journal_bytes()
    if size is not None:
        yield "fleet_log_bytes", (), size
