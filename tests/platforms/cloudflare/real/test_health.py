"""Health checks of real containers: what is ill or hung is seen, and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from orchestrator import FleetSpec, settled
from orchestrator.codec.platform_choices import CloudflareChoice, SchedulingPolicy
from orchestrator.core.commands import CommandKind, DestroyContainer, StopContainer
from orchestrator.core.errors import StaleRun, Unreachable
from orchestrator.core.events import CommandAccepted, HealthChanged
from orchestrator.core.health import (
    CommandProbe,
    HealthCheck,
    HealthChecks,
    HttpProbe,
    Probe,
    TcpProbe,
)
from orchestrator.platforms.cloudflare.gateway import CloudflarePlatform
from orchestrator.platforms.port import Question, Reply
from orchestrator.testing import check_platform
from tests.bench.engine import Engine
from tests.platforms.cloudflare.real.kit import (
    PATIENT_MS,
    Counted,
    Stage,
    Watched,
    fleet,
    looping,
    replicas,
    spec,
    stage,
)

PAGE = HttpProbe(port="http", path="/cgi-bin/health")
BY_OBJECT = CloudflareChoice(scheduling_policy=SchedulingPolicy.DURABLE_OBJECT)
OFTEN = looping(100)
PINNED = f"registry.cloudflare.com/{'0' * 32}/bench-app@sha256:{'0' * 64}"


def check(probe: Probe = PAGE, **more: Any) -> HealthCheck:
    """Return a check that is quick, and patient enough for a machine that is busy."""
    times = {"period_ms": 300, "timeout_ms": 10_000, "failure_threshold": 2, **more}
    return HealthCheck(probe=probe, **times)


def checked(name: str, *words: str, **checks: HealthCheck) -> Any:
    return spec(name, *words, restart=OFTEN, health=HealthChecks(**checks))


@asynccontextmanager
async def asked_on(
    engine: Engine, folder: Path, declared: FleetSpec
) -> AsyncIterator[tuple[Stage, Watched, Counted]]:
    """Run a fleet, and count how often its containers answer."""
    async with stage(engine, folder, declared) as it:
        platform = it.platform()
        async with it.operator(platform=platform) as up:
            yield it, up, platform


def question(up: Watched, probe: Probe = PAGE, **more: Any) -> Question:
    """Return what an operator could ask of its container "web"."""
    address = up.info("web").addresses["http"] if up.info("web").addresses else ":8080"
    epoch = up.operator.fleet.epoch
    facts = {"name": "web", "run": 1, "epoch": epoch, "timeout_ms": 20_000}
    return Question(probe=probe, address=address, **{**facts, **more})


def cause(up: Watched) -> str:
    """Return why the one verdict was told."""
    (told,) = [event for event in up.events if isinstance(event, HealthChanged)]
    return told.cause


@pytest.mark.parametrize("choice", [CloudflareChoice(), BY_OBJECT])
async def test_the_platform_obeys_the_laws_of_asking(
    engine: Engine, tmp_path: Path, choice: CloudflareChoice
) -> None:
    web = checked("web", "serve", liveness=check(), readiness=check())
    if (
        choice is BY_OBJECT
    ):  # its image is sent with the start, which knows its own here
        web = attrs.evolve(web, image=PINNED)
    declared = fleet(web, ad_hoc=None)
    async with stage(engine, tmp_path, declared, choice=choice) as it:
        platform = it.platform(timeout_ms=PATIENT_MS)
        await check_platform(platform, declared.containers[0])


async def test_what_falls_ill_is_ended_and_comes_back_well(
    engine: Engine, tmp_path: Path
) -> None:
    declared = fleet(checked("web", "serve", liveness=check()))
    async with asked_on(engine, tmp_path, declared) as (it, up, platform):
        await up.all_ready(1)
        first = await it.engine_id("web")
        await it.visit("web", "sick")
        await up.until("ended", lambda: up.info("web").run == 2)
        assert up.info("web").last_exit == "unhealthy: liveness"
        await up.all_ready(1)
        assert up.info("web").crash_count == 1
        assert up.verdicts("web") == [(1, "liveness", False)]
        assert cause(up) == "HTTP 503"
        assert await it.engine_id("web") != first
        # What is well again stays.
        await platform.answered(5)
        assert up.info("web").run == 2
        assert len(up.verdicts("web")) == 1


async def test_what_is_not_ready_runs_on(engine: Engine, tmp_path: Path) -> None:
    declared = fleet(checked("web", "serve", readiness=check()))
    async with stage(engine, tmp_path, declared) as it, it.operator() as up:
        await up.all_ready(1)
        await it.visit("web", "sick")
        await up.until("not ready", lambda: not up.info("web").ready)
        assert (up.info("web").phase, up.info("web").run) == ("running", 1)
        await it.visit("web", "well")
        await up.all_ready(1)
        assert up.info("web").run == 1
        assert up.verdicts("web") == [
            (1, "readiness", passing) for passing in (True, False, True)
        ]


async def test_a_start_whose_check_fails_has_failed(
    engine: Engine, tmp_path: Path
) -> None:
    nothing = HttpProbe(port="http", path="/nothing")
    declared = fleet(checked("web", "serve", startup=check(nothing)))
    async with stage(engine, tmp_path, declared) as it, it.operator() as up:
        await up.until("ended", lambda: up.info("web").run == 2)
        told = "start failed: its startup check failed: HTTP 404"
        assert up.info("web").last_exit == told


@pytest.mark.parametrize("words", [("serve",), ("stubborn",)])
async def test_what_hangs_is_recovered(
    engine: Engine, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Its process lives and its port is open; only an answer could tell."""
    declared = fleet(checked("web", *words, liveness=check(timeout_ms=3_000)))
    async with stage(engine, tmp_path, declared) as it, it.operator() as up:
        await up.all_ready(1)
        first = await it.engine_id("web")
        await it.visit("web", "hang")
        await up.until("recovered", lambda: up.info("web").run == 2)
        await up.all_ready(1)
        assert cause(up) == "no answer within 3000 ms"
        assert up.info("web").last_exit == "unhealthy: liveness"
        assert await it.engine_id("web") != first
        await it.runs(1)


async def test_what_hangs_again_is_destroyed(engine: Engine, tmp_path: Path) -> None:
    """The first time it is asked to leave; when that has not helped, it is killed."""
    web = checked("web", "hangs", liveness=check(timeout_ms=1_000))
    declared = fleet(attrs.evolve(web, stop_grace_ms=20_000))
    async with stage(engine, tmp_path, declared) as it, it.operator() as up:
        await up.until("a third run", lambda: up.info("web").run >= 3)
        ended = [
            (type(command), command.run)
            for command in up.commands
            if isinstance(command, StopContainer | DestroyContainer)
        ]
        assert ended[:2] == [(StopContainer, 1), (DestroyContainer, 2)]
        assert up.info("web").crash_count >= 2
        assert up.info("web").last_exit == "unhealthy: liveness"
        await it.runs(1)


async def test_nobody_is_ill_because_the_platform_is_away(
    engine: Engine, tmp_path: Path
) -> None:
    hasty = check(failure_threshold=1)
    declared = fleet(checked("web", "serve", liveness=hasty, readiness=hasty))
    async with asked_on(engine, tmp_path, declared) as (it, up, platform):
        await up.all_ready(1)
        first = await it.engine_id("web")
        before = up.verdicts("web")
        await it.workerd.kill()
        await asyncio.sleep(2)  # questions go out, and nobody is there
        await it.workerd.start()
        await platform.answered(6)
        assert up.verdicts("web") == before == [(1, "readiness", True)]
        assert (up.info("web").run, up.info("web").ready) == (1, True)
        assert await it.engine_id("web") == first
        await it.visit("web", "sick")
        await up.until("ended", lambda: up.info("web").run == 2)


async def test_those_that_are_well_add_nothing_to_the_journal(
    engine: Engine, tmp_path: Path
) -> None:
    alive = HealthChecks(
        liveness=check(), readiness=check(TcpProbe(port="http"), period_ms=400)
    )
    declared = fleet(*replicas(5, "serve", health=alive), reconcile_interval_ms=0)
    async with asked_on(engine, tmp_path, declared) as (_, up, platform):
        await up.all_ready(5)
        # One may be ready before it is told that its start was taken on.
        await up.until("all starts are answered", lambda: starts_taken(up) == 5)
        count = len(up.events)
        await platform.answered(60)
        assert up.events[count:] == []


def starts_taken(up: Watched) -> int:
    return sum(
        isinstance(event, CommandAccepted) and event.kind is CommandKind.START
        for event in up.events
    )


async def test_a_check_keeps_nobody_awake(engine: Engine, tmp_path: Path) -> None:
    declared = fleet(
        attrs.evolve(
            checked("web", "serve", liveness=check(), readiness=check()),
            sleep_after_ms=8_000,
            keep_alive=False,
        )
    )
    async with asked_on(engine, tmp_path, declared) as (it, up, platform):
        await up.all_ready(1)
        await up.phase("web", "asleep")
        assert platform.answers > 2
        assert up.info("web").crash_count == 0
        asleep = await settled(platform.probe(question(up, TcpProbe(port="http"))))
        assert isinstance(asleep, Unreachable)  # nor is it woken
        await it.runs(0)
        assert [passing for _, _, passing in up.verdicts("web")] == [True]


async def test_a_command_that_nobody_can_run_is_no_failure(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The pinned runtime has no exec."""
    command = CommandProbe(command=("/bin/false",))
    hopeless = check(command, failure_threshold=1)
    declared = fleet(checked("web", "serve", liveness=hopeless, readiness=check()))
    async with asked_on(engine, tmp_path, declared) as (_, up, platform):
        await up.all_ready(1)
        await platform.answered(5)
        assert up.verdicts("web") == [(1, "readiness", True)]
        assert up.info("web").run == 1
        told = [one for one in caplog.messages if "unsupported" in one]
        assert len(told) == 1  # once, not every time


async def test_a_question_at_the_port(engine: Engine, tmp_path: Path) -> None:
    declared = fleet(spec("web", "serve"))
    async with asked_on(engine, tmp_path, declared) as (it, up, platform):
        await up.all_ready(1)
        await ask_in_every_way(platform, up)
        await it.workerd.kill()
        away = await settled(platform.probe(question(up)))
        assert isinstance(away, Unreachable)
        await it.workerd.start()
        here = await settled(platform.probe(question(up)))
        assert here == Reply(passed=True, detail="HTTP 200")


async def ask_in_every_way(platform: CloudflarePlatform, up: Watched) -> None:
    found = [
        await settled(platform.probe(asked))
        for asked in (
            question(up),
            question(up, HttpProbe(port="http", path="/nothing")),
            question(
                up, HttpProbe(port="http", path="/cgi-bin/slow?9"), timeout_ms=300
            ),
            question(up, TcpProbe(port="http")),
        )
    ]
    assert found == [
        Reply(passed=True, detail="HTTP 200"),
        Reply(passed=False, detail="HTTP 404"),
        Reply(passed=False, detail="no answer within 300 ms"),
        Reply(passed=True, detail="connected"),
    ]
    stale = await settled(platform.probe(question(up, run=2)))
    assert stale == StaleRun(name="web", run=2, highest=1)
