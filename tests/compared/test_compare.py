"""The comparison runs: both sides start a small fleet, and say how long it took."""

from __future__ import annotations

import asyncio
import json

import attrs
import pytest

from tests.bench.engine import Engine
from tests.compared.compare import Comparison, compared, table
from tests.compared.sides import Measured, install

LIMIT_S = 280.0


def measured(cold_ms: float, healthy_ms: float, *within_ms: float) -> Measured:
    return Measured(
        ready_ms=(1.0, cold_ms), over_http_ms=(healthy_ms,), within_ms=within_ms
    )


def test_the_table_shows_medians_extremes_and_ratios_of_neighbours() -> None:
    rounds = tuple(
        {"ours": measured(ours, 20.0), "theirs": measured(theirs, 10.0, 4.0)}
        for ours, theirs in ((100.0, 200.0), (200.0, 300.0), (300.0, 900.0))
    )
    found = Comparison(n=2, runs={"at once": rounds, "late": rounds, "deaf": rounds})  # type: ignore[dict-item]
    _, *lines = [" ".join(line.split()) for line in table(found).splitlines()]
    assert lines == [
        "cold, 2, listening at once 200 (100-300) 300 (200-900) 2.00 (1.50-3.00)",
        "cold, 2, listening after 0.3 s 200 (100-300) 300 (200-900) 2.00 (1.50-3.00)",
        "healthy, 2, over HTTP 20.0 (20.0-20.0) 10.0 (10.0-10.0) 0.50 (0.50-0.50)",
        "healthy, 2, within the runtime - 4.0 (4.0-4.0) -",
        "four ready, the first of 5 never 200 (100-300) 300 (200-900) 2.00 (1.50-3.00)",
    ]


async def test_both_sides_are_measured(engine: Engine) -> None:
    if reason := install():
        pytest.skip(reason)
    async with asyncio.timeout(LIMIT_S):
        found = await compared(engine, n=2, runs=1, healthy=2, deaf=False)
    for (turn,) in found.runs.values():
        for one in turn.values():
            assert len(one.ready_ms) == len(one.over_http_ms) == 2
            assert min(one.ready_ms) > 0
        assert len(turn["theirs"].within_ms) == 2
    assert len(table(found).splitlines()) == 5
    assert json.dumps(attrs.asdict(found))
    assert engine.docker.is_emptied()
