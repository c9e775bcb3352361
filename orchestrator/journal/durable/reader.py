"""The rows of a journal behind a gateway, read in pages and checked.

A page has as many bytes as the gateway sends at once. The digest of the row before it
is needed to check it: where that is not known, that row is asked for as well.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
from returns.result import Failure, Result, Success

from orchestrator.core.errors import (
    JournalCompacted,
    JournalCorrupt,
    JournalError,
)
from orchestrator.core.moments import Millis
from orchestrator.journal.durable.answers import (
    Answered,
    JournalState,
    answered_of,
    checked_rows,
    row_in,
    state_of,
)
from orchestrator.journal.durable.asking import Asking
from orchestrator.journal.pages import Page
from orchestrator.journal.port import ALTERED, MISSING, START, Head, Row

__all__ = ("Reader", "Told")

KNOWN_MAX: Final = 256
"""Rows whose digests are kept: who reads on, or appends, is where one of them is."""


@attrs.frozen(kw_only=True)
class Told:
    """Rows behind a head, checked; ``damage`` is what is wrong with the next one.

    ``end``: where the journal ended when it was asked; ``lease``: who leads, as the
    gateway says it, None where nobody does.
    """

    page: Page | None
    damage: JournalCorrupt | None
    end: Head
    lease: Mapping[str, Any] | None


class Reader:
    """Reads one journal."""

    def __init__(self, asking: Asking) -> None:
        """Ask by *asking*."""
        self._asking = asking
        self._digests: OrderedDict[int, bytes] = OrderedDict()

    def remember(self, head: Head) -> None:
        """Keep the digest of a row that was checked, or written."""
        self._digests[head.seq] = head.digest
        self._digests.move_to_end(head.seq)
        if len(self._digests) > KNOWN_MAX:
            self._digests.popitem(last=False)

    def forget(self, behind: int) -> None:
        """Let the digests of rows go that are behind a row: they are cut off."""
        for seq in [seq for seq in self._digests if seq > behind]:
            del self._digests[seq]

    async def state(self) -> JournalState | JournalError:
        """Ask what the journal is."""
        answered = await self._asking.read("journal")
        if isinstance(answered, Failure):
            error: JournalError = answered.failure()
            return error
        state = state_of(answered.unwrap())
        if isinstance(state, JournalState) and state.base is not None:
            self.remember(Head(seq=state.base.seq, digest=state.base.digest))
        return state

    async def behind(
        self, head: Head, limit: int, *, wait_ms: Millis = 0
    ) -> Told | JournalError:
        """Ask for at most *limit* rows behind *head*; there may be more than are told.

        With *wait_ms* the gateway waits so long for the first one, or for another
        leader.
        """
        answered = await self.answered(head.seq, limit, wait_ms)
        if not isinstance(answered, Answered):
            return answered
        return self._told(answered, answered.lines[:limit], head)

    async def read(
        self, after: int, limit: int
    ) -> Result[tuple[Row, ...], JournalError]:
        """Read at most *limit* rows after number *after*, checked."""
        rows: list[Row] = []
        head = self._known(after)
        told: Told | JournalError | None = None
        if head is None:
            begun = await self._begun(after, limit)
            if not isinstance(begun, tuple):
                return Success(()) if begun is None else Failure(begun)
            head, told = begun
        while limit > 0:
            told = told or await self.behind(head, limit - len(rows))
            if not isinstance(told, Told):
                return Failure(told)
            if told.damage is not None:
                return Failure(told.damage)
            if told.page is not None:
                rows += told.page
                head = told.page.head
            if len(rows) >= limit or told.page is None or head.seq >= told.end.seq:
                break
            told = None
        return Success(tuple(rows))

    async def head_at(self, seq: int) -> Head | JournalError | None:
        """Return a row's number and digest; None where there is no such row."""
        head = self._known(seq)
        if head is not None:
            return head
        begun = await self._begun(seq, 0)
        return begun[0] if isinstance(begun, tuple) else begun

    def _known(self, seq: int) -> Head | None:
        if seq == START.seq:
            return START
        digest = self._digests.get(seq)
        return None if digest is None else Head(seq=seq, digest=digest)

    async def _begun(
        self, seq: int, limit: int
    ) -> tuple[Head, Told | None] | JournalError | None:
        """Ask for a row, to know its digest, and for those behind it.

        None where there is no such row yet.
        """
        answered = await self.answered(seq - 1, limit + 1, 0)
        if isinstance(answered, JournalCompacted):
            return await self._at_base(seq, answered)
        if not isinstance(answered, Answered):
            return answered
        if not answered.lines:
            return None if answered.end.seq < seq else _missing(seq)
        row = row_in(answered.lines[0])
        if row is None or row.seq != seq:
            return _missing(seq) if row is not None else _altered(seq, "no row")
        head = Head(seq=seq, digest=row.digest)
        lines = answered.lines[1 : limit + 1]
        if not lines and seq < answered.end.seq:
            return head, None  # a page of one row: those behind it are asked for apart
        return head, self._told(answered, lines, head)

    async def _at_base(
        self, seq: int, refusal: JournalCompacted
    ) -> tuple[Head, None] | JournalError:
        """Return the head of the base, if that is the row; it has no row any more."""
        if refusal.base != seq:
            return attrs.evolve(refusal, asked=seq)
        state = await self.state()
        if not isinstance(state, JournalState):
            return state
        head = self._known(seq)
        return attrs.evolve(refusal, asked=seq) if head is None else (head, None)

    async def answered(
        self, after: int, limit: int, wait_ms: Millis = 0
    ) -> Answered | JournalError:
        """Ask for lines of rows, as the gateway has them; nothing of it is checked."""
        query = {"after": str(after), "limit": str(limit)}
        if wait_ms:
            query["wait_ms"] = str(wait_ms)
        answered = await self._asking.read("journal/rows", query, wait_ms=wait_ms)
        if isinstance(answered, Failure):
            error: JournalError = answered.failure()
            return error
        return answered_of(answered.unwrap())

    def _told(self, answered: Answered, lines: Sequence[bytes], head: Head) -> Told:
        page, damage = checked_rows(lines, head)
        end = answered.end
        last = head if page is None else page.head
        if damage is None and page is None and head.seq < end.seq:
            damage = _missing(head.seq + 1)
        if damage is None and last.seq > end.seq:  # it was there, and is not any more
            damage = _missing(end.seq + 1)
        if damage is None and last.seq == end.seq and last != end:
            damage = _altered(end.seq, "another one than the head says")
        if page is not None and damage is None:
            self.remember(last)
        return Told(page=page, damage=damage, end=end, lease=answered.lease)


def _missing(seq: int) -> JournalCorrupt:
    return JournalCorrupt(seq=seq, place=MISSING, expected="a row", found="none")


def _altered(seq: int, found: str) -> JournalCorrupt:
    return JournalCorrupt(seq=seq, place=ALTERED, expected="a row", found=found)
