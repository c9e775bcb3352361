"""A real disk that is full: refused with a word, reads go on, room heals it."""

from __future__ import annotations

from pathlib import Path

from orchestrator import JournalUnavailable, Operator
from orchestrator.journal.sqlite import open_sqlite
from tests.journal.opened import good
from tests.runtime.kit import LIMIT_MS, Faulty, error, fleet, spec, value
from tests.small_disk import fill, small_disk


async def test_an_operator_outlives_a_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk, "1m"):
        journal = await good(open_sqlite(disk / "journal.db"))
        async with Operator.open(
            fleet(spec("web")), platform=Faulty(), journal=journal
        ) as operator:
            await value(operator.wait("web", limit_ms=LIMIT_MS))
            filler = fill(disk)
            refused: object = None
            for _ in range(500):  # what SQLite has set aside is used up first
                refused = await error(operator.stop_container("web", why="w" * 4_000))
                if isinstance(refused, JournalUnavailable):
                    break
            assert isinstance(refused, JournalUnavailable), refused
            seq = operator.seq
            assert (await value(operator.get_container_info("web"))).name == "web"
            filler.unlink()
            started = await value(operator.start_container("web", force=True))
            assert started.desired == "running"
            assert operator.seq > seq
            await value(operator.wait("web", limit_ms=LIMIT_MS))
        again = await good(open_sqlite(disk / "journal.db"))
        assert (await good(again.head())).seq >= seq
        await good(again.close())
