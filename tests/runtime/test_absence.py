"""An operator that comes back says what it has found: once, to the log and to all."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Iterator

import attrs
import orjson
import pytest

from orchestrator.core.errors import Unreachable
from orchestrator.core.events import FleetObserved
from orchestrator.core.exits import Exit, Exited
from orchestrator.core.observations import (
    Observation,
    SeenEnded,
    SeenRunning,
    Sighting,
)
from orchestrator.core.table import Table
from orchestrator.replay.absences import absence_text
from orchestrator.runtime import absence as watching
from orchestrator.runtime.logs import configure_logging
from tests.runtime.kit import (
    LIMIT_MS,
    NEVER,
    Faulty,
    FullJournal,
    Kit,
    fleet,
    opened,
    spec,
    value,
)
from tests.runtime.virtual import in_virtual_time

LIMIT_S = LIMIT_MS / 1_000
DECLARED = fleet(spec("web"), spec("cron", NEVER), spec("db", NEVER))
ENDS: dict[str, Exit] = {"web": Exited(code=7), "cron": Exited(code=0)}
TOLD = ": 2 runs ended (1 crash), 1 was started by nobody here, 1 goes on"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    configure_logging("json", "info", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def changed(seen: Observation) -> Observation:
    """Have two runs seen ended, and one running that nobody has begun."""
    sightings = [
        attrs.evolve(one, sight=SeenEnded(exit=ENDS[one.name]))
        if one.name in ENDS and one.run == 1
        else one
        for one in seen.sightings
    ]
    ghost = Sighting(name="ghost", run=3, sight=SeenRunning())
    return attrs.evolve(seen, sightings=(*sightings, ghost))


async def led() -> tuple[Faulty, FullJournal]:
    """Have an operator lead, and leave: all of the fleet runs."""
    platform, journal = Faulty(), FullJournal()
    async with opened(DECLARED, platform=platform, journal=journal) as kit:
        assert await caught_up(kit) is None  # nobody led before
        assert kit.operator.absence is None
        for name in ("web", "cron", "db"):
            await value(kit.operator.wait(name, limit_ms=LIMIT_MS))
    return platform, journal


async def caught_up(kit: Kit) -> object:
    async with asyncio.timeout(LIMIT_S):
        return await kit.operator.caught_up()


@pytest.mark.parametrize("long", [0, 1_000], ids=["in a thread", "at once"])
@in_virtual_time
async def test_what_became_of_the_runs_is_told_once(
    log: io.StringIO, long: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LONG", long)
    platform, journal = await led()
    platform.look_as = changed
    async with opened(DECLARED, platform=platform, journal=journal) as kit:
        absence = await caught_up(kit)
        await value(kit.operator.reconcile())
        assert kit.operator.absence is absence
        found = kit.operator.absence
        assert found is not None
        assert found.epoch == 2
        assert found.ended == Table.of(ENDS.items())
        assert absence_text(found).endswith(TOLD)
    lines = [orjson.loads(line) for line in log.getvalue().splitlines()]
    (told,) = [line for line in lines if "absence" in line]
    assert (told["logger"], told["level"]) == ("orchestrator.boot", "info")
    assert told["message"] == absence_text(found)
    assert told["absence"] == found.facts()
    assert told["fleet"] == "demo"


@in_virtual_time
async def test_it_is_not_known_before_a_look_has_shown_everything() -> None:
    platform, journal = await led()
    platform.look_error = Unreachable(cause="no way")
    async with opened(DECLARED, platform=platform, journal=journal) as kit:
        asked = asyncio.ensure_future(caught_up(kit))
        loop = kit.operator._loop
        looks: list[FleetObserved] = []
        loop.watchers.append(
            lambda step: (
                looks.append(step.event)
                if isinstance(step.event, FleetObserved)
                else None
            )
        )
        await kit.until(lambda: len(looks) > 0)
        assert (kit.operator.absence, asked.done()) == (None, False)
        platform.look_error = None
        await value(kit.operator.reconcile())
        found = await asked
        assert found is not None
        assert kit.operator.absence is found


@in_virtual_time
async def test_where_nothing_ran_nothing_is_said(log: io.StringIO) -> None:
    platform, journal = Faulty(), FullJournal()
    for epoch in (1, 2):
        async with opened(fleet(), platform=platform, journal=journal) as kit:
            absence = await caught_up(kit)
            assert (absence is None) == (epoch == 1)
    assert "absence" not in log.getvalue()
