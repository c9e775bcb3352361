"""Once more on the newest runtime, with what only it has: exec, labels."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from orchestrator import settled
from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.events import HealthChanged
from orchestrator.core.exits import Exited, Lost, Stopped
from orchestrator.core.health import CommandProbe, HealthCheck, HealthChecks
from orchestrator.platforms.cloudflare.gateway import ask_about
from orchestrator.testing import check_platform
from tests.bench.engine import Engine
from tests.bench.machine import why_not
from tests.platforms.cloudflare.real.kit import (
    PATIENT_MS,
    TOKEN,
    Counted,
    Stage,
    fleet,
    looping,
    replicas,
    spec,
    stage,
)


@pytest.fixture(autouse=True)
def ready() -> None:
    if reason := why_not("newest"):
        pytest.skip(reason)


async def test_the_platform_obeys_the_laws(engine: Engine, tmp_path: Path) -> None:
    declared = fleet(spec("web", "serve"))
    async with stage(engine, tmp_path, declared, "newest") as it:
        platform = it.platform(timeout_ms=PATIENT_MS)
        await check_platform(platform, declared.containers[0])


async def test_what_the_newest_runtime_offers(engine: Engine, tmp_path: Path) -> None:
    declared = fleet(spec("web", "serve"))
    async with stage(engine, tmp_path, declared, "newest") as it:
        choice = CloudflareChoice(url=it.workerd.url)
        told = await ask_about(choice, {"GATEWAY_TOKEN": TOKEN})
        assert isinstance(told, dict)
        assert told["capabilities"]["exec"] is True
        async with it.operator() as up:
            await up.all_ready(1)
            name = await it.container("web")
            (found,) = [c for c in engine.docker.containers() if c.name == name]
            labels = {
                key.removeprefix("workerd-"): value
                for key, value in found.labels.items()
                if key.startswith("workerd-")
            }
            assert labels["fleet"] == "demo"
            assert labels["container"] == "web"
            assert labels["revision"] == "1"


async def test_life_and_death(engine: Engine, tmp_path: Path) -> None:
    """Ends, a restart of the runtime, a stop that only an alarm can finish."""
    declared = fleet(
        *replicas(3, "serve"),
        spec("crasher", "quit", "7", "1", restart=looping(100)),
        spec("done", "quit", "0"),
        spec("stubborn", "stubborn", stop_grace_ms=3_000),
        reconcile_interval_ms=1_000,
    )
    async with stage(engine, tmp_path, declared, "newest") as it, it.operator() as up:
        await up.until("web", lambda: all(up.info(f"web-{n}").ready for n in range(3)))
        await up.phase("done", "completed")
        await up.until("crashed", lambda: up.info("crasher").run > 1)
        assert up.ends("crasher")[0] == Exited(code=7)
        await up.until("stubborn", lambda: up.info("stubborn").ready)
        steady = await it.container("web-1")
        gone = await it.container("web-0")
        await settled(up.operator.stop_container("stubborn"))
        await up.takes_the_stop("stubborn")
        await it.workerd.kill()
        engine.docker.kill(gone)
        await asyncio.sleep(1)
        await it.workerd.start()
        await up.until("web-0 anew", lambda: up.info("web-0").run == 2)
        await up.until("ready", lambda: up.info("web-0").ready)
        assert up.ends("web-0") == [Lost()]
        await up.phase("stubborn", "stopped")
        assert up.ends("stubborn") == [Stopped()]
        assert await it.container("web-1") == steady
        assert up.info("web-1").run == 1


def alive(*words: str, **more: int) -> HealthChecks:
    times = {"period_ms": 500, "timeout_ms": 20_000, "failure_threshold": 2, **more}
    probe = CommandProbe(command=words)
    return HealthChecks(liveness=HealthCheck(probe=probe, **times))


async def test_a_command_says_whether_a_container_is_well(
    engine: Engine, tmp_path: Path
) -> None:
    well = alive("sh", "-c", "test ! -e /tmp/sick")
    declared = fleet(
        *replicas(1, "serve", restart=looping(100), health=well),
        spec("absent", "serve", restart=looping(100), health=alive("/bin/nothing")),
    )
    async with stage(engine, tmp_path, declared, "newest") as it:
        platform = it.platform()
        await watch_a_command(it, platform)


async def watch_a_command(it: Stage, platform: Counted) -> None:
    async with it.operator(platform=platform) as up:
        await up.until("web", lambda: up.info("web-0").ready)
        await platform.answered(8)
        assert up.verdicts("web-0") == []
        await it.visit("web-0", "sick")
        await up.until("ended", lambda: up.info("web-0").run == 2)
        assert up.info("web-0").last_exit == "unhealthy: liveness"
        (told,) = [
            event
            for event in up.events
            if isinstance(event, HealthChanged) and event.name == "web-0"
        ]
        assert told.cause == "exit 1"
        # A command that is not there has not passed.
        await up.until("absent", lambda: up.info("absent").run > 1)
        await up.until("web", lambda: up.info("web-0").ready)


async def test_a_command_that_hangs_is_seen_and_not_joined_by_more(
    engine: Engine, tmp_path: Path
) -> None:
    hung = alive("sleep", "61", timeout_ms=2_500, failure_threshold=3)
    declared = fleet(spec("web", "serve", restart=looping(100), health=hung))
    async with stage(engine, tmp_path, declared, "newest") as it, it.operator() as up:
        await up.until("web", lambda: up.info("web").ready)
        most = 0
        while up.info("web").run == 1:
            words = await asyncio.to_thread(processes, engine)
            most = max(most, words.count("sleep 61"))
            await asyncio.sleep(0.1)
        assert most == 1
        assert up.info("web").last_exit == "unhealthy: liveness"


def processes(engine: Engine) -> list[str]:
    """List the words of what runs beside the engine, as it is in its namespaces."""
    words = (*engine.enter, "busybox", "ps", "-o", "args")
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return [line.strip() for line in done.stdout.splitlines()]
