"""In which order containers are listed: by name, or by another fact of theirs.

An order is a table of keys, kept true by the steps that follow (``api.following``): to
list a page of it touches that page. What has no such fact comes last, rising or
falling, and what is equal stands in the order of names.

How many crashes count changes with time alone, without a step: that order is worked out
each time it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias, get_args

import attrs

from orchestrator.api.counts import is_ready
from orchestrator.api.following import Followed, Watch
from orchestrator.api.slices import Slice
from orchestrator.core.exits import exit_text
from orchestrator.core.explain import next_start_at
from orchestrator.core.histories import counted_failures
from orchestrator.core.moments import Moment
from orchestrator.core.phases import PHASE_NAMES, Running, Unknown, phase_name
from orchestrator.core.state import Container, Fleet
from orchestrator.core.table import Table

__all__ = ("LOOKS", "ORDERS", "Order", "OrderName", "Orders", "look_of", "ordered")

OrderName: TypeAlias = Literal[
    "name",
    "-name",
    "phase",
    "-phase",
    "restarts",
    "-restarts",
    "crashes",
    "-crashes",
    "exit",
    "-exit",
    "next",
    "-next",
    "rev",
    "-rev",
    "run",
    "-run",
    "age",
    "-age",
]
"""What a list is ordered by; with ``-`` falling."""

ORDERS: Final[tuple[OrderName, ...]] = get_args(OrderName)

_RANKED: Final = (
    "crash_looping",
    "failed",
    "unknown",
    "backing_off",
    "pending",
    "starting",
    "stopping",
    "not_ready",
    "running",
    "asleep",
    "completed",
    "stopped",
)
"""What needs attention comes first."""

LOOKS: Final = tuple(sorted({*PHASE_NAMES.values(), "not_ready"}, key=_RANKED.index))
"""The phases, but that what runs and is not ready is ``not_ready``."""

_RANK: Final = {look: place for place, look in enumerate(LOOKS)}

KEPT_MAX: Final = 3
"""Orders that are kept true at the same time, of ten megabytes each for 100 000."""

Key: TypeAlias = tuple[bool, Any, str]
Fact: TypeAlias = Callable[[Container], "int | str | None"]


def look_of(container: Container) -> str:
    """Return the phase of a container, or that it runs and is not ready."""
    phase = container.phase
    if isinstance(phase, Running) and not is_ready(phase):
        return "not_ready"
    return phase_name(phase)


def _age(container: Container) -> int | None:
    """Return what grows with how long a container has been running."""
    phase = container.phase
    run = phase.was if isinstance(phase, Unknown) else phase
    return -run.since if isinstance(run, Running) else None


def _exit(container: Container) -> str | None:
    return None if container.last is None else exit_text(container.last.exit)


_FACTS: Final[dict[str, Fact]] = {
    "phase": lambda container: _RANK[look_of(container)],
    "restarts": lambda container: container.history.restarts_total,
    "exit": _exit,
    "next": next_start_at,
    "rev": lambda container: container.revision,
    "run": lambda container: container.run,
    "age": _age,
}


@lru_cache(maxsize=1_024)
def _falling(text: str) -> tuple[int, ...]:
    """Return what is the smaller the larger a text is.

    >>> _falling("ab") > _falling("abc") > _falling("b")
    True

    """
    return (*(-ord(letter) for letter in text), 1)


@attrs.define(kw_only=True)
class Order:
    """Containers by the key that one fact gives them."""

    fact: Fact
    falls: bool
    keys: Table[Key, None] = attrs.field(factory=Table[Key, None])

    def key(self, container: Container) -> Key:
        """Return where a container stands."""
        value: Any = self.fact(container)
        if value is None:
            return True, 0, container.name
        if self.falls:
            value = _falling(value) if isinstance(value, str) else -value
        return False, value, container.name

    def replace(self, before: Container | None, after: Container | None) -> None:
        """Put a container where it stands now, from where it stood; None: nowhere."""
        old = None if before is None else self.key(before)
        new = None if after is None else self.key(after)
        if old == new:
            return
        if old is not None:
            self.keys = self.keys.drop(old)
        if new is not None:
            self.keys = self.keys.put(new, None)


def _made(name: str, at: Moment) -> Order:
    """Return an empty order, by a name other than that of names."""
    key = name.removeprefix("-")
    if key != "crashes":
        return Order(fact=_FACTS[key], falls=name != key)

    def crashes(container: Container) -> int:
        policy = container.spec.restart
        return len(counted_failures(container.history, policy, at))

    return Order(fact=crashes, falls=name != key)


def _by_name(fleet: Fleet, name: str) -> Iterator[str]:
    names = fleet.containers
    return reversed(list(names)) if name == "-name" else iter(names)


def _names(order: Order) -> Iterator[str]:
    return (name for _, _, name in order.keys)


async def ordered(fleet: Fleet, name: OrderName, at: Moment) -> Iterator[str]:
    """Work out the names of a fleet's containers in an order, seen from a moment."""
    if name in {"name", "-name"}:
        return _by_name(fleet, name)
    order, turn = _made(name, at), Slice()
    for container in fleet.containers.values():
        order.replace(None, container)
        if turn.is_over:
            await turn.turn()
    return _names(order)


class Orders:
    """The orders of one operator's fleet that are asked for."""

    def __init__(self, fleet: Callable[[], Fleet], watch: Watch) -> None:
        """Order the containers of *fleet*, of whose steps *watch* tells."""
        self._fleet = fleet
        self._watch = watch
        self._kept: dict[str, Followed[Order]] = {}

    @staticmethod
    def are_kept(name: OrderName) -> bool:
        """Say whether an order is kept; that of names is there, and one cannot be."""
        return name.removeprefix("-") not in {"name", "crashes"}

    async def names(self, name: OrderName) -> Iterator[str]:
        """Return the names in an order that is kept, as the fleet is from now on."""
        return _names(await self.followed(name).now())

    def followed(self, name: OrderName) -> Followed[Order]:
        """Return what keeps an order; the one that was asked for least lately goes."""
        kept = self._kept.pop(name, None)
        if kept is None:
            kept = Followed(lambda: _made(name, 0), self._fleet, self._watch)
        self._kept[name] = kept  # the newest is the last to go
        if len(self._kept) > KEPT_MAX:
            oldest = next(iter(self._kept))
            self._kept.pop(oldest).rest()
        return kept
