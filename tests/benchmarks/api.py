"""How fast an operator answers, beside a bare handler of aiohttp in the same run.

A server is a process of its own. It is asked for reads at an even pace over connections
that stay open: a bare handler, an operator whose fleet is at rest, and one whose
containers change while readers follow its live events. What counts is the time of the
processor that a read costs the server, and how long answers take.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import attrs

__all__ = ("CASES", "Load", "measured", "printed")

ROOT: Final = Path(__file__).parents[2]
CASES: Final = ("bare", "at rest", "changing")

CONNECTIONS: Final = 32
FOLLOW: Final = "/v1/events?follow=true&with=containers"


@attrs.frozen(kw_only=True)
class Load:
    """How much is asked of a server."""

    containers: int = 1_000
    requests: int = 20_000
    a_second: int = 2_000
    readers: int = 100
    changes_a_second: float = 100.0


def paths(load: Load, number: int) -> str:
    """Return what read *number* asks for: seven of ten ask for one container."""
    name = f"c-{number * 7 % load.containers}"
    if number % 10 < 7:
        return f"/v1/containers/{name}"
    return f"/v1/containers/{name}/explain" if number % 10 < 9 else "/v1/fleet"


@attrs.define
class Server:
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    port: int
    token: str

    @classmethod
    def start(cls, kind: str, containers: int) -> Server:
        words = [kind, "--containers", str(containers)]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.api_server", *words],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        port, token = process.stdout.readline().split()
        return cls(process, int(port), token)

    def say(self, line: str = "used") -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(line, file=self.process.stdin, flush=True)
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def ask(self, path: str) -> bytes:
        """Write a request for a path."""
        lines = ("Host: localhost", f"Authorization: Bearer {self.token}")
        return "\r\n".join((f"GET {path} HTTP/1.1", *lines, "", "")).encode()

    def stop(self) -> None:
        _ = self.process.communicate(timeout=60)


async def _ask(
    server: Server, load: Load, numbers: Sequence[int], begun: float, taken: list[float]
) -> None:
    """Ask over one connection, each question at its own moment."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    time = asyncio.get_running_loop().time
    for number in numbers:
        due = begun + number / load.a_second
        if (early := due - time()) > 0:
            await asyncio.sleep(early)
        start = time()
        writer.write(server.ask(paths(load, number)))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
        await reader.readexactly(int(length))
        taken.append(time() - start)
    writer.close()


@attrs.define
class Following:
    """What one reader of live events has seen."""

    rows: int = 0
    gaps: int = 0

    async def read(self, server: Server) -> None:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", server.port, limit=2**20
        )
        writer.write(server.ask(FOLLOW))
        try:
            while data := await reader.read(65_536):
                self.rows += data.count(b'{"kind":"event"')
                self.gaps += data.count(b'{"kind":"gap"')
        finally:
            writer.close()


@asynccontextmanager
async def _followed(server: Server, count: int) -> AsyncIterator[list[Following]]:
    readers = [Following() for _ in range(count)]
    tasks = [asyncio.ensure_future(reader.read(server)) for reader in readers]
    try:
        yield readers
    finally:
        for task in tasks:
            task.cancel()
        _ = await asyncio.gather(*tasks, return_exceptions=True)


async def _loaded(server: Server, load: Load) -> dict[str, float]:
    """Ask for everything; return what it came to."""
    taken: list[float] = []
    before = server.say()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await asyncio.gather(
        *(
            _ask(
                server,
                load,
                range(first, load.requests, CONNECTIONS),
                begun,
                taken,
            )
            for first in range(CONNECTIONS)
        )
    )
    lasted = loop.time() - begun
    after = server.say()
    ordered = sorted(taken)
    return {
        "cpu_us": (after["cpu_s"] - before["cpu_s"]) * 1e6 / load.requests,
        "a_second": load.requests / lasted,
        "median_ms": statistics.median(ordered) * 1e3,
        "p99_ms": ordered[int(len(ordered) * 0.99)] * 1e3,
        "rows_a_second": (after["seq"] - before["seq"]) / lasted,
        "memory_mb": after["memory_kb"] / 1_024,
    }


async def _changing(server: Server, load: Load) -> dict[str, float]:
    async with _followed(server, load.readers) as readers:
        before = server.say(f"change {load.changes_a_second}")
        found = await _loaded(server, load)
        after = server.say("rest")
        await asyncio.sleep(0.5)  # what was told is still on its way
        rows = after["seq"] - before["seq"]
        seen = [reader.rows for reader in readers]
        found["rows_seen"] = min(seen, default=0) / max(1, rows)
        found["gaps"] = sum(reader.gaps for reader in readers)
    return found


def measured(load: Load, rounds: int) -> dict[str, Any]:
    """Run every case once a round, in turns."""
    servers = {
        "bare": Server.start("bare", load.containers),
        "operator": Server.start("operator", load.containers),
    }
    found: dict[str, list[dict[str, float]]] = {case: [] for case in CASES}
    try:
        for number in range(rounds):
            for place in range(len(CASES)):
                case = CASES[(place + number) % len(CASES)]
                server = servers["bare" if case == "bare" else "operator"]
                run = _changing if case == "changing" else _loaded
                found[case].append(asyncio.run(run(server, load)))
    finally:
        for server in servers.values():
            server.stop()
    ratios = {
        case: [
            each["cpu_us"] / bare["cpu_us"]
            for each, bare in zip(found[case], found["bare"], strict=True)
        ]
        for case in CASES
    }
    return {"load": attrs.asdict(load), "rounds": found, "cpu_ratio": ratios}


def printed(found: dict[str, Any]) -> None:
    """Print the table, in Markdown: medians of the rounds, and ends of the ratio."""
    load = found["load"]
    print(
        f"{load['requests']} reads at {load['a_second']} a second,"
        f" {load['containers']} containers; changing: {load['readers']} live readers,"
        f" {load['changes_a_second']:g} restarts a second\n"
    )
    print("| | bare handler | fleet at rest | fleet that changes |\n|---|---|---|---|")
    ratios = [found["cpu_ratio"][case] for case in CASES]
    told = " | ".join(
        f"{statistics.median(each):.2f} ({min(each):.2f}-{max(each):.2f})"
        for each in ratios
    )
    print(f"| processor time for a read, bare = 1 | {told} |")
    for key, words in (
        ("cpu_us", "the same, in µs"),
        ("a_second", "reads a second that were reached"),
        ("median_ms", "an answer, median, in ms"),
        ("p99_ms", "an answer, 99 of 100, in ms"),
        ("rows_a_second", "rows of the journal a second"),
        ("rows_seen", "rows seen by the reader that saw fewest"),
        ("gaps", "gaps, of all readers"),
        ("memory_mb", "memory of the server, in MB"),
    ):
        medians = (
            statistics.median(each.get(key, 0) for each in found["rounds"][case])
            for case in CASES
        )
        cells = " | ".join(f"{median:.1f}" for median in medians)
        print(f"| {words} | {cells} |")
