"""Commands that the interpreter carries out, beside a bare pool of aiohttp workers.

A server of aiohttp, a process of its own, says yes to all it is asked. The bare pool
has as many workers as the interpreter has commands at once; each writes an order as
JSON, posts it, and reads the answer, over one session. So does the gateway client, an
order at a time, with its limits of time and size and its errors as values. The
interpreter has all that lies between a command and its event besides: the order of each
container, the environment filled in, the application looked up, counters; but orders of
one moment share a request.

What is compared is the time of the processor that the asking process needs.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import repeat
from typing import Any, Final

import aiohttp
import attrs
import orjson
from aiohttp import web
from returns.result import Failure, Success
from yarl import URL

from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.commands import ContainerCommand, StartContainer, StopContainer
from orchestrator.core.events import CommandAccepted, Event
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.platforms.cloudflare.gateway import CloudflarePlatform
from orchestrator.platforms.cloudflare.http import Credentials, Gateway
from orchestrator.platforms.cloudflare.orders import body_of
from orchestrator.platforms.cloudflare.project.application import (
    Application,
    facts_of,
)
from orchestrator.runtime.interpreter import Interpreter, Limits, Setting
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.secrets import Secrets
from orchestrator.testing.platforms import start_order
from tests.benchmarks.figures import Asked, Figures, costs, reached
from tests.benchmarks.harness import Case, Goal, interleaved
from tests.benchmarks.runs import ROOT

__all__ = ("ABOUT", "GOALS", "figures")

ABOUT: Final = "Commands carried out over HTTP, beside a bare pool of aiohttp workers."

COMMANDS: Final = 4_000
AT_ONCE: Final = Limits().at_once
TOKEN: Final = "benchmark-benchmark"
FLEET: Final = "bench"
IMAGE: Final = "registry.cloudflare.com/acme/worker:7"
GOALS: Final = (
    Goal(
        case="starts by the interpreter",
        limit="bare pool",
        least=0.95,
        why=(
            "A start costs more than twice what a stop does: its environment is filled"
            " in and its spec named in short (a sixth each), its application looked up."
            " Requests are a tenth of it, for thirty orders share one."
        ),
    ),
)


class _Known(Secrets):
    """The one secret that there is."""

    def _values(self) -> dict[str, str]:
        return {"GATEWAY_TOKEN": TOKEN}


def _spec(number: int) -> ContainerSpec:
    return ContainerSpec(
        name=f"web-{number}",
        service="web",
        replica=number,
        image=IMAGE,
        command=("serve", "--queue", "orders"),
        ports=Table.of([("http", 8080)]),
        env=Table.of([("QUEUE", "orders"), ("LEVEL", "info")]),
    )


# The server


def _app() -> web.Application:
    application = Application(
        name="web",
        image=IMAGE,
        instance_type=_spec(0).instance_type,
        max_instances=100_000,
    )
    about = {"api": 1, "applications": {"web": facts_of(application)}}
    yes = {"status": 202, "body": {"name": "web-0", "run": 1, "phase": "starting"}}

    def said(tree: object) -> web.Response:
        return web.Response(body=orjson.dumps(tree), content_type="application/json")

    async def told(_: web.Request) -> web.Response:
        return said(about)

    async def attached(_: web.Request) -> web.Response:
        return said({"epoch": 1})

    async def one(request: web.Request) -> web.Response:
        _ = orjson.loads(await request.read())
        return said(yes["body"])

    async def many(request: web.Request) -> web.Response:
        orders = orjson.loads(await request.read())["orders"]
        return said({"results": list(repeat(yes, len(orders)))})

    app = web.Application(client_max_size=2**21)
    app.router.add_get("/v1/about", told)
    app.router.add_post(f"/v1/fleets/{FLEET}/attach", attached)
    app.router.add_post(f"/v1/fleets/{FLEET}/one", one)
    app.router.add_post(f"/v1/fleets/{FLEET}/batch", many)
    return app


async def _serve() -> None:
    """Serve until the input ends; the port is the first line that is said."""
    runner = web.AppRunner(_app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    _ = await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


@contextmanager
def _served() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.interpreter"],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        _ = process.communicate(timeout=30)


# Who asks


@attrs.frozen
class _Asker:
    """Everything that sends: a case is one of its methods."""

    url: str
    count: int

    def _orders(self) -> Iterator[dict[str, Any]]:
        """Yield the bodies that the gateway is sent, one for each start."""
        for number in range(self.count):
            order = start_order(_spec(number % 100), 1, 1, [("http", 8080)])
            yield {"op": "start", "name": order.name, **body_of(order, "web")}

    async def _pooled(self, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        orders = iter(self.bodies)

        async def work() -> None:
            for order in orders:
                await send(order)

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))

    async def bare(self) -> None:
        """Post with nothing but aiohttp, as a program written for it would."""
        url = URL(f"{self.url}/v1/fleets/{FLEET}/one")
        headers = {
            "authorization": f"Bearer {TOKEN}",
            "content-type": "application/json",
        }
        async with aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(limit=AT_ONCE),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
        ) as session:

            async def send(order: dict[str, Any]) -> None:
                async with session.post(url, data=orjson.dumps(order)) as response:
                    tree = orjson.loads(await response.read())
                    assert response.status == 200, tree

            await self._pooled(send)

    async def client(self) -> None:
        """Post with the client of the gateway."""
        shown = Success(Credentials(token=TOKEN))
        gateway = Gateway(self.url, lambda: shown, 15_000)

        async def send(order: dict[str, Any]) -> None:
            answer = await gateway.post(f"fleets/{FLEET}/one", order)
            assert not isinstance(answer, Failure), answer

        await self._pooled(send)
        await gateway.close()

    @property
    def specs(self) -> list[ContainerSpec]:
        """What runs, made once: a fleet has its specs already."""
        while len(_SPECS) < self.count:
            _SPECS.append(_spec(len(_SPECS)))
        return _SPECS[: self.count]

    @property
    def bodies(self) -> list[dict[str, Any]]:
        if self.count not in _BODIES:
            _BODIES[self.count] = list(self._orders())
        return _BODIES[self.count]

    async def commands(self, make: Callable[[str, int], ContainerCommand]) -> None:
        """Hand commands to an interpreter, each of another container."""
        platform = CloudflarePlatform(CloudflareChoice(url=self.url), FLEET, _Known())
        granted = await settled(platform.attach(0))
        assert not hasattr(granted, "code"), granted
        events: list[Event] = []
        over = asyncio.Event()

        def submit(event: Event) -> None:
            events.append(event)
            if len(events) == self.count:
                over.set()

        interpreter = Interpreter(platform, _Known(), None, submit, Limits())
        for spec in self.specs:
            setting = Setting(spec=spec, fleet=FLEET, name_key="NAME", epoch=1)
            interpreter.carry_out(make(spec.name, 1), setting)
        _ = await over.wait()
        await interpreter.close(1)
        await platform.detach()
        assert all(isinstance(event, CommandAccepted) for event in events), events[-1]


_BODIES: Final[dict[int, list[dict[str, Any]]]] = {}
_SPECS: Final[list[ContainerSpec]] = []


def _start(name: str, run: int) -> StartContainer:
    return StartContainer(name=name, run=run, revision=1)


def _stop(name: str, run: int) -> StopContainer:
    return StopContainer(name=name, run=run, signal="TERM", grace_ms=10_000)


def _running(way: Callable[[], Any]) -> Callable[[], object]:
    return lambda: asyncio.run(way())


def figures(asked: Asked) -> Figures:
    """Send as many in each way, in turns."""
    count = asked.events or (200 if asked.smoke else COMMANDS)
    with _served() as url:
        asker = _Asker(url, count)
        ways: dict[str, Callable[[], Any]] = {
            "bare pool": asker.bare,
            "gateway client": asker.client,
            "starts by the interpreter": lambda: asker.commands(_start),
            "stops by the interpreter": lambda: asker.commands(_stop),
        }
        assert asker.bodies
        asyncio.run(asker.commands(_start))  # what is made once is made before
        cases = [
            Case(name=name, items=count, run=_running(way))
            for name, way in ways.items()
        ]
        timing = interleaved(cases, 1 if asked.smoke else asked.rounds)
    title = f"A command, of {count}, {AT_ONCE} at once: processor time of the client"
    return Figures(
        sheets=(costs(title, timing, unit="µs", scale=1e3),),
        reached=reached(timing, GOALS),
        ratios={
            f"{name} / bare pool": timing.speed(
                Goal(case=name, limit="bare pool", least=0)
            )
            for name in ("gateway client", "stops by the interpreter")
        },
    )


if __name__ == "__main__":
    asyncio.run(_serve())
