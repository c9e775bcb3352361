"""Who belongs to which service: looked up, not searched for in a whole fleet.

An index *beside* the fields of a fleet. It follows from the specs: so it is written
nowhere, no two fleets differ by it, and none has it before somebody asks. Then all
containers are looked at, once. Each fleet that comes of that one has it, too, kept true
where containers come, go, or are given to another service (``core.drafts``): an event
that only moves one pays nothing for it.

Note [Beside the fields]. A fleet is opened for change, and closed, with all that is in
its ``__dict__`` (``core.evolving``), and there the index is, under a name that is no
field's. Whoever makes a fleet of fields (``evolve``, a reader) makes one without: so an
index never belongs to other containers than those it stands beside.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Protocol, TypeAlias

from orchestrator.core.mutable_table import MutableTable
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container
from orchestrator.core.table import Table

__all__ = ("Held", "belonging_to", "is_indexed", "reassign")

_Index: TypeAlias = Table[str, Table[str, None]]
"""The names of the replicas of each service that has any."""

_BESIDE: Final = "_belonging"


class Held(Protocol):
    """What holds containers: a fleet, or one that is open for change."""

    @property
    def containers(self) -> Table[str, Container] | MutableTable[str, Container]:
        """Return all of them, by name."""
        ...


def belonging_to(fleet: Held, service: str) -> tuple[Container, ...]:
    """Return the replicas of a service in the order of their names, whoever they are.

    Ad-hoc ones, and those on their way out, are among them. A container of its own is
    no replica: its service has its name.
    """
    beside: dict[str, Any] = vars(fleet)
    index: _Index | None = beside.get(_BESIDE)
    if index is None:
        index = beside[_BESIDE] = _searched(fleet.containers.values())
    containers = fleet.containers
    return tuple(containers[name] for name in index.get(service) or ())


def is_indexed(fleet: Held) -> bool:
    """Say whether a fleet has an index: to ask it costs no search."""
    return _BESIDE in vars(fleet)


def _searched(containers: Iterable[Container]) -> _Index:
    """Look at all containers: as often as a fleet has no index yet."""
    found: dict[str, list[tuple[str, None]]] = {}
    for container in containers:
        service = container.spec.service
        if service != container.name:
            found.setdefault(service, []).append((container.name, None))
    return Table.of((service, Table.of(row)) for service, row in found.items())


def reassign(
    draft: Held, name: str, before: ContainerSpec | None, after: ContainerSpec | None
) -> None:
    """Keep the index true where a container gets another spec; None: it has none.

    Others may hold the index of the fleet that was opened: it is not changed in place.
    """
    beside: dict[str, Any] = vars(draft)
    index: _Index | None = beside.get(_BESIDE)
    was, now = _service_of(name, before), _service_of(name, after)
    if index is None or was == now:
        return
    if was:
        rest = (index.get(was) or Table[str, None]()).drop(name)
        index = index.put(was, rest) if rest else index.drop(was)
    if now:
        row = index.get(now) or Table[str, None]()
        index = index.put(now, row.put(name, None))
    beside[_BESIDE] = index


def _service_of(name: str, spec: ContainerSpec | None) -> str:
    """Return of which service a container is a replica; "" where of none."""
    return "" if spec is None or spec.service == name else spec.service
