"""Other names for containers: numbered in their order, replicas by their service's.

The core makes names of replicas itself: ``web-0``, and ``web-0.r5`` where one is made
beside another (``web-0.r5.1`` where that name is taken). So a replica is named by what
its service has become, with the same number behind, and whoever folds a redacted
history comes to the same names. The order of all names is kept, for the core follows
it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

__all__ = ("numbered_names", "replica_name")

_OF_REPLICA: Final = re.compile(
    r"(?:0|[1-9][0-9]*)(?:\.r[1-9][0-9]*(?:\.[1-9][0-9]*)?)?"
)
"""What stands behind a service and a hyphen: an index, a revision, one number more."""


def numbered_names(
    names: Iterable[str], services: AbstractSet[str], letter: str
) -> dict[str, str]:
    """Return another name for each, in the same order.

    >>> numbered_names({"web", "web-0", "web-0.r5", "api"}, {"web"}, "c")
    {'api': 'c1', 'web': 'c2', 'web-0': 'c2-0', 'web-0.r5': 'c2-0.r5'}

    What stands between replicas and is none follows the one before it:

    >>> numbered_names({"web", "web-0", "web-1", "web-0-x"}, {"web"}, "c")
    {'web': 'c1', 'web-0': 'c1-0', 'web-0-x': 'c1-0-1', 'web-1': 'c1-1'}

    """
    below: dict[str, list[str]] = {}
    for name in sorted({*names, *services}):
        below.setdefault(_service_of(name, services), []).append(name)
    top = below.pop("", [])
    width = len(str(len(top)))
    others = {name: f"{letter}{n:0{width}}" for n, name in enumerate(top, start=1)}
    for service in sorted(below):  # a service stands before what is named by it
        others |= _behind(service, below[service], others[service])
    return {name: others[name] for name in sorted(others)}


def replica_name(
    name: str, others: Mapping[str, str], services: AbstractSet[str]
) -> str | None:
    """Return the other name of a replica nobody has heard of; None: it is none.

    >>> replica_name("web-7.r2", {"web": "c1"}, {"web"})
    'c1-7.r2'
    >>> replica_name("web-7.r2.1", {"web": "c1"}, {"web"})
    'c1-7.r2.1'

    """
    service = _service_of(name, services)
    number = name.removeprefix(f"{service}-")
    is_one = service and _OF_REPLICA.fullmatch(number)
    return f"{others[service]}-{number}" if is_one else None


def _service_of(name: str, services: AbstractSet[str]) -> str:
    """Return the longest service that a name could be a replica of, "" for none."""
    head = name
    while "-" in head:
        head = head.rpartition("-")[0]
        if head in services:
            return head
    return ""


def _behind(service: str, names: list[str], other: str) -> dict[str, str]:
    """Name what is named by a service, in its order; *other* is what it has become."""
    strange = [name for name in names if not _number(name, service)]
    width = len(str(len(strange)))
    named: dict[str, str] = {}
    number, count = "", 0
    for name in names:
        found = _number(name, service)
        if found:
            number = found
            named[name] = f"{other}-{found}"
        else:
            count += 1
            named[name] = f"{other}-{number}-{count:0{width}}"
    return named


def _number(name: str, service: str) -> str:
    """Return the number of a replica with what follows it, "" for another name."""
    rest = name.removeprefix(f"{service}-")
    return rest if _OF_REPLICA.fullmatch(rest) else ""
