"""A page of events, sifted by what they are and whom they concern.

A row concerns the container of its event, and those that it changed. Where few rows
are wanted, many are looked at; there is a bound to that, and the page says up to which
row it looked: there the next one begins.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import attrs
from returns.result import Failure

from orchestrator.codec.changes import read_changes
from orchestrator.codec.converter import tag_of
from orchestrator.codec.wire import tree_of
from orchestrator.core.errors import JournalError
from orchestrator.core.events import Event
from orchestrator.journal.port import Row
from orchestrator.runtime.decoding import decoded
from orchestrator.runtime.feed import Feed
from orchestrator.runtime.shown import shown_event

__all__ = ("AT_ONCE", "Sieve", "Wanted")

PAGE: Final = 1_000
"""Rows that are read in one go."""

AT_ONCE: Final = 2
"""Pages of rows that are looked at in threads at the same moment; others wait."""

SIFTED_MAX: Final = 20_000
"""Rows that are looked at for one page."""

Tree = dict[str, Any]


@attrs.frozen(kw_only=True)
class Wanted:
    """Containers and types of events; all of them where none are named."""

    names: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


class Sieve:
    """Looks at rows, one after the other, and keeps those that are wanted."""

    def __init__(
        self, feed: Feed, wanted: Wanted, after: int, turns: asyncio.Semaphore
    ) -> None:
        """Begin behind row *after*; *turns* are for all sieves of an operator."""
        self._feed = feed
        self._names = frozenset(wanted.names)
        self._kinds = frozenset(wanted.kinds)
        self._turns = turns
        self._looked_at = 0
        self.seq = after
        self.found: list[Tree] = []

    @property
    def is_tired(self) -> bool:
        """Say whether as many rows were looked at as may be for one page."""
        return self._looked_at >= SIFTED_MAX

    async def fill(self, limit: int) -> JournalError | None:
        """Look on until *limit* rows are found, or there is none any more."""
        size = PAGE if self._names or self._kinds else limit
        while len(self.found) < limit and not self.is_tired:
            rows = await self._feed.rows(self.seq, size)
            if not isinstance(rows, tuple):
                return rows
            async with self._turns:
                problem = await asyncio.to_thread(self._sift, rows, limit)
            if problem is not None or len(rows) < size:
                return problem
        return None

    def _sift(self, rows: tuple[Row, ...], limit: int) -> JournalError | None:
        """Keep what is wanted of some rows, and go on behind the last one seen."""
        events = decoded(rows)
        if isinstance(events, Failure):
            failure: JournalError = events.failure()
            return failure
        for row, event in zip(rows, events.unwrap(), strict=True):
            if len(self.found) >= limit:
                break
            self.seq = row.seq
            self._looked_at += 1
            if self._wants(row, event):
                tree = tree_of(shown_event(event))
                self.found.append({"seq": row.seq, "event": tree})
        return None

    def _wants(self, row: Row, event: Event) -> bool:
        if self._kinds and tag_of(type(event)) not in self._kinds:
            return False
        if not self._names or getattr(event, "name", None) in self._names:
            return True
        return not self._names.isdisjoint(read_changes(row.changes) or {})
