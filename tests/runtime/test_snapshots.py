"""Snapshots are spaced by what they cost, and written beside the loop."""

from __future__ import annotations

import asyncio

from returns.future import FutureResult

from orchestrator.core.errors import JournalError
from orchestrator.core.state import Fleet
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.port import Head, Snapshot
from orchestrator.runtime.snapshots import Snapshots
from tests.core.examples import Story, spec


def of(count: int) -> Fleet:
    return Story(*(spec(f"c-{number}") for number in range(count))).fleet


class Slow(MemoryJournal):
    """A journal that saves a snapshot when it may, and notes of which row."""

    def __init__(self) -> None:
        super().__init__()
        self.may = asyncio.Event()
        self.begun: list[int] = []
        self.saved: list[int] = []

    def save_snapshot(self, snapshot: Snapshot) -> FutureResult[None, JournalError]:
        self.begun.append(snapshot.seq)

        async def when_it_may() -> None:
            await self.may.wait()
            self.saved.append(snapshot.seq)

        return FutureResult.from_value(None).bind_awaitable(lambda _: when_it_may())


def head(seq: int) -> Head:
    return Head(seq=seq, digest=bytes(32))


async def rows(saving: Snapshots, fleet: Fleet, until: int) -> None:
    """Tell of every row up to one, and let what was begun be done after each."""
    for seq in range(1, until + 1):
        saving.now_and_then(fleet, head(seq))
        await saving.over()


async def test_there_are_as_many_rows_between_two_as_were_asked_for() -> None:
    journal = Slow()
    journal.may.set()
    await rows(Snapshots(journal, 0, 5), of(3), 17)
    assert journal.saved == [5, 10, 15]


async def test_there_are_as_many_rows_between_two_as_there_are_containers() -> None:
    """A hundred times the fleet: a hundredth of the snapshots, each as much longer."""
    journal = Slow()
    journal.may.set()
    await rows(Snapshots(journal, 0, 5), of(20), 65)
    assert journal.saved == [20, 40, 60]


async def test_nobody_waits_for_a_snapshot_and_one_is_written_at_a_time() -> None:
    journal, fleet = Slow(), of(1)
    saving = Snapshots(journal, 0, 2)
    for seq in range(1, 10):
        saving.now_and_then(fleet, head(seq))
    ends = asyncio.ensure_future(saving.save(fleet, head(9)))
    journal.may.set()
    await ends
    assert journal.saved == [2, 9]


async def test_what_is_being_saved_at_the_end_is_not_saved_again() -> None:
    journal, fleet = Slow(), of(1)
    journal.may.set()
    saving = Snapshots(journal, 0, 2)
    saving.now_and_then(fleet, head(2))
    await saving.save(fleet, head(2))
    assert journal.saved == journal.begun == [2]
