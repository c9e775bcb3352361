"""Who belongs to which service: looked up, not searched for in a whole fleet.

The core has an index of that beside a fleet, once it has needed one
(``core.belonging``). Who reads must not make it: then the newest fleet is searched
once. From then on the names that rows touch are noted, and looked at when somebody asks
again: so a row costs next to nothing, and an answer what has changed since the last
one, and those whom it names. Where nobody asks for so long that a search costs no more,
all is forgotten until somebody does.
"""

from __future__ import annotations

from typing import Final

from orchestrator.core.belonging import belonging_to, is_indexed
from orchestrator.core.state import Container, Fleet
from orchestrator.core.steps import Step

__all__ = ("Members", "searched")

NOTED_MIN: Final = 1_000
"""Names that may be noted at least, also where there are fewer containers."""


class Members:
    """The replicas of each service of the newest fleet: also those on their way out."""

    def __init__(self, fleet: Fleet) -> None:
        """Begin with a fleet; ``see`` is told of every step to come."""
        self._newest = fleet
        self._is_known = False
        self._services: dict[str, str] = {}
        self._names: dict[str, set[str]] = {}
        self._noted: list[tuple[str, ...]] = []
        self._left = 0

    def see(self, step: Step) -> None:
        """Note whom a step has touched, where that is worth it."""
        self._newest = step.after
        if self._is_known and step.touched:
            self._noted.append(step.touched)
            self._left -= len(step.touched)
            if self._left < 0:
                self._forget()

    def of(self, fleet: Fleet, service: str) -> tuple[Container, ...]:
        """Return the replicas of a service, in the order of their names.

        Those of a fleet that is not the newest, and has no index, are searched for.
        """
        if is_indexed(fleet):
            return belonging_to(fleet, service)
        if fleet is not self._newest:
            return searched(fleet, service)
        if self._is_known:
            for names in self._noted:
                for name in names:
                    self._look_at(name, fleet.containers.get(name))
        else:
            for container in fleet.containers.values():
                self._look_at(container.name, container)
        self._is_known, self._left = True, max(NOTED_MIN, len(fleet.containers))
        self._noted.clear()
        found = sorted(self._names.get(service, ()))
        return tuple(fleet.containers[name] for name in found)

    def _look_at(self, name: str, container: Container | None) -> None:
        """Note of which service a container is, if it is a replica of one."""
        service = "" if container is None else container.spec.service
        now = "" if service == name else service
        was = self._services.get(name, "")
        if was == now:
            return
        if was:
            del self._services[name]
            self._names[was].discard(name)
            if not self._names[was]:
                del self._names[was]
        if now:
            self._names.setdefault(now, set()).add(name)
            self._services[name] = now

    def _forget(self) -> None:
        self._is_known = False
        for kept in (self._services, self._names, self._noted):
            kept.clear()


def searched(fleet: Fleet, service: str) -> tuple[Container, ...]:
    """Return the replicas of a service, in the order of their names.

    This goes through a whole fleet; a container that is its own service is no replica.
    """
    return tuple(
        container
        for container in fleet.containers.values()
        if container.spec.service == service != container.name
    )
