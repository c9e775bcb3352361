"""Time travel: the fleet at any place of the past, folded out of its journal.

A journey begins at the nearest place whose fleet is known: a snapshot of the present
rules, what earlier journeys came to, the base of a compacted journal, the beginning.
From there the rows are folded, a page at a time, in a thread: the loop goes on. There
is one journey at a time, and some others wait, no more than ``WAITING_MAX``: who comes
then is told to come again. What the last few came to is kept.

A moment is looked up by the stamps of the rows, which never run backwards: by halving,
a row a step.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final, assert_never

from returns.result import Failure, Result, Success

from orchestrator.codec.problems import invalid
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import (
    ContainerError,
    InvalidSpec,
    JournalBusy,
    JournalCompacted,
    JournalCorrupt,
    JournalError,
    OperatorClosed,
    Problem,
)
from orchestrator.core.moments import MOMENT_MAX, Millis, Moment
from orchestrator.core.reduce import step_of
from orchestrator.core.state import Fleet
from orchestrator.core.steps import Step
from orchestrator.journal.port import Head, Journal
from orchestrator.replay.places import AfterRow, AtMoment, Place
from orchestrator.runtime.decoding import decoded, folded
from orchestrator.runtime.holds import Holds
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.recovery import Known, nearest_known
from orchestrator.runtime.views import View

__all__ = ("Travel",)

PAGE: Final = 1_000
"""Rows that are folded in one go."""

KEPT: Final = 4
"""Fleets that are kept; one of 10,000 containers is some ten megabytes."""

WAITING_MAX: Final = 64
"""Journeys that are made or wait to be."""

COME_AGAIN_MS: Final[Millis] = 2_000
"""When one that was turned away may be asked for again."""


class Travel:
    """Goes back to places of a journal."""

    def __init__(
        self, journal: Journal, policies: CustomPolicies = NO_POLICIES
    ) -> None:
        """Read *journal*; its rows may need *policies*."""
        self._journal = journal
        self._policies = policies
        self.holds = Holds()
        self._base = 0
        self._kept: dict[int, Fleet] = {}
        self._one = asyncio.Lock()
        self._count = 0
        self._is_closed = False

    async def to(
        self, place: Place, present: View, *, said: str = "at"
    ) -> Result[View, ContainerError]:
        """Return the fleet at a place; refuse a row or a moment that has not come.

        ``JournalBusy`` where too many journeys are made or wait already.

        *present*: a fleet that is known already, and the moment that it is now. *said*
        is what the place is called where it was asked for.
        """
        async with self._turn() as refused:
            if refused is not None:
                return Failure(refused)
            row = await self._row(place, present, said)
            if not isinstance(row, int):
                return Failure(row)
            fleet = await self._fleet(row, present)
        if not isinstance(fleet, Fleet):
            return Failure(fleet)
        at = place.at if isinstance(place, AtMoment) else fleet.at
        return Success(View(seq=row, at=at, fleet=fleet))

    @property
    def is_closed(self) -> bool:
        """Say whether there is no journey any more."""
        return self._is_closed

    async def row_of(
        self, place: Place, present: View, *, said: str = "at"
    ) -> int | ContainerError:
        """Return the number of the row that a place stands behind."""
        async with self._turn() as refused:
            if refused is not None:
                return refused
            return await self._row(place, present, said)

    async def step(self, seq: int, present: View) -> Result[Step, ContainerError]:
        """Take the step of a row again, from the fleet before it."""
        if seq < 1 or seq > present.seq:
            return Failure(invalid("seq", f"a row from 1 to {present.seq}", seq))
        gone_to = await self.to(AfterRow(seq - 1), present)
        if isinstance(gone_to, Failure):
            return Failure(gone_to.failure())
        rows = await settled(self._journal.read(seq - 1, 1))
        if not isinstance(rows, tuple):
            return Failure(rows)
        if not rows:
            return Failure(_missing(seq))
        before = gone_to.unwrap().fleet
        return decoded(rows).map(
            lambda events: step_of(before, events[0], self._policies)
        )

    def forget(self, base: int) -> None:
        """Keep no fleet of a row that was compacted away: the journal begins behind it.

        What is asked for is answered the same, whoever has asked before.
        """
        self._base = base
        self._kept = {row: fleet for row, fleet in self._kept.items() if row >= base}

    async def close(self) -> None:
        """End the journey that is under way; there is none any more afterwards."""
        self._is_closed = True
        async with self._one:
            self._kept.clear()

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[ContainerError | None]:
        """Wait for one's turn, or be told why there is none."""
        if self._count >= WAITING_MAX:
            yield JournalBusy(retry_after_ms=COME_AGAIN_MS)
            return
        self._count += 1
        try:
            async with self._one:
                with self.holds:
                    yield OperatorClosed() if self._is_closed else None
        finally:
            self._count -= 1

    async def _row(
        self, place: Place, present: View, said: str
    ) -> int | ContainerError:
        """Return the number of the row that a place stands behind."""
        head = await settled(self._journal.head())
        if not isinstance(head, Head):
            return head
        match place:
            case AfterRow(seq=seq):
                return seq if 0 <= seq <= head.seq else _no_row(said, seq, head.seq)
            case AtMoment(at=at) if at > present.at:
                return _in_future(said, at, present.at)
            case AtMoment(at=at):
                return await self._last_row(at, head.seq)
            case _:
                assert_never(place)

    async def _last_row(self, at: Moment, high: int) -> int | ContainerError:
        """Return the last row that is stamped *at* or before, up to row *high*."""
        base = await settled(self._journal.beginning())
        if isinstance(base, ContainerError):
            return base
        low = 0 if base is None else base.seq
        while low < high:
            middle = (low + high + 1) // 2
            rows = await settled(self._journal.read(middle - 1, 1))
            if not isinstance(rows, tuple):
                return rows
            if not rows:
                return _missing(middle)
            low, high = (middle, high) if rows[0].at <= at else (low, middle - 1)
        if base is None or low > base.seq:
            return low
        known = await nearest_known(self._journal, "", self._policies, low)
        if not isinstance(known, Known):
            return known
        if at < known.fleet.at:
            return JournalCompacted(asked=base.seq - 1, base=base.seq)
        return low

    async def _fleet(self, row: int, present: View) -> Fleet | ContainerError:
        """Return the fleet after a row; it is kept for whoever asks next."""
        nearer = {**self._kept, present.seq: present.fleet}
        fleet = nearer.get(row)
        if fleet is None:
            known = await self._nearest(row, nearer, present.fleet.name)
            if not isinstance(known, Known):
                return known
            found = await self._folded(known, row)
            if not isinstance(found, Fleet):
                return found
            fleet = found
        _ = self._kept.pop(row, None)
        if row >= self._base:
            self._kept[row] = fleet
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
        return fleet

    async def _nearest(
        self, row: int, fleets: Mapping[int, Fleet], name: str
    ) -> Known | JournalError:
        """Return where to begin: at one of *fleets* before the row, or a snapshot."""
        seq = max((seq for seq in fleets if 0 < seq < row), default=0)
        if seq and row - seq <= PAGE:
            return Known(fleet=fleets[seq], seq=seq)
        known = await nearest_known(self._journal, name, self._policies, row)
        if isinstance(known, Known) and known.seq < seq:
            return Known(fleet=fleets[seq], seq=seq)
        return known

    async def _folded(self, known: Known, row: int) -> Fleet | ContainerError:
        fleet, seq = known.fleet, known.seq
        while seq < row:
            if self._is_closed:
                return OperatorClosed()
            rows = await settled(self._journal.read(seq, min(PAGE, row - seq)))
            if not isinstance(rows, tuple):
                return rows
            if not rows:
                return _missing(seq + 1)
            moved = await asyncio.to_thread(folded, fleet, rows, self._policies)
            if isinstance(moved, Failure):
                failure: JournalError = moved.failure()
                return failure
            fleet, seq = moved.unwrap(), rows[-1].seq
        return fleet


def _no_row(said: str, seq: int, last: int) -> InvalidSpec:
    return invalid(said, f"a row from 0 to {last}, the newest", seq)


def _in_future(said: str, at: Moment, now: Moment) -> InvalidSpec:
    expected = f"a moment that has come; it is {_written(now)}"
    problem = Problem(place=said, expected=expected, found=_written(at))
    return InvalidSpec(problems=(problem,))


def _written(at: Moment) -> str:
    if not 0 <= at <= MOMENT_MAX:
        return str(at)
    moment = datetime.fromtimestamp(at / 1_000, UTC)
    return moment.isoformat(timespec="milliseconds")


def _missing(seq: int) -> JournalCorrupt:
    return JournalCorrupt(
        seq=seq, place="row", expected=f"row {seq}", found="the journal's end"
    )
