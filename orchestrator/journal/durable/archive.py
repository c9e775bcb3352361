"""What is asked of a journal behind a gateway, and what its answers come to.

An append is one request and one transaction there, which also asks whether the epoch is
the newest: who was replaced is told so, and writes no more (``StaleOperator``). Where
the answer is lost the very same bytes are sent again, and a gateway that has the rows
says so; if none comes at all the append is *in doubt*.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

from returns.result import Failure, Result, Success

from orchestrator.codec.digests import SIZE
from orchestrator.core.errors import (
    JournalCompacted,
    JournalConflict,
    JournalCorrupt,
    JournalError,
    JournalUnavailable,
)
from orchestrator.core.moments import Millis
from orchestrator.journal.durable.answers import (
    Answered,
    JournalState,
    Kept,
    Leader,
    leader_of,
)
from orchestrator.journal.durable.appending import put_rows
from orchestrator.journal.durable.asking import Asking
from orchestrator.journal.durable.cutting import cut, has_begun, has_ended, told
from orchestrator.journal.durable.fleets import base_of, fetched, put_fleet
from orchestrator.journal.durable.reader import Reader, Told
from orchestrator.journal.durable.wire import Wire
from orchestrator.journal.port import (
    START,
    Draft,
    Head,
    Row,
    Snapshot,
    chained,
    misplaced,
)

__all__ = ("Archive",)

NO_EPOCH: Final = JournalUnavailable(
    cause="read only: nobody has said under which epoch it is written", retryable=False
)

MOVES: Final = 5
"""Bases in a row that may be replaced while they are fetched."""

MOVING: Final = JournalUnavailable(cause="it is compacted faster than it can be read")

T = TypeVar("T")


class Archive:
    """The journal of one fleet, in plain coroutines; ``adapter`` makes a port of it."""

    def __init__(self, wire: Wire) -> None:
        """Ask over *wire*, which is closed with this."""
        self._asking = Asking(wire)
        self._reader = Reader(self._asking)
        self._base: tuple[Kept, Snapshot] | None = None
        self.epoch: int | None = None

    async def state(self) -> Result[JournalState, JournalError]:
        """Say what the journal is."""
        state = await self._reader.state()
        return Success(state) if isinstance(state, JournalState) else Failure(state)

    async def leader(self) -> Result[Leader, JournalError]:
        """Say under which epoch the journal is written, and who has the lease."""
        answered = await self._asking.read("lease")
        if isinstance(answered, Failure):
            return Failure(answered.failure())
        leader = leader_of(answered.unwrap())
        return Success(leader) if isinstance(leader, Leader) else Failure(leader)

    async def append(
        self, expect: Head, drafts: tuple[Draft, ...]
    ) -> Result[Head, JournalError]:
        """Append rows behind *expect*."""
        if self.epoch is None:
            return Failure(NO_EPOCH)
        if not drafts or len(expect.digest) != SIZE:
            return (await self.state()).bind(lambda state: _expected(expect, state))
        return await self.put(expect, chained(expect, drafts))

    async def put(
        self, expect: Head, rows: tuple[Row, ...]
    ) -> Result[Head, JournalError]:
        """Append rows that are chained to *expect* already."""
        if self.epoch is None:
            return Failure(NO_EPOCH)
        put = await put_rows(self._asking, self._reader, self.epoch, expect, rows)
        if not isinstance(put, Head):
            return Failure(put)
        self._reader.remember(put)
        return Success(put)

    async def read(
        self, after: int, limit: int
    ) -> Result[tuple[Row, ...], JournalError]:
        """Read at most *limit* rows after number *after*, checked."""
        return await self._reader.read(after, limit)

    async def head_at(self, seq: int) -> Head | JournalError | None:
        """Return a row's number and digest; None where there is no such row."""
        return await self._reader.head_at(seq)

    async def follow(
        self, after: Head, limit: int, wait_ms: Millis = 0
    ) -> Result[Told, JournalError]:
        """Read rows behind *after*, and who leads."""
        told = await self._reader.behind(after, limit, wait_ms=wait_ms)
        return Success(told) if isinstance(told, Told) else Failure(told)

    async def lines(self, after: int, limit: int) -> Result[Answered, JournalError]:
        """Read rows after number *after* as they are kept, damaged or not."""
        found = await self._reader.answered(after, limit)
        return Success(found) if isinstance(found, Answered) else Failure(found)

    async def beginning(self) -> Result[Snapshot | None, JournalError]:
        """Return what the rows begin behind."""
        return await self._of_one_moment(self._base_in)

    async def opened(
        self,
    ) -> Result[tuple[JournalState, Snapshot | None], JournalError]:
        """Say what the journal is, and what its rows begin behind at that moment."""

        async def both(
            state: JournalState,
        ) -> Result[tuple[JournalState, Snapshot | None], JournalError]:
            base = await self._base_in(state)
            return base.map(lambda found: (state, found))

        return await self._of_one_moment(both)

    async def _of_one_moment(
        self, look: Callable[[JournalState], Awaitable[Result[T, JournalError]]]
    ) -> Result[T, JournalError]:
        """Look at a state; at the next one where its base was replaced meanwhile.

        A base that is missing is damage only if the journal still begins behind it.
        """
        state = await self._reader.state()
        for _ in range(MOVES):
            if not isinstance(state, JournalState):
                return Failure(state)
            found = await look(state)
            if not isinstance(found, Failure):
                return found
            if not isinstance(found.failure(), JournalCorrupt):
                return found
            before, state = state, await self._reader.state()
            if isinstance(state, JournalState) and state.base == before.base:
                return found
        return Failure(MOVING)

    async def _base_in(
        self, state: JournalState
    ) -> Result[Snapshot | None, JournalError]:
        """Return the fleet of the base, which is fetched when it is another one."""
        if state.base is None:
            return Success(None)
        if self._base is not None and self._base[0] == state.base:
            return Success(self._base[1])
        found = await base_of(self._asking, state.base)
        if isinstance(found, Failure):
            return Failure(found.failure())
        self._base = (state.base, found.unwrap())
        return Success(self._base[1])

    async def save(self, snapshot: Snapshot) -> Result[None, JournalError]:
        """Keep a snapshot."""
        if self.epoch is None:
            return Failure(NO_EPOCH)
        if self._base is not None and snapshot.seq <= self._base[0].seq:
            return Success(None)  # nobody would look for it
        return await put_fleet(self._asking, self.epoch, snapshot)

    async def latest(self, until: int | None) -> Result[Snapshot | None, JournalError]:
        """Look from the newest down; a damaged one is passed over, it is a cache."""
        return await self._of_one_moment(partial(self._latest, until))

    async def _latest(
        self, until: int | None, state: JournalState
    ) -> Result[Snapshot | None, JournalError]:
        start = 0 if state.base is None else state.base.seq
        last = state.head.seq if until is None else min(until, state.head.seq)
        if last < start:
            return Failure(JournalCompacted(asked=last, base=start))
        for kept in reversed(state.snapshots):
            if start < kept.seq <= last:
                found = await self._snapshot(kept)
                if isinstance(found, Failure) or found.unwrap() is not None:
                    return found
        return await self._base_in(state)

    async def _snapshot(self, kept: Kept) -> Result[Snapshot | None, JournalError]:
        """Return a snapshot, if it is whole and agrees with its row."""
        head = await self._reader.head_at(kept.seq)
        if isinstance(head, JournalUnavailable):
            return Failure(head)
        if head != Head(seq=kept.seq, digest=kept.digest):
            return Success(None)
        return await fetched(self._asking, kept)

    async def begin_behind(self, base: Snapshot) -> Result[None, JournalError]:
        """Put *base* in the place of its row and of all before."""
        if self.epoch is None:
            return Failure(NO_EPOCH)
        state = await self._reader.state()
        if not isinstance(state, JournalState):
            return Failure(state)
        if state.head != START:
            problem = await self._misplaced(base, state)
            if problem is not None:
                return Failure(problem)
        put = await put_fleet(self._asking, self.epoch, base)
        if isinstance(put, Failure):
            return put
        problem = await self._cut("base", {"seq": base.seq}, partial(has_begun, base))
        if problem is not None:
            return Failure(problem)
        self._reader.remember(base.head)
        return Success(None)

    async def _misplaced(
        self, base: Snapshot, state: JournalState
    ) -> JournalError | None:
        """Return why the rows cannot begin behind *base*, if so."""
        start = 0 if state.base is None else state.base.seq
        if not start < base.seq < state.head.seq:
            return misplaced(base, None, state.head)
        head = await self._reader.head_at(base.seq)
        if head is not None and not isinstance(head, Head):
            return head
        return misplaced(base, None if head is None else head.digest, state.head)

    async def end_with(self, head: Head, expect: Head) -> Result[None, JournalError]:
        """Cut off what is behind *head*, where the journal ends with *expect*."""
        if self.epoch is None:
            return Failure(NO_EPOCH)
        where = {**told(head), "expect": told(expect)}
        problem = await self._cut("end", where, partial(has_ended, head, expect))
        if problem is not None:
            return Failure(problem)
        self._reader.forget(head.seq)
        return Success(None)

    async def _cut(
        self,
        place: str,
        where: Mapping[str, Any],
        is_made: Callable[[JournalState], bool | None],
    ) -> JournalError | None:
        tree = {"epoch": self.epoch, **where}
        return await cut(self._asking, self._reader, f"journal/{place}", tree, is_made)

    async def close(self) -> Result[None, JournalError]:
        """Let go of the connections."""
        await self._asking.close()
        return Success(None)


def _expected(expect: Head, state: JournalState) -> Result[Head, JournalError]:
    if state.head == expect:
        return Success(expect)
    return Failure(JournalConflict(expected_seq=expect.seq, found_seq=state.head.seq))
