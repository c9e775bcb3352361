"""The fleet out of its journal: page after page in one fold, or why it cannot be."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import attrs
import pytest
from returns.future import FutureResult
from returns.result import Failure, Success

from orchestrator.core.errors import (
    JournalCompacted,
    JournalCorrupt,
    JournalUnavailable,
)
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.port import START, Draft, Head, Row
from orchestrator.replay import AfterRow, fold
from orchestrator.runtime import recovery
from orchestrator.runtime.collecting import THRESHOLD, collecting_seldom
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.recovery import Recovered, recover, snapshot_of
from tests.journal.opened import good
from tests.replay.incident import INCIDENT, drafts

LAST = len(INCIDENT)


async def journal_of(rows: tuple[Draft, ...]) -> MemoryJournal:
    journal = MemoryJournal()
    await good(journal.append(START, rows))
    return journal


@pytest.mark.parametrize("size", [1, 3, LAST, 5_000])
async def test_all_pages_are_folded_as_one(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "PAGE", size)
    journal = await journal_of(drafts(INCIDENT))
    found = await settled(recover(journal, "fleet"))
    assert isinstance(found, Recovered)
    assert found.fleet == fold(INCIDENT)
    assert (found.head.seq, found.folded, found.snapshot_at) == (LAST, LAST, 0)


async def test_only_the_rows_behind_the_snapshot_are_folded() -> None:
    journal = await journal_of(drafts(INCIDENT[:9]))
    head = await good(journal.head())
    fleet = fold(INCIDENT, until=AfterRow(9))
    await good(journal.save_snapshot(snapshot_of(fleet, head)))
    await good(journal.append(head, drafts(INCIDENT[9:])))
    found = await settled(recover(journal, "fleet"))
    assert isinstance(found, Recovered)
    assert found.fleet == fold(INCIDENT)
    assert (found.folded, found.snapshot_at) == (LAST - 9, 9)


async def test_a_row_without_a_meaning_is_named_on_whatever_page_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recovery, "PAGE", 2)
    rows = list(drafts(INCIDENT))
    for place in (0, 1, 6, LAST - 1):
        odd = attrs.evolve(rows[place], event=b'{"type":"unheard_of"}')
        journal = await journal_of((*rows[:place], odd, *rows[place + 1 :]))
        damage = await settled(recover(journal, "fleet"))
        assert isinstance(damage, JournalCorrupt)
        assert damage.seq == place + 1


@attrs.frozen
class Slow:
    """A journal whose later pages come when they may."""

    journal: MemoryJournal
    asked: asyncio.Event
    may: asyncio.Event
    failure: JournalUnavailable | None = None

    def read(self, after: int, limit: int) -> FutureResult[tuple[Row, ...], Any]:
        async def waited() -> Any:
            if after:
                self.asked.set()
                await self.may.wait()
                if self.failure is not None:
                    return (await FutureResult.from_failure(self.failure))._inner_value
            return (await self.journal.read(after, limit))._inner_value

        return FutureResult(waited())

    def __getattr__(self, name: str) -> Any:
        return getattr(self.journal, name)


async def test_a_page_that_cannot_be_read_ends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recovery, "PAGE", 4)
    failure = JournalUnavailable(cause="the disk is gone")
    slow = Slow(
        await journal_of(drafts(INCIDENT)), asyncio.Event(), asyncio.Event(), failure
    )
    slow.may.set()
    assert await settled(recover(slow, "fleet")) == failure


class Compacted(MemoryJournal):
    """A journal that a leader compacts so many times before its rows are read."""

    times = 0

    def read(self, after: int, limit: int) -> Any:
        return FutureResult(self._read(after, limit))

    async def _read(self, after: int, limit: int) -> Any:
        if self.times:
            self.times -= 1
            (row,) = await good(super().read(after + 1, 1))
            head = Head(seq=row.seq, digest=row.digest)
            fleet = fold(INCIDENT, until=AfterRow(row.seq))
            await good(self.begin_behind(snapshot_of(fleet, head)))
        rows = await settled(super().read(after, limit))
        return Success(rows) if isinstance(rows, tuple) else Failure(rows)


@pytest.mark.parametrize("times", [1, 3])
async def test_rows_that_go_meanwhile_are_recovered_anew(times: int) -> None:
    journal = Compacted()
    await good(journal.append(START, drafts(INCIDENT)))
    journal.times = times
    found = await settled(recover(journal, "fleet"))
    assert isinstance(found, Recovered)
    assert found.fleet == fold(INCIDENT)
    assert (found.head.seq, found.snapshot_at) == (LAST, 2 * times)
    journal = Compacted()
    await good(journal.append(START, drafts(INCIDENT)))
    journal.times = 6
    assert isinstance(await settled(recover(journal, "fleet")), JournalCompacted)


async def test_the_loop_goes_on_meanwhile_and_may_give_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recovery, "PAGE", 4)
    slow = Slow(await journal_of(drafts(INCIDENT)), asyncio.Event(), asyncio.Event())
    before = gc.get_threshold()
    task = asyncio.ensure_future(settled(recover(slow, "fleet")))
    await slow.asked.wait()
    assert gc.get_threshold() == THRESHOLD
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    slow.may.set()
    await asyncio.get_running_loop().shutdown_default_executor()
    assert gc.get_threshold() == before


def test_the_collector_is_as_before_when_the_last_has_left() -> None:
    before = gc.get_threshold()
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with collecting_seldom():
            inside.set()
            leave.wait()

    thread = threading.Thread(target=other)
    with collecting_seldom():
        thread.start()
        inside.wait()
    assert gc.get_threshold() == THRESHOLD
    leave.set()
    thread.join()
    assert gc.get_threshold() == before


@pytest.mark.parametrize("asked", [(0, 10, 10), (90_000, 5, 5)])
def test_a_collector_that_looks_as_seldom_is_let_be(
    asked: tuple[int, int, int],
) -> None:
    before = gc.get_threshold()
    gc.set_threshold(*asked)
    try:
        with collecting_seldom():
            assert gc.get_threshold() == asked
        assert gc.get_threshold() == asked
    finally:
        gc.set_threshold(*before)
