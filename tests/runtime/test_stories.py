"""Stories of the past: told in a thread, as far as there is anybody who listens."""

from __future__ import annotations

import asyncio
import threading

import attrs
import pytest
from returns.future import FutureResult

from orchestrator.core.access_errors import TooManyRequests
from orchestrator.core.custom import NO_POLICIES
from orchestrator.core.errors import (
    ContainerNotFound,
    InvalidSpec,
    JournalCompacted,
    JournalCorrupt,
    JournalError,
    JournalUnavailable,
    OperatorClosed,
    PolicyNotRegistered,
)
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.port import Row, Snapshot
from orchestrator.replay.places import AfterRow, AtMoment
from orchestrator.runtime import stories as telling_of
from orchestrator.runtime.stories import (
    COME_AGAIN_MS,
    LATELY,
    WAITING_MAX,
    Stories,
    StoryError,
    Telling,
)
from orchestrator.runtime.travel import Travel
from orchestrator.runtime.views import View
from tests.replay.golden import POLICIES
from tests.runtime.travel_kit import compacted, fill, fleets, history, present

SEED, COUNT = 2, 240
ROWS = history(SEED, COUNT)
END = ROWS[-1].at
NOW = present(END + 60_000, fleets(SEED, COUNT)[COUNT], COUNT)
WHOLE = Telling(since=AfterRow(0))


class Pages(MemoryJournal):
    """A journal that can be told to fail, and counts the pages that are read of it."""

    def __init__(self, base: Snapshot | None = None) -> None:
        super().__init__(base)
        self.pages: list[int] = []
        self.error: JournalError | None = None
        self.ends_at: int | None = None
        self.bad: int | None = None

    def read(
        self, after: int, limit: int
    ) -> FutureResult[tuple[Row, ...], JournalError]:
        if self.error is not None:
            return FutureResult.from_failure(self.error)
        if self.ends_at is not None and after >= self.ends_at:
            return FutureResult.from_value(())
        self.pages.append(after)
        return super().read(after, limit).map(self._spoilt)

    def _spoilt(self, rows: tuple[Row, ...]) -> tuple[Row, ...]:
        return tuple(
            attrs.evolve(row, event=b"{}") if row.seq == self.bad else row
            for row in rows
        )


async def filled() -> Pages:
    journal = Pages()
    await fill(journal, ROWS)
    return journal


def over(journal: MemoryJournal) -> Stories:
    return Stories(journal, Travel(journal, POLICIES), POLICIES)


async def refused(stories: Stories, telling: Telling, now: View = NOW) -> StoryError:
    return (await stories.history(5, telling, now)).failure()


async def test_it_is_told_in_a_thread_a_page_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(telling_of, "PAGE", 50)
    journal = await filled()
    threads: set[threading.Thread] = set()
    asked: list[int] = []

    def is_wanted() -> bool:
        threads.add(threading.current_thread())
        asked.append(1)
        return True

    telling = attrs.evolve(WHOLE, is_wanted=is_wanted)
    told = (await over(journal).history(5, telling, NOW)).unwrap()
    assert told.last_row == COUNT
    assert journal.pages[-5:] == [0, 50, 100, 150, 200]
    assert len(asked) == 6
    assert threading.main_thread() in threads
    assert len(threads) == 2


async def test_nobody_is_told_for_whom_nobody_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(telling_of, "PAGE", 50)
    journal = await filled()
    turns = iter([True, True, False])
    telling = attrs.evolve(WHOLE, is_wanted=lambda: next(turns))
    assert await refused(over(journal), telling) == OperatorClosed()
    assert journal.pages[-1] == 0
    gone = attrs.evolve(WHOLE, is_wanted=lambda: False)
    assert await refused(over(journal), gone) == OperatorClosed()


async def test_one_story_waits_for_the_other() -> None:
    stories = over(await filled())
    both = (
        stories.history(5, WHOLE, NOW),
        stories.timeline("dead", WHOLE, NOW),
    )
    one, other = await asyncio.gather(*both)
    assert one.unwrap().last_row == other.unwrap().seq == COUNT


class Held:
    """Who listens, but lets nobody go on before it is let go."""

    def __init__(self) -> None:
        self.is_reached = asyncio.Event()
        self.goes_on = threading.Event()
        self._loop = asyncio.get_running_loop()

    def is_wanted(self) -> bool:
        if threading.current_thread() is not threading.main_thread():
            self._loop.call_soon_threadsafe(self.is_reached.set)
            assert self.goes_on.wait(LIMIT_S)
        return True


LIMIT_S = 60


async def test_a_short_story_waits_for_no_long_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(telling_of, "NEWEST", 50)
    stories = over(await filled())
    held = Held()
    telling = attrs.evolve(WHOLE, is_wanted=held.is_wanted)
    long = [asyncio.create_task(stories.history(5, telling, NOW)) for _ in range(3)]
    await asyncio.wait_for(held.is_reached.wait(), LIMIT_S)
    try:
        async with asyncio.timeout(LIMIT_S / 2):
            told = await stories.history(5, LATELY, NOW)
        assert told.unwrap().first_row == COUNT - 50 + 1
        assert not any(task.done() for task in long)
    finally:
        held.goes_on.set()
    assert [(await task).unwrap().last_row for task in long] == [COUNT] * 3


async def test_where_many_wait_one_more_is_asked_to_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(telling_of, "NEWEST", 50)
    stories = over(await filled())
    held = Held()
    telling = attrs.evolve(WHOLE, is_wanted=held.is_wanted)
    crowd = [
        asyncio.create_task(stories.history(5, telling, NOW))
        for _ in range(WAITING_MAX + 2)
    ]
    try:
        turned_away = TooManyRequests(retry_after_ms=COME_AGAIN_MS)
        for _ in range(2):
            done, _ = await asyncio.wait(
                crowd, timeout=LIMIT_S, return_when=asyncio.FIRST_COMPLETED
            )
            first = done.pop()
            crowd.remove(first)
            assert first.result().failure() == turned_away
    finally:
        held.goes_on.set()
    assert [(await task).unwrap().last_row for task in crowd] == [COUNT] * WAITING_MAX
    assert (await stories.history(5, WHOLE, NOW)).unwrap().last_row == COUNT


async def test_a_place_that_has_not_come_is_called_what_it_was_called() -> None:
    stories = over(await filled())
    for place in (AfterRow(COUNT + 1), AtMoment(NOW.at + 1)):
        for telling, name in (
            (Telling(since=place), "from"),
            (Telling(since=AfterRow(0), until=place), "until"),
        ):
            error = await refused(stories, telling)
            assert isinstance(error, InvalidSpec)
            assert [problem.place for problem in error.problems] == [name]


async def test_a_story_ends_with_the_operator() -> None:
    journal = await filled()
    travel = Travel(journal, POLICIES)
    stories = Stories(journal, travel, POLICIES)
    await travel.close()
    assert await refused(stories, WHOLE) == OperatorClosed()
    assert await refused(stories, LATELY) == OperatorClosed()
    ended = Telling(since=AfterRow(0), until=AfterRow(4))
    assert await refused(stories, ended) == OperatorClosed()


async def test_what_cannot_be_read_is_said() -> None:
    journal = await filled()
    stories = over(journal)
    journal.bad = 120
    damaged = await refused(stories, WHOLE)
    assert isinstance(damaged, JournalCorrupt)
    assert damaged.seq == 120
    journal.bad = None
    journal.ends_at = 100
    monkeyed = await refused(stories, Telling(since=AfterRow(100)))
    assert isinstance(monkeyed, JournalCorrupt)
    assert monkeyed.expected == "row 101"
    journal.ends_at = None
    journal.error = JournalUnavailable(cause="gone")
    for telling in (WHOLE, Telling(until=AfterRow(3)), LATELY):
        assert await refused(stories, telling) == journal.error


async def test_a_policy_that_nobody_registered_is_not_guessed() -> None:
    journal = await filled()
    stories = Stories(journal, Travel(journal, NO_POLICIES), NO_POLICIES)
    assert isinstance(await refused(stories, WHOLE), PolicyNotRegistered)


async def test_places_that_do_not_fit_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stories = over(await filled())
    for telling in (
        Telling(since=AfterRow(9), until=AfterRow(8)),
        Telling(since=AfterRow(COUNT + 1)),
        Telling(until=AfterRow(COUNT + 1)),
        Telling(since=AtMoment(END), until=AtMoment(ROWS[9].at)),
        Telling(until=AtMoment(NOW.at + 1)),
    ):
        assert isinstance(await refused(stories, telling), InvalidSpec), telling
    monkeypatch.setattr(telling_of, "ROWS_MAX", 100)
    error = await refused(stories, WHOLE)
    assert error.message == "from: expected at most 100 rows, found 240"


async def test_where_nothing_is_said_it_is_a_day_or_the_newest_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    journal = await filled()
    stories = over(journal)
    told = (await stories.history(5, LATELY, NOW)).unwrap()
    first = sum(row.at <= 0 for row in ROWS) + 1  # the clock of this fleet began at 0
    assert (told.first_row, told.last_row) == (first, COUNT)
    monkeypatch.setattr(telling_of, "NEWEST", 50)
    told = (await stories.history(5, LATELY, NOW)).unwrap()
    assert (told.first_row, told.ends_at) == (COUNT - 50 + 1, NOW.at)
    monkeypatch.setattr(telling_of, "NEWEST", 2_000)
    monkeypatch.setattr(telling_of, "DAY_MS", 60_000)
    told = (await stories.history(5, LATELY, NOW)).unwrap()
    begin = max(row.seq for row in ROWS if row.at <= END)
    assert (told.begins_at, told.first_row) == (END, begin + 1)


async def test_of_a_compacted_journal_what_is_left_is_told() -> None:
    journal = await compacted(SEED, COUNT, 90)
    stories = over(journal)
    told = (await stories.history(5, LATELY, NOW)).unwrap()
    assert (told.first_row, told.last_row) == (91, COUNT)
    nothing = Telling(since=AfterRow(90), until=AfterRow(90))
    told = (await stories.history(5, nothing, NOW)).unwrap()
    assert (told.first_row, told.last_row, len(told.points)) == (91, 90, 1)
    for gone in (Telling(since=AfterRow(3)), Telling(since=AtMoment(ROWS[3].at))):
        assert isinstance(await refused(stories, gone), JournalCompacted)


async def test_before_anything_has_happened_there_is_nothing_to_tell() -> None:
    journal = MemoryJournal()
    now = present(5_000)
    told = (await over(journal).history(5, LATELY, now)).unwrap()
    assert (told.begins_at, told.ends_at, told.last_row) == (5_000, 5_000, 0)
    assert [point.wanted for point in told.points] == [0]
    nobody = await over(journal).timeline("web", LATELY, now)
    assert nobody.failure() == ContainerNotFound(name="web")


async def test_a_step_is_that_of_its_row() -> None:
    journal = await filled()
    travel = Travel(journal, POLICIES)
    step = (await travel.step(100, NOW)).unwrap()
    assert step.after == fleets(SEED, COUNT)[100]
    assert step.before == fleets(SEED, COUNT)[99]
    for seq in (0, COUNT + 1):
        assert isinstance((await travel.step(seq, NOW)).failure(), InvalidSpec)
    journal.ends_at = 99
    missing = (await travel.step(100, NOW)).failure()
    assert isinstance(missing, JournalCorrupt)
    journal.error = JournalUnavailable(cause="gone")
    assert (await travel.step(100, NOW)).failure() == journal.error
    await travel.close()
    assert (await travel.step(100, NOW)).failure() == OperatorClosed()
    assert await travel.row_of(AfterRow(1), NOW) == OperatorClosed()
