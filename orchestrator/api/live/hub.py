"""The newest rows of an operator, held once for all who read them live.

A reader holds no rows of its own, only how far it has come: so a slow one costs
nothing, delays nobody, and falls out at the end of what is held. The hub is there
while anybody reads; it sees each step when it is durable, and encodes it afterwards.

What costs is not a row but that somebody is woken for it. So readers are woken the less
often the more they are, and those who have come equally far are given the same piece.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Final

from orchestrator.api.live.records import Record, is_broad, record_of_step
from orchestrator.api.live.wanted import Wanted
from orchestrator.core.steps import Step
from orchestrator.runtime.feed import Feed
from orchestrator.runtime.operator import Operator

__all__ = ("CHUNK", "CLOSED", "Hub", "ending", "joined", "readers_of")

ROWS_MAX: Final = 4_096
"""Rows that are held, for all readers together."""

BYTES_MAX: Final = 4 * 1_048_576
"""Of encoded rows; the newest row is held however long it is."""

PAST_AT_ONCE: Final = 2
"""Readers that read pages of the journal at the same moment; others wait."""

PACE_S: Final = 0.02
"""Between two times that readers are woken: a burst of rows wakes each but a few times,
and nobody sees that a row came so much later."""

PACE_MOST_S: Final = 0.25
"""However many they are: a row that comes after a pause is never held back."""

WAKES_A_SECOND: Final = 1_000
"""Of all readers together; a wake costs as much as some ten rows that are encoded."""

COMING_MAX: Final = 256
"""Rows that wait to be encoded; so many are taken in at once, whatever the pace."""

PIECES_MAX: Final = 8
"""Pieces that are kept for those who come next: most readers are equally far."""

CHUNK: Final = 65_536
"""Bytes of a piece, more only where one row is longer."""

CLOSED: Final = "the operator has been closed"


class Hub:
    """What has happened lately."""

    def __init__(
        self,
        feed: Feed,
        *,
        rows_max: int = ROWS_MAX,
        bytes_max: int = BYTES_MAX,
        pace_s: float = PACE_S,
    ) -> None:
        """Begin behind the newest row; see what comes until it is left."""
        self.feed = feed
        self.head = self._seen = feed.seq
        self.why_ended: str | None = None
        self.readers: list[Wanted] = []
        self.past = asyncio.Semaphore(PAST_AT_ONCE)
        self._bounds = (rows_max, bytes_max)
        self._records: dict[int, Record] = {}
        self._first = self.head + 1
        self._bytes = 0
        self._broad: dict[int, type] = {}
        self._coming: list[Step] = []
        self._pieces: dict[tuple[int, Wanted], tuple[int, bytes]] = {}
        self._pace_s = pace_s
        self._not_before = 0.0
        self._taking: asyncio.TimerHandle | None = None
        self._waiting: set[asyncio.Future[None]] = set()
        self._unwatch = feed.watch(self._see)
        feed.running.add_done_callback(self._operator_ended)

    def leave(self) -> None:
        """See nothing any more.

        What ended the watching leads back to here: kept, it would hold all rows in a
        circle, megabytes of them, until Python's collector looks at all that lives.
        """
        self._unwatch()
        self._unwatch = _nothing
        if self._taking is not None:
            self._taking.cancel()
        self.feed.running.remove_done_callback(self._operator_ended)

    def _see(self, step: Step) -> None:
        """Note a step; its encoding must not hold up the loop's commit."""
        self._coming.append(step)
        count = len(self._coming)
        if count == 1:
            self._take_in_at(self._not_before)
        elif count == COMING_MAX:
            self._take_in_at(0.0)

    def _take_in_at(self, moment: float) -> None:
        loop = asyncio.get_running_loop()
        if self._taking is not None:
            self._taking.cancel()
        self._taking = loop.call_at(max(moment, loop.time()), self.take_in)

    def take_in(self) -> None:
        """Encode what has come, and wake who waits for it."""
        if self._taking is not None:
            self._taking.cancel()
        coming, self._coming = self._coming, []
        self._not_before = asyncio.get_running_loop().time() + self._pause_s()
        containers = any(wanted.containers for wanted in self.readers)
        # Numbers are given first: a row that could not be encoded becomes a gap.
        begin, self._seen = self._seen + 1, self._seen + len(coming)
        for seq, step in enumerate(coming, begin):
            if is_broad(step):  # to write it down would hold up the loop for a second
                self._broad[seq] = type(step.event)
                continue
            record = record_of_step(seq, step, containers=containers)
            self._records[seq] = record
            self._bytes += record.size
        self.head = self._seen
        self._pieces.clear()
        self._let_go()
        self._wake()

    def _pause_s(self) -> float:
        """Return how long readers are let be, now that they are to be woken."""
        fair_s = min(PACE_MOST_S, len(self.readers) / WAKES_A_SECOND)
        return max(fair_s, self._pace_s)

    def _let_go(self) -> None:
        """Forget the oldest rows beyond what may be held."""
        rows_max, bytes_max = self._bounds
        while len(self._records) > 1 and (
            len(self._records) > rows_max or self._bytes > bytes_max
        ):
            gone = self._records.pop(self._first, None)
            self._bytes -= 0 if gone is None else gone.size
            _ = self._broad.pop(self._first, None)
            self._first += 1

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for each in waiting:
            if not each.done():
                each.set_result(None)

    def record(self, seq: int, wanted: Wanted) -> Record | None:
        """Return a row as it may be sent to a reader, if it is held."""
        record = self._records.get(seq)
        if record is None or (wanted.containers and record.infos is None):
            return None
        return record

    def broad(self, seq: int) -> type | None:
        """Return of which kind a row is that touched too many containers to be held."""
        return self._broad.get(seq)

    def piece(self, after: int, wanted: Wanted) -> tuple[int, bytes]:
        """Return the rows behind one that is held, as many as make a chunk.

        It is what the reader wants of them, which may be nothing, and the last of them.
        """
        key = after, wanted
        found = self._pieces.get(key)
        if found is None:
            if len(self._pieces) == PIECES_MAX:
                self._pieces.clear()
            found = self._pieces[key] = self._joined(after, wanted)
        return found

    def _joined(self, after: int, wanted: Wanted) -> tuple[int, bytes]:
        frames: list[bytes] = []
        size = 0
        while size < CHUNK:
            record = self.record(after + 1, wanted)
            if record is None:
                break
            after += 1
            if record.concerns(wanted):
                frames.append(self._frame(record, wanted))
                size += len(frames[-1])
        return after, b"".join(frames)

    def _frame(self, record: Record, wanted: Wanted) -> bytes:
        """Return a row that is held in a reader's form; the frame is held, too."""
        before = record.size
        frame = record.frame(wanted)
        if record.size != before:
            self._bytes += record.size - before
            self._let_go()
        return frame

    @property
    def held(self) -> tuple[int, int]:
        """Return how many rows are held, and how many bytes they have."""
        return len(self._records), self._bytes

    async def news(self, due: float) -> None:
        """Wait for another row, the end, or a moment of the event loop's clock."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiting.add(waiter)
        alarm = loop.call_at(due, self._ring, waiter)
        try:
            await waiter
        finally:
            alarm.cancel()
            self._waiting.discard(waiter)

    @staticmethod
    def _ring(waiter: asyncio.Future[None]) -> None:
        if not waiter.done():
            waiter.set_result(None)

    def end(self, why: str) -> None:
        """Have every reader told that there will be no more."""
        if self.why_ended is None:
            self.take_in()
            self.why_ended = why
            self._wake()

    def _operator_ended(self, _: object) -> None:
        fatal = self.feed.fatal()
        self.end(CLOSED if fatal is None else fatal.message)


_HUBS: Final[dict[Operator, Hub]] = {}
"""The hubs of operators that somebody reads, in this process."""


def _nothing() -> None:
    """Nothing is watched any more."""


@contextlib.contextmanager
def joined(operator: Operator, wanted: Wanted) -> Iterator[Hub]:
    """Read along for a block; the last to leave ends the hub."""
    hub = _HUBS.get(operator)
    if hub is None:
        hub = _HUBS[operator] = Hub(operator.feed)
    hub.readers.append(wanted)
    try:
        yield hub
    finally:
        hub.readers.remove(wanted)
        if not hub.readers:
            hub.leave()
            del _HUBS[operator]


def ending(operator: Operator, why: str) -> None:
    """Have all who read an operator told that it closes."""
    hub = _HUBS.get(operator)
    if hub is not None:
        hub.end(why)


def readers_of(operator: Operator) -> int:
    """Return how many read an operator now."""
    hub = _HUBS.get(operator)
    return 0 if hub is None else len(hub.readers)
