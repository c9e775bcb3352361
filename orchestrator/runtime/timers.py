"""When to wake: one heap, refreshed for what an event touched.

Nothing here knows what a wake is for. An entry that was overtaken by a newer one stays
in the heap and is passed over when it comes up.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from orchestrator.core.moments import Moment
from orchestrator.core.state import Fleet
from orchestrator.core.wake import wake_at, wake_at_fleet

__all__ = ("Timers",)

FLEET = ""


class Timers:
    """The moments at which time alone changes something."""

    def __init__(self) -> None:
        """Begin without any."""
        self._heap: list[tuple[Moment, str]] = []
        self._due: dict[str, Moment] = {}

    def refresh(self, fleet: Fleet, names: Iterable[str]) -> None:
        """Ask again for the containers that were touched, and for the fleet."""
        for name in names:
            container = fleet.containers.get(name)
            fences = fleet.fences
            due = None if container is None else wake_at(container, fences=fences)
            self._set(name, due)
        self._set(FLEET, wake_at_fleet(fleet))

    def _set(self, name: str, due: Moment | None) -> None:
        if due is None:
            self._due.pop(name, None)
        elif self._due.get(name) != due:
            self._due[name] = due
            heapq.heappush(self._heap, (due, name))

    def next_at(self) -> Moment | None:
        """Return the next moment to wake at."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now: Moment, limit: int) -> list[str | None]:
        """Take at most *limit* of those that are due: names, None for the fleet."""
        found: list[str | None] = []
        while len(found) < limit and (at := self.next_at()) is not None and at <= now:
            _, name = heapq.heappop(self._heap)
            del self._due[name]
            found.append(name or None)
        return found
