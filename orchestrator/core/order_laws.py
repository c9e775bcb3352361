"""What must hold of dependencies after every step (see ``core.invariants``).

All of it looks at what a step has touched, and at entries of the index of who is
awaited; that the index itself says what a scan of the whole fleet would say is a
property (``property_tests/test_dependencies.py``).
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.core.awaiting import as_member, unmet
from orchestrator.core.dependencies import Condition
from orchestrator.core.phases import Pending
from orchestrator.core.state import Container, Fleet
from orchestrator.core.steps import Step
from orchestrator.core.uptimes import begun

__all__ = (
    "is_awaited_as_it_is",
    "is_kept_waiting",
    "no_start_before_its_dependencies",
    "nobody_is_kept_for_nobody",
    "nobody_waits_for_nothing",
)


def no_start_before_its_dependencies(step: Step) -> Iterable[str]:
    """Begin no run while a service that it depends on is not as it must be."""
    for command in begun(step):
        container = step.after.containers.get(command.name)
        if container is not None and unmet(step.after.awaited, container.spec):
            yield command.name


def nobody_waits_for_nothing(step: Step) -> Iterable[str]:
    """Keep nobody waiting for a service that has become as it must be."""
    for name in step.touched:
        for service in _services_of(step, name):
            entry = step.after.awaited.get(service)
            for condition in () if entry is None else entry.waiting:
                if entry is not None and entry.holds(Condition(condition)):
                    yield name


def nobody_is_kept_for_nobody(step: Step) -> Iterable[str]:
    """Hold a container that leaves only for others that still live."""
    for name in step.touched:
        for service in _services_of(step, name):
            entry = step.after.awaited.get(service)
            if entry is not None and entry.held and not entry.ending:
                yield name


def _services_of(step: Step, name: str) -> Iterable[str]:
    """Return the services that a container's move may matter to: its own, others."""
    for fleet in (step.before, step.after):
        container = fleet.containers.get(name)
        if container is not None:
            yield container.spec.service
            yield from container.spec.depends_on


def is_kept_waiting(fleet: Fleet, container: Container) -> bool:
    """Say whether a container stands among those who wait for its dependencies."""
    phase = container.phase
    if not isinstance(phase, Pending) or not phase.waits_for:
        return False
    entry = fleet.awaited.get(phase.waits_for)
    condition = container.spec.depends_on.get(phase.waits_for)
    if entry is None or condition is None:
        return False
    return container.name in (entry.waiting.get(condition) or ())


def is_awaited_as_it_is(fleet: Fleet, container: Container) -> bool:
    """Say whether the entries of its service and of others know a container."""
    if any(service not in fleet.awaited for service in container.spec.depends_on):
        return False
    entry = fleet.awaited.get(container.spec.service)
    if entry is None:
        return True
    member, name = as_member(container), container.name
    lacks = [each for each in Condition if name in (entry.lacking.get(each) or ())]
    found = (name in entry.asleep, name in entry.held)
    return tuple(lacks) == member.lacks and found == (member.is_asleep, member.is_held)
