"""How fast an operator answers, beside a bare handler of aiohttp in the same run.

A server is a process of its own. It is asked for reads at an even pace over connections
that stay open: a bare handler, an operator whose fleet is at rest, and one whose
containers change while readers follow its live events. What counts is the time of the
processor that a read costs the server, and how long answers take.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs

from tests.benchmarks.api_client import Server, followed
from tests.benchmarks.api_settling import Pace, settling
from tests.benchmarks.figures import Asked, Figures, Sheet, told
from tests.benchmarks.harness import spread_of

__all__ = ("ABOUT", "CASES", "Load", "figures", "measured")

ABOUT: Final = "Reads that an operator answers, beside a bare handler of aiohttp."

CASES: Final = ("bare", "at rest", "changing")

CONNECTIONS: Final = 32


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
    async with followed(server, load.readers) as readers:
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


def figures(asked: Asked) -> Figures:
    """Run all cases, and say what a read costs in each."""
    load = Load(containers=asked.containers or 1_000)
    if asked.smoke:
        load = Load(containers=10, requests=200, readers=3)
    found = measured(load, 1 if asked.smoke else asked.rounds)
    speeds = {
        case: spread_of([1 / each for each in found["cpu_ratio"][case]])
        for case in CASES
    }
    return Figures(
        sheets=(_sheet(load, found), *map(_settling(asked), _sizes(asked))),
        ratios={
            f"a read, {case} / bare handler": speeds[case]
            for case in CASES
            if case != "bare"
        },
    )


def _sizes(asked: Asked) -> tuple[int, ...]:
    if asked.smoke:
        return (20,)
    return (1_000, 10_000) if asked.containers is None else (asked.containers,)


def _settling(asked: Asked) -> Callable[[int], Sheet]:
    pace = Pace(a_second=20, readers=2, limit_s=10) if asked.smoke else Pace()
    return lambda containers: settling(containers, pace)


def _sheet(load: Load, found: dict[str, Any]) -> Sheet:
    rows = []
    for key, words in (
        ("cpu_us", "processor time for a read, in µs"),
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
        rows.append((words, *(told(median) for median in medians)))
    title = (
        f"{load.requests} reads at {load.a_second} a second, {load.containers}"
        f" containers; changing: {load.readers} live readers,"
        f" {load.changes_a_second:g} restarts a second"
    )
    columns = ("", "bare handler", "fleet at rest", "fleet that changes")
    return Sheet(title=title, columns=columns, rows=tuple(rows))
