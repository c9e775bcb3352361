"""Eventually stable reconciliation: by when a fleet must be where it was asked to be.

Once the owner stops changing the spec and the faults stop, the fleet reaches what was
asked for within a bound that its policies and settings say, and stays there. For a
container whose policy has given up, or waits, that is what was asked for.

The bound, in this order: the longest wait that a policy may be in; one start that runs
into its timeout; one stop that runs into its grace, is looked for, and destroyed; what
health checks take to notice; the starts that are needed, as many at once and a minute
as the fleet lets go; and three reconcile intervals, in which a look finds what nobody
has told. How long a custom policy waits is known to its program alone.
"""

from __future__ import annotations

from typing import Final, assert_never

from orchestrator.core.backoff import longest_wait
from orchestrator.core.moments import Millis
from orchestrator.core.moves import CONFIRM_MARGIN_MS
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
from orchestrator.core.specs import ContainerSpec, FleetSettings
from orchestrator.core.state import Container, Fleet
from orchestrator.core.wake import MINUTE, OBSERVE_RETRY_MS, may_replace

__all__ = ("bound_of", "is_settled", "unsettled")

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
    return (
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
    that it stays until somebody asks.
    """
    wanted = container.desired.running
    match container.phase:
        case Running(ready_at=ready_at):
            return wanted and ready_at is not None
        case Stopped():
            return not wanted
        case Completed() | Failed() | Asleep() | CrashLooping(until=None):
            return wanted
        case Pending() | Starting() | Stopping() | Unknown():
            return False
        case BackingOff() | CrashLooping():
            return False
        case _:
            assert_never(container.phase)


def unsettled(fleet: Fleet, doomed: dict[str, object]) -> tuple[str, ...]:
    """Return who is not where it should be, but for the doomed and their groups."""
    spoilt = {
        container.spec.group.group
        for name in doomed
        if (container := fleet.containers.get(name)) is not None
        and container.spec.group is not None
    }
    return tuple(
        name
        for name, container in fleet.containers.items()
        if name not in doomed
        and not (container.spec.group and container.spec.group.group in spoilt)
        and not is_settled(container)
    )
