"""What goes wrong on the way, below, and in the operator itself: nothing is lost.

Eventually stable reconciliation: once the faults stop, the fleet comes to what was
asked for, and stays there.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from orchestrator import MemoryJournal, StaleOperator, Table, settled
from orchestrator.core.exits import Exited, Lost
from tests.bench.engine import Engine
from tests.bench.fault_proxy import (
    Cut,
    CutAfterRequest,
    CutInAnswer,
    Fault,
    FaultProxy,
    Garbage,
    Hang,
    Nonsense,
    Slow,
    Status,
)
from tests.platforms.cloudflare.real.kit import (
    LIMIT_S,
    Stage,
    Watched,
    fleet,
    looping,
    replicas,
    spec,
    stage,
)

ROUNDS: list[list[Fault]] = [
    [Cut(), CutAfterRequest(), CutInAnswer()],
    [Slow(300), Status(500), Hang()],
    [Status(429, retry_after_s=1), Garbage(), Nonsense(), Status(503)],
]


@pytest.mark.parametrize("faults", ROUNDS, ids=["cut", "slow", "garbage"])
async def test_a_network_that_fails(
    engine: Engine, tmp_path: Path, faults: list[Fault]
) -> None:
    """Containers start, end and crash while every fault happens to every call."""
    policy = looping(100)
    declared = fleet(
        *replicas(4, "serve"),
        *(spec(f"job-{n}", "quit", "7", "0.5", restart=policy) for n in range(3)),
        reconcile_interval_ms=2_000,
    )
    async with (
        stage(engine, tmp_path, declared) as it,
        FaultProxy(it.workerd.url) as proxy,
        it.operator(url=proxy.url) as up,
    ):
        for fault in faults:
            proxy.add(fault, times=4)
        await up.until(
            "jobs go on", lambda: min(up.info(f"job-{n}").run for n in range(3)) > 3
        )
        assert proxy.count() > 4 * len(faults)
        proxy.heal()
        for n in range(3):
            await settled(up.operator.stop_container(f"job-{n}"))
            await up.phase(f"job-{n}", "stopped")
        await up.all_ready(4)
        await is_stable(it, up, 4)
        for n in range(3):
            ended = up.ends(f"job-{n}")
            assert Lost() not in ended
            assert ended[:3] == [Exited(code=7)] * 3
            assert len(ended) == up.info(f"job-{n}").run  # every run has its end


async def is_stable(it: Stage, up: Watched, count: int) -> None:
    """Hold a healed fleet to staying as it is: no run begins any more."""
    await it.runs(count)
    runs = [info.run for info in up.operator.infos()]
    await settled(up.operator.reconcile())
    await asyncio.sleep(0.5)
    await settled(up.operator.reconcile())
    assert [info.run for info in up.operator.infos()] == runs
    assert len(it.running()) == count


async def test_a_runtime_that_is_killed_under_its_containers(
    engine: Engine, tmp_path: Path
) -> None:
    """Who lives is found again; who ended meanwhile is lost, and is no success."""
    declared = fleet(
        *replicas(3, "serve"),
        spec("crasher", "quit", "7", "4", restart=looping(100)),
        spec("steady", "serve"),
        reconcile_interval_ms=1_000,
    )
    async with stage(engine, tmp_path, declared) as it, it.operator() as up:
        await up.all_ready(5)
        before = {name: await it.container(name) for name in ("web-0", "steady")}
        await it.workerd.kill()
        engine.docker.kill(before["web-0"])
        await asyncio.sleep(5)  # the crasher, too, ends while nobody looks
        await it.workerd.start()
        await up.until("web-0 anew", lambda: up.info("web-0").run == 2)
        await up.until("the crasher anew", lambda: up.info("crasher").run >= 2)
        await up.until(
            "all ready",
            lambda: all(i.ready for i in up.operator.infos() if i.name != "crasher"),
        )
        assert up.ends("web-0") == [Lost()]
        assert Exited(code=0) not in up.ends("crasher")
        assert await it.container("steady") == before["steady"]
        assert up.info("steady").run == 1
        # Who was found again is watched again.
        engine.docker.kill(before["steady"])
        await up.until("steady anew", lambda: up.info("steady").run == 2)
        assert up.ends("steady") == [Exited(code=137)]


async def test_a_stop_holds_although_everybody_is_killed(
    engine: Engine, tmp_path: Path
) -> None:
    """The alarm of the object kills what ignores the signal, also after a restart."""
    declared = fleet(spec("stubborn", "stubborn", stop_grace_ms=3_000))
    async with stage(engine, tmp_path, declared) as it:
        async with it.operator() as up:
            await up.all_ready(1)
            await settled(up.operator.stop_container("stubborn"))
            await up.takes_the_stop("stubborn")
        await it.workerd.restart()
        await it.runs(0)


async def test_an_operator_that_begins_anew(engine: Engine, tmp_path: Path) -> None:
    """Its journal is gone: what runs is taken over, and nothing is restarted."""
    declared = fleet(*replicas(20, "serve"))
    async with stage(engine, tmp_path, declared) as it:
        async with it.operator() as up:
            await up.all_ready(20)
            await it.runs(20)
            containers = sorted(it.running())
        async with it.operator(journal=MemoryJournal()) as up:
            await up.all_ready(20)
            assert sorted(it.running()) == containers
            assert {info.run for info in up.operator.infos()} == {1}
            assert up.starts() == {}
            await is_stable(it, up, 20)


async def test_what_happened_while_no_operator_was_there(
    engine: Engine, tmp_path: Path
) -> None:
    """The feed is followed from where it was left: each end, with its code."""
    declared = fleet(spec("web", "serve"), spec("job", "serve", restart=looping(9)))
    journal = MemoryJournal()
    async with stage(engine, tmp_path, declared) as it:
        async with it.operator(journal=journal) as up:
            await up.all_ready(2)
        engine.docker.kill(await it.container("job"))
        async with it.operator(journal=journal) as up:
            await up.until("job anew", lambda: up.info("job").run == 2)
            await up.all_ready(2)
            assert up.ends("job") == [Exited(code=137)]
            assert up.info("web").run == 1


async def test_two_operators_on_one_fleet(engine: Engine, tmp_path: Path) -> None:
    """The newer one has it; the older one ends by itself, and says why."""
    declared = fleet(*replicas(2, "serve"))
    async with stage(engine, tmp_path, declared) as it:
        async with it.operator() as old:
            await old.all_ready(2)
            async with it.operator() as new:
                async with asyncio.timeout(LIMIT_S):
                    ended = await old.operator.ended()
                assert isinstance(ended, StaleOperator)
                refused = await settled(old.operator.stop_container("web-0"))
                assert isinstance(refused, StaleOperator)
                await new.all_ready(2)
                await is_stable(it, new, 2)
        assert len(it.running()) == 2


async def test_a_fleet_that_nobody_looks_after_is_stopped(
    engine: Engine, tmp_path: Path
) -> None:
    """``orphan_after_ms``; an operator that comes back starts what it finds ended."""
    declared = fleet(*replicas(2, "serve"))
    journal = MemoryJournal()
    async with stage(engine, tmp_path, declared) as it:
        async with it.operator(journal=journal) as up:
            await up.all_ready(2)
        # A minute is the least that a fleet file may say; the gateway takes less.
        answer = await it.asked("fleets/demo/attach", after=0, orphan_after_ms=1_500)
        assert answer["epoch"] == 2
        await it.runs(0)
        async with it.operator(journal=journal) as up:
            await up.until(
                "started again", lambda: {i.run for i in up.operator.infos()} == {2}
            )
            await up.all_ready(2)
            assert Table.of((i.name, i.crash_count) for i in up.operator.infos()) == (
                Table.of([("web-0", 0), ("web-1", 0)])
            )
