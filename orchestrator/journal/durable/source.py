"""The rows of a journal behind a gateway, read from beginning to end by a tool.

A tool waits for each page: what it asks runs in a loop of its own, and only while it
waits. An operator may be at work: what it appends meanwhile is not seen. If it compacts
away what was not read yet, the rows end with ``JournalCompacted``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any, Final, TypeVar

from returns.io import IOResult
from returns.result import Failure

from orchestrator.core.errors import JournalCorrupt, JournalError
from orchestrator.journal.durable.answers import JournalState
from orchestrator.journal.durable.archive import Archive
from orchestrator.journal.durable.wire import Wire
from orchestrator.journal.pages import Page
from orchestrator.journal.port import MISSING, START, Head, Snapshot

__all__ = ("DurableSource", "Waiting", "open_far")

T = TypeVar("T")

PAGE: Final = 5_000
"""Rows of a page, at most; the gateway sends fewer where they are long."""


class Waiting:
    """A journal that a tool waits for: what it asks is done when ``done`` returns."""

    def __init__(self, wire: Wire) -> None:
        """Ask over *wire*, which is closed with this."""
        self.archive = Archive(wire)
        self._runner = asyncio.Runner()
        self._is_closed = False

    def done(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for something that is asked of the archive."""
        return self._runner.run(work)

    def close(self) -> None:
        """Let go of the connections; once is enough."""
        if not self._is_closed:
            self._is_closed = True
            _ = self.done(self.archive.close())
            self._runner.close()


def open_far(waiting: Waiting) -> IOResult[DurableSource, JournalError]:
    """Open a journal for reading, as it is now; it is closed where it cannot be."""
    opened = waiting.done(waiting.archive.opened())
    if isinstance(opened, Failure):
        waiting.close()
        return IOResult.from_failure(opened.failure())
    state, base = opened.unwrap()
    return IOResult.from_value(DurableSource(waiting, state, base))


class DurableSource:
    """A journal behind a gateway that is being read; ``open_far`` makes it."""

    def __init__(
        self, waiting: Waiting, state: JournalState, base: Snapshot | None
    ) -> None:
        """Read what *waiting* asks for; it is closed with this."""
        self.base = base
        self.start = START if base is None else base.head
        self.expected: int | None = state.head.seq - self.start.seq
        self.cut_at_line: int | None = None
        self.state = state
        self._waiting = waiting

    def close(self) -> None:
        """Let go of the connections."""
        self._waiting.close()

    def pages(self, after: int | None = None) -> Iterator[Page | JournalError]:
        """Yield the rows after row *after*; a damage is the last thing yielded."""
        archive, end = self._waiting.archive, self.state.head
        head: Head | JournalError | None = self.start
        if after is not None:
            head = self._waiting.done(archive.head_at(after))
        if not isinstance(head, Head):
            if head is not None:  # else nothing is behind it
                yield head
            return
        while head.seq < end.seq:
            limit = min(PAGE, end.seq - head.seq)
            told = self._waiting.done(archive.follow(head, limit))
            if isinstance(told, Failure):
                yield told.failure()
                return
            page, damage = told.unwrap().page, told.unwrap().damage
            if page is not None:
                yield page
                head = page.head
            if damage is not None or page is None:
                yield damage or _gone(head.seq + 1)
                return
        if head != end:
            yield JournalCorrupt(
                seq=end.seq,
                place="end",
                expected=f"digest {end.digest.hex()[:16]}",
                found=f"digest {head.digest.hex()[:16]}",
            )

    def snapshots(self) -> Iterator[Snapshot]:
        """Yield the snapshots that are whole, the newest first."""
        until = self.state.head.seq
        while until > self.start.seq:
            found = self._nearest(until)
            if found is None or found.seq <= self.start.seq:
                return
            yield found
            until = found.seq - 1

    def snapshot(self, until: int) -> Snapshot | None:
        """Return the newest whole snapshot of row *until* or before; also the base."""
        if until < self.start.seq:
            return None
        return self._nearest(min(until, self.state.head.seq)) or self.base

    def _nearest(self, until: int) -> Snapshot | None:
        found = self._waiting.done(self._waiting.archive.latest(until))
        return None if isinstance(found, Failure) else found.unwrap()  # a cache


def _gone(seq: int) -> JournalCorrupt:
    """Say that a row was there when the journal was opened, and is not any more."""
    return JournalCorrupt(seq=seq, place=MISSING, expected="a row", found="none")
