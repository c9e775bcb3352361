"""A history of any length as strips for a drawing: what a container was, and its marks.

A strip keeps changes (from a moment on it was this) and counts (so many starts at a
moment). It grows up to a bound. Where there is more, time gets a grain twice as coarse:
each grain is what the container was for longest in it, and counts within it are added.
So a month is kept in as little space as a minute, and no start or crash is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final, TypeAlias

import attrs

from orchestrator.core.moments import Millis, Moment
from orchestrator.replay.timelines.happenings import (
    Closed,
    Entered,
    Happening,
    Left,
    Opened,
    RunBegun,
    RunEnded,
    TookOver,
)

__all__ = ("Change", "Counts", "Strip", "Strips", "coarse")

KEPT_MOST: Final = 4_096
"""Changes, or moments with marks, that a strip keeps."""

Change: TypeAlias = tuple[Moment, str]
"""From a moment on a container was this; "" is not there."""


def coarse(changes: Sequence[Change], end: Moment, grain: Millis) -> list[Change]:
    """Give each *grain* of time what it was for longest in it.

    >>> coarse([(0, "a"), (1, "b"), (12, "a")], 20, 10)
    [(0, 'b'), (10, 'a')]

    """
    found: list[Change] = []
    shares: dict[str, Millis] = {}
    place = -1
    for at, elapsed, what in _pieces(changes, end, grain):
        if at // grain != place:
            _close(found, shares, place * grain)
            place = at // grain
        shares[what] = shares.get(what, 0) + elapsed
    _close(found, shares, place * grain)
    if found:
        found[0] = (max(found[0][0], changes[0][0]), found[0][1])
    return found


def _pieces(
    changes: Sequence[Change], end: Moment, grain: Millis
) -> Iterator[tuple[Moment, Millis, str]]:
    """Cut stretches where a grain ends; whole grains in a row stay one piece."""
    for (begin, what), (until, _) in pairwise((*changes, (end, ""))):
        first = min(until, -(-begin // grain) * grain)
        last = max(first, until // grain * grain)
        for at, stop in ((begin, first), (first, last), (last, until)):
            if stop > at:
                yield at, stop - at, what


def _close(found: list[Change], shares: dict[str, Millis], at: Moment) -> None:
    if shares:
        longest = max(shares.items(), key=lambda share: share[1])[0]
        if not found or found[-1][1] != longest:
            found.append((at, longest))
        shares.clear()


@attrs.define(kw_only=True, eq=False)
class Counts:
    """How often something happened, by the grain of time it happened in."""

    grain: Millis = 1
    by_grain: dict[int, int] = attrs.field(factory=dict[int, int])

    def add(self, at: Moment, times: int = 1) -> None:
        """Count."""
        place = at // self.grain
        self.by_grain[place] = self.by_grain.get(place, 0) + times
        while len(self.by_grain) > KEPT_MOST:
            self.grain *= 2
            coarser: dict[int, int] = {}
            for fine, count in self.by_grain.items():
                coarser[fine // 2] = coarser.get(fine // 2, 0) + count
            self.by_grain = coarser

    def marks(self) -> Iterable[tuple[Moment, int]]:
        """Return when, and how often, in order of time."""
        return ((place * self.grain, n) for place, n in sorted(self.by_grain.items()))


@attrs.define(kw_only=True, eq=False)
class Strip:
    """One container: what it was when, when runs began, when they crashed."""

    grain: Millis = 1
    changes: list[Change] = attrs.field(factory=list[Change])
    starts: Counts = attrs.field(factory=Counts)
    crashes: Counts = attrs.field(factory=Counts)

    def change(self, at: Moment, what: str) -> None:
        """Note what it is from *at* on."""
        if self.changes and self.changes[-1][1] == what:
            return
        self.changes.append((at, what))
        while len(self.changes) > KEPT_MOST:
            self.grain *= 2
            self.changes = [*coarse(self.changes, at, self.grain), (at, what)]


@attrs.define(kw_only=True, eq=False)
class Strips:
    """Takes the items of a timeline in; a strip for each container, by name."""

    begin: Moment = 0
    end: Moment = 0
    by_name: dict[str, Strip] = attrs.field(factory=dict[str, Strip])
    boots: Counts = attrs.field(factory=Counts)

    def take(self, item: Happening) -> None:
        """Take in one item."""
        match item:
            case Opened(at=at):
                self.begin = at
            case Closed(at=at):
                self.end = at
            case TookOver(at=at):
                self.boots.add(at)
            case Entered(at=at, name=name, phase=phase, ready=ready):
                self._of(name).change(at, "ready" if ready else phase)
            case Left(at=at, name=name):
                self._of(name).change(at, "")
            case RunBegun(seq=int(), at=at, name=name, adopted=False):
                self._of(name).starts.add(at)
            case RunEnded(at=at, name=name, crashed=True):
                self._of(name).crashes.add(at)
            case _:
                pass

    def _of(self, name: str) -> Strip:
        known = self.by_name.get(name)
        if known is None:
            known = self.by_name[name] = Strip()
        return known
