"""Two operators on one fleet, on the real runtime: whoever is lost, nothing else is.

Operators are processes that are killed, paused and cut off; the journal and the lease
are in the gateway. After each fault the same must be so: what was acknowledged is in
the journal, no run was started twice, every answer can be explained, and the journal
verifies from its first row to its last. ``drill.py`` does the same at random, for long.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.engine import Engine
from tests.platforms.cloudflare.real.ha_faults import FAULTS, begin
from tests.platforms.cloudflare.real.ha_kit import ground

ROUNDS = [
    ("leader killed", "standby cut off", "container killed", "runtime killed"),
    ("leader cut off", "standby killed", "leader paused", "both asked", "nobody leads"),
]


@pytest.mark.parametrize("faults", ROUNDS, ids=lambda names: names[0])
async def test_nothing_is_lost_and_nothing_is_done_twice(
    engine: Engine, tmp_path: Path, faults: tuple[str, ...]
) -> None:
    async with ground(engine, tmp_path) as it:
        await begin(it)
        for what in faults:
            await FAULTS[what](it)
            await it.all_ready()
        await it.judged(await it.exported(tmp_path / "journal.jsonl"))
        assert it.take_overs


def test_every_fault_is_tried() -> None:
    assert {name for names in ROUNDS for name in names} == set(FAULTS)
