"""What an operator does again and again leaves nothing to Python's collector."""

from __future__ import annotations

import gc
from pathlib import Path

import attrs
import pytest

from orchestrator import Claim, InvalidSpec, Operator, Standby, settled
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.replay.places import AfterRow
from orchestrator.runtime import compacting, retention
from orchestrator.runtime.collecting import AT_WORK
from orchestrator.runtime.recovery import snapshot_of
from orchestrator.runtime.retention import Keep
from tests.garbage import circles, ours
from tests.runtime.kit import fleet, opened, spec, value
from tests.runtime.test_compacting import COUNT, alone
from tests.runtime.test_compacting import ROWS as HISTORY
from tests.runtime.test_standby import DECLARED, Ground, leading, until, virtually
from tests.runtime.travel_kit import fill


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compacting, "PAGE", 30)
    monkeypatch.setattr(retention, "STEP", 50)
    monkeypatch.setattr(retention, "LEAST", 10)


async def test_a_compaction_with_archives(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = await value(open_sqlite(path))
    await fill(journal, HISTORY)
    on = await alone(journal, rows=60, archive=path)
    with circles() as found:
        assert await on.run_dry() == [True, True, True, False]
    assert await on.base() == COUNT - 60
    assert len([*tmp_path.glob("*.gz")]) == 4
    assert not ours(found)
    await value(journal.close())


async def test_requests_looks_rows_and_journeys(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = await value(open_sqlite(path))
    keep = Keep(rows=40, archive=path)
    names = ("a", "b", "c")
    whole = fleet(*(spec(name) for name in names))
    async with opened(whole, journal=journal, keep=keep) as kit:
        operator = kit.operator
        await value(operator.converge(steady_ms=0))
        with circles() as found:
            for number in range(30):
                await value(operator.restart_container(names[number % 3]))
                await value(operator.wait(names[number % 3]))
            await value(operator.reconcile())
            seq = operator.seq
            for row in range(seq - 20, seq, 5):
                await value(operator.get_container_info("a", at=AfterRow(row)))
                await value(operator.events(row, limit=5))
        assert not ours(found)


@virtually
async def test_a_standby_that_follows_is_read_and_begins_anew(ground: Ground) -> None:
    async with (
        ground.leader() as leader,
        ground.standby() as standby,
        leading(standby),
    ):
        await until(lambda: standby.operator.seq == leader.seq)
        with circles() as found:
            for _ in range(10):
                await value(leader.restart_container("web"))
                await value(leader.wait("web"))
                await until(lambda: standby.operator.seq == leader.seq)
                assert standby.operator.infos() == leader.infos()
                _ = standby.leadership()
            before, line = [standby.operator], ground.lines["two"]
            line.is_cut = True
            await compacted_by(leader, ground)
            line.is_cut = False
            await until(lambda: standby.operator is not before[0])
            before.clear()
        assert not ours(found)


async def compacted_by(leader: Operator, ground: Ground) -> None:
    """Have rows be compacted away, with some behind them."""
    _ = await value(leader.start_container("late"))
    fleet, head = leader.fleet, leader._loop.head
    _ = await value(leader.reconcile())
    await value(ground.rows.begin_behind(snapshot_of(fleet, head)))


@virtually
async def test_nobody_looks_at_all_that_lives_while_a_standby_stands_by(
    ground: Ground,
) -> None:
    """From its first row to its end as a leader, also where it begins anew between."""
    async with ground.leader():
        pass
    before, seen, plain = gc.get_threshold(), list[tuple[int, ...]](), gc.set_threshold

    def noted(*threshold: int) -> None:
        seen.append(threshold)
        plain(*threshold)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "set_threshold", noted)
        async with ground.standby() as standby:
            first, line = standby.operator, ground.lines["two"]
            end = await value(ground.rows.head())
            await until(lambda: first.seq == end.seq)
            line.is_cut = True
            async with ground.leader("three") as leader:
                await compacted_by(leader, ground)
            other = Claim(holder="other/1", ms=600_000)
            _ = await value(ground.platform.attach_as(0, other))
            line.is_cut = False
            async with leading(standby) as task:
                await until(lambda: standby.operator is not first)
                assert gc.get_threshold() == AT_WORK
                ground.platform.expire_lease()
                await until(task.done)
                assert isinstance(task.result(), Operator)
                assert gc.get_threshold() == AT_WORK
    *during, last = seen
    assert last == before
    assert min(during) == AT_WORK > before


@virtually
async def test_a_standby_that_ends_leaves_the_collector_as_it_was(
    ground: Ground,
) -> None:
    async with ground.leader():
        pass
    before = gc.get_threshold()
    async with ground.standby() as standby:
        assert gc.get_threshold() == AT_WORK
        await standby.close()
        assert gc.get_threshold() == before
    refused = await settled(
        Standby.start(attrs.evolve(DECLARED, name="other"), **ground.means("three"))
    )
    assert isinstance(refused, InvalidSpec)
    assert gc.get_threshold() == before
