"""One reader: from where it begins to the present, then along with it.

```
 behind ──pages of the journal──▶ held by the hub ──rows as they come──▶ waits
                                        ▲   │
                                        └gap┘ too slow: on from the newest row;
                                              too many containers: on from the next
```

A row is taken by its number, from the journal or from the hub: neither a hole nor a
repetition can come of the change from one to the other. A reader that has once come to
what the hub holds never goes back to the journal: it would only fall behind further,
and read the disk for it. What it has missed is named (``gap``), and can be read. Only a
row that touched very many containers is read there by whoever wants it without them: it
is written down in a thread then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Final

import attrs
from returns.result import Failure, Result, Success

from orchestrator.api.live.frames import told
from orchestrator.api.live.hub import CHUNK, Hub
from orchestrator.api.live.records import Record, record_of_row, record_of_step
from orchestrator.api.live.wanted import Wanted
from orchestrator.core.errors import (
    ContainerError,
    JournalCompacted,
    JournalCorrupt,
    JournalError,
)
from orchestrator.core.state import Fleet
from orchestrator.journal.port import Row
from orchestrator.runtime.decoding import decoded
from orchestrator.runtime.feed import Feed

__all__ = ("Reader", "begin")

PAGE: Final = 256
"""Rows that are read from the journal in one go."""


@attrs.frozen
class _Page:
    """Rows of the past, encoded; ``fleet``: the one after them, if it is folded."""

    records: tuple[Record, ...]
    fleet: Fleet | None


async def begin(hub: Hub, wanted: Wanted) -> Reader | ContainerError:
    """Begin to read; the journal may refuse to say where it begins itself."""
    first = await hub.feed.first()
    return first if isinstance(first, JournalError) else Reader(hub, wanted, first)


class Reader:
    """How far one reader has come, and what is next for it."""

    def __init__(self, hub: Hub, wanted: Wanted, first: int) -> None:
        """Begin where it is asked for; what lies in the future begins now."""
        now = max(hub.head, hub.feed.seq)
        self.position = now if wanted.after is None else min(wanted.after, now)
        self._hub = hub
        self._wanted = wanted
        self._like = wanted.like()
        self._first = first
        self._is_live = False
        self._fleet: Fleet | None = None
        self._trouble: str | None = None

    def hello(self) -> bytes:
        """Say where the stream begins, and what there is."""
        feed = self._hub.feed
        return self._told(
            "hello",
            seq=self.position,
            at=feed.at,
            fleet=feed.fleet.name,
            revision=feed.fleet.revision,
            first=self._first,
        )

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield what is to be sent, until the operator ends."""
        yield self.hello()
        time = asyncio.get_running_loop().time
        silence_s = self._wanted.heartbeat_ms / 1_000
        due = time() + silence_s
        while not self._is_over():
            chunk = await self.take()
            if chunk is None and time() < due and not self._is_over():
                await self._hub.news(due)
                continue
            if not chunk and time() >= due:
                chunk = self._heartbeat()
            if chunk:
                yield chunk
                due = time() + silence_s
        yield self._told("bye", why=self._trouble or self._hub.why_ended)

    def _is_over(self) -> bool:
        """Say whether there is no more to come; what the hub holds is still sent."""
        if self._trouble is not None:
            return True
        is_up_to_date = self.position >= self._hub.head
        return self._hub.why_ended is not None and (is_up_to_date or not self._is_live)

    async def take(self) -> bytes | None:
        """Return what comes next, empty if it is nothing for this reader.

        None: there is nothing yet.
        """
        hub = self._hub
        if self.position >= hub.head:
            self._go_live()
            return None
        if hub.record(self.position + 1, self._wanted) is not None:
            self._go_live()
            self.position, piece = hub.piece(self.position, self._like)
            return piece
        if self._is_live:
            kind = hub.broad(self.position + 1)
            if kind is None:
                return self._gap(hub.head, "too slow")
            if self._wanted.kinds and kind not in self._wanted.kinds:
                self.position += 1
                return b""
            if self._wanted.containers:
                return self._gap(self.position + 1, "too many containers")
        async with hub.past:
            return await self._from_journal()

    def _go_live(self) -> None:
        self._is_live = True
        self._fleet = None

    async def _from_journal(self) -> bytes:
        page = await self._page()
        if isinstance(page, JournalCompacted):
            return self._gap(page.base, "compacted")
        if not isinstance(page, _Page):
            self._trouble = page.message
            return b""
        wanted = self._wanted
        self.position, self._fleet = page.records[-1].seq, page.fleet
        return b"".join(
            record.frame(wanted) for record in page.records if record.concerns(wanted)
        )

    async def _page(self) -> _Page | ContainerError:
        """Read and encode rows behind the position, in a thread: the loop goes on."""
        feed, fleet = self._hub.feed, self._fleet
        rows = await feed.rows(self.position, PAGE)
        if not isinstance(rows, tuple):
            return rows
        if not rows:
            return _missing(self.position + 1)
        if self._wanted.containers and fleet is None:
            found = await feed.fleet_after(self.position)
            if not isinstance(found, Fleet):
                return found
            fleet = found
        page = await asyncio.to_thread(_encoded, feed, rows, fleet)
        if isinstance(page, Failure):
            error: JournalError = page.failure()
            return error
        return page.unwrap()

    def _gap(self, until: int, why: str) -> bytes:
        """Name the rows that are not sent, and go on behind them."""
        begin = self.position + 1
        self.position = until
        return self._told("gap", **{"from": begin, "to": until, "why": why})

    def _heartbeat(self) -> bytes:
        return self._told("heartbeat", seq=self.position, at=self._hub.feed.at)

    def _told(self, kind: str, **facts: Any) -> bytes:
        return told(self._wanted.form, kind, self.position, **facts)


def _missing(seq: int) -> JournalCorrupt:
    expected = f"row {seq}"
    return JournalCorrupt(
        seq=seq, place="row", expected=expected, found="the journal's end"
    )


def _encoded(
    feed: Feed, rows: tuple[Row, ...], fleet: Fleet | None
) -> Result[_Page, JournalError]:
    """Encode rows, as many as make a chunk; with containers where a fleet is given."""
    records: list[Record] = []
    size = 0
    for row in rows:
        if fleet is None:
            events = decoded((row,))
            if isinstance(events, Failure):
                return Failure(events.failure())
            record = record_of_row(row, events.unwrap()[0])
        else:
            steps = feed.steps(fleet, (row,))
            if isinstance(steps, Failure):
                return Failure(steps.failure())
            (step,) = steps.unwrap()
            fleet = step.after
            record = record_of_step(row.seq, step, containers=True)
        records.append(record)
        size += record.size
        if size >= CHUNK:
            break
    return Success(_Page(tuple(records), fleet))
