"""A stretch of time in equal pieces: how a fleet stood at the end of each.

Counted step by step, by what each changed, with the words of ``core.uptimes``: so the
sums are those of a timeline.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import attrs

from orchestrator.core.moments import Moment
from orchestrator.core.phases import phase_name
from orchestrator.core.state import Container, Fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.core.uptimes import (
    has_crashed,
    has_restarted,
    is_ready,
    is_wanted,
)
from orchestrator.replay.history import Entry

__all__ = ("FleetHistory", "HistoryPoint", "Pieces")


@attrs.frozen(kw_only=True)
class HistoryPoint:
    """The fleet after row ``seq``, at the end ``at`` of one piece of time.

    ``wanted`` containers should run and have not completed, ``ready`` of them accept
    work; ``crashes`` and ``restarts`` are counted within the piece.
    """

    at: Moment
    seq: int
    wanted: int
    ready: int
    phases: Table[str, int]
    crashes: int
    restarts: int


@attrs.frozen(kw_only=True)
class FleetHistory:
    """The fleet over time, in pieces of equal length."""

    begins_at: Moment
    ends_at: Moment
    first_row: int
    last_row: int
    points: tuple[HistoryPoint, ...]


class Pieces:
    """Takes steps in, one after the other, and cuts where a piece of time ends."""

    def __init__(self, most: int, seq: int, begin: Moment, end: Moment) -> None:
        """Cut what lies between two moments, behind row *seq*, into *most* pieces.

        None is shorter than a millisecond: a short time has fewer.
        """
        self._begin = begin
        self._end = max(begin, end)
        self._length = max(1, -(-(self._end - begin) // most))
        self._next = min(begin + self._length, self._end)
        self._seq = seq
        self._is_over = False
        self._found: list[HistoryPoint] = []
        self._phases: Counter[str] = Counter()
        self._wanted = 0
        self._ready = 0
        self._crashes = 0
        self._restarts = 0

    def passing(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Let rows pass on their way to be told; what is before them is cut off."""
        for entry in entries:
            self._reach(entry.event.at)
            self._seq = entry.seq
            yield entry

    def _reach(self, at: Moment) -> None:
        """Cut off every piece that ends before a moment."""
        while self._next < min(at, self._end):
            self._cut()

    def _cut(self) -> None:
        self._found.append(
            HistoryPoint(
                at=self._next,
                seq=self._seq,
                wanted=self._wanted,
                ready=self._ready,
                phases=Table.of((+self._phases).items()),
                crashes=self._crashes,
                restarts=self._restarts,
            )
        )
        self._crashes = self._restarts = 0
        self._next = min(self._next + self._length, self._end)

    def begin(self, fleet: Fleet) -> None:
        """Take in the fleet with which the time begins."""
        for container in fleet.containers.values():
            self._count(container, 1)

    def take(self, step: Step) -> None:
        """Take in one step."""
        for was, now in step.pairs():
            if was is not None:
                self._count(was, -1)
            if now is not None:
                self._count(now, 1)
            if was is not None and now is not None:
                self._crashes += has_crashed(was, now)
                self._restarts += has_restarted(was, now)

    def _count(self, container: Container, by: int) -> None:
        self._phases[phase_name(container.phase)] += by
        if is_wanted(container):
            self._wanted += by
            self._ready += by * is_ready(container)

    def told(self, after: int, last: int) -> FleetHistory:
        """Return the pieces up to the end, once all rows have passed."""
        while self._next < self._end:
            self._cut()
        self._cut()
        return FleetHistory(
            begins_at=self._begin,
            ends_at=self._end,
            first_row=after + 1,
            last_row=last,
            points=tuple(self._found),
        )
