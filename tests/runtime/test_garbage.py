"""What an operator does again and again leaves nothing to Python's collector."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.journal.sqlite import open_sqlite
from orchestrator.replay.places import AfterRow
from orchestrator.runtime import compacting, retention
from orchestrator.runtime.retention import Keep
from tests.garbage import circles, ours
from tests.runtime.kit import fleet, opened, spec, value
from tests.runtime.test_compacting import COUNT, alone
from tests.runtime.test_compacting import ROWS as HISTORY
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
