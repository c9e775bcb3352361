"""The life of containers on Cloudflare's runtime: each way to begin and to end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator import (
    ContainerInfo,
    CrashLoopDetected,
    OnLoop,
    RestartPolicy,
    Table,
    When,
    never_restart_policy,
    settled,
)
from orchestrator.core.exits import Exited, StartFailed, Stopped
from orchestrator.core.phases import CrashLooping
from orchestrator.testing import check_platform, check_takeover
from tests.bench.engine import Engine
from tests.platforms.cloudflare.real.kit import (
    FAST,
    PATIENT_MS,
    PORTS,
    fleet,
    looping,
    replicas,
    spec,
    stage,
)


async def test_the_platform_obeys_the_laws(engine: Engine, tmp_path: Path) -> None:
    declared = fleet(spec("web", "serve"))
    async with stage(engine, tmp_path, declared) as it:
        platform = it.platform(timeout_ms=PATIENT_MS)
        await check_platform(platform, declared.containers[0])
    (tmp_path / "other").mkdir()
    async with stage(engine, tmp_path / "other", declared) as it:
        old, new = (it.platform(timeout_ms=PATIENT_MS) for _ in range(2))
        await check_takeover(old, new, declared.containers[0])


async def test_twenty_at_once(engine: Engine, tmp_path: Path) -> None:
    async with stage(engine, tmp_path, fleet(*replicas(20, "serve"))) as it:
        async with it.operator() as up:
            await up.all_ready(20)
            await it.runs(20)
            assert up.info("web-7").addresses == Table.of(
                [("http", "web:demo/web-7:8080")]
            )
            assert max(up.starts().values()) == 1
            assert await settled(up.operator.down()) is None
        await it.runs(0)


async def test_what_is_in_a_container(engine: Engine, tmp_path: Path) -> None:
    """Its environment, with secrets, and nothing of them anywhere else."""
    env = Table.of([("PASSWORD", "${secret.PASSWORD}"), ("ON", "${port.http}")])
    declared = fleet(spec("web", "serve", env=env, config=Table.of([("level", 3)])))

    def build(spec: Any, secrets: Any) -> dict[str, str]:
        return {"LEVEL": str(spec.config["level"]), "OTHER": secrets["OTHER"]}

    secrets = {"PASSWORD": "planted-in-the-file", "OTHER": "planted-by-the-builder"}
    async with stage(engine, tmp_path, declared) as it:
        async with it.operator(secrets=secrets, env_vars=build) as up:
            await up.phase("web", "running")
            found = engine.docker.environment(await it.container("web"))
            rows = [repr(event) for event in up.events]
        assert found["PASSWORD"] == "planted-in-the-file"
        assert found["OTHER"] == "planted-by-the-builder"
        assert (found["LEVEL"], found["ON"]) == ("3", "8080")
        assert found["CONTAINER_NAME"] == "web"
        told = [*rows, it.workerd.log, repr(await it.details())]
        stored = [file.read_bytes() for file in storage(it.workerd.folder)]
        assert stored
        assert not any("planted" in text for text in told)
        assert not any(b"planted" in data for data in stored)


def storage(folder: Path) -> list[Path]:
    return [path for path in (folder / "storage").rglob("*") if path.is_file()]


async def test_each_way_to_end(engine: Engine, tmp_path: Path) -> None:
    """Also out of memory: the bench gives each container 64 MiB."""
    never = never_restart_policy()
    declared = fleet(
        spec("done", "quit", "0", restart=never),
        spec("failed", "quit", "7", restart=never),
        spec("killed", "serve", restart=never),
        spec("polite", "serve", "3", restart=never),
        spec("stubborn", "stubborn", restart=never, stop_grace_ms=500),
        spec("hungry", "hungry", "1", restart=never),
        spec("deaf", "deaf", restart=never, start_timeout_ms=12_000),
        spec("missing", "no-such-program", restart=never),
    )
    async with (
        stage(engine, tmp_path, declared) as it,
        it.operator() as up,
    ):
        for name in ("killed", "polite", "stubborn"):
            await up.phase(name, "running")
            await up.until(f"{name} ready", lambda n=name: up.info(n).ready)  # type: ignore[misc]
        engine.docker.kill(await it.container("killed"))
        await settled(up.operator.stop_container("polite"))
        await settled(up.operator.stop_container("stubborn"))
        for name in ("killed", "failed", "hungry", "deaf", "missing"):
            await up.phase(name, "failed")
        for name in ("polite", "stubborn"):
            await up.phase(name, "stopped")
        await up.phase("done", "completed")
        assert up.ends("done") == [Exited(code=0)]
        assert up.ends("failed") == [Exited(code=7)]
        assert up.ends("killed") == [Exited(code=137)]
        assert up.ends("hungry") == [Exited(code=137)]
        assert up.ends("polite") == up.ends("stubborn") == [Stopped()]
        assert up.ends("deaf") == [Stopped()]
        assert up.info("deaf").last_exit == "start failed: not ready within 12s"
        (end,) = up.ends("missing")
        assert isinstance(end, StartFailed) or end == Exited(code=127), end
        details = await it.details()
        assert details["stubborn"].kind == "stopped"
        assert "exit code: 137" in details["stubborn"].raw
        assert "exit code: 7" in details["failed"].raw
        await it.runs(0)


async def test_a_policy_from_end_to_end(engine: Engine, tmp_path: Path) -> None:
    """Restarts, a crash loop that cools down, one that is held, always, and force."""
    window_ms = 6_000
    declared = fleet(
        spec("cools", "quit", "7", restart=looping(1, window_ms=window_ms)),
        spec("held", "quit", "7", restart=looping(1, on_loop=OnLoop.HOLD)),
        spec(
            "always",
            "quit",
            "0",
            "0.3",
            restart=RestartPolicy(when=When.ALWAYS, min_interval_ms=0, backoff=FAST),
        ),
    )
    async with (
        stage(engine, tmp_path, declared) as it,
        it.operator() as up,
    ):
        await up.phase("held", "crash_looping")
        refused = await settled(up.operator.start_container("held"))
        assert isinstance(refused, CrashLoopDetected)
        assert refused.crash_count == 2
        forced = await settled(up.operator.start_container("held", force=True))
        assert isinstance(forced, ContainerInfo)
        await up.until("held, again", lambda: up.info("held").run == 4)
        await up.phase("cools", "crash_looping")
        phase = up.operator.fleet.containers["cools"].phase
        assert isinstance(phase, CrashLooping)
        run = up.info("cools").run
        await up.until("after the cooldown", lambda: up.info("cools").run > run)
        await up.until("always goes on", lambda: up.info("always").run > 3)
        assert set(up.ends("cools")) == {Exited(code=7)}
        assert set(up.ends("always")) == {Exited(code=0)}
        assert up.info("always").crash_count == 0
        runs = [n for (name, _), n in up.starts().items() if name == "always"]
        assert max(runs) == 1


async def test_ad_hoc_from_start_to_removal(engine: Engine, tmp_path: Path) -> None:
    async with (
        stage(engine, tmp_path, fleet(spec("web", "serve"))) as it,
        it.operator() as up,
    ):
        await settled(up.operator.start_container("job-1"))
        await settled(up.operator.start_container(spec("job-2", "late", "0.5")))
        for name in ("web", "job-1", "job-2"):
            await up.phase(name, "running")
        await settled(up.operator.restart_container("job-1"))
        await up.until("restarted", lambda: up.info("job-1").run == 2)
        await up.phase("job-1", "running")
        await up.until("ready", lambda: up.info("job-1").ready)
        await it.runs(3)
        await settled(up.operator.stop_container("job-1"))
        await up.phase("job-1", "stopped")
        assert await settled(up.operator.remove_container("job-1")) is None
        await up.until("forgotten", lambda: not up.operator.fleet.forgetting)
        assert set(await it.details()) == {"web", "job-2"}
        await settled(up.operator.start_container("job-1"))
        await up.phase("job-1", "running")
        assert up.info("job-1").run == 3  # the name's runs are never used again


async def test_ports_that_are_not_waited_for(engine: Engine, tmp_path: Path) -> None:
    """A port that speaks no HTTP listens, too; without ports, what runs is ready."""
    ports = Table.of([*PORTS.items(), ("admin", 9_999)])
    declared = fleet(
        spec("some", "serve", ports=ports, wait_for=("http",)),
        spec("raw", "raw"),
        spec("none", "deaf", ports=Table[str, int]()),
    )
    async with (
        stage(engine, tmp_path, declared) as it,
        it.operator() as up,
    ):
        await up.all_ready(3)


async def test_hooks_are_called_on_this_platform_too(
    engine: Engine, tmp_path: Path
) -> None:
    told: list[tuple[str, str]] = []

    class Hooks:
        def on_start(self, info: ContainerInfo, _: object) -> None:
            told.append(("start", info.name))

        def on_stop(self, info: ContainerInfo, _: object) -> None:
            told.append(("stop", info.name))

        def on_error(self, info: ContainerInfo, _: object) -> None:
            told.append(("error", info.name))

    declared = fleet(
        spec("web", "serve"),
        spec("bad", "quit", "7", "0.5", restart=never_restart_policy()),
    )
    async with stage(engine, tmp_path, declared) as it:
        async with it.operator(hooks=Hooks()) as up:
            await up.phase("web", "running")
            await up.phase("bad", "failed")
            await settled(up.operator.stop_container("web"))
            await up.phase("web", "stopped")
        assert told.count(("start", "web")) == told.count(("stop", "web")) == 1
        assert told.count(("error", "bad")) == 1
