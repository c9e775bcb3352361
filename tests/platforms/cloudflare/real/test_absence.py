"""Nobody leads: containers go on, end, crash and sleep, and whoever comes next knows.

One look and the feed tell it all, with the codes that the containers really ended with:
they were kept by the objects of the containers, which need no operator.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from orchestrator import Operator, Table, open_sqlite, settled
from orchestrator.core.events import Booted, Event, FleetObserved
from orchestrator.core.exits import Exited, Lost, Slept, Stopped
from orchestrator.journal.sqlite import SqliteJournal
from orchestrator.replay.absences import Absence, EndKind, absence_text
from tests.bench.engine import Engine
from tests.cli.kit import reached
from tests.platforms.cloudflare.real.command_kit import (
    Ground,
    ground_of,
    up_and_killed,
)
from tests.platforms.cloudflare.real.kit import (
    IMAGE,
    Watched,
    fleet,
    replicas,
    stage,
)

FLEET = f"""
[fleet]
name = "demo"
max_concurrent_starts = 20
reconcile_interval = "1h"
[platform]
kind = "cloudflare"
url = "URL"
orphan_after = "1h"
[restart]
backoff = {{ initial_ms = 100, max_ms = 200 }}
[[containers]]
name = "web"
replicas = 2
image = "{IMAGE}"
ports = {{ http = 8080 }}
stop_grace = "2s"
[[containers]]
name = "crasher"
image = "{IMAGE}"
ports = {{ http = 8080 }}
[[containers]]
name = "job"
image = "{IMAGE}"
ports = {{ http = 8080 }}
restart = {{ when = "on_failure" }}
[[containers]]
name = "sleeper"
image = "{IMAGE}"
ports = {{ http = 8080 }}
stop_grace = "2s"
sleep_after = "15s"
keep_alive = false
"""
NAMES = ("web-0", "web-1", "crasher", "job", "sleeper")


def ground(engine: Engine, folder: Path) -> AbstractAsyncContextManager[Ground]:
    """Run a gateway for the fleet above, and write down what ``up`` needs."""
    return ground_of(engine, folder, FLEET)


def leads_and_is_killed(it: Ground) -> None:
    """Have an operator bring all of them up, and end it with SIGKILL."""
    with up_and_killed(it):
        client = reached(it.state)
        for name in NAMES:
            client.get("containers", name, "wait")


async def journal_of(it: Ground) -> SqliteJournal:
    journal = await settled(open_sqlite(it.state / "journal.db"))
    assert isinstance(journal, SqliteJournal), journal
    return journal


async def found(up: Watched) -> Absence:
    await up.until("caught up", lambda: up.operator.absence is not None)
    absence = up.operator.absence
    assert absence is not None
    return absence


async def rows_of_the_new_epoch(operator: Operator) -> list[Event]:
    after, rows = 0, list[Event]()
    while page := await settled(operator.events(after)):
        assert isinstance(page, tuple), page
        after = page[-1].seq
        rows += (record.event for record in page)
    boots = [n for n, event in enumerate(rows) if isinstance(event, Booted)]
    return rows[boots[-1] :]


async def test_one_look_finds_what_ended_with_its_code_and_what_sleeps(
    engine: Engine, tmp_path: Path
) -> None:
    async with ground(engine, tmp_path) as it:
        leads_and_is_killed(it)
        web = [await it.stage.engine_id(name) for name in ("web-0", "web-1")]
        await it.stage.visit("crasher", "quit?7")
        await it.stage.visit("job", "quit?0")
        await it.stage.runs(2)  # the sleeper, too, was put to rest
        await it.stage.have_ended("crasher", "job", "sleeper")
        async with it.stage.operator(journal=await journal_of(it)) as up:
            absence = await found(up)
            assert dict(absence.ended.items()) == {
                "crasher": Exited(code=7),
                "job": Exited(code=0),
                "sleeper": Slept(),
            }
            assert (absence.going_on, absence.unseen) == (2, 0)
            assert not absence.strangers
            assert absence_text(absence).endswith(
                ": 2 runs ended (1 crash), 1 sleeps, 2 go on"
            )
            await up.until("restarted", lambda: up.info("crasher").run == 2)
            await up.until("ready", lambda: up.info("crasher").ready)
            await up.phase("job", "completed")
            await up.phase("sleeper", "asleep")
            rows = await rows_of_the_new_epoch(up.operator)
            assert sum(isinstance(event, FleetObserved) for event in rows) == 1
            assert [
                await it.stage.engine_id(name) for name in ("web-0", "web-1")
            ] == web
            assert {up.info(name).run for name in NAMES if name != "crasher"} == {1}


async def test_a_registry_that_nobody_calls_stops_them_and_that_is_found_too(
    engine: Engine, tmp_path: Path
) -> None:
    async with ground(engine, tmp_path) as it:
        leads_and_is_killed(it)
        await it.stage.visit("crasher", "quit?7")
        await it.stage.runs(3)  # the sleeper sleeps, too
        await it.stage.have_ended("crasher", "sleeper")
        # A minute is the least that a fleet file may say; the gateway takes less.
        answer = await it.stage.asked(
            "fleets/demo/attach", after=0, orphan_after_ms=1_500
        )
        assert answer["epoch"] == 2
        await it.stage.runs(0)
        await it.stage.have_ended(*NAMES)
        async with it.stage.operator(journal=await journal_of(it)) as up:
            absence = await found(up)
            assert absence.epoch == 3
            orphans = [(name, Stopped()) for name in ("job", "web-0", "web-1")]
            others = [("crasher", Exited(code=7)), ("sleeper", Slept())]
            assert absence.ended == Table.of([*orphans, *others])
            assert absence.count(EndKind.STOPPED) == 3
            assert absence.going_on == 0
            back = ("web-0", "web-1", "crasher", "job")
            await up.until("started again", lambda: all_ready_again(up, back))
            assert up.info("sleeper").phase == "asleep"


def all_ready_again(up: Watched, names: tuple[str, ...]) -> bool:
    return all(up.info(name).run == 2 and up.info(name).ready for name in names)


async def test_a_runtime_that_comes_back_says_what_ended_with_nobody_looking(
    engine: Engine, tmp_path: Path
) -> None:
    """Objects sleep until they are asked: the registry asks them when it is back."""
    declared = fleet(*replicas(2, "serve"), reconcile_interval_ms=0)
    async with stage(engine, tmp_path, declared) as it, it.operator() as up:
        await up.all_ready(2)
        before = await it.container("web-0")
        await it.workerd.kill()
        engine.docker.kill(before)
        await it.workerd.start()
        await up.until("anew", lambda: up.info("web-0").run == 2)
        await up.all_ready(2)
        assert up.ends("web-0") == [Lost()]
        assert up.info("web-1").run == 1
