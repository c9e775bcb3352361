"""The bench itself: a real workerd, real containers, and nothing left of them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.bench import fault_proxy as faults
from tests.bench.docker import Container
from tests.bench.engine import CGROUPS, PREFIX, Engine, temp
from tests.bench.fault_proxy import FaultProxy
from tests.bench.images import APP_1
from tests.bench.listed import so_many
from tests.bench.machine import ROOT, Variant, why_not
from tests.bench.workerd import DurableObject, Workerd

PROJECT = Path(__file__).parent / "worker"
KILLED = 137
LIMIT_S = 60.0


def worker(engine: Engine, variant: Variant = "pinned") -> Workerd:
    return Workerd(
        engine=engine,
        project=PROJECT,
        main="main.js",
        durable_objects={"BOX": DurableObject("Box", APP_1)},
        bindings={"SECRET": "planted"},
        variant=variant,
    )


@pytest.fixture
async def running(engine: Engine) -> AsyncIterator[Workerd]:
    async with worker(engine) as started:
        yield started


async def ask(url: str, **params: Any) -> Any:
    async with aiohttp.ClientSession() as session, session.get(url, params=params) as r:
        assert r.status == 200, await r.text()
        return json.loads(await r.text())


async def own(engine: Engine, running: Workerd, count: int) -> tuple[Container, ...]:
    """Return the containers of one runtime, which are so many; others run beside."""
    prefix = f"workerd-{running.name}-"

    def ours() -> tuple[Container, ...]:
        every = engine.docker.containers()
        return tuple(one for one in every if one.name.startswith(prefix))

    return await so_many(ours, count)


async def test_five_containers_come_up_with_their_environment(
    engine: Engine, running: Workerd
) -> None:
    engine.forget_calls()
    names = [f"{running.url}/box{number}" for number in range(5)]
    answers = await asyncio.gather(*(ask(f"{name}/up") for name in names))
    assert answers == [{"status": 200, "text": "hello\n"}] * 5
    five = await own(engine, running, 5)
    assert engine.calls()["POST /containers/create"] == 10  # and five sidecars
    shown = await ask(f"{names[0]}/get", path="/cgi-bin/env")
    assert "GREETING=hello box" in shown["text"].splitlines()
    for one in five:
        assert one.image == APP_1
        assert one.state == "running"
        assert engine.docker.environment(one.id)["GREETING"] == "hello box"
        host = engine.docker.inspect(one.id)["HostConfig"]
        assert host["RestartPolicy"]["Name"] == "no"
        assert host["PidMode"] != "host"


async def test_secrets_are_bindings(running: Workerd) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{running.url}/secret") as answer,
    ):
        assert await answer.text() == "planted"


async def test_how_a_container_ends_is_reported(running: Workerd) -> None:
    ends = {
        ("quit", "7"): 7,
        ("quit", "0"): 0,
        ("hungry",): KILLED,
        ("nowhere",): "Error: Container failed to start",
    }
    codes = await asyncio.gather(
        *(ask(f"{running.url}/{words}/up", word=list(words)) for words in ends)
    )
    assert dict(zip(ends, codes, strict=True)) == ends


async def test_a_container_ends_as_it_is_told(engine: Engine, running: Workerd) -> None:
    told = {"polite": ["serve"], "coded": ["serve", "143"], "deaf": ["stubborn"]}
    await asyncio.gather(
        *(ask(f"{running.url}/{name}/up", word=words) for name, words in told.items())
    )
    assert await ask(f"{running.url}/polite/term") == 0
    assert await ask(f"{running.url}/coded/term") == 143
    (left,) = await own(engine, running, 1)
    engine.docker.kill(left.id, "TERM")
    assert (await ask(f"{running.url}/deaf/get", path="/version"))["text"] == "1"
    engine.docker.kill(left.id)
    assert await ask(f"{running.url}/deaf/end") == KILLED


async def test_a_container_does_what_its_pages_say(running: Workerd) -> None:
    began = time.monotonic()
    await ask(f"{running.url}/a/up", word=["late", "0.7"])
    assert time.monotonic() - began > 0.7
    health = f"{running.url}/a/get"
    for page, status in (("well", 200), ("sick", 503), ("well", 200)):
        await ask(f"{running.url}/a/get", path=f"/cgi-bin/{page}")
        assert (await ask(health, path="/cgi-bin/health"))["status"] == status
    await ask(f"{running.url}/a/get", path="/cgi-bin/quit?9")
    assert await ask(f"{running.url}/a/end") == 9


async def test_a_killed_runtime_comes_back_to_its_containers_and_storage(
    engine: Engine, running: Workerd
) -> None:
    await ask(f"{running.url}/a/up", word=["serve", "5"])
    before = await own(engine, running, 1)
    url = running.url
    await running.kill()
    with pytest.raises(aiohttp.ClientConnectorError):
        await ask(f"{url}/a/remembered")
    assert await own(engine, running, 1) == before
    await running.start()
    assert running.url == url
    assert await ask(f"{url}/a/remembered") == {
        "words": ["serve", "5"],
        "running": True,
    }
    assert (await ask(f"{url}/a/get"))["status"] == 200
    assert await ask(f"{url}/a/term") == 5


async def test_a_stopped_runtime_comes_back_as_well(running: Workerd) -> None:
    await ask(f"{running.url}/a/up")
    await running.stop()
    assert not running.running
    await running.start()
    assert (await ask(f"{running.url}/a/remembered"))["running"]


async def test_the_proxy_fails_as_it_is_told(running: Workerd) -> None:
    async with FaultProxy(running.url) as proxy:
        box = f"{proxy.url}/a/remembered"
        healthy = await ask(box)
        for fault in (faults.Cut(), faults.CutAfterRequest(), faults.CutInAnswer()):
            proxy.add(fault, path="/a/")
            with pytest.raises(aiohttp.ClientError):
                await ask(box)  # which aiohttp repeats if there is no answer
            proxy.heal()
            assert await ask(box) == healthy
        proxy.add(faults.Garbage(), times=1)
        with pytest.raises(aiohttp.ClientError):
            await ask(box)
        proxy.add(faults.Nonsense(), times=1)
        with pytest.raises(json.JSONDecodeError):
            await ask(box)
        proxy.add(faults.Slow(200), path="remembered$")
        began = time.monotonic()
        assert await ask(box) == healthy
        assert time.monotonic() - began > 0.2
        proxy.heal()
        proxy.add(faults.Hang())
        before = proxy.count("/a/", "GET")
        hanging = asyncio.ensure_future(ask(box))
        while proxy.count("/a/", "GET") == before:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(hanging, 0.1)
        proxy.heal()
        assert proxy.count("/a/", "GET") == len(proxy.requests) == 13
        await proxy.close()
        with pytest.raises(aiohttp.ClientConnectorError):
            await ask(box)
        await proxy.open()
        assert await ask(box) == healthy


async def test_the_proxy_answers_with_the_status_it_is_told(running: Workerd) -> None:
    async with FaultProxy(running.url) as proxy, aiohttp.ClientSession() as session:
        proxy.add(faults.Status(429, retry_after_s=3), times=1)
        proxy.add(faults.Status(503))
        for status, wait_s in ((429, "3"), (503, None), (503, None)):
            async with session.get(f"{proxy.url}/a/up") as answer:
                assert answer.status == status
                assert answer.headers.get("Retry-After") == wait_s


async def test_the_newest_runtime_does_the_same(engine: Engine) -> None:
    if reason := why_not("newest"):
        pytest.skip(reason)
    async with worker(engine, "newest") as newest:
        answer = await ask(f"{newest.url}/a/up")
        assert answer == {"status": 200, "text": "hello\n"}
        await newest.restart()
        assert (await ask(f"{newest.url}/a/remembered"))["running"]
        assert await ask(f"{newest.url}/b/up", word=["quit", "7"]) == 7


# The program of a run that is killed in the middle: it says what it started, and waits.
VICTIM = """
import asyncio, time
from tests.bench.engine import started
from tests.bench.test_bench import ask, worker

async def main():
    with started() as engine:
        running = worker(engine)
        await running.start()
        await ask(f"{running.url}/a/up")
        print(engine.folder.name, flush=True)
        time.sleep(600)

asyncio.run(main())
"""


def test_nothing_is_left_of_a_run_that_is_killed(engine: Engine) -> None:
    victim = subprocess.Popen(
        [sys.executable, "-c", VICTIM], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert victim.stdout is not None
    with victim.stdout:
        name = victim.stdout.readline().strip()
    assert name.startswith(PREFIX)
    assert processes_of(name)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    until = time.monotonic() + 60
    while (alive := processes_of(name)) and time.monotonic() < until:
        time.sleep(0.02)
    assert not alive
    # What is no process goes when the next run begins. One that is dead may have its
    # lock, and be in its cgroup, for a moment longer than it can be seen.
    while (temp() / name).exists() or list(CGROUPS.glob(f"*/{name}")):
        assert time.monotonic() < until + 60
        subprocess.run(
            [sys.executable, "-c", "from tests.bench.engine import sweep; sweep()"],
            cwd=ROOT,
            check=True,
        )
    assert engine.docker.answers()  # that of somebody else is not touched


def processes_of(name: str) -> list[str]:
    """List what runs for an engine: its folder is in every command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text(errors="replace").split("\0")
            cgroups = (process / "cgroup").read_text()
        except OSError:
            continue
        if any(name in text for text in (*words, cgroups)) and os.getpid() != int(
            process.name
        ):
            found.append(" ".join(words))
    return found
