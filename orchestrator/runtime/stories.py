"""What happened between two places of the past: timelines, and the fleet over time.

A story begins with a fleet that time travel fetches. From there its rows are folded in
a thread, which asks the loop for a page at a time: the loop goes on, and memory holds
one page. There is one long story at a time, and a few may wait for it; short ones go
past them, one at a time. One that nobody listens to any more ends at its next page.

Where it is not said from where to tell, it is a day, or the newest rows, whichever is
less.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Final, TypeAlias, TypeVar

import attrs
from returns.result import Failure, Result, Success

from orchestrator.core.access_errors import TooManyRequests
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import (
    ContainerError,
    ContainerNotFound,
    InvalidSpec,
    JournalCompacted,
    JournalCorrupt,
    JournalError,
    OperatorClosed,
    Problem,
)
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.registry import not_registered
from orchestrator.journal.port import Journal, Snapshot
from orchestrator.journal.reading import entry_of
from orchestrator.replay.history import Entry, states
from orchestrator.replay.places import AfterRow, AtMoment, Place
from orchestrator.replay.timelines.happenings import Closed
from orchestrator.replay.timelines.recording import Recorder
from orchestrator.replay.timelines.stretches import Timeline
from orchestrator.replay.timelines.telling import LIMIT, happenings
from orchestrator.runtime.lanes import Lane
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.pieces import FleetHistory, Pieces
from orchestrator.runtime.travel import Travel
from orchestrator.runtime.views import View

__all__ = ("LATELY", "ROWS_MAX", "Stories", "StoryError", "Telling")

T = TypeVar("T")

StoryError: TypeAlias = ContainerError | TooManyRequests
"""Why nothing is told; too many requests: others wait for their stories already."""

PAGE: Final = 1_000
"""Rows that are read in one go."""

ROWS_MAX: Final = 1_000_000
"""Rows of one story; more are refused."""

DAY_MS: Final[Millis] = 86_400_000
NEWEST: Final = 2_000
"""Rows that are told where nobody says from where; a story of no more is short."""

WAITING_MAX: Final = 8
"""Stories of one length that are told or wait to be."""

COME_AGAIN_MS: Final[Millis] = 5_000


@attrs.frozen(kw_only=True)
class Telling:
    """From where to where to tell; None: as little as is said above, and to the end.

    ``is_wanted`` is asked before each page whether anybody still listens.
    """

    since: Place | None = None
    until: Place | None = None
    is_wanted: Callable[[], bool] = lambda: True


LATELY: Final = Telling()
"""What happened of late."""


@attrs.frozen(kw_only=True)
class _Stretch:
    """Where a story begins, and the row and moment with which it ends."""

    begin: View
    since: Place
    last: int
    ends_at: Moment


class _Broken(Exception):
    """The rows cannot be read to their end, or nobody listens; carries why."""

    def __init__(self, error: ContainerError) -> None:
        super().__init__(error)
        self.error = error


class Stories:
    """Tells what happened in a journal."""

    def __init__(
        self, journal: Journal, travel: Travel, policies: CustomPolicies = NO_POLICIES
    ) -> None:
        """Read *journal*, in which *travel* goes back."""
        self._journal = journal
        self._travel = travel
        self._policies = policies
        self._short, self._long = Lane(WAITING_MAX), Lane(WAITING_MAX)

    async def timeline(
        self, name: str, telling: Telling, present: View
    ) -> Result[Timeline, StoryError]:
        """Tell one container's part of what happened; of each kind the newest."""

        def told(stretch: _Stretch, entries: Iterator[Entry]) -> Timeline:
            recorder = Recorder(LIMIT)
            for item in happenings(
                entries,
                fleet=stretch.begin.fleet,
                policies=self._policies,
                since=stretch.since,
                containers=(name,),
            ):
                if isinstance(item, Closed):
                    at = max(item.at, stretch.ends_at)
                    recorder.take(attrs.evolve(item, seq=stretch.last, at=at))
                else:
                    recorder.take(item)
            return attrs.evolve(recorder.timeline(), after_seq=stretch.begin.seq)

        found = await self._told(telling, present, told)
        return found.bind(_with_a_course(name))

    async def history(
        self, points: int, telling: Telling, present: View
    ) -> Result[FleetHistory, StoryError]:
        """Tell how the fleet stood at the end of each of some pieces of time."""

        def told(stretch: _Stretch, entries: Iterator[Entry]) -> FleetHistory:
            begin = stretch.begin
            first = next(entries, None)
            began = begin.fleet.at and begin.at
            if not began:  # nothing had happened yet
                began = stretch.ends_at if first is None else first.event.at
            pieces = Pieces(points, begin.seq, began, stretch.ends_at)
            pieces.begin(begin.fleet)
            rows = entries if first is None else chain((first,), entries)
            for _, step in states(
                pieces.passing(rows), fleet=begin.fleet, policies=self._policies
            ):
                pieces.take(step)
            return pieces.told(begin.seq, stretch.last)

        return await self._told(telling, present, told)

    async def _told(
        self,
        telling: Telling,
        present: View,
        tell: Callable[[_Stretch, Iterator[Entry]], T],
    ) -> Result[T, StoryError]:
        """Find where a story begins and ends, and tell it in a thread."""
        if not telling.is_wanted():
            return Failure(OperatorClosed())
        with self._travel.holds:
            return await self._held(telling, present, tell)

    async def _held(
        self,
        telling: Telling,
        present: View,
        tell: Callable[[_Stretch, Iterator[Entry]], T],
    ) -> Result[T, StoryError]:
        stretch = await self._stretch(telling, present)
        if not isinstance(stretch, _Stretch):
            return Failure(stretch)
        is_short = stretch.last - stretch.begin.seq <= NEWEST
        lane = self._short if is_short else self._long
        async with lane.place() as has_place:
            if not has_place:
                return Failure(TooManyRequests(retry_after_ms=COME_AGAIN_MS))
            entries = self._entries(stretch, telling, asyncio.get_running_loop())
            try:
                return Success(await asyncio.to_thread(tell, stretch, entries))
            except _Broken as broken:
                return Failure(broken.error)

    def _entries(
        self, stretch: _Stretch, telling: Telling, loop: asyncio.AbstractEventLoop
    ) -> Iterator[Entry]:
        """Yield the rows of a stretch with their meaning, in another thread."""
        seq, last = stretch.begin.seq, stretch.last
        while seq < last:
            if not telling.is_wanted() or self._travel.is_closed:
                raise _Broken(OperatorClosed())
            reading = settled(self._journal.read(seq, min(PAGE, last - seq)))
            rows = asyncio.run_coroutine_threadsafe(reading, loop).result()
            if not isinstance(rows, tuple):
                raise _Broken(rows)
            if not rows:
                raise _Broken(_ended(seq + 1))
            for row in rows:
                entry = entry_of(row)
                if isinstance(entry, JournalCorrupt):
                    raise _Broken(entry)
                missing = not_registered(entry.event, self._policies)
                if missing is not None:
                    raise _Broken(missing)
                yield entry
            seq = rows[-1].seq

    async def _stretch(
        self, telling: Telling, present: View
    ) -> _Stretch | ContainerError:
        ended = await self._end(telling.until, present)
        if not isinstance(ended, tuple):
            return ended
        last, ends_at = ended
        since = telling.since or await self._usual(last, ends_at, present)
        if not isinstance(since, AfterRow | AtMoment):
            return since
        begin = await self._travel.to(since, present, said="from")
        if isinstance(begin, Failure):
            failure: ContainerError = begin.failure()
            return failure
        view = begin.unwrap()
        if view.seq > last or (view.at > ends_at and view.seq):
            return _refused("a place before the end", f"row {view.seq}")
        if last - view.seq > ROWS_MAX:
            return _refused(f"at most {ROWS_MAX} rows", str(last - view.seq))
        return _Stretch(begin=view, since=since, last=last, ends_at=ends_at)

    async def _end(
        self, until: Place | None, present: View
    ) -> tuple[int, Moment] | ContainerError:
        """Return with which row and at which moment a story ends."""
        if until is None:
            return present.seq, present.at
        last = await self._travel.row_of(until, present, said="until")
        if not isinstance(last, int):
            return last
        if isinstance(until, AtMoment):
            return last, until.at
        rows = await settled(self._journal.read(max(0, last - 1), 1))
        if isinstance(rows, tuple) and rows and last:
            return last, rows[0].at
        # The row that a journal begins behind stands in it no more, its fleet does.
        seen = await self._travel.to(until, present, said="until")
        if isinstance(seen, Failure):
            failure: ContainerError = seen.failure()
            return failure
        return last, seen.unwrap().at

    async def _usual(
        self, last: int, ends_at: Moment, present: View
    ) -> Place | ContainerError:
        """Return where a story begins: a day before its end, or with newer rows."""
        base = await settled(self._journal.beginning())
        if isinstance(base, JournalError):
            return base
        first = base.seq if isinstance(base, Snapshot) else 0
        newest = max(first, last - NEWEST)
        a_day_ago = AtMoment(max(0, ends_at - DAY_MS))
        row = await self._travel.row_of(a_day_ago, present)
        if isinstance(row, JournalCompacted):
            return AfterRow(newest)
        if not isinstance(row, int):
            return row
        return a_day_ago if row >= newest else AfterRow(newest)


def _with_a_course(name: str) -> Callable[[Timeline], Result[Timeline, StoryError]]:
    """Refuse a timeline in which the container does not appear."""

    def checked(told: Timeline) -> Result[Timeline, StoryError]:
        return Success(told) if told.courses else Failure(ContainerNotFound(name=name))

    return checked


def _refused(expected: str, found: str) -> InvalidSpec:
    problem = Problem(place="from", expected=expected, found=found)
    return InvalidSpec(problems=(problem,))


def _ended(seq: int) -> JournalCorrupt:
    return JournalCorrupt(
        seq=seq, place="row", expected=f"row {seq}", found="the journal's end"
    )
