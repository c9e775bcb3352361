"""Whether what is asked for depends on somebody, and not on itself.

A fleet file is whole, and is read as a whole (``core.fleet_specs.FleetSpec``). Here is
what a single start, or a new file, means beside the containers that are there already.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from orchestrator.core.belonging import belonging_to
from orchestrator.core.dependencies import (
    A_SERVICE,
    CIRCLE,
    circle_text,
    circles,
    depth_of,
    needs_of,
)
from orchestrator.core.errors import InvalidSpec, Problem
from orchestrator.core.origins import Origin, Prune
from orchestrator.core.services import Service
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Fleet

__all__ = ("chain_length", "wrong_needs", "wrong_needs_of_fleet")


def chain_length(fleet: Fleet) -> int:
    """Return how many services the longest chain of dependencies has; 1 for none."""
    if not fleet.awaited:
        return 1
    specs = (container.spec for container in fleet.containers.values())
    return depth_of(needs_of((spec.service, spec.depends_on) for spec in specs))


def wrong_needs(fleet: Fleet, spec: ContainerSpec) -> InvalidSpec | None:
    """Say what is wrong with the dependencies of a container that is to start."""
    if not spec.depends_on:
        return None
    unknown = tuple(
        Problem(
            place=f"{spec.name}.depends_on.{service}",
            expected=A_SERVICE,
            found=repr(service),
            hint=_hint(fleet, service),
        )
        for service in spec.depends_on
        if service != spec.service and not _is_known(fleet, service)
    )
    if unknown:
        return InvalidSpec(problems=unknown)
    templates = [service.template for service in fleet.services.values()]
    if (
        spec.service not in spec.depends_on
        and spec.service not in fleet.awaited
        and not any(spec.service in each.depends_on for each in templates)
    ):
        return None  # nobody depends on it: it cannot close a circle
    others = (each for each in _specs(fleet) if each.name != spec.name)
    return _circle(f"{spec.name}.depends_on", (spec, *others))


def wrong_needs_of_fleet(
    fleet: Fleet,
    specs: tuple[ContainerSpec, ...],
    services: tuple[Service, ...],
    prune: Prune,
) -> InvalidSpec | None:
    """Say whether a fleet spec closes a circle with containers that stay beside it.

    What a service has no replicas of yet counts. One that declares nothing closes none,
    whatever stays: so all can be taken down.
    """
    if not fleet.awaited or not (specs or services):
        return None
    declared = {each.name for each in specs}
    staying = [
        container.spec
        for container in fleet.containers.values()
        if container.name not in declared
        and container.spec.depends_on
        and not container.leaving
        and (container.origin is Origin.AD_HOC or prune is Prune.KEEP)
    ]
    if not staying:
        return None
    templates = (service.template for service in services)
    return _circle("depends_on", (*specs, *templates, *staying))


def _circle(place: str, specs: tuple[ContainerSpec, ...]) -> InvalidSpec | None:
    needs = needs_of((each.service, each.depends_on) for each in specs)
    for circle in circles(needs):
        found = circle_text(circle)
        problem = Problem(place=place, expected=CIRCLE, found=found)
        return InvalidSpec(problems=(problem,))
    return None


def _specs(fleet: Fleet) -> Iterator[ContainerSpec]:
    for container in fleet.containers.values():
        yield container.spec
    for service in fleet.services.values():
        yield service.template


def _is_known(fleet: Fleet, service: str) -> bool:
    """Say whether there is a service; those that somebody needs are known by name."""
    entry = fleet.awaited.get(service)
    if service in fleet.services or (entry is not None and entry.members):
        return True
    own = fleet.containers.get(service)
    if own is not None and own.spec.service == service:
        return True
    templates = (each.template for each in fleet.services.values())
    is_member = any(template.service == service for template in templates)
    return is_member or bool(belonging_to(fleet, service))


def _hint(fleet: Fleet, service: str) -> str:
    known = sorted({spec.service for spec in _specs(fleet)})
    close = get_close_matches(service, known, n=1)
    return f'did you mean "{close[0]}"?' if close else ""
