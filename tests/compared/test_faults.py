"""The faults are suffered by both sides, and what is told of them is what was seen."""

from __future__ import annotations

import asyncio

import pytest

from tests.bench.engine import Engine
from tests.compared.faults import FAULTS, suffered, table, two_operators
from tests.compared.hurt import ENDING, Seen
from tests.compared.sides import SIDES, install

LIMIT_S = 280.0


def test_the_table_has_a_line_for_each_container_of_each_side() -> None:
    seen = Seen(noticed_ms=12.4, told="exit 7", again_ms=1_300.0, starts=1)
    never = Seen(noticed_ms=None, told="", again_ms=None, starts=0)
    found = {
        "a fault": {"ours": dict.fromkeys(ENDING, seen), "theirs": {"leaver": never}}
    }
    _, _, *lines = table(found).splitlines()  # type: ignore[arg-type]
    assert lines == [
        "| a fault | leaver | ours | 12 | exit 7 | 1300 | 1 |",
        "| a fault | leaver | theirs | never |  | never | 0 |",
        "| a fault | killed | ours | 12 | exit 7 | 1300 | 1 |",
    ]


def test_both_sides_suffer_every_fault() -> None:
    assert all(set(sides) == set(SIDES) for sides in FAULTS.values())


async def test_ours_is_killed_and_finds_what_ended_and_theirs_is_reset(
    engine: Engine,
) -> None:
    if reason := install():
        pytest.skip(reason)
    async with asyncio.timeout(LIMIT_S):
        found = await suffered(engine, "operator gone")
    told = {name: each.told for name, each in found["ours"].items()}
    assert told == {"leaver": "exit 7", "killed": "exit 137"}
    for side in SIDES:
        for each in found[side].values():
            assert each.noticed_ms is not None
            assert each.again_ms is not None
            assert each.starts == 1
    assert engine.docker.is_emptied()


async def test_the_older_of_two_operators_ends(engine: Engine) -> None:
    async with asyncio.timeout(LIMIT_S):
        assert await two_operators(engine) > 0
