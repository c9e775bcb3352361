"""The command on Cloudflare: a fleet file that names the platform, and no more."""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from orchestrator.cli.client import Client
from tests.bench.engine import Engine
from tests.bench.listed import so_many
from tests.cli.kit import reached, run, up
from tests.platforms.cloudflare.real.command_kit import (
    Ground,
    check_starts,
    ground_of,
    up_and_killed,
)
from tests.platforms.cloudflare.real.kit import IMAGE, LIMIT_S, TOKEN

FLEET = f"""
[fleet]
name = "demo"
max_concurrent_starts = 20
[platform]
kind = "cloudflare"
url = "URL"
[restart]
backoff = {{ initial_ms = 100, max_ms = 200 }}
[[containers]]
name = "web"
replicas = REPLICAS
image = "{IMAGE}"
ports = {{ http = 8080 }}
env = {{ PASSWORD = "${{secret.PASSWORD}}" }}
stop_grace = "1s"
[[containers]]
name = "job"
image = "{IMAGE}"
command = ["/bin/quit", "7", "1"]
ports = {{ http = 8080 }}
restart = {{ crash = {{ allowed_crashes = 100 }} }}
"""


def ground(
    engine: Engine, folder: Path, count: int
) -> AbstractAsyncContextManager[Ground]:
    """Run a gateway for the fleet above with so many replicas."""
    text = FLEET.replace("REPLICAS", str(count))
    return ground_of(engine, folder, text, "PASSWORD=planted-password")


def wait_all(client: Client, count: int) -> None:
    for n in range(count):
        client.get("containers", f"web-{n}", "wait")


async def web_of(it: Ground, count: int) -> list[str]:
    """Return the engine's containers of the service, which are so many."""
    return await so_many(
        lambda: sorted(name for name in it.stage.running() if "-Web" in name), count
    )


def runs_of(client: Client) -> dict[str, int]:
    return {info["name"]: info["run"] for info in client.get("containers")}


async def test_a_fleet_from_up_to_down(engine: Engine, tmp_path: Path) -> None:
    async with ground(engine, tmp_path, 3) as it:
        words = ("--secrets", str(it.secrets))
        with up(it.file, it.state, *words, env=it.env()):
            client = reached(it.state)
            wait_all(client, 3)
            state = ("--state", str(it.state))
            listed = json.loads(run("list", "-o", "json", *state).out)
            assert [i["name"] for i in listed] == ["job", "web-0", "web-1", "web-2"]
            client.get("containers", "job")
            told = told_of_the_job(it, state)
            assert told["kind"] == "exited"
            assert told["raw"] == "Container exited with unexpected exit code: 7"
            assert told["facts"]["application"] == "job"
            table = run("status", "--platform", *state).out
            assert "ITS OWN WORDS" in table
            assert "web-2" in table
            shown = run("status", "web-0", "--platform", *state).out
            assert "web-0" in shown
            assert "web-1" not in shown
            checked = run("gateway", "check", "--fleet", str(it.file), env=it.env())
            assert checked.code == 0, checked
            logs = run("logs", "web-0", *state)
            assert "Workers Logs" in logs.err
            down = run("down", *state, env=it.env())
            assert down.code == 0, down
        await it.stage.runs(0)
        left = [p.read_bytes() for p in it.state.rglob("*") if p.is_file()]
        assert not any(b"planted" in data or TOKEN.encode() in data for data in left)
        assert "planted" not in (tmp_path / "up.log").read_text()


def told_of_the_job(it: Ground, state: tuple[str, ...]) -> Any:
    """Ask until a run of the job is over, and the next one has not begun."""
    told: Any = None
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        done = run("status", "job", "--platform", "-o", "json", *state)
        (told,) = json.loads(done.out)
        if told["state"] == "ended":
            return told
    raise AssertionError(told)


async def test_an_operator_that_is_killed_again_and_again(
    engine: Engine, tmp_path: Path
) -> None:
    """Nothing is lost, nothing is started twice; the journal verifies."""
    async with ground(engine, tmp_path, 3) as it:
        containers: list[str] = []
        for kill in range(5):
            with up_and_killed(it):
                client = reached(it.state)
                wait_all(client, 3)
                web = await web_of(it, 3)
                assert kill == 0 or web == containers
                containers = web
                job = runs_of(client)["job"]
                while runs_of(client)["job"] <= job:
                    client.get("events", after=0, wait_ms=200)
        with up(it.file, it.state, "--secrets", str(it.secrets), env=it.env()):
            client = reached(it.state)
            wait_all(client, 3)
            check_starts(client)
            assert {n: r for n, r in runs_of(client).items() if n != "job"} == {
                "web-0": 1,
                "web-1": 1,
                "web-2": 1,
            }
        verified = run("journal", "verify", str(it.state / "journal.db"))
        assert verified.code == 0, verified


async def test_a_state_folder_that_is_deleted_under_twenty(
    engine: Engine, tmp_path: Path
) -> None:
    async with ground(engine, tmp_path, 20) as it:
        words = ("--secrets", str(it.secrets))
        with up_and_killed(it):
            wait_all(reached(it.state), 20)
            web = await web_of(it, 20)
        shutil.rmtree(it.state)
        with up(it.file, it.state, *words, env=it.env()):
            client = reached(it.state)
            wait_all(client, 20)
            assert await web_of(it, 20) == web
            runs = runs_of(client)
            assert {runs[f"web-{n}"] for n in range(20)} == {1}


async def test_what_is_told_where_the_gateway_cannot_be_had(
    engine: Engine, tmp_path: Path
) -> None:
    async with ground(engine, tmp_path, 1) as it:
        state = ("--state", str(it.state))
        none = run("up", str(it.file), "--once", *state)
        assert none.code == 7
        assert "GATEWAY_TOKEN is not set" in none.err
        wrong = {**os.environ, "GATEWAY_TOKEN": "another-token-0123456789"}
        refused = run("up", str(it.file), "--once", *state, env=wrong)
        assert refused.code == 7
        assert "another-token" not in refused.err + refused.out
        await it.stage.workerd.kill()
        gone = run("up", str(it.file), "--once", *state, env=it.env())
        assert gone.code == 5
        checked = run("gateway", "check", "--fleet", str(it.file), env=it.env())
        assert checked.code == 5
        await it.stage.workerd.start()
