"""The operator itself in a container, hosted by the gateway that it asks.

Its image is built of the Dockerfile that ``gateway init`` writes, on a base that holds
this machine's Python. It keeps its journal at the gateway, which it reaches over the
bridge of the engine.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import attrs

from orchestrator.api.guard.given_tokens import exported
from orchestrator.api.guard.tokens import Grant, TokenList, made
from orchestrator.cli.tools import version_text
from orchestrator.codec.fleet_file import read_fleet_file
from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.platforms.cloudflare.project.files import gateway_sources, project_of
from orchestrator.platforms.cloudflare.project.hosting import Asked, hosting_of
from orchestrator.platforms.cloudflare.project.own_wheel import own_wheel, wheel_name
from orchestrator.platforms.cloudflare.project.plan import plan_of
from tests.bench.engine import Engine
from tests.bench.images import APP_1
from tests.bench.listed import so_many
from tests.bench.workerd import PORTS, DurableObject, Workerd
from tests.cli.kit import Done, run
from tests.platforms.cloudflare.real.kit import IMAGE, TOKEN, write
from tests.platforms.cloudflare.real.operator_kit import built, with_a_way_out

OPERATOR: Final = "bench-python-operator:1"
LIMIT_S: Final = 90.0
STEP_S: Final = 0.1

FLEET: Final = f"""
[fleet]
name = "demo"
[platform]
kind = "cloudflare"
url = "http://127.0.0.1:PORT"
[journal]
kind = "durable_object"
[lease]
duration = "10s"
[[containers]]
name = "web"
replicas = 2
image = "{IMAGE}"
ports = {{ http = 8080 }}
env = {{ PASSWORD = "${{secret.PASSWORD}}" }}
stop_grace = "1s"
"""


@attrs.frozen(kw_only=True)
class Ground:
    """A gateway that hosts the operator of a fleet of two."""

    workerd: Workerd
    session: aiohttp.ClientSession
    token: str
    token_file: Path
    file: Path

    @property
    def url(self) -> str:
        """Where the operator is reached: below the gateway."""
        return f"{self.workerd.url}/operator"

    async def told(self, what: str = "operator", body: Any = None) -> Any:
        """Return what the gateway says of its operator, or of something else."""
        url = f"{self.workerd.url}/v1/fleets/demo/{what}"
        head = {"authorization": f"Bearer {TOKEN}"}
        method = "GET" if body is None else "POST"
        async with self.session.request(method, url, headers=head, json=body) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def until(self, **facts: Any) -> Any:
        """Wait until what is said of it holds certain facts."""
        until = time.monotonic() + LIMIT_S
        while True:
            told = await self.told()
            if {key: told[key] for key in facts} == facts:
                return told
            assert time.monotonic() < until, (facts, told, self.said())
            await asyncio.sleep(STEP_S)

    def said(self) -> str:
        """Return what the operator has written last, as the engine kept it."""
        docker = self.workerd.engine.docker
        return "\n".join(
            docker.must("GET", f"/containers/{one.id}/logs?stdout=1&stderr=1&tail=200")
            .decode(errors="replace")
            .strip()
            for one in docker.containers(stopped=True)
            if one.image == OPERATOR
        )

    def containers(self, image: str = APP_1) -> dict[str, str]:
        """Return the engine's containers of an image that run: number by name."""
        own = f"workerd-{self.workerd.name}-"
        return {
            one.name: one.id
            for one in self.workerd.engine.docker.containers()
            if one.name.startswith(own) and one.image == image
        }

    async def command(self, *words: str) -> Done:
        """Run the command, at the operator that the gateway hosts."""
        way = ("--url", self.url, "--token-file", str(self.token_file))
        return await asyncio.to_thread(run, *words, *way)

    async def get(self, path: str, *, token: str | None = None) -> tuple[int, Any]:
        """Ask the operator over HTTP."""
        head = {} if token is None else {"authorization": f"Bearer {token}"}
        async with self.session.get(self.url + path, headers=head) as answer:
            return answer.status, await answer.text()


def planned(folder: Path, port: int) -> bytes:
    """Write the project; return the fleet file."""
    data = FLEET.replace("PORT", str(port)).encode()
    file = read_fleet_file(data, file="f", folder="/").unwrap()
    assert isinstance(file.platform, CloudflareChoice)
    hosting = hosting_of(file, data, Asked(), release=version_text()).unwrap()
    plan = plan_of(file.spec, file.platform, folder="..", hosting=hosting).unwrap()
    files = project_of(
        plan,
        gateway_sources(),
        token_secret="GATEWAY_TOKEN",
        beside={"fleet.toml": data, wheel_name(version_text()): own_wheel()},
    )
    write(folder, files.items())
    return data


@asynccontextmanager
async def hosted(engine: Engine, folder: Path) -> AsyncIterator[Ground]:
    port = random.choice(PORTS)
    data = planned(folder / "gateway", port)
    plain = f"{OPERATOR}-plain"
    await asyncio.to_thread(built, engine, plain, folder / "gateway" / "operator")
    with_a_way_out(engine, OPERATOR, plain, f"172.17.0.1:{port}")
    secret, kept = made("tests", Grant.WRITE, now=0)
    token_file = folder / "token"
    token_file.write_text(secret)
    token_file.chmod(0o600)
    fleet_file = folder / "fleet.toml"
    workerd = Workerd(
        engine=engine,
        project=folder / "gateway",
        main="src/index.js",
        durable_objects={
            "REGISTRY": DurableObject("FleetRegistry"),
            "WEB": DurableObject("WebContainer", APP_1),
            "GATEWAY_OPERATOR": DurableObject("FleetOperator", OPERATOR),
        },
        bindings={
            "GATEWAY_TOKEN": TOKEN,
            "OPERATOR_TOKENS": exported(TokenList(tokens=(kept,))),
            "PASSWORD": "planted-password",
        },
        bridge_port=port,
    )
    async with workerd, aiohttp.ClientSession() as session:
        here = str(workerd.port).encode()
        fleet_file.write_bytes(data.replace(str(port).encode(), here))
        yield Ground(
            workerd=workerd,
            session=session,
            token=secret,
            token_file=token_file,
            file=fleet_file,
        )


async def test_an_operator_that_cloudflare_hosts_keeps_its_fleet(
    engine: Engine, tmp_path: Path
) -> None:
    async with hosted(engine, tmp_path) as it:
        told = await it.until(state="healthy")
        assert (told["starts"], told["restarts"]) == (1, 0)
        for name in ("web-0", "web-1"):
            done = await it.command("wait", name)
            assert done.code == 0, (done, it.said())
        before = await so_many(it.containers, 2)
        await it_asks_for_its_own_tokens(it)
        await its_page_and_its_streams_pass_the_gateway(it)
        done = await it.command("stop", "web-1", "--why", "a test")
        assert done.code == 0, done
        await so_many(it.containers, 1)

        # It dies; another one takes its place, and finds the fleet as it was.
        (operator,) = it.containers(OPERATOR).values()
        engine.docker.kill(operator)
        told = await it.until(state="healthy", restarts=1)
        assert told["last_end"]["code"] == 137
        listed = await until_it_leads(it)
        shown = {info["name"]: (info["phase"], info["run"]) for info in listed}
        assert shown == {"web-0": ("running", 1), "web-1": ("stopped", 1)}
        assert set(it.containers()) < set(before)

        # Its journal stands behind the gateway, whole, for whoever has the token.
        env = {**os.environ, "GATEWAY_TOKEN": TOKEN}
        words = ("journal", "verify", str(it.file))
        verified = await asyncio.to_thread(run, *words, env=env)
        assert verified.code == 0, verified

        # What it writes, and what it is told, has no secret in it.
        said = it.said()
        assert "leading" in said
        assert "planted-password" not in said
        assert TOKEN not in said
        assert "planted" not in json.dumps(await it.told())

        # It leaves in good order: what it led is nobody's, and goes on.
        assert (await it.told("lease"))["holder"] is not None
        await it.told(body={"wanted": "stopped"})
        told = await it.until(state="stopped")
        assert (told["last_end"]["kind"], told["last_end"]["code"]) == ("stopped", 143)
        assert (await it.told("lease"))["holder"] is None
        await so_many(it.containers, 1)


async def it_asks_for_its_own_tokens(it: Ground) -> None:
    for open_to_all in ("/healthz", "/readyz"):
        assert (await it.get(open_to_all))[0] == 200
    for wrong in (None, TOKEN, "orch_wrong"):
        status, text = await it.get("/v1/containers", token=wrong)
        assert status == 401, text
    status, text = await it.get("/v1/containers", token=it.token)
    assert status == 200
    assert len(json.loads(text)) == 2


async def its_page_and_its_streams_pass_the_gateway(it: Ground) -> None:
    status, page = await it.get("/")
    assert status == 200
    assert 'src="page/main.js"' in page
    assert (await it.get("/page/main.js"))[0] == 200
    head = {"authorization": f"Bearer {it.token}", "accept": "text/event-stream"}
    url = f"{it.url}/v1/events?after=0"
    async with it.session.get(url, headers=head) as stream:
        assert stream.status == 200
        assert stream.content_type == "text/event-stream"
        first = await asyncio.wait_for(stream.content.readline(), LIMIT_S)
        assert first.strip()
    foreign = {**head, "origin": "https://evil.example.com"}
    async with it.session.get(url, headers=foreign) as refused:
        assert refused.status == 403


async def until_it_leads(it: Ground) -> Any:
    """Wait until an operator leads again; return its containers."""
    until = time.monotonic() + LIMIT_S
    while True:
        is_led = (await it.get("/readyz"))[0] == 200  # one that stands by lists, too
        done = await it.command("list", "-o", "json")
        if is_led and done.code == 0 and "leading" in it.said():
            listed = json.loads(done.out)
            if all(info["phase"] in {"running", "stopped"} for info in listed):
                return listed
        assert time.monotonic() < until, (done, it.said())
        await asyncio.sleep(STEP_S)
