"""Eventually stable reconciliation: by when a fleet must be where it was asked to be.

Once the owner stops changing the spec and the faults stop, the fleet reaches what was
asked for within a bound that its policies and settings say, and stays there. For a
container whose policy has given up, or waits, that is what was asked for.

The bound, in this order: the longest wait that a policy may be in; one start that runs
into its timeout; one stop that runs into its grace, is looked for, and destroyed; what
health checks take to notice; the starts that are needed, as many at once and a minute
as the fleet lets go; and three reconcile intervals, in which a look finds what nobody
has told. How long a custom policy waits is known to its program alone. All of that once
for each link of the longest chain of dependencies: who waits begins when others are up.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, assert_never

from orchestrator.core.awaiting import unmet
from orchestrator.core.backoff import longest_wait
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.moments import Millis
from orchestrator.core.moves import CONFIRM_MARGIN_MS
from orchestrator.core.needs import chain_length
from orchestrator.core.phases import (
    Asleep,
    BackingOff,
    Completed,
    CrashLooping,
    Failed,
    Pending,
    Running,
    Starting,
    Stopped,
    Stopping,
    Unknown,
)
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container, Fleet
from orchestrator.core.wake import MINUTE, OBSERVE_RETRY_MS, may_replace

__all__ = ("bound_of", "is_settled", "spoilt_by", "unsettled")

STOP_STEPS: Final = 4
"""Confirmations that a stop may wait for: signalled, looked for, destroyed, again."""

LOOK_MS: Final[Millis] = 10_000
"""What a look may take where nobody says how often the fleet is looked at."""


def bound_of(fleet: Fleet, *, custom_ms: Millis = 0) -> Millis:
    """Return within how long a fleet must settle, once nothing fails any more.

    *custom_ms* is the longest wait of its custom policies.

    >>> from orchestrator.core.state import empty_fleet
    >>> bound_of(empty_fleet("demo"))
    180000

    """
    containers = tuple(fleet.containers.values())
    waits = [_longest_wait(container, fleet) for container in containers]
    timeouts = [container.spec.start_timeout_ms for container in containers]
    stops = [_stop_ms(container.spec) for container in containers]
    notices = [_notice_ms(container.spec) for container in containers]
    look_ms = fleet.settings.reconcile_interval_ms or LOOK_MS
    return chain_length(fleet) * (
        max(custom_ms, *waits, 0)
        + max(timeouts, default=0)
        + max(stops, default=0)
        + max(notices, default=0)
        + _starts_ms(len(containers), max(timeouts, default=0), fleet.settings)
        + 3 * max(look_ms, OBSERVE_RETRY_MS)
    )


def _longest_wait(container: Container, fleet: Fleet) -> Millis:
    """Return the longest that a container may have to wait for its next start."""
    policy = container.spec.restart
    waits = [
        longest_wait(policy.backoff),
        policy.min_interval_ms,
        policy.crash.window_ms,
        fleet.settings.min_restart_delay_ms,
    ]
    if may_replace(container, fences=fleet.fences):
        waits.append(policy.lost_after_ms)
    until = getattr(container.phase, "until", None)
    if until is not None:
        waits.append(until - fleet.at)
    return max(waits)


def _notice_ms(spec: ContainerSpec) -> Millis:
    """Return how long health checks take to notice what is well, or is not any more."""
    total = 0
    for _, check in spec.health.all():
        rows = max(check.success_threshold, check.failure_threshold) + 1
        total += check.initial_delay_ms + rows * check.period_ms
    return total


def _stop_ms(spec: ContainerSpec) -> Millis:
    return spec.stop_grace_ms + STOP_STEPS * CONFIRM_MARGIN_MS


def _starts_ms(count: int, timeout_ms: Millis, settings: FleetSettings) -> Millis:
    """Return how long *count* starts take, where each may run into its timeout."""
    turns = -(-count // settings.max_concurrent_starts)
    rate = settings.max_starts_per_minute
    minutes = 0 if rate is None else -(-count // rate)
    return max(0, turns - 1) * timeout_ms + minutes * MINUTE


def is_settled(container: Container) -> bool:
    """Say whether a container is where its owner and its policy want it.

    At work and ready; at rest because it is not wanted; or where the policy has said
    that it stays until somebody asks. One that waits for others is where it should be,
    as long as they are not.
    """
    wanted = container.desired.running
    match container.phase:
        case Running(ready_at=ready_at):
            return wanted and ready_at is not None
        case Stopped():
            return not wanted
        case Completed() | Failed() | Asleep() | CrashLooping(until=None):
            return wanted
        case Pending(waits_for=service):
            return wanted and service != ""
        case Starting() | Stopping() | Unknown():
            return False
        case BackingOff() | CrashLooping():
            return False
        case _:
            assert_never(container.phase)


def unsettled(fleet: Fleet, doomed: dict[str, object]) -> tuple[str, ...]:
    """Return who is not where it should be, but for those whom the doomed concern."""
    specs = (container.spec for container in fleet.containers.values())
    spoilt = spoilt_by(doomed, specs)
    return tuple(
        name
        for name, container in fleet.containers.items()
        if name not in doomed
        and name not in spoilt
        and not (is_settled(container) and _waits_rightly(fleet, container))
    )


def _waits_rightly(fleet: Fleet, container: Container) -> bool:
    """Say whether one that waits for others must, and has woken those asleep."""
    phase = container.phase
    if not isinstance(phase, Pending) or not phase.waits_for:
        return True
    service = unmet(fleet.awaited, container.spec)
    entry = fleet.awaited.get(service)
    return service != "" and (entry is None or not entry.asleep)


def spoilt_by(doomed: Iterable[str], specs: Iterable[ContainerSpec]) -> frozenset[str]:
    """Return the doomed, and those whom they keep from settling.

    These are the others of their groups, and whoever depends on any of all these.
    """
    rest = {spec.name: spec for spec in specs}
    spoilt, groups, services = set(doomed), set[str](), set[str]()
    news = [rest.pop(name) for name in doomed if name in rest]
    while news:
        services |= {spec.service for spec in news}
        groups |= {spec.group.group for spec in news if spec.group is not None}
        news = [
            spec
            for spec in rest.values()
            if (spec.group is not None and spec.group.group in groups)
            or any(service in services for service in spec.depends_on)
        ]
        for spec in news:
            spoilt.add(spec.name)
            del rest[spec.name]
    return frozenset(spoilt)
