"""The object of a hosted operator, in the real runtime, with real containers.

What runs in them is no operator, but a server of the bench that can be told to fall
ill, to hang and to die. The real one is in ``real/test_hosted.py``.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import aiohttp
import attrs
import pytest

from orchestrator.codec.fleet_file import read_fleet_file
from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.platforms.cloudflare.project.files import gateway_sources, project_of
from orchestrator.platforms.cloudflare.project.hosting import Asked, hosting_of
from orchestrator.platforms.cloudflare.project.plan import plan_of
from tests.bench.engine import Engine
from tests.bench.images import APP_1
from tests.bench.workerd import DurableObject, Workerd
from tests.platforms.cloudflare.gateway.kit import (
    HERE,
    TOKEN,
    WAIT_S,
    Reply,
    session_of_tests,
    until,
)
from tests.platforms.cloudflare.openapi import holds

FLEET: Final = b"""
[fleet]
name = "shop"
[platform]
kind = "cloudflare"
url = "https://shop.example.com"
[journal]
kind = "durable_object"
[[containers]]
name = "web"
image = "docker.io/library/httpd:2.4"
env = { PASSWORD = "${secret.PASSWORD}" }
"""
SECRETS: Final = {
    "GATEWAY_TOKEN": TOKEN,
    "OPERATOR_TOKENS": '{"tokens":[]}',
    "PASSWORD": "planted-password",
}
PATH: Final = "/v1/fleets/shop/operator"
STEP_S: Final = 0.05


def project(folder: Path) -> Path:
    """Write the project that hosts the operator of a fleet of one container."""
    file = read_fleet_file(FLEET, file="f", folder="/").unwrap()
    assert isinstance(file.platform, CloudflareChoice)
    hosting = hosting_of(file, FLEET, Asked(), release="1.0").unwrap()
    plan = plan_of(file.spec, file.platform, folder="..", hosting=hosting).unwrap()
    beside = {"fleet.toml": FLEET}
    means = {"token_secret": "GATEWAY_TOKEN", "beside": beside}
    files = project_of(plan, gateway_sources(), **means)  # type: ignore[arg-type]
    files["src/hosted.js"] = (HERE / "hosted.js").read_bytes()
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


@attrs.frozen
class Ground:
    """A gateway that hosts an operator."""

    workerd: Workerd
    session: aiohttp.ClientSession

    async def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> Reply:
        """Ask anything of the Worker, without a token unless one is among them."""
        async with self.session.request(
            method,
            self.workerd.url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers=headers,
            allow_redirects=False,
        ) as answer:
            text = await answer.text()
            try:
                tree = json.loads(text)
            except ValueError:
                tree = text
            if path.startswith("/v1/"):
                holds(method, path, answer.status, tree)
            return Reply(answer.status, tree, answer.headers)

    async def told(self) -> Any:
        """Return what the gateway tells of its operator."""
        answer = await self.ask("GET", PATH, authorization=f"Bearer {TOKEN}")
        assert answer.status == 200, answer
        return answer.body

    async def want(self, wanted: str) -> Any:
        """Have it run, or not."""
        body, head = {"wanted": wanted}, {"authorization": f"Bearer {TOKEN}"}
        answer = await self.ask("POST", PATH, body, **head)
        assert answer.status == 200, answer
        return answer.body

    async def call(self, method: str, *words: Any) -> Any:
        """Call a method of its object, or let the clock of the Worker strike."""
        answer = await self.ask("POST", f"/tests/{method}", list(words))
        assert answer.status == 200, answer
        return answer.body["value"]

    async def state(self, state: str, **facts: Any) -> Any:
        """Wait until it is in a state, and other facts are so."""
        end = time.monotonic() + WAIT_S
        while True:
            told = await self.told()
            wanted = {"state": state, **facts}
            if {key: told[key] for key in wanted} == wanted:
                return told
            if time.monotonic() > end:
                raise AssertionError(f"{wanted}: not within {WAIT_S} s: {told}")
            await asyncio.sleep(STEP_S)

    async def healthy(self, **facts: Any) -> Any:
        return await self.state("healthy", **facts)

    async def beaten(self, **facts: Any) -> Any:
        """Have it looked at and asked, without the pauses, until it is healthy anew."""
        end = time.monotonic() + WAIT_S
        while (await self.told())["restarts"] != facts["restarts"]:
            await self.call("beat")
            assert time.monotonic() < end, await self.told()
            await asyncio.sleep(STEP_S)
        return await self.healthy(**facts)

    async def left_alone(self) -> None:
        """Wait until it has no alarm: one that rang just now may still be at work."""

        async def has_none() -> bool:
            return await self.call("alarmIn") is None

        await until("it has no alarm", has_none)

    async def emptied(self) -> None:
        """Wait until none runs: the engine lists it a moment later than it says so."""

        async def is_so() -> bool:
            return not self.containers()

        await until("no container runs", is_so)

    async def visit(self, page: str) -> Reply:
        """Ask its container for a page, through the gateway."""
        return await self.ask("GET", f"/operator/cgi-bin/{page}")

    def containers(self) -> list[str]:
        """List the numbers of the engine's containers that run."""
        own = f"workerd-{self.workerd.name}-"
        every = self.workerd.engine.docker.containers()
        return [one.id for one in every if one.name.startswith(own)]


@pytest.fixture(scope="module")
def hosting(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workerd]:
    running = Workerd(
        engine=engine,
        project=project(tmp_path_factory.mktemp("hosting")),
        main="src/hosted.js",
        durable_objects={
            "REGISTRY": DurableObject("FleetRegistry"),
            "WEB": DurableObject("WebContainer", APP_1),
            "GATEWAY_OPERATOR": DurableObject("FleetOperator", APP_1),
        },
        bindings=SECRETS,
    )
    asyncio.run(running.start())
    yield running
    asyncio.run(running.kill())
    running.remove_containers()


@pytest.fixture
async def ground(hosting: Workerd) -> AsyncIterator[Ground]:
    """Give a gateway whose operator is healthy, and has a past of its own."""
    async with session_of_tests() as session:
        ground = Ground(hosting, session)
        await ground.call("retire", False)  # noqa: FBT003
        await ground.call("secrets", SECRETS)
        await ground.call("words")
        await ground.want("stopped")
        await ground.state("stopped")
        await ground.call("remember", {"starts": 0, "restarts": 0})
        await ground.want("running")
        await ground.healthy(starts=1, restarts=0)
        yield ground


async def test_it_runs_with_the_secrets_of_the_worker_and_nobody_is_told_them(
    ground: Ground,
) -> None:
    env = (await ground.visit("env")).body
    assert f"GATEWAY_TOKEN={TOKEN}" in env
    assert "ORCHESTRATOR_TOKENS={" in env
    assert "PASSWORD=planted-password" in env
    head = {"authorization": f"Bearer {TOKEN}"}
    about = (await ground.ask("GET", "/v1/about", **head)).body
    assert about["operator"]["secrets"] == [
        "GATEWAY_TOKEN",
        "OPERATOR_TOKENS",
        "PASSWORD",
    ]
    kept = str(await ground.call("kept"))
    for said in (str(await ground.told()), str(about), kept, ground.workerd.log):
        assert "planted-password" not in said
        assert TOKEN not in said


async def test_what_is_below_its_path_is_passed_on_as_it_is(ground: Ground) -> None:
    head = {"authorization": "Bearer of-the-operator", "x-own": "kept"}
    env = (await ground.ask("GET", "/operator/cgi-bin/env?a=b%20c", **head)).body
    lines = env.splitlines()
    assert "REQUEST_METHOD=GET" in lines
    assert "QUERY_STRING=a=b%20c" in lines
    assert "HTTP_AUTHORIZATION=Bearer of-the-operator" in lines
    assert f"HTTP_HOST=127.0.0.1:{ground.workerd.port}" in lines
    moved = await ground.ask("GET", "/operator?q=1")
    assert (moved.status, moved.headers["location"]) == (308, "/operator/?q=1")
    # What only looks like it is the gateway's own, which asks for its token.
    for path in ("/operators/", "/operator/../v1/about", "/v1/fleets/shop/operator"):
        assert (await ground.ask("GET", path)).status in {401, 404}, path


async def test_the_gateway_asks_for_its_own_token(ground: Ground) -> None:
    assert (await ground.ask("GET", PATH)).status == 401
    assert (await ground.ask("POST", PATH, {"wanted": "stopped"})).status == 401
    assert (await ground.told())["wanted"] == "running"
    head = {"authorization": f"Bearer {TOKEN}"}
    other = await ground.ask("GET", "/v1/fleets/other/operator", **head)
    assert (other.status, other.code) == (404, "not_found")
    for body in ({}, {"wanted": "no"}, {"wanted": "stopped", "more": 1}):
        refused = await ground.ask("POST", PATH, body, **head)
        assert (refused.status, refused.code) == (422, "invalid")


async def test_one_that_dies_is_started_again_and_its_code_is_kept(
    ground: Ground,
) -> None:
    for restarts in (1, 2):
        await ground.visit("quit?7")
        told = await ground.healthy(restarts=restarts)
        assert told["starts"] == 1 + restarts
        assert (told["last_end"]["kind"], told["last_end"]["code"]) == ("exited", 7)
        assert told["failures"] == restarts
    assert len(ground.containers()) == 1


async def test_one_that_dies_at_once_waits_longer_each_time(ground: Ground) -> None:
    await ground.call("words", "/bin/quit", "3")
    await ground.visit("quit?3")

    async def waits_long() -> bool:
        told = await ground.told()
        return bool(told["state"] == "waiting" and told["failures"] >= 3)

    await until("it waits for the third time", waits_long)
    # What has passed meanwhile may have been too short to be seen.
    ends = [one for one in await ground.call("past") if one["state"] == "waiting"]
    waits = {
        one["failures"]: one["due"] - one["last_end"]["at"]
        for one in ends
        if one["last_end"].get("code") == 3
    }
    assert {**waits, 1: 1_000, 2: 2_000, 3: 4_000} == waits
    await ground.call("words")
    started = await ground.want("running")  # who asks does not wait
    assert started["state"] == "starting"
    await ground.healthy()


async def test_one_that_is_ill_is_killed_and_started_again(ground: Ground) -> None:
    first = ground.containers()
    await ground.visit("sick")
    told = await ground.beaten(restarts=1)
    assert told["last_end"]["kind"] == "unhealthy"
    assert told["last_end"]["was"] == "exited"
    assert ground.containers() != first


async def test_one_that_hangs_is_killed_and_started_again(ground: Ground) -> None:
    await ground.visit("hang")
    told = await ground.beaten(restarts=1)
    assert told["last_end"]["kind"] == "unhealthy"


async def test_one_that_never_answers_is_given_up_in_time(ground: Ground) -> None:
    await ground.call("words", "/bin/deaf")
    await ground.want("stopped")
    await ground.state("stopped")
    await ground.want("running")
    await ground.state("starting")
    await ground.call("words")  # for the next one, which may come at once
    await ground.call("remember", {"due": 1})
    await ground.call("beat")
    told = await ground.healthy(restarts=1)
    assert told["last_end"]["kind"] == "unhealthy"


async def test_one_that_is_not_wanted_leaves_and_stays_away(ground: Ground) -> None:
    told = await ground.want("stopped")
    assert (told["wanted"], told["state"]) == ("stopped", "stopping")
    told = await ground.state("stopped")
    assert told["last_end"]["kind"] == "stopped"
    assert told["last_end"]["code"] == 0  # in good order
    await ground.left_alone()
    await ground.call("clock")
    assert (await ground.told())["state"] == "stopped"
    await ground.emptied()
    answer = await ground.visit("env")
    assert answer.status == 503
    assert answer.body["error"]["code"] == "unreachable"
    assert "Retry-After" in answer.headers


async def test_one_that_does_not_leave_is_killed(ground: Ground) -> None:
    await ground.call("words", "/bin/stubborn")
    await ground.want("stopped")
    await ground.state("stopped")
    await ground.want("running")
    await ground.healthy()
    assert (await ground.want("stopped"))["state"] == "stopping"
    await ground.call("remember", {"due": 1})
    told = await ground.state("stopped")
    assert (told["last_end"]["kind"], told["last_end"]["code"]) == ("stopped", 137)


async def test_one_that_runs_is_found_again_and_not_started_twice(
    ground: Ground,
) -> None:
    before = ground.containers()
    await ground.workerd.restart()
    await ground.call("clock")
    told = await ground.healthy()
    await ground.call("beat")
    assert (told["starts"], told["restarts"]) == (1, 0)
    assert ground.containers() == before
    # Its end is noticed, as if nothing had been.
    await ground.visit("quit?7")
    told = await ground.healthy(restarts=1)
    assert told["last_end"]["code"] == 7


async def test_one_that_died_while_nobody_looked_is_lost_and_started_again(
    ground: Ground,
) -> None:
    await ground.workerd.kill()
    ground.workerd.engine.docker.kill(ground.containers()[0])
    await ground.workerd.start()
    await ground.call("clock")
    told = await ground.healthy(restarts=1)
    assert told["last_end"]["kind"] in {"lost", "exited"}
    assert told["last_end"].get("code") != 0


async def test_the_clock_of_the_worker_sets_an_alarm_that_was_lost(
    ground: Ground,
) -> None:

    async def lost() -> bool:  # while it is looked at, it is set again
        await ground.call("loseAlarm")
        return await ground.call("alarmIn") is None

    await until("the alarm is gone", lost)
    await ground.call("clock")
    assert await ground.call("alarmIn") is not None


async def test_a_changed_secret_has_it_started_anew(ground: Ground) -> None:
    await ground.call("secrets", {"PASSWORD": "another-one"})
    await ground.call("beat")
    told = await ground.healthy(starts=2)
    assert told["restarts"] == 0
    assert told["last_end"]["kind"] == "stopped"
    assert "PASSWORD=another-one" in (await ground.visit("env")).body


async def test_a_secret_that_is_not_there_is_named(ground: Ground) -> None:
    await ground.want("stopped")
    await ground.state("stopped")
    await ground.call("secrets", {"PASSWORD": ""})
    told = await ground.want("running")
    told = await ground.state("waiting")
    assert told["last_end"]["kind"] == "not_configured"
    assert "PASSWORD" in told["last_end"]["raw"]
    await ground.call("secrets", SECRETS)
    await ground.healthy()


async def test_one_that_was_brought_down_stays_down_until_it_is_started(
    ground: Ground,
) -> None:
    await ground.visit("quit?0")
    told = await ground.state("stopped", wanted="stopped", stopped_by="down")
    assert (told["last_end"]["kind"], told["last_end"]["code"]) == ("exited", 0)
    for _ in range(2):
        await ground.call("clock")
        await ground.call("beat")
    assert (await ground.told())["state"] == "stopped"
    await ground.left_alone()
    await ground.emptied()
    assert (await ground.want("running"))["stopped_by"] is None
    await ground.healthy(starts=2)


async def test_one_that_was_ended_in_good_order_is_started_again(
    ground: Ground,
) -> None:
    await ground.visit("quit?143")
    told = await ground.healthy(restarts=1)
    assert told["wanted"] == "running"
    assert told["last_end"]["code"] == 143


async def test_one_that_is_hosted_no_more_is_back_when_it_is_hosted_again(
    ground: Ground,
) -> None:
    await ground.call("retire", True)  # noqa: FBT003
    await ground.call("beat")
    await ground.state("stopped", wanted="stopped", stopped_by="project")
    await ground.left_alone()
    await ground.call("retire", False)  # noqa: FBT003
    await ground.call("clock")
    told = await ground.healthy(starts=2, wanted="running")
    assert told["stopped_by"] is None


async def test_what_its_owner_has_stopped_stays_so_when_it_is_hosted_again(
    ground: Ground,
) -> None:
    await ground.want("stopped")
    await ground.state("stopped", stopped_by="owner")
    for retired in (True, False):
        await ground.call("retire", retired)
        await ground.call("clock")
        await ground.call("beat")
    told = await ground.told()
    assert (told["state"], told["stopped_by"]) == ("stopped", "owner")
