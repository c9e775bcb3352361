"""Laws of the journal behind a gateway: whatever is lost on the way, it is the same.

A life of a journal: rows come, answers are lost, operators begin anew, fleets are saved
and old rows cut off. A journal in memory that nothing befalls is what it is compared
with, after every step and at every place.
"""

from __future__ import annotations

import asyncio
from unittest.mock import patch

import attrs
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.core.errors import (
    JournalCompacted,
    JournalError,
    JournalUnavailable,
    StaleOperator,
)
from orchestrator.journal.durable import appending, asking, fleets
from orchestrator.journal.durable.adapter import DurableJournal
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.port import START, Head, Snapshot
from orchestrator.runtime.outcomes import settled
from tests.journal.fake_archive import FakeArchive, FakeWire, Fault
from tests.journal.opened import bad, drafts, good

LOSSES = (Fault.LOST, Fault.CUT, Fault.NONE, Fault.LIMITED, Fault.DENIED)
"""What may befall any request; where something else answers, a cache may be none."""


@attrs.frozen
class Append:
    count: int


@attrs.frozen
class Save:
    pass


@attrs.frozen
class Cut:
    back: int


@attrs.frozen
class Reopen:
    is_another: bool


Deed = Append | Save | Cut | Reopen


@attrs.frozen
class Step:
    deed: Deed
    faults: tuple[Fault, ...]


DEEDS = st.one_of(
    st.builds(Append, st.integers(0, 7)),
    st.builds(Save),
    st.builds(Cut, st.integers(0, 12)),
    st.builds(Reopen, st.booleans()),
)
STEPS = st.builds(Step, DEEDS, st.lists(st.sampled_from(LOSSES), max_size=9).map(tuple))
LIVES = st.lists(STEPS, max_size=14)


@attrs.define
class Pair:
    """A journal behind a gateway, and one in memory that is to be the same."""

    archive: FakeArchive
    memory: MemoryJournal = attrs.Factory(MemoryJournal)
    head: Head = START
    epoch: int = 1
    saved: dict[int, Snapshot] = attrs.Factory(dict)
    faults: tuple[Fault, ...] = ()
    wire: FakeWire = attrs.Factory(FakeWire)
    journal: DurableJournal = attrs.Factory(lambda: DurableJournal(FakeWire()))

    def __attrs_post_init__(self) -> None:
        self.opened()

    def opened(self) -> None:
        self.wire = FakeWire(self.archive)
        self.journal = DurableJournal(self.wire)
        self.journal.lead(self.epoch)

    async def live(self, steps: list[Step]) -> None:
        for step in steps:
            self.wire.faults.extend(step.faults)
            match step.deed:
                case Append(count=count):
                    await self.append(count)
                case Save():
                    await self.save()
                case Cut(back=back):
                    await self.cut(back)
                case Reopen(is_another=is_another):
                    await self.reopen(is_another=is_another)
            self.wire.faults.clear()
            await self.is_the_same()

    async def append(self, count: int) -> None:
        new = drafts(range(self.head.seq + 1, self.head.seq + 1 + count))
        before = self.archive.head
        answer = await settled(self.journal.append(self.head, new))
        while not isinstance(answer, Head):
            assert isinstance(answer, JournalUnavailable), answer
            assert answer.retryable
            assert answer.in_doubt or self.archive.head == before
            self.wire.faults.clear()
            answer = await settled(self.journal.append(self.head, new))
        self.head = await good(self.memory.append(self.head, new))
        assert answer == self.head

    async def save(self) -> None:
        head = self.head
        one = Snapshot(
            seq=head.seq, digest=head.digest, rules=1, body=b'{"row":%d}' % head.seq
        )
        if not head.seq:
            return
        while await settled(self.journal.save_snapshot(one)) is not None:
            self.wire.faults.clear()
        await good(self.memory.save_snapshot(one))
        self.saved[head.seq] = one

    async def cut(self, back: int) -> None:
        base = await good(self.memory.beginning())
        start = 0 if base is None else base.seq
        seq = self.head.seq - back
        if not start < seq < self.head.seq:
            return
        (row,) = await good(self.memory.read(seq - 1, 1))
        one = Snapshot(seq=seq, digest=row.digest, rules=1, body=b'{"base":%d}' % seq)
        error = await settled(self.journal.begin_behind(one))
        while error is not None and not self._is_cut(seq):
            assert isinstance(error, JournalUnavailable), error
            self.wire.faults.clear()
            error = await settled(self.journal.begin_behind(one))
        await good(self.memory.begin_behind(one))
        self.saved = {at: each for at, each in self.saved.items() if at > seq}
        self.saved[seq] = one

    def _is_cut(self, seq: int) -> bool:
        return self.archive.base is not None and self.archive.base["seq"] == seq

    async def reopen(self, *, is_another: bool) -> None:
        before = self.journal
        if not is_another:
            await good(before.close())
            self.opened()
            return
        self.epoch += 1
        self.archive.epoch = self.epoch  # as an attach does
        self.opened()
        stale = StaleOperator(epoch=self.epoch - 1, highest=self.epoch)
        left = drafts([self.head.seq + 1])
        answer = await settled(before.append(self.head, left))
        assert answer == stale or isinstance(answer, JournalUnavailable)

    # What is compared

    async def is_the_same(self) -> None:
        far, near = self.journal, self.memory
        assert await good(far.head()) == await good(near.head()) == self.head
        assert await good(far.beginning()) == await good(near.beginning())
        fresh = DurableJournal(FakeWire(self.archive))
        for after in range(self.head.seq + 2):
            for limit in (1, 3, 99):
                told = [
                    await settled(one.read(after, limit)) for one in (far, near, fresh)
                ]
                assert told[0] == told[1] == told[2]
            await self.finds(far, after)
        await self.finds(far, None)

    async def finds(self, journal: DurableJournal, until: int | None) -> None:
        """Hold what is found to what was saved; the newest of all is always found."""
        expected = await settled(self.memory.latest_snapshot(until))
        found = await settled(journal.latest_snapshot(until))
        if isinstance(expected, JournalError) or expected is None:
            assert found == expected
            return
        assert isinstance(found, Snapshot)
        assert found == self.saved[found.seq]
        assert until is None or found.seq <= until
        if until is None:
            assert found == expected


@given(
    LIVES,
    st.sampled_from((1, 250, 10_000)),
    st.sampled_from((1, 400, 4_194_304)),
    st.sampled_from((3, 1_048_576)),
)
@example(
    [
        Step(Append(7), (Fault.NONE, Fault.LOST, Fault.LOST, Fault.LOST)),
        Step(Save(), (Fault.LOST,) * 9),
        Step(Append(2), (Fault.CUT, Fault.DENIED)),
        Step(Cut(3), (*[Fault.NONE] * 5, *[Fault.LOST] * 3)),
        Step(Reopen(is_another=True), ()),
        Step(Append(3), ()),
    ],
    250,
    1,
    3,
)
def test_the_journal_behind_a_gateway_says_what_one_in_memory_says(
    steps: list[Step], page_max: int, append_max: int, part_max: int
) -> None:
    archive = FakeArchive(
        page_max=page_max, append_max=append_max, part_max=part_max, epoch=1
    )
    with (
        patch.object(asking, "PAUSES_S", (0.0, 0.0)),
        patch.object(appending, "APPEND_MAX", append_max),
        patch.object(appending, "FIRST_MAX", 0),
        patch.object(fleets, "PART_MAX", part_max),
    ):
        asyncio.run(Pair(archive).live(steps))


@given(st.integers(1, 9), st.integers(0, 9), st.data())
def test_no_altered_row_goes_unseen_wherever_it_is_read_from(
    count: int, after: int, data: st.DataObject
) -> None:
    place = data.draw(st.integers(1, count))
    after = min(after, place - 1)

    async def holds() -> None:
        archive = FakeArchive()
        journal = DurableJournal(FakeWire(archive))
        journal.lead(1)
        await good(journal.append(START, drafts(range(1, count + 1))))
        line = archive.rows[place]
        where = data.draw(st.integers(0, len(line.body) - 1))
        other = data.draw(st.integers(0, 255).filter(lambda b: b != line.body[where]))
        line.body = line.body[:where] + bytes([other]) + line.body[where + 1 :]
        fresh = DurableJournal(FakeWire(archive))
        error = await bad(fresh.read(after, 99))
        assert not isinstance(error, JournalCompacted)

    asyncio.run(holds())
