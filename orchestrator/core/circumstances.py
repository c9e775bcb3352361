"""What others have to do with where a container is: for whom it waits, and how long.

``core.explain`` says what the record of a container says; here is what the fleet adds.
The index of who is awaited names the one that is missing, so nobody is looked for.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from orchestrator.core.dependencies import Awaited, Condition
from orchestrator.core.phases import (
    BackingOff,
    Completed,
    CrashLooping,
    Failed,
    Pending,
    Phase,
    Running,
    Starting,
    Unknown,
    phase_name,
)
from orchestrator.core.state import Container, Fleet

__all__ = ("circumstances", "is_stuck", "to_be")

LOOKED_AT: Final = 100
"""Services, and members of each, that are looked through for one who waits."""

_TO_BE: Final[dict[Condition, str]] = {
    Condition.STARTED: "to have started",
    Condition.READY: "to be ready",
    Condition.COMPLETED: "to complete",
}


def to_be(container: Container, service: str) -> str:
    """Say what a container waits for a service to be."""
    condition = container.spec.depends_on.get(service)
    return "" if condition is None else f" {_TO_BE[condition]}"


def circumstances(fleet: Fleet, container: Container) -> str:
    """Say why what a container waits for is not so, and what would have to happen.

    Empty for one that waits for nobody.
    """
    phase = container.phase
    if container.stops_after and isinstance(phase, Starting | Running | Unknown):
        own = fleet.awaited.get(container.spec.service)
        last = None if own is None else own.ending.first()
        return "" if last is None else f"; {last[0]} still lives"
    if not isinstance(phase, Pending) or not phase.waits_for:
        return ""
    service = phase.waits_for
    entry = fleet.awaited.get(service)
    condition = container.spec.depends_on.get(service)
    if entry is None or condition is None or not entry.members:
        return f"; there is no container of {service}: it waits until there is one"
    if not entry.wanted:
        return f"; {service} is stopped: it waits until its owner starts it"
    return f"; {_missing(fleet, entry, condition)}"


def is_stuck(fleet: Fleet, container: Container) -> bool:
    """Say whether a container waits for what does not come to be by itself.

    Nobody of the service shall run, or one that lacks the condition rests for good, or
    is stuck itself. Far more than any fleet has is not looked at: it counts as coming.
    """
    rest, seen = [container], set[tuple[str, Condition | None]]()
    while rest and len(seen) < LOOKED_AT:
        one = rest.pop()
        phase = one.phase
        if not isinstance(phase, Pending) or not phase.waits_for:
            continue
        service = phase.waits_for
        condition = one.spec.depends_on.get(service)
        if (service, condition) in seen:
            continue
        seen.add((service, condition))
        entry = fleet.awaited.get(service)
        if entry is None or condition is None or not entry.wanted:
            return True
        lacking = islice(entry.lacking.get(condition) or (), LOOKED_AT)
        others = [fleet.containers[name] for name in lacking]
        if any(_is_final(other.phase) for other in others):
            return True
        rest += others
    return False


def _is_final(phase: Phase) -> bool:
    """Say whether one that lacks a condition in a phase lacks it for good."""
    match phase:
        case Failed() | Completed() | CrashLooping(until=None):
            return True
        case _:
            return False


def _missing(fleet: Fleet, entry: Awaited, condition: Condition) -> str:
    """Name the first member that is not as it must be, and what it is instead."""
    lacking = tuple(entry.lacking.get(condition) or ())
    other = fleet.containers.get(lacking[0]) if lacking else None
    if other is None:
        return "it is about to go on"
    more = f" (and {len(lacking) - 1} more)" if len(lacking) > 1 else ""
    return f"{other.name}{more} {_is(other.phase, condition)}"


def _is(phase: Phase, condition: Condition) -> str:
    match phase:
        case Failed() | CrashLooping(until=None):
            state = "has failed" if isinstance(phase, Failed) else "is crash-looping"
            return (
                f"{state}, and stays so: it will not start until that one is started"
                " with force, or has another spec"
            )
        case Completed():
            return (
                "has completed, and is not ready any more: it will not start until that"
                " one is started with force, or has another spec"
            )
        case Pending(waits_for=service) if service:
            return f"waits for {service} itself"
        case BackingOff() | CrashLooping():
            return f"is {phase_name(phase).replace('_', ' ')}, and is tried again"
        case Running() if condition is Condition.COMPLETED:
            return "runs, and is not done yet"
        case Running():
            return "runs, and is not ready"
        case _:
            return f"is {phase_name(phase)}"
