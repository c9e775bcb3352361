"""A fleet of units that a library of others moves: what one container cannot know.

Who may start is decided here, for all peers alike: so many at a time, the one first
that has waited longest. A look at the fleet asks those that are due. All else is an
event to one unit, by the ``move`` that the adapter gives.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import attrs

from tests.benchmarks.peer_sources.units import Tree, Unit

__all__ = ("OPENING", "Drive", "Make", "life_of")

Make: TypeAlias = Callable[[Tree, int, int, list[Any]], Any]
"""Makes what stands for a container, from its declaration."""

OPENING: Final = 2
"""Rows before a fleet lives: its operator has booted, its containers are declared."""


def life_of(trees: Sequence[Tree]) -> Sequence[Tree]:
    """Return the events after a fleet has been declared."""
    return trees[OPENING:]


@attrs.define(kw_only=True, init=False)
class Drive:
    """The fleet: *things* are what the library moves, *units* the data of each."""

    move: Callable[[Any, str, Tree], None]
    things: dict[str, Any]
    units: dict[str, Unit]
    waiting: list[tuple[int, str]]
    starting: int
    slots: int
    observed: bool
    at: int
    given: list[Any]

    def __init__(
        self,
        trees: Sequence[Tree],
        make: Make,
        move: Callable[[Any, str, Tree], None],
        unit_of: Callable[[Any], Unit],
    ) -> None:
        """Declare the fleet that the first rows of a trace declare."""
        _, applied = trees[:OPENING]
        at, settings = applied["at"], applied["settings"]
        self.move, self.given = move, []
        self.things = {
            each["spec"]["name"]: make(
                each, at, settings["min_restart_delay_ms"], self.given
            )
            for each in applied["declarations"]
        }
        self.units = {name: unit_of(thing) for name, thing in self.things.items()}
        self.waiting = [(at, name) for name in self.units]
        heapq.heapify(self.waiting)
        self.starting, self.slots = 0, settings["max_concurrent_starts"]
        self.observed, self.at = False, 0

    def fold(self, life: Sequence[Tree]) -> Drive:
        """Take all events, one after the other."""
        for told in life:
            self.at = told["at"]
            self.given.clear()
            name = told.get("name")
            if name is not None:
                self.tell(name, told["type"], told)
            elif told["type"] == "fleet_observed":
                self.look(told)
            if self.waiting and self.observed and self.starting < self.slots:
                self.grant(told)
        return self

    def tell(self, name: str, kind: str, told: Tree) -> None:
        unit = self.units[name]
        was = unit.phase
        self.move(self.things[name], kind, told)
        now = unit.phase
        if was != now:
            self.starting += (now == "starting") - (was == "starting")
            if now == "pending":
                heapq.heappush(self.waiting, (unit.since, name))

    def look(self, told: Tree) -> None:
        self.observed = True
        at = told["at"]
        for name, unit in self.units.items():
            if unit.until is not None and unit.until <= at:
                self.tell(name, "time_reached", told)

    def grant(self, told: Tree) -> None:
        while self.waiting and self.starting < self.slots:
            since, name = heapq.heappop(self.waiting)
            unit = self.units[name]
            if unit.phase == "pending" and unit.since == since:
                self.tell(name, "turn_reached", told)
