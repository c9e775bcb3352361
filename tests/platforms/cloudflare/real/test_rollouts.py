"""Rollouts on Cloudflare's runtime: each strategy, a bad one, and a killed operator."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from orchestrator import (
    CanaryStep,
    FleetSpec,
    Promotion,
    RolloutPolicy,
    Service,
    Share,
    Table,
    settled,
)
from orchestrator.cli.client import Client
from orchestrator.codec.platform_choices import CloudflareChoice, SchedulingPolicy
from orchestrator.core.lineages import RolloutStatus
from orchestrator.core.rollout_info import RolloutInfo
from orchestrator.core.services import replica_of
from tests.bench.engine import Engine
from tests.cli.kit import file_at, reached, run, up
from tests.platforms.cloudflare.real.command_kit import (
    check_starts,
    killed,
    secrets_in,
)
from tests.platforms.cloudflare.real.kit import (
    Stage,
    Watched,
    fleet,
    spec,
    stage,
)

OWN: Final = CloudflareChoice(scheduling_policy=SchedulingPolicy.DURABLE_OBJECT)
IMAGE: Final = (
    "registry.cloudflare.com/0123456789abcdef0123456789abcdef/web@sha256:" + "0" * 64
)
"""A digest, as this policy wants it; the bench's runtime has one image for all."""

QUICK: Final = RolloutPolicy(
    max_unavailable=Share(1),
    min_ready_ms=200,
    container_deadline_ms=60_000,
    progress_deadline_ms=120_000,
    failure_budget=Share(1),
)
BAD: Final = ("quit", "7")
LIMIT_MS: Final = 120_000


def web(
    version: str,
    *words: str,
    policy: RolloutPolicy = QUICK,
    count: int = 3,
) -> FleetSpec:
    """Return a fleet of one service; what a container is of, its environment says."""
    template = attrs.evolve(
        spec("web", *(words or ("serve",)), env=Table.of([("VERSION", version)])),
        image=IMAGE,
    )
    service = Service(template=template, replicas=count, rollout=policy)
    members = (replica_of(service, index) for index in range(count))
    declared = fleet(*members, ad_hoc=None)
    return attrs.evolve(declared, services=(service,))


async def versions(it: Stage, count: int) -> list[str]:
    """List the versions of so many that run, as the engine knows them."""
    await it.runs(count)
    docker = it.engine.docker
    return sorted(docker.environment(name)["VERSION"] for name in it.running())


def watch_available(up: Watched) -> list[int]:
    """Collect how many replicas accept work, after each event."""
    seen: list[int] = []
    up.operator._loop.watchers.append(
        lambda _: seen.append(sum(info.ready for info in up.operator.infos()))
    )
    return seen


async def apply(up: Watched, declared: FleetSpec) -> None:
    done = await settled(up.operator.apply(declared))
    assert not hasattr(done, "code"), done


async def over(up: Watched) -> RolloutInfo:
    """Wait for the end of the rollout."""
    info = await settled(up.operator.wait_for_rollout("web", limit_ms=LIMIT_MS))
    assert isinstance(info, RolloutInfo), info
    return info


def status(up: Watched) -> RolloutStatus:
    lineage = up.operator.fleet.lineages["web"]
    return (lineage.rollout or lineage.past[-1]).status


async def test_a_service_is_rolled_one_after_another(
    engine: Engine, tmp_path: Path
) -> None:
    async with (
        stage(engine, tmp_path, web("1"), choice=OWN) as it,
        it.operator() as up,
    ):
        await up.all_ready(3)
        await it.runs(3)
        before = set(it.running())
        available = watch_available(up)
        await apply(up, web("2"))
        info = await over(up)
        assert (info.status, info.failures) == (RolloutStatus.DONE, 0)
        assert min(available) >= 2
        assert await versions(it, 3) == ["2", "2", "2"]
        assert len(before) == len(it.running()) == 3
        assert {c.generation for c in up.operator.fleet.containers.values()} == {2}
        assert max(up.starts().values()) == 1


async def test_a_bad_canary_is_taken_back_and_the_rest_never_noticed(
    engine: Engine, tmp_path: Path
) -> None:
    canary = attrs.evolve(
        QUICK, strategy="canary", steps=(CanaryStep(share=Share(1), soak_ms=500),)
    )
    async with (
        stage(engine, tmp_path, web("1", policy=canary), choice=OWN) as it,
        it.operator() as up,
    ):
        await up.all_ready(3)
        steady = {name: await it.engine_id(name) for name in ("web-1", "web-2")}
        available = watch_available(up)
        await apply(up, web("2", *BAD, policy=canary))
        info = await over(up)
        assert info.status is RolloutStatus.REVERTED
        assert "2 failures of new replicas, more than 1: web-0" in info.reason
        assert min(available) >= 2
        await up.all_ready(3)
        assert await versions(it, 3) == ["1", "1", "1"]
        assert {name: await it.engine_id(name) for name in steady} == steady


async def test_a_good_canary_waits_for_its_owner_and_goes_on(
    engine: Engine, tmp_path: Path
) -> None:
    canary = attrs.evolve(
        QUICK,
        strategy="canary",
        steps=(CanaryStep(share=Share(1)),),
        promote=Promotion.MANUAL,
    )
    waits = RolloutStatus.AWAITING_PROMOTION
    async with (
        stage(engine, tmp_path, web("1", policy=canary), choice=OWN) as it,
        it.operator() as up,
    ):
        await up.all_ready(3)
        await apply(up, web("2", policy=canary))
        await up.until("waits for its owner", lambda: status(up) is waits)
        assert await versions(it, 3) == ["1", "1", "2"]
        promoted = await settled(up.operator.rollout("web", "promote"))
        assert isinstance(promoted, RolloutInfo)
        info = await over(up)
        assert info.status is RolloutStatus.DONE
        assert await versions(it, 3) == ["2", "2", "2"]


async def test_green_runs_beside_blue_until_blue_goes(
    engine: Engine, tmp_path: Path
) -> None:
    policy = attrs.evolve(QUICK, strategy="blue_green", keep_old_ms=10_000)
    async with (
        stage(engine, tmp_path, web("1", policy=policy, count=2), choice=OWN) as it,
        it.operator() as up,
    ):
        await up.all_ready(2)
        available = watch_available(up)
        await apply(up, web("2", policy=policy, count=2))
        soaks = RolloutStatus.SOAKING
        await up.until("both run", lambda: status(up) is soaks)
        assert await versions(it, 4) == ["1", "1", "2", "2"]
        info = await over(up)
        assert (info.status, min(available)) == (RolloutStatus.DONE, 2)
        assert await versions(it, 2) == ["2", "2"]
        await up.until(
            "the old are gone", lambda: len(up.operator.fleet.containers) == 2
        )


async def test_what_is_aborted_goes_back(engine: Engine, tmp_path: Path) -> None:
    slow = attrs.evolve(QUICK, min_ready_ms=2_000)
    async with (
        stage(engine, tmp_path, web("1", policy=slow), choice=OWN) as it,
        it.operator() as up,
    ):
        await up.all_ready(3)
        await apply(up, web("2", policy=slow))
        await up.until(
            "one has moved",
            lambda: any(
                c.generation == 2 for c in up.operator.fleet.containers.values()
            ),
        )
        quick = await settled(up.operator.rollout("web", "abort", why="a test"))
        assert isinstance(quick, RolloutInfo)
        info = await over(up)
        assert info.status is RolloutStatus.REVERTED
        await up.all_ready(3)
        assert await versions(it, 3) == ["1", "1", "1"]


# The operator is killed

FLEET = f"""
[fleet]
name = "demo"
max_concurrent_starts = 20
[platform]
kind = "cloudflare"
url = "URL"
scheduling_policy = "durable_object"
[restart]
backoff = {{ initial_ms = 100, max_ms = 200 }}
[[containers]]
name = "web"
replicas = 3
image = "{IMAGE}"
command = ["/bin/serve"]
ports = {{ http = 8080 }}
env = {{ VERSION = "NUMBER" }}
stop_grace = "1s"
[containers.rollout]
max_unavailable = 1
min_ready = "300ms"
container_deadline = "60s"
progress_deadline = "120s"
"""
STRATEGIES = {
    "rolling": 'strategy = "rolling"\n',
    "canary": 'strategy = "canary"\nsteps = [{ share = 1, soak = "1s" }]\n',
    "blue_green": 'strategy = "blue_green"\nkeep_old = "1s"\n',
}


@attrs.frozen(kw_only=True)
class Ground:
    """A gateway, a fleet file that names it, and the state of who looks after it."""

    stage: Stage
    folder: Path
    strategy: str

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def file(self, version: str) -> Path:
        text = FLEET.replace("URL", self.stage.workerd.url)
        text = text.replace("NUMBER", version)
        return file_at(self.folder, text + STRATEGIES[self.strategy])

    @property
    def words(self) -> tuple[str, ...]:
        return ("--secrets", str(secrets_in(self.folder)))

    @contextmanager
    def killed(self, file: Path) -> Iterator[Client]:
        """Run ``up`` for a block, and end it with SIGKILL; containers go on."""
        with killed(file, self.state, *self.words):
            yield reached(self.state)


def rollout_of(client: Client) -> Any:
    return client.get("services", "web", "rollout")


async def wait(what: str, is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + LIMIT_MS / 1_000
    while not is_so():
        assert time.monotonic() < until, what
        await asyncio.sleep(0.05)


def ready(client: Client) -> bool:
    infos = client.get("containers")
    return len(infos) == 3 and all(info["ready"] for info in infos)


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_a_killed_operator_finds_its_rollout_and_ends_it(
    strategy: str, engine: Engine, tmp_path: Path
) -> None:
    """It is killed once something has moved; a rolling one a little later, too."""
    declared = web("1")
    async with stage(engine, tmp_path, declared, choice=OWN) as running:
        it = Ground(stage=running, folder=tmp_path, strategy=strategy)
        with it.killed(it.file("1")) as client:
            await wait("all are ready", lambda: ready(client))
            newer = it.file("2")
            state = ("--state", str(it.state))
            applied = run("apply", str(newer), "--detach", *state)
            assert applied.code == 0, applied
            await wait("one has moved", lambda: rollout_of(client)["moved"] > 0)
        if strategy == "rolling":
            with it.killed(newer) as client:
                await wait("one counts", lambda: rollout_of(client)["counted"] > 0)
        with up(newer, it.state, *it.words):
            client = reached(it.state)
            followed = run("rollout", "status", "web", "--wait", *state)
            assert followed.code == 0, followed
            await wait("all are ready", lambda: ready(client))
            assert rollout_of(client)["status"] == "done"
            assert await versions(running, 3) == ["2", "2", "2"]
            check_starts(client)
        verified = run("journal", "verify", str(it.state / "journal.db"))
        assert verified.code == 0, verified
