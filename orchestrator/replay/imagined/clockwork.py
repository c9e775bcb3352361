"""Timers of a world that is played: when each is due, the next one first."""

from __future__ import annotations

import heapq

import attrs

from orchestrator.core.moments import Moment

__all__ = ("Timers",)

FLEET = ""
"""In place of a name: the fleet's own timer; no container is called so."""


@attrs.define(kw_only=True, eq=False)
class Timers:
    """When containers, and the fleet (None), next want to be told that time passed.

    One that went off is not set again for the same moment: whoever was told once and
    did nothing would do nothing again.
    """

    _due: dict[str | None, Moment] = attrs.field(factory=dict[str | None, Moment])
    _done: dict[str | None, Moment] = attrs.field(factory=dict[str | None, Moment])
    _heap: list[tuple[Moment, str]] = attrs.field(factory=list[tuple[Moment, str]])

    def set(self, name: str | None, due: Moment | None) -> None:
        """Set a timer, or take it off."""
        if due is None:
            _ = self._due.pop(name, None)
            _ = self._done.pop(name, None)
        elif due not in (self._due.get(name), self._done.get(name)):
            self._due[name] = due
            heapq.heappush(self._heap, (due, name or FLEET))

    def next_at(self) -> Moment | None:
        """Return when the next one goes off."""
        while self._heap:
            due, name = self._heap[0]
            if self._due.get(name or None) == due:
                return due
            _ = heapq.heappop(self._heap)
        return None

    def pop(self) -> str | None:
        """Take the next one, which is there; return whose it was."""
        due, text = heapq.heappop(self._heap)
        name = text or None
        self._done[name] = self._due.pop(name, due)
        return name
