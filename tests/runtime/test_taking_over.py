"""A lease while a fleet is taken over, and when it goes; in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from returns.future import FutureResult

from orchestrator import (
    Claim,
    MemoryJournal,
    Operator,
    StaleOperator,
    Standby,
    settled,
)
from orchestrator.core.errors import JournalError, OperatorClosed
from orchestrator.core.notices import Notice
from orchestrator.core.notify import NoticeKind, Notify
from orchestrator.journal.port import Draft, Head, Row
from orchestrator.platforms.simulated.lines import Line
from orchestrator.runtime import notifier
from orchestrator.runtime.notifier import AT_ONCE, Envelope
from orchestrator.runtime.recovery import snapshot_of
from orchestrator.testing.shared import SharedJournal
from tests.runtime.kit import value
from tests.runtime.test_standby import (
    DECLARED,
    LEASE_MS,
    LEASE_S,
    SOON_S,
    Ground,
    leading,
    until,
    virtually,
)


class Slow(SharedJournal):
    """Takes ``reading_s`` for a read of whoever takes over; appends may hang."""

    def __init__(self, rows: MemoryJournal, line: Line) -> None:
        super().__init__(rows, line)
        self.reading_s = 0.0
        self.leads = 0
        self.appends = asyncio.Event()
        self.appends.set()

    def lead(self, epoch: int) -> None:
        self.leads += 1
        super().lead(epoch)

    def read(
        self, after: int, limit: int
    ) -> FutureResult[tuple[Row, ...], JournalError]:
        late: FutureResult[None, JournalError] = FutureResult(self._late())
        plain = super().read
        return late.bind(lambda _: plain(after, limit))

    def append(
        self, expect: Head, drafts: tuple[Draft, ...]
    ) -> FutureResult[Head, JournalError]:
        hangs: FutureResult[None, JournalError] = FutureResult(self._hung())
        plain = super().append
        return hangs.bind(lambda _: plain(expect, drafts))

    async def _late(self) -> Any:
        if self.leads and self.reading_s:
            await asyncio.sleep(self.reading_s)
        return (await FutureResult.from_value(None))._inner_value

    async def _hung(self) -> Any:
        await self.appends.wait()
        return (await FutureResult.from_value(None))._inner_value


def slow(ground: Ground, name: str) -> tuple[Slow, dict[str, Any]]:
    """Return a slow journal, and what an operator works with that has it."""
    means: dict[str, Any] = dict(ground.means(name))
    journal = means["journal"] = Slow(ground.rows, ground.lines[name])
    return journal, means


async def written(ground: Ground) -> None:
    """Have a leader come and go, so that there is something to take over."""
    async with ground.leader():
        pass


@asynccontextmanager
async def taking_over(
    ground: Ground, reading_s: float
) -> AsyncIterator[tuple[Slow, Standby, asyncio.Task[Any]]]:
    """Have one take over, and still be reading, which takes so long."""
    await written(ground)
    journal, means = slow(ground, "two")
    journal.reading_s = reading_s
    async with Standby.open(DECLARED, **means) as two, leading(two) as task:
        await until(lambda: journal.leads == 1)
        yield journal, two, task


@virtually
async def test_a_take_over_that_takes_longer_than_the_lease_keeps_it(
    ground: Ground,
) -> None:
    async with (
        taking_over(ground, 4 * LEASE_S) as (journal, _, task),
        ground.standby("three") as three,
        leading(three) as other,
    ):
        await until(task.done, limit_s=60.0)
        operator = task.result()
        assert isinstance(operator, Operator)
        assert (operator.leadership.epoch, ground.platform.epoch) == (2, 2)
        assert not other.done()
        journal.reading_s = 0.0
        await asyncio.sleep(2 * LEASE_S)
        assert operator.is_alive
        assert not other.done()


@virtually
async def test_a_take_over_is_given_up_with_its_lease(ground: Ground) -> None:
    async with taking_over(ground, 1_000.0) as (journal, two, task):
        ground.lines["two"].is_cut = True
        await asyncio.sleep(LEASE_S + 0.1)
        assert not task.done()
        assert not two.is_taking_over
        journal.reading_s = 0.0
        ground.lines["two"].is_cut = False
        took_s = await until(task.done)
        assert took_s < LEASE_S
        assert isinstance(task.result(), Operator)


@virtually
async def test_a_take_over_is_given_up_where_another_one_has_taken_over(
    ground: Ground,
) -> None:
    async with taking_over(ground, 1_000.0) as (journal, two, task):
        ground.platform.expire_lease()
        async with ground.leader("three") as three:
            journal.reading_s = 0.0
            await until(lambda: two.leadership().leader == "three/1")
            await asyncio.sleep(2 * LEASE_S)
            assert three.is_alive
            assert not task.done()
        assert await until(task.done) < SOON_S
        assert isinstance(task.result(), Operator)


@virtually
async def test_a_take_over_that_is_cancelled_gives_the_lease_back(
    ground: Ground,
) -> None:
    await written(ground)
    journal, means = slow(ground, "two")
    journal.reading_s = 1_000.0
    async with Standby.open(DECLARED, **means) as two:
        task = asyncio.ensure_future(settled(two.lead()))
        await until(lambda: journal.leads == 1)
        assert await value(ground.platform.lease()) is not None
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert await value(ground.platform.lease()) is None


@virtually
async def test_what_was_up_is_known_still_once_recovered_anew(ground: Ground) -> None:
    """It came down in rows that were compacted away: it is left down."""
    async with (
        ground.leader() as leader,
        ground.standby() as standby,
        leading(standby) as task,
    ):
        first = standby.operator
        await until(lambda: first.seq == leader.seq)
        ground.lines["two"].is_cut = True
        assert await settled(leader.down()) is None
        fleet, head = leader.fleet, leader._loop.head
        _ = await settled(leader.reconcile())
        await value(ground.rows.begin_behind(snapshot_of(fleet, head)))
        ground.lines["two"].is_cut = False
        await until(lambda: standby.operator is not first)
        await leader.close()
        await until(task.done)
        assert task.result() == OperatorClosed()


def posting(monkeypatch: pytest.MonkeyPatch, takes_s: float) -> list[str]:
    """Have each notice take so long, and go nowhere; return the addresses."""
    posted: list[str] = []

    async def post(url: str, *_: object, **__: object) -> None:
        posted.append(url)
        await asyncio.sleep(takes_s)

    monkeypatch.setattr(notifier, "post", post)
    return posted


def envelope(number: int) -> Envelope:
    notice = Notice(
        number=number, kind=NoticeKind.CRASH_LOOPING, name="web", run=1, at=0, epoch=1
    )
    notify = Notify(url=f"https://example.com/{number}")
    return Envelope(fleet="f", notice=notice, notify=notify, attempt=1)


@virtually
async def test_who_stands_down_sends_no_more_while_an_append_hangs(
    ground: Ground,
) -> None:
    journal, means = slow(ground, "one")
    with pytest.MonkeyPatch.context() as patch:
        posted = posting(patch, takes_s=2 * LEASE_S)
        async with Operator.open(DECLARED, **means) as leader:
            _ = await value(leader.converge(steady_ms=10))
            journal.appends.clear()
            asked = asyncio.ensure_future(settled(leader.start_container("late")))
            ended = asyncio.ensure_future(leader.ended())
            interpreter = leader._loop.interpreter
            assert interpreter is not None
            try:
                for number in range(2 * AT_ONCE):
                    interpreter.notify(envelope(number))
                await until(lambda: len(posted) == AT_ONCE)
                ground.platform.expire_lease()
                claim = Claim(holder="other/1", ms=LEASE_MS)
                _ = await value(ground.platform.attach_as(0, claim))
                await until(lambda: leader._loop.fatal is not None)
                assert not ended.done()
                interpreter.notify(envelope(99))
                await asyncio.sleep(10 * LEASE_S)
                assert not ended.done()
                assert len(posted) == AT_ONCE
            finally:
                journal.appends.set()
            assert isinstance(await asked, StaleOperator)
            assert isinstance(await ended, StaleOperator)
            assert len(posted) == AT_ONCE
