"""When to wake: the moments at which time alone changes something, the next one first.

Nothing here knows what a wake is for. The moment of each name is kept by name; beside
that stand entries that say where it is found, nearest first:

    soon    a heap of moments, all before ``soon_ends``
    slots   by half a minute, what is due later; the next slot is put in order when
            all that is soon is over
    fresh   what was set since a slot was opened, due later, as it came

So to set a timer, which most events do, is to append to a list, and one that is
overtaken in time is never put in order at all. An entry that was overtaken by a newer
one stays where it is, and is passed over: what counts is the moment that is kept by
name. Where most entries are of that kind they are thrown away together, so that what is
kept is bounded by the most names that there were.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from heapq import heapify, heappop, heappush
from typing import Final

from orchestrator.core.moments import Moment
from orchestrator.core.state import Fleet
from orchestrator.core.wake import wake_at, wake_at_fleet

__all__ = ("Timers",)

FLEET: Final = ""

SLOT_BITS: Final = 15
"""A slot is 2 ** 15 milliseconds long: half a minute, found by a shift."""

SPARE: Final = 4_096
"""So many entries may be overtaken before it is worth throwing them away."""


class Timers:
    """The moments at which time alone changes something."""

    def __init__(self, spare: int = SPARE) -> None:
        """Begin without any; *spare* entries may be overtaken and are kept still."""
        self._spare = spare
        self._due: dict[str, Moment] = {}
        self._soon: list[tuple[Moment, str]] = []
        self._soon_ends: Moment = 0
        self._slots: dict[int, list[str]] = {}
        self._order: list[int] = []
        self._fresh: list[str] = []
        self._entries = 0

    def refresh(self, fleet: Fleet, names: Iterable[str]) -> None:
        """Ask again for the containers that were touched, and for the fleet."""
        containers, fences = fleet.containers, fleet.fences
        found: list[tuple[str, Moment | None]] = [(FLEET, wake_at_fleet(fleet))]
        for name in names:
            container = containers.get(name)
            at = None if container is None else wake_at(container, fences=fences)
            found.append((name, at))
        self.put(found)

    def put(self, moments: Collection[tuple[str, Moment | None]]) -> None:
        """Wake for each name at its moment, and not when it was said before.

        None: never. Many at once, for a call of Python costs as much as the rest.
        """
        due, fresh, soon_ends = self._due, self._fresh, self._soon_ends
        before = len(fresh) + len(self._soon)
        for name, at in moments:
            if at is None:
                _ = due.pop(name, None)
            elif due.get(name) != at:
                due[name] = at
                if at >= soon_ends:
                    fresh.append(name)
                else:
                    heappush(self._soon, (at, name))
        if (added := len(fresh) + len(self._soon) - before) > 0:
            self._entries += added
            if self._entries > 2 * len(due) + self._spare:
                self._begin_anew()

    def next_at(self) -> Moment | None:
        """Return the next moment to wake at."""
        soon, due = self._soon, self._due
        while True:
            while soon:
                at, name = soon[0]
                if due.get(name) == at:
                    return at
                _ = heappop(soon)
            self._sort_fresh()
            if not self._order:
                return None
            self._open(heappop(self._order))

    def _sort_fresh(self) -> None:
        """Put what came since the last time into its slots."""
        due, slots = self._due, self._slots
        for name in self._fresh:
            at = due.get(name, -1)
            if at < self._soon_ends:  # it has been overtaken
                continue
            if (slot := slots.get(at >> SLOT_BITS)) is not None:
                slot.append(name)
            else:
                slots[at >> SLOT_BITS] = [name]
                heappush(self._order, at >> SLOT_BITS)
        self._fresh.clear()

    def _open(self, number: int) -> None:
        """Put a slot in order: what it still holds is due soon."""
        begins, ends = self._soon_ends, (number + 1) << SLOT_BITS
        for name in dict.fromkeys(self._slots.pop(number)):
            at = self._due.get(name, -1)
            if begins <= at < ends:
                self._soon.append((at, name))
        heapify(self._soon)
        self._soon_ends = ends

    def due(self, now: Moment, limit: int) -> list[str | None]:
        """Take at most *limit* of those that are due: names, None for the fleet."""
        found: list[str | None] = []
        while len(found) < limit and (at := self.next_at()) is not None and at <= now:
            _, name = heappop(self._soon)
            del self._due[name]
            found.append(name or None)
        return found

    def _begin_anew(self) -> None:
        """Keep one entry for each name, and throw away all that were overtaken."""
        self._soon.clear()
        self._soon_ends = 0
        self._slots.clear()
        self._order.clear()
        self._fresh = list(self._due)
        self._entries = len(self._fresh)
