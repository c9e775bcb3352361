"""What others have to do with where a container is: for whom it waits, and how long.

``core.explain`` says what the record of a container says; here is what the fleet adds.
The index of who is awaited names the one that is missing, so nobody is looked for.
"""

from __future__ import annotations

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

__all__ = ("circumstances", "to_be")

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
