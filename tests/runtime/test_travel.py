"""Time travel: any place of the past is the fold up to there, wherever it begins."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import attrs
import pytest
from returns.future import FutureResult
from returns.result import Result

from orchestrator.core.custom import NO_POLICIES
from orchestrator.core.errors import (
    ContainerError,
    InvalidSpec,
    JournalBusy,
    JournalCompacted,
    JournalCorrupt,
    JournalError,
    JournalUnavailable,
    OperatorClosed,
    PolicyNotRegistered,
)
from orchestrator.core.state import RULES, empty_fleet
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.port import Journal, Row, Snapshot
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.replay.places import AfterRow, AtMoment, Place
from orchestrator.runtime import travel as travels
from orchestrator.runtime.decoding import folded
from orchestrator.runtime.recovery import recover, snapshot_of
from orchestrator.runtime.travel import Travel
from orchestrator.runtime.views import View
from tests.replay.golden import POLICIES
from tests.runtime.kit import value
from tests.runtime.travel_kit import (
    NAME,
    compacted,
    draft,
    fill,
    fleets,
    head_of,
    history,
    present,
    snapshots,
)

SEED, COUNT = 2, 240
ROWS = history(SEED, COUNT)
FLEETS = fleets(SEED, COUNT)
END = ROWS[-1].at
NOW = END + 60_000


class Counting(MemoryJournal):
    """A journal that counts the pages that are read of it, and looks for snapshots."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: list[int] = []
        self.looks = 0
        self.error: JournalError | None = None

    def read(
        self, after: int, limit: int
    ) -> FutureResult[tuple[Row, ...], JournalError]:
        if self.error is not None:
            return FutureResult.from_failure(self.error)
        self.pages.append(limit)
        return super().read(after, limit)

    def latest_snapshot(
        self, until: int | None = None
    ) -> FutureResult[Snapshot | None, JournalError]:
        self.looks += 1
        return super().latest_snapshot(until)


async def went(travel: Travel, place: Place, now: View | None = None) -> View:
    found = await travel.to(place, now or present(NOW))
    return found.unwrap()


async def refused(travel: Travel, place: Place, now: int = NOW) -> ContainerError:
    return (await travel.to(place, present(now))).failure()


@pytest.fixture(params=["memory", "sqlite"])
async def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Journal:
    if request.param == "memory":
        return MemoryJournal()
    return await value(open_sqlite(tmp_path / "journal.db"))


@pytest.mark.parametrize("every", [COUNT + 1, 7, 100])
async def test_any_row_is_the_fold_up_to_it(journal: Journal, every: int) -> None:
    await fill(journal, ROWS, snapshots(SEED, COUNT, every))
    travel = Travel(journal, POLICIES)
    for seq in (*range(0, COUNT + 1, 5), *range(COUNT, -1, -9)):
        view = await went(travel, AfterRow(seq))
        assert view == View(seq=seq, at=FLEETS[seq].at, fleet=FLEETS[seq])
    await value(journal.close())


async def test_a_moment_is_the_last_row_that_had_come(journal: Journal) -> None:
    await fill(journal, ROWS)
    travel = Travel(journal, POLICIES)
    stamps = [row.at for row in ROWS]
    moments = {at + more for at in stamps[::11] for more in (-1, 0, 1)}
    for at in sorted(moments | {0, stamps[0] - 1, END, END + 5, NOW}):
        seq = sum(stamp <= at for stamp in stamps)
        view = await went(travel, AtMoment(at))
        assert view == View(seq=seq, at=at, fleet=FLEETS[seq])
    await value(journal.close())


async def test_a_journey_begins_at_the_nearest_fleet_that_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(travels, "PAGE", 10)
    journal = Counting()
    await fill(journal, ROWS, snapshots(SEED, COUNT, 100))
    travel = Travel(journal, POLICIES)
    for seq, pages, looks in (
        (105, [5], 1),  # from the snapshot of row 100
        (105, [], 0),  # kept
        (112, [7], 0),  # from row 105, which is kept, without a look for more
        (150, [10, 10, 10, 8], 1),  # from row 112, which is nearer than any snapshot
        (95, [10] * 9 + [5], 1),  # from the beginning
        (230, [10, 10, 10], 1),  # from the snapshot of row 200
        (COUNT - 1, [9], 0),  # from row 230
    ):
        journal.pages.clear()
        journal.looks = 0
        await went(travel, AfterRow(seq))
        assert (journal.pages, journal.looks) == (pages, looks), seq


async def test_the_present_is_known_and_never_folded() -> None:
    journal = Counting()
    await fill(journal, ROWS)
    now = present(NOW, FLEETS[COUNT], COUNT)
    travel = Travel(journal, POLICIES)
    view = await went(travel, AfterRow(COUNT), now)
    assert view.fleet is FLEETS[COUNT]
    assert journal.pages == []


async def test_the_fleets_that_were_used_last_are_kept() -> None:
    journal = Counting()
    await fill(journal, ROWS)
    travel = Travel(journal, POLICIES)
    last = 10 + travels.KEPT
    for seq in (*range(10, last), 10, last):
        await went(travel, AfterRow(seq))
    assert sorted(travel._kept) == [10, *range(12, last + 1)]
    await travel.close()
    assert not travel._kept


async def test_what_cannot_be_seen_is_refused_with_what_can() -> None:
    journal = Counting()
    await fill(journal, ROWS)
    travel = Travel(journal, POLICIES)
    beyond = await refused(travel, AfterRow(COUNT + 1))
    assert beyond.message == "at: expected a row from 0 to 240, the newest, found 241"
    assert isinstance(await refused(travel, AfterRow(-1)), InvalidSpec)
    assert (await refused(travel, AtMoment(2_001), now=2_000)).message == (
        "at: expected a moment that has come; it is 1970-01-01T00:00:02.000+00:00,"
        " found 1970-01-01T00:00:02.001+00:00"
    )
    late = await refused(travel, AtMoment(10**18))
    assert late.message.endswith("found 1000000000000000000")


async def test_an_empty_journal_shows_an_empty_fleet() -> None:
    travel = Travel(MemoryJournal())
    for place in (AfterRow(0), AtMoment(NOW)):
        assert (await went(travel, place)).fleet == empty_fleet(NAME)


async def test_a_compacted_journal_is_seen_from_its_base_on() -> None:
    base = 120
    journal = await compacted(SEED, COUNT, base)
    travel = Travel(journal, POLICIES)
    begins = FLEETS[base].at
    for seq in (base, base + 1, COUNT):
        assert (await went(travel, AfterRow(seq))).fleet == FLEETS[seq]
    assert (await went(travel, AtMoment(begins))).fleet.at == begins
    early = await refused(travel, AfterRow(base - 1))
    assert early == JournalCompacted(asked=base - 1, base=base)
    before = await refused(travel, AtMoment(begins - 1))
    assert before == JournalCompacted(asked=base - 1, base=base)


async def test_only_a_snapshot_of_the_present_rules_is_a_beginning() -> None:
    journal = Counting()
    wrong = snapshot_of(empty_fleet("wrong"), head_of(ROWS, 100))
    old = attrs.evolve(wrong, rules=RULES - 1)
    rubbish = attrs.evolve(wrong, seq=200, body=b"{", digest=ROWS[199].digest)
    await fill(journal, ROWS, (old, rubbish))
    travel = Travel(journal, POLICIES)
    for seq in (110, 210):
        assert (await went(travel, AfterRow(seq))).fleet == FLEETS[seq]


async def test_a_base_of_other_rules_is_the_truth_all_the_same() -> None:
    behind = snapshot_of(FLEETS[100], head_of(ROWS, 100))
    journal = MemoryJournal(attrs.evolve(behind, rules=RULES - 1))
    await fill(journal, ROWS[100:])
    assert (await went(Travel(journal, POLICIES), AfterRow(150))).fleet == FLEETS[150]
    recovered = await value(recover(journal, NAME, POLICIES))
    assert (recovered.fleet, recovered.folded) == (FLEETS[COUNT], COUNT - 100)
    newest = await value(journal.latest_snapshot())
    assert newest == snapshot_of(FLEETS[COUNT], head_of(ROWS, COUNT))


async def test_a_base_alone_is_recovered_and_not_saved_again() -> None:
    behind = snapshot_of(FLEETS[100], head_of(ROWS, 100))
    old = attrs.evolve(behind, rules=RULES - 1)
    journal = MemoryJournal(old)
    recovered = await value(recover(journal, NAME, POLICIES))
    assert recovered.fleet == FLEETS[100]
    assert recovered.head == head_of(ROWS, 100)
    assert await value(journal.latest_snapshot()) == old


async def test_a_base_that_makes_no_sense_is_damage() -> None:
    behind = snapshot_of(FLEETS[100], head_of(ROWS, 100))
    journal = MemoryJournal(attrs.evolve(behind, body=b'{"name": 7}'))
    await fill(journal, ROWS[100:])
    damage = await refused(Travel(journal, POLICIES), AfterRow(150))
    assert isinstance(damage, JournalCorrupt)
    assert (damage.seq, damage.place.split()[0]) == (100, "base")
    outcome = await recover(journal, NAME, POLICIES)
    assert outcome.failure()._inner_value == damage


async def test_a_policy_that_nobody_registered_ends_the_journey() -> None:
    journal = Counting()
    await fill(journal, ROWS, snapshots(SEED, COUNT, 100))
    for seq in (50, 150):  # in a row, in a snapshot
        missing = await refused(Travel(journal, NO_POLICIES), AfterRow(seq))
        assert isinstance(missing, PolicyNotRegistered)
        assert missing.policy == "strikes"


async def test_a_journal_that_cannot_be_read_says_so() -> None:
    journal = Counting()
    await fill(journal, ROWS)
    journal.error = JournalUnavailable(cause="disk gone")
    travel = Travel(journal, POLICIES)
    for place in (AfterRow(50), AtMoment(END)):
        assert await refused(travel, place) == journal.error


async def test_rows_that_are_not_there_are_damage() -> None:
    class Short(Counting):
        def read(
            self, after: int, limit: int
        ) -> FutureResult[tuple[Row, ...], JournalError]:
            return FutureResult.from_value(())

    journal = Short()
    await fill(journal, ROWS)
    travel = Travel(journal, POLICIES)
    for place, seq in ((AfterRow(50), 1), (AtMoment(END), COUNT // 2)):
        damage = await refused(travel, place)
        assert isinstance(damage, JournalCorrupt)
        assert damage.seq == seq


async def test_an_event_that_makes_no_sense_is_damage() -> None:
    journal = MemoryJournal()
    nonsense = attrs.evolve(draft(ROWS[1]), event=b'{"type": "joy"}')
    head = await value(journal.append(head_of((), 0), (draft(ROWS[0]), nonsense)))
    assert head.seq == 2
    damage = await refused(Travel(journal, POLICIES), AfterRow(2))
    assert isinstance(damage, JournalCorrupt)
    assert (damage.seq, damage.place.split()[0]) == (2, "event")


class Gated(Counting):
    """A journal whose pages come one at a time, when they are let through."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Semaphore(0)
        self.gate = asyncio.Semaphore(0)

    def read(
        self, after: int, limit: int
    ) -> FutureResult[tuple[Row, ...], JournalError]:
        async def page() -> Result[tuple[Row, ...], JournalError]:
            self.asked.release()
            await self.gate.acquire()
            return (await super(Gated, self).read(after, limit))._inner_value

        return FutureResult(page())


async def test_one_journey_at_a_time_and_others_find_what_it_came_to() -> None:
    journal = Gated()
    await fill(journal, ROWS)
    travel = Travel(journal, POLICIES)
    asked = [asyncio.ensure_future(went(travel, AfterRow(90))) for _ in range(5)]
    await journal.asked.acquire()
    assert journal.asked.locked()
    journal.gate.release()
    views = await asyncio.gather(*asked)
    assert {id(view.fleet) for view in views} == {id(views[0].fleet)}
    assert journal.pages == [90]


async def test_only_so_many_journeys_wait_and_who_comes_then_may_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(travels, "WAITING_MAX", 3)
    journal = Gated()
    await fill(journal, ROWS)
    travel = Travel(journal, POLICIES)
    asked = [asyncio.ensure_future(went(travel, AfterRow(90))) for _ in range(3)]
    await journal.asked.acquire()
    busy = JournalBusy(retry_after_ms=travels.COME_AGAIN_MS)
    assert await refused(travel, AfterRow(90)) == busy
    assert await travel.row_of(AtMoment(END), present(NOW)) == busy
    assert (await travel.step(5, present(NOW, seq=COUNT))).failure() == busy
    journal.gate.release()
    views = await asyncio.gather(*asked)
    assert {view.seq for view in views} == {90}
    assert (await went(travel, AfterRow(90))).fleet == FLEETS[90]


async def test_a_journey_that_is_called_off_leaves_its_place_to_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(travels, "WAITING_MAX", 2)
    journal = Gated()
    await fill(journal, ROWS)
    travel = Travel(journal, POLICIES)
    asked = [asyncio.ensure_future(went(travel, AfterRow(90))) for _ in range(2)]
    await journal.asked.acquire()
    for each in asked:
        each.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    journal.gate.release()
    assert (await went(travel, AfterRow(90))).fleet == FLEETS[90]


async def test_a_journey_ends_with_the_operator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(travels, "PAGE", 10)
    journal = Gated()
    await fill(journal, ROWS)
    travel = Travel(journal, POLICIES)
    first = asyncio.ensure_future(travel.to(AfterRow(95), present(NOW)))
    second = asyncio.ensure_future(travel.to(AfterRow(96), present(NOW)))
    await journal.asked.acquire()
    closing = asyncio.ensure_future(travel.close())
    await asyncio.sleep(0)
    journal.gate.release()
    assert (await first).failure() == (await second).failure() == OperatorClosed()
    await closing
    assert journal.pages == [10]
    for seq in (0, 1):
        assert await refused(travel, AfterRow(seq)) == OperatorClosed()


async def test_a_journey_that_nobody_waits_for_lets_the_next_begin() -> None:
    journal = Gated()
    await fill(journal, ROWS)
    travel = Travel(journal, POLICIES)
    given_up = asyncio.ensure_future(went(travel, AfterRow(90)))
    await journal.asked.acquire()
    given_up.cancel()
    journal.gate.release()
    assert (await went(travel, AfterRow(80))).fleet == FLEETS[80]


async def test_rows_are_folded_in_another_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: list[str] = []

    def seen(*args: Any) -> object:
        threads.append(threading.current_thread().name)
        return folded(*args)

    monkeypatch.setattr("orchestrator.runtime.travel.folded", seen)
    journal = MemoryJournal()
    await fill(journal, ROWS)
    await went(Travel(journal, POLICIES), AfterRow(90))
    assert threads
    assert threading.current_thread().name not in threads
