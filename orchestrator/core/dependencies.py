"""Who needs whom: conditions on other services, and circles of them.

A container *depends on* services: it is not started before each of them is started,
ready or completed, as its spec says. A condition on a service holds when it holds for
each of its members that shall run, and there is one. Who waits, and who stops after
whom, is said in ``core.ordering``; here is what a spec may say of it, and the record
that a fleet keeps of each service that is needed (``Awaited``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Final

import attrs

from orchestrator.core.evolving import quick
from orchestrator.core.fields import pairs
from orchestrator.core.names import is_name
from orchestrator.core.table import Table

__all__ = (
    "A_SERVICE",
    "CIRCLE",
    "Awaited",
    "Condition",
    "circle_text",
    "circles",
    "depth_of",
    "is_dependency_table",
    "needs_of",
    "refusal",
)


class Condition(StrEnum):
    """What must be so of a service before those that depend on it start.

    ``started``: a process runs, or its work is done already. ``ready``: it accepts
    work. ``completed``: its work is done, and its policy has called it so.
    """

    STARTED = "started"
    READY = "ready"
    COMPLETED = "completed"


def is_dependency_table(value: object) -> bool:
    """Say whether a value is a table of conditions by the name of a service.

    >>> is_dependency_table(Table.of([("db", Condition.READY)]))
    True
    >>> is_dependency_table(Table.of([("db", "ready")]))
    False

    """
    entries = pairs(value)
    return entries is not None and all(
        isinstance(name, str) and is_name(name) and isinstance(condition, Condition)
        for name, condition in entries
    )


A_SERVICE: Final = "a service of this fleet"
CIRCLE: Final = "dependencies without a circle"
"""What is expected where somebody depends on nobody, and where there is a circle."""


def circle_text(circle: Iterable[str]) -> str:
    """Write a circle down.

    >>> circle_text(("web", "api", "web"))
    'web -> api -> web'

    """
    return " -> ".join(circle)


def circles(needs: Mapping[str, Iterable[str]]) -> tuple[tuple[str, ...], ...]:
    """Return circles of needs, each from a service back to itself.

    There are none only if there is no circle at all; and without the services that
    stand in those that are returned there is none left.

    >>> circles({"web": ["api"], "api": ["db"], "db": []})
    ()
    >>> circles({"web": ["api"], "api": ["db"], "db": ["web"]})
    (('web', 'api', 'db', 'web'),)

    """
    found: list[tuple[str, ...]] = []
    done: set[str] = set()
    for first in needs:
        if first in done:
            continue
        way = {first: 0}
        rest: list[Iterator[str]] = [iter(needs[first])]
        while rest:
            other = next(rest[-1], None)
            if other is None:
                _ = rest.pop()
                done.add(way.popitem()[0])
            elif other in way:
                found.append((*list(way)[way[other] :], other))
            elif other not in done:
                way[other] = len(way)
                rest.append(iter(needs.get(other, ())))
    return tuple(found)


def needs_of(
    asked: Iterable[tuple[str, Iterable[str]]],
) -> dict[str, tuple[str, ...]]:
    """Return whom each service needs; who needs nobody is left out.

    >>> needs_of([("web", Table.of([("db", Condition.READY)])), ("db", Table())])
    {'web': ('db',)}

    """
    needs: dict[str, dict[str, None]] = {}
    for service, others in asked:
        needs.setdefault(service, {}).update(dict.fromkeys(others))
    return {service: tuple(sorted(row)) for service, row in needs.items() if row}


def depth_of(needs: Mapping[str, Iterable[str]]) -> int:
    """Return how many services the longest chain of needs has; a circle counts once.

    >>> depth_of({}), depth_of({"web": ["api", "db"], "api": ["db"]})
    (1, 3)

    """
    needed_by: dict[str, list[str]] = {}
    missing = dict.fromkeys(needs, 0)
    for service, others in needs.items():
        for other in others:
            if other in needs:
                needed_by.setdefault(other, []).append(service)
                missing[service] += 1
    depth, free = 1, [service for service, count in missing.items() if not count]
    while free:
        depth += 1
        for service in free:
            del missing[service]
        above = [each for service in free for each in needed_by.get(service, ())]
        for each in above:
            missing[each] -= 1
        free = [each for each in dict.fromkeys(above) if not missing[each]]
    return depth + bool(missing)


def refusal(
    needs: Mapping[str, Iterable[str]], known: Collection[str]
) -> tuple[str, str, str] | None:
    """Return what is wrong with needs: of whom, what was expected, what was found.

    >>> refusal({"web": ["db"]}, {"web", "db"})
    >>> refusal({"web": ["bd"]}, {"web", "db"})
    ('web', 'a service of this fleet', "'bd'")

    """
    for service, others in needs.items():
        for other in others:
            if other not in known:
                return service, A_SERVICE, repr(other)
    for circle in circles(needs):
        return circle[0], CIRCLE, circle_text(circle)
    return None


@quick
@attrs.frozen(kw_only=True, weakref_slot=False)
class Awaited:
    """A service that others depend on, as it stands.

    ``dependents`` counts who depends on it, ``members`` who belongs to it, ``wanted``
    those of them that shall run. ``lacking`` names the wanted ones for which a
    condition does not hold, ``waiting`` the dependents that wait for it, both by
    condition. ``asleep``: members that would start if asked. ``ending`` counts, by
    their service, the dependents that are being stopped and still live; ``held`` are
    the members that stop after them.
    """

    dependents: int = 0
    members: int = 0
    wanted: int = 0
    lacking: Table[str, Table[str, None]] = Table()
    waiting: Table[str, Table[str, None]] = Table()
    asleep: Table[str, None] = Table()
    ending: Table[str, int] = Table()
    held: Table[str, None] = Table()

    def holds(self, condition: Condition) -> bool:
        """Say whether a condition holds: somebody shall run, and nobody lacks it."""
        return self.wanted > 0 and condition not in self.lacking
