"""What ``api`` asks: an operator of a simulated fleet, or a bare handler of aiohttp.

The operator is served as ``orchestrator up`` does: behind its guard, to who shows a
token. It prints its port and a token, and answers each line of its input with what it
has used so far. ``change N`` has N containers restarted each second from then on, one
after the other. An operator that is ``settling`` is there before its fleet is: ``apply
N`` declares it, ``crash N`` ends the runs of the first N at the same moment.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
from aiohttp import web
from returns.result import Success

from orchestrator.api.app import make_app
from orchestrator.api.guard import Door, Guard
from orchestrator.api.guard.origins import Names
from orchestrator.api.guard.token_file import TokenFile, change_tokens
from orchestrator.api.guard.tokens import Grant, made
from orchestrator.api.listen import bound_to, serve_http
from orchestrator.core.exits import Exited
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.policies import RestartPolicy
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Fleet
from orchestrator.journal.memory import MemoryJournal
from orchestrator.platforms.simulated.platform import SimulatedPlatform
from orchestrator.runtime.operator import Operator

SAME = b'{"name":"c-0","origin":"min_replica_set","phase":"running","why":"%s"}'


def declared(count: int) -> FleetSpec:
    names = (f"c-{number}" for number in range(count))
    return FleetSpec(
        name="bench",
        settings=FleetSettings(max_concurrent_starts=64),
        containers=tuple(
            ContainerSpec(name=name, command=("run",), restart=RestartPolicy())
            for name in names
        ),
    )


@attrs.define
class Server:
    """Where it is reached, with which token, and the operator behind it, if any."""

    port: int
    token: str
    operator: Operator | None = None
    platform: SimulatedPlatform | None = None
    changing: asyncio.Task[None] | None = None

    def used(self) -> dict[str, Any]:
        operator = self.operator
        return {
            "is_settled": operator is not None and is_settled(operator.fleet),
            "cpu_s": time.process_time(),
            "seq": 0 if operator is None else operator.seq,
            "memory_kb": memory_kb(),
        }

    async def change(self, a_second: float) -> None:
        """Restart one container after the other, evenly spread over each second."""
        operator = self.operator
        assert operator is not None
        loop = asyncio.get_running_loop()
        begun, done = loop.time(), 0
        names = tuple(operator.fleet.containers)
        while True:
            due = int((loop.time() - begun) * a_second)
            while done < due:
                _ = await operator.restart_container(names[done % len(names)])
                done += 1
            await asyncio.sleep(0.01)

    async def apply(self, count: int) -> None:
        """Declare so many containers; what is made here holds up no read."""
        assert self.operator is not None
        spec = await asyncio.to_thread(declared, count)
        _ = await self.operator.apply(spec)

    def crash(self, count: int) -> None:
        """End the runs of the first so many."""
        assert self.operator is not None
        assert self.platform is not None
        names = tuple(self.operator.fleet.containers)[:count]
        self.platform.crash(names, Exited(code=1))


def is_settled(fleet: Fleet) -> bool:
    """Say whether all containers that there are run: nobody is not where it should be.

    It is asked for each second, so nobody goes through a large fleet for it.
    """
    return len(fleet.containers) > 0 and not fleet.diverged


def memory_kb() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])


@asynccontextmanager
async def bare() -> AsyncIterator[Server]:
    """Serve a handler that answers the same, whatever it is asked."""
    body = SAME % (b"x" * 300)

    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1_024).start()
    yield Server(runner.addresses[0][1], "none")
    await runner.cleanup()


@asynccontextmanager
async def guarded(containers: int) -> AsyncIterator[Server]:
    """Serve an operator of a simulated fleet, once all of it runs."""
    platform = SimulatedPlatform(seed=1, speed=50)
    async with Operator.open(
        declared(containers), platform=platform, journal=MemoryJournal()
    ) as operator:
        if containers:
            _ = await operator.converge(limit_ms=3_600_000, steady_ms=100)
        with tempfile.TemporaryDirectory() as folder:
            state = Path(folder)
            secret, token = made("bench", Grant.READ, now=0)
            _ = change_tokens(state, lambda tokens: Success(tokens.plus(token)))
            bound = bound_to("127.0.0.1:0").unwrap()
            names = Names(listen=bound.address, is_loopback=True)
            guard = Guard(
                Door(names=names, requests_per_second=1_000_000), TokenFile(state)
            )
            app = make_app(operator, version="bench", guard=guard)
            async with serve_http(app, bound, state, guard=guard):
                yield Server(bound.address.port or 0, secret, operator, platform)


async def lines() -> AsyncIterator[str]:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    async for line in reader:
        yield line.decode().strip()


async def serve(kind: str, containers: int) -> None:
    containers = 0 if kind == "settling" else containers
    async with bare() if kind == "bare" else guarded(containers) as server:
        print(server.port, server.token, flush=True)
        async for line in lines():
            if line.startswith("change"):
                a_second = float(line.split()[1])
                server.changing = asyncio.ensure_future(server.change(a_second))
            elif line.startswith("apply"):
                server.changing = asyncio.ensure_future(
                    server.apply(int(line.split()[1]))
                )
            elif line.startswith("crash"):
                server.crash(int(line.split()[1]))
            elif line == "rest" and server.changing is not None:
                server.changing.cancel()
            print(json.dumps(server.used()), flush=True)
        if server.changing is not None:
            server.changing.cancel()


def main() -> None:
    """Serve until the input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["bare", "operator", "settling"])
    parser.add_argument("--containers", type=int, default=1_000)
    asked = parser.parse_args()
    asyncio.run(serve(asked.kind, asked.containers))


if __name__ == "__main__":
    main()
