"""A running operator keeps its journal small: nothing after the cut is otherwise."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
from returns.future import FutureResult

from orchestrator import MemoryJournal, OpenFailed
from orchestrator.core.errors import (
    InvalidSpec,
    JournalCompacted,
    JournalError,
    JournalUnavailable,
)
from orchestrator.core.state import RULES, Fleet
from orchestrator.journal.port import START, Compactable, Row, Snapshot, chained
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.replay.places import AfterRow
from orchestrator.runtime import compacting as module
from orchestrator.runtime import retention
from orchestrator.runtime.clock import Clock
from orchestrator.runtime.compacting import Compacting
from orchestrator.runtime.hooks import Hooks
from orchestrator.runtime.loop import Loop
from orchestrator.runtime.recovery import recover
from orchestrator.runtime.retention import Keep, due_rows
from orchestrator.runtime.travel import Travel
from tests.journal.opened import all_of
from tests.replay.golden import POLICIES
from tests.runtime.kit import Kit, fleet, opened, spec, value
from tests.runtime.travel_kit import NAME, draft, fill, fleets, history, present
from tests.runtime.virtual import in_virtual_time

SEED, COUNT = 2, 240
ROWS = history(SEED, COUNT)
FLEETS = fleets(SEED, COUNT)
NOW = present(ROWS[-1].at, FLEETS[COUNT], COUNT)


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 7)
    monkeypatch.setattr(module, "EVERY_S", 0.01)
    monkeypatch.setattr(retention, "STEP", 50)
    monkeypatch.setattr(retention, "LEAST", 10)


@attrs.frozen(kw_only=True)
class Alone:
    """A compaction with nothing around it that works."""

    journal: Any
    compacting: Compacting
    travel: Travel
    loop: Loop

    async def run_dry(self) -> list[bool | None]:
        """Look as long as more is due."""
        found = [await self.compacting.look()]
        while found[-1]:
            found.append(await self.compacting.look())
        return found

    async def base(self) -> int:
        base = await value(self.journal.beginning())
        return 0 if base is None else int(base.seq)


async def alone(journal: Any, **keep: Any) -> Alone:
    recovered = await value(recover(journal, NAME, POLICIES))
    loop = Loop(recovered, journal, Clock(), Hooks(None), POLICIES)
    travel = Travel(journal, POLICIES)
    compacting = Compacting(journal, Keep(**keep), loop, travel, POLICIES)
    return Alone(journal=journal, compacting=compacting, travel=travel, loop=loop)


async def filled(journal: Any = None, **keep: Any) -> Alone:
    journal = journal or MemoryJournal()
    await fill(journal, ROWS)
    return await alone(journal, **keep)


async def test_the_oldest_rows_go_a_step_at_a_time() -> None:
    on = await filled(rows=60)
    assert await on.run_dry() == [True, True, True, False]
    assert await on.base() == COUNT - 60
    assert await on.compacting.look() is False
    telemetry = on.loop.telemetry
    assert (telemetry.compactions, telemetry.journal_base) == (4, COUNT - 60)
    assert telemetry.compaction_failures == 0


async def test_what_is_left_is_what_it_was(tmp_path: Path) -> None:
    sqlite = await value(open_sqlite(tmp_path / "journal.db"))
    for journal in (MemoryJournal(), sqlite):
        on = await filled(journal, rows=100)
        before = await value(journal.head())
        await on.run_dry()
        assert await value(journal.head()) == before
        assert await value(journal.read(COUNT - 100, 1_000)) == ROWS[-100:]
        recovered = await value(recover(journal, NAME, POLICIES))
        assert recovered.fleet == FLEETS[COUNT]
        for row in range(COUNT - 100, COUNT + 1, 9):
            view = await on.travel.to(AfterRow(row), NOW)
            assert view.unwrap().fleet == FLEETS[row]
        further = history(SEED, COUNT + 20)[COUNT:]
        head = await value(journal.append(before, tuple(map(draft, further))))
        assert head.digest == further[-1].digest
        await value(journal.close())
    assert all_of(tmp_path / "journal.db").is_whole


async def test_a_journal_that_was_compacted_is_compacted_again() -> None:
    on = await filled(rows=100)
    await on.run_dry()
    again = await alone(on.journal, rows=30)
    await again.run_dry()
    assert await on.base() == COUNT - 30
    recovered = await value(recover(on.journal, NAME, POLICIES))
    assert recovered.fleet == FLEETS[COUNT]


@pytest.mark.parametrize("ms", [0, 1, 1_000, 60_000, 10**9])
async def test_time_is_counted_back_from_the_newest_row(ms: int) -> None:
    journal = MemoryJournal()
    await fill(journal, ROWS)
    older = [row.seq for row in ROWS[:-1] if row.at < ROWS[-1].at - ms]
    found = await due_rows(journal, Keep(ms=ms), 0)
    if len(older) < retention.LEAST:
        assert found is None
    else:
        assert isinstance(found, retention.Due)
        assert found.cut == min(len(older), retention.STEP)
        assert found.is_last is (found.cut == len(older))


@pytest.mark.parametrize(
    ("rows", "kept"), [(20, 20), (150, None), (COUNT, None), (10**6, None)]
)
async def test_what_either_bound_lets_go_goes(rows: int, kept: int | None) -> None:
    """Where the rows let less go than the time, it is the time that counts."""
    span = ROWS[-1].at - ROWS[COUNT - 100].at
    by_time = sum(row.at >= ROWS[-1].at - span for row in ROWS)
    on = await filled(rows=rows, ms=span)
    await on.run_dry()
    assert COUNT - await on.base() == (kept or min(by_time, rows))


async def test_few_rows_are_not_worth_a_step() -> None:
    on = await filled(rows=COUNT - 9)
    assert await on.compacting.look() is False
    assert await on.base() == 0
    journal = on.journal
    assert await due_rows(journal, Keep(rows=COUNT - 30), 0) is not None
    assert await due_rows(journal, Keep(rows=COUNT - 30), 500) is None
    assert await due_rows(journal, Keep(), 0) is None
    assert await due_rows(MemoryJournal(), Keep(rows=1, ms=0), 0) is None


async def test_the_newest_row_stays() -> None:
    on = await filled(rows=1, ms=0)
    await on.run_dry()
    assert await on.base() == COUNT - 1
    assert await value(on.journal.read(COUNT - 1, 9)) == ROWS[-1:]


async def test_what_goes_is_archived_and_the_chain_goes_on(tmp_path: Path) -> None:
    on = await filled(rows=60, archive=tmp_path / "journal.db")
    await on.run_dry()
    paths = sorted(tmp_path.iterdir(), key=lambda path: int(path.name.split("-")[1]))
    assert [path.name for path in paths] == [
        f"journal.db.rows-{first}-{last}.jsonl.gz"
        for first, last in ((1, 50), (51, 100), (101, 150), (151, 180))
    ]
    archived = [all_of(path) for path in paths]
    assert all(one.is_whole for one in archived)
    assert sum((one.rows for one in archived), ()) == ROWS[:180]
    bases = [one.base for one in archived[1:]] + [await value(on.journal.beginning())]
    assert [one.head for one in archived] == [base.head for base in bases if base]
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}


async def test_rows_that_do_not_replay_are_never_cut_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    odd = attrs.evolve(draft(ROWS[20]), changes=b'{"web":{"run":77}}')
    drafts = (*map(draft, ROWS[:20]), odd, *map(draft, ROWS[21:]))
    journal = MemoryJournal()
    await value(journal.append(START, drafts))
    on = await alone(journal, rows=100)
    with caplog.at_level(logging.ERROR, "orchestrator.journal"):
        on.compacting.start()
        assert on.compacting._working is not None
        await asyncio.wait([on.compacting._working])
    assert await on.base() == 0
    assert on.loop.telemetry.compaction_failures == 1
    assert "is not compacted any more" in caplog.text


async def test_a_damaged_row_and_a_base_without_sense_are_told(tmp_path: Path) -> None:
    odd = attrs.evolve(draft(ROWS[3]), event=b"{}")
    rows = chained(START, (*map(draft, ROWS[:3]), odd, *map(draft, ROWS[4:])))
    journal = Torn()
    journal._rows = list(rows)
    assert await (await _over(journal, rows=100)).look() is None
    journal = Torn(Snapshot(seq=0, digest=START.digest, rules=RULES, body=b"[]"))
    journal._rows = list(ROWS)
    assert await (await _over(journal, rows=100)).look() is None


class Torn(MemoryJournal):
    """A journal whose pages and operations can be told to fail."""

    def __init__(self, base: Snapshot | None = None) -> None:
        super().__init__(base)
        self.failing: set[str] = set()
        self.is_empty_behind: int | None = None
        self.bug: Exception | None = None

    def _answer(self, name: str, ask: Callable[[], Any]) -> Any:
        if self.bug is not None:
            raise self.bug
        if name in self.failing:
            return FutureResult.from_failure(JournalUnavailable(cause=name))
        return ask()

    def head(self) -> Any:
        return self._answer("head", super().head)

    def beginning(self) -> Any:
        return self._answer("beginning", super().beginning)

    def begin_behind(self, base: Snapshot) -> Any:
        return self._answer("begin_behind", partial(super().begin_behind, base))

    def read(self, after: int, limit: int) -> Any:
        if self.is_empty_behind is not None and after >= self.is_empty_behind:
            return FutureResult[tuple[Row, ...], JournalError].from_value(())
        return self._answer(f"read {limit}", partial(super().read, after, limit))


async def _over(journal: Torn, **keep: Any) -> Compacting:
    """Compact a journal whose fleet nobody can recover."""
    whole = await filled()
    return Compacting(journal, Keep(**keep), whole.loop, whole.travel, POLICIES)


@pytest.mark.parametrize("failing", ["head", "beginning", "read 1", "read 7"])
async def test_a_journal_that_cannot_be_read_now_is_tried_again(failing: str) -> None:
    journal = Torn()
    on = await filled(journal, rows=100, ms=10**9)
    journal.failing = {failing}
    assert await on.compacting.look() is False
    journal.failing = set()
    await on.run_dry()
    assert await on.base() == COUNT - 100
    assert on.loop.telemetry.compaction_failures == 1


@pytest.mark.parametrize("behind", [0, 14, 120, COUNT - 1])
async def test_rows_that_are_not_there_end_it(behind: int) -> None:
    journal = Torn()
    on = await filled(journal, rows=100, ms=1)
    journal.is_empty_behind = behind
    assert await on.compacting.look() is None
    assert await on.base() == 0


async def test_an_archive_stays_where_its_rows_may_be_gone(tmp_path: Path) -> None:
    on = await filled(rows=200, archive=tmp_path / "journal")
    begin_behind = on.journal.begin_behind

    def lost(base: Snapshot) -> Any:
        doubt = JournalUnavailable(cause="no answer", in_doubt=True)
        return begin_behind(base).bind(lambda _: FutureResult.from_failure(doubt))

    on.journal.begin_behind = lost
    assert await on.compacting.look() is False
    assert await on.base() > 0
    (kept,) = tmp_path.iterdir()
    assert all_of(kept).rows == ROWS[: await on.base()]


async def test_an_archive_whose_cut_was_not_made_serves_again(tmp_path: Path) -> None:
    journal = Torn()
    on = await filled(journal, rows=200, archive=tmp_path / "journal")
    begin_behind = on.journal.begin_behind
    doubt = JournalUnavailable(cause="no answer", in_doubt=True)
    on.journal.begin_behind = lambda _: FutureResult.from_failure(doubt)
    for _ in range(2):
        assert await on.compacting.look() is False
    (kept,) = tmp_path.iterdir()
    on.journal.begin_behind = begin_behind
    journal.failing = {"begin_behind"}
    assert await on.compacting.look() is False
    journal.failing = set()
    await on.run_dry()
    assert await on.base() == COUNT - 200
    assert [*tmp_path.iterdir()] == [kept]
    assert all_of(kept).rows == ROWS[: COUNT - 200]


async def test_an_archive_goes_where_its_rows_stay(tmp_path: Path) -> None:
    journal = Torn()
    on = await filled(journal, rows=100, archive=tmp_path / "j")
    journal.failing = {"begin_behind"}
    assert await on.compacting.look() is False
    assert list(tmp_path.iterdir()) == []
    on = await alone(journal, rows=100, archive=tmp_path / "no" / "folder")
    assert await on.compacting.look() is False
    assert await on.base() == 0


async def test_who_reads_the_past_is_not_overtaken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on = await filled(rows=100)
    with on.travel.holds:
        looking = asyncio.ensure_future(on.compacting.look())
        await on.compacting.waiting.wait()
        assert await on.base() == 0
    assert await looking is True
    assert await on.base() == 50
    monkeypatch.setattr(module, "HOLD_S", 0.0)
    with on.travel.holds:
        assert await on.compacting.look() is True
    assert await on.base() == 100


async def test_a_close_gives_up_the_step_under_way(tmp_path: Path) -> None:
    on = await filled(rows=100, archive=tmp_path / "j")
    with on.travel.holds:
        on.compacting.start()
        await on.compacting.waiting.wait()
        assert len(list(tmp_path.iterdir())) == 1
        await on.compacting.close()
    assert await on.base() == 0
    assert list(tmp_path.iterdir()) == []
    unused = await filled(rows=100)
    await unused.compacting.close()


async def test_a_bug_is_logged_and_the_operator_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    journal = Torn()
    on = await filled(journal, rows=100)
    on.compacting.start()
    await asyncio.sleep(0)
    journal.bug = ZeroDivisionError()
    await on.compacting.close()
    assert "ZeroDivisionError" in caplog.text


def _loud() -> Any:
    return fleet(spec("web"), spec("other"))


async def _restarts(kit: Kit, count: int) -> None:
    for _ in range(count):
        await value(kit.operator.restart_container("web"))


@in_virtual_time
async def test_an_operator_keeps_its_journal_small_while_it_works() -> None:
    async with opened(_loud(), keep=Keep(rows=20)) as kit:
        telemetry = kit.operator.telemetry
        while telemetry.compactions < 3:
            await _restarts(kit, 1)
            await asyncio.sleep(module.EVERY_S)  # restarts alone take no time
        await kit.operator.converge()
        base = await value(kit.journal.beginning())
        assert base is not None
        assert telemetry.journal_base == base.seq
        gone = await kit.operator.feed.fleet_after(base.seq - 1)
        assert isinstance(gone, JournalCompacted)
        seen = await kit.operator.feed.fleet_after(base.seq)
        assert isinstance(seen, Fleet)
        fleet_now = kit.operator.fleet
    recovered = await value(recover(kit.journal, "demo"))
    assert recovered.fleet == fleet_now


async def test_what_was_seen_before_is_forgotten_with_its_rows() -> None:
    on = await filled(rows=100)
    assert (await on.travel.to(AfterRow(20), NOW)).unwrap().fleet == FLEETS[20]
    assert (await on.travel.to(AfterRow(200), NOW)).unwrap().fleet == FLEETS[200]
    await on.run_dry()
    gone = (await on.travel.to(AfterRow(20), NOW)).failure()
    assert gone == JournalCompacted(asked=20, base=COUNT - 100)
    assert (await on.travel.to(AfterRow(200), NOW)).unwrap().fleet == FLEETS[200]


@in_virtual_time
async def test_without_a_word_all_of_it_is_kept() -> None:
    for keep in (None, Keep()):
        async with opened(_loud(), keep=keep) as kit:
            for _ in range(20):
                await _restarts(kit, 1)
                await asyncio.sleep(module.EVERY_S)
            assert kit.operator.telemetry.journal_base == 0
        assert await value(kit.journal.beginning()) is None


class Plain:
    """A journal that knows nothing of compaction."""

    def __init__(self) -> None:
        self._journal = MemoryJournal()

    def __getattr__(self, name: str) -> Any:
        if name == "begin_behind":
            raise AttributeError(name)
        return getattr(self._journal, name)


async def test_a_journal_that_cannot_be_cut_short_is_refused() -> None:
    plain: Any = Plain()
    assert not isinstance(plain, Compactable)
    with pytest.raises(OpenFailed) as found:
        async with opened(_loud(), journal=plain, keep=Keep(rows=9)):
            raise AssertionError
    assert isinstance(found.value.error, InvalidSpec)
    assert found.value.error.problems[0].place == "keep"
    async with opened(_loud(), journal=plain):
        pass


def _wrong() -> Iterator[dict[str, Any]]:
    yield from ({"rows": 0}, {"rows": "7"}, {"ms": -1}, {"ms": 10**15})


@pytest.mark.parametrize("wrong", [*_wrong()])
def test_what_makes_no_sense_cannot_be_kept(wrong: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Keep(**wrong)
