"""A fleet of more containers than the reference library can keep: 11 310."""

from __future__ import annotations

from pathlib import Path

from orchestrator import (
    ContainerInfo,
    ContainerSpec,
    FleetSpec,
    Operator,
    SimulatedPlatform,
    open_sqlite,
    settled,
)
from orchestrator.journal.sqlite import SqliteJournal

WALL = 11_310
BEYOND = WALL + 690


async def test_a_fleet_beyond_the_wall_is_kept_and_found_again(tmp_path: Path) -> None:
    declared = FleetSpec(
        name="demo",
        containers=tuple(
            ContainerSpec(name=f"web-{n}", command=("run",)) for n in range(BEYOND)
        ),
    )
    path = tmp_path / "journal.db"
    for _ in range(2):
        journal = await settled(open_sqlite(path))
        assert isinstance(journal, SqliteJournal)
        platform = SimulatedPlatform()
        async with Operator.open(
            declared, platform=platform, journal=journal
        ) as operator:
            assert len(operator.fleet.containers) == BEYOND
            last = await settled(operator.start_container(f"web-{BEYOND - 1}"))
            assert isinstance(last, ContainerInfo), last
    assert path.stat().st_size > 2 * 2**20
