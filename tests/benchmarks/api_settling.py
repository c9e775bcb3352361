"""How long reads take while a fleet settles, and while one of a hundred crashes.

The server is a process of its own, and declares its fleet while it is asked already:
reads of one container, of its explanation, of the fleet, of a page of the list and of
the metrics, at an even pace, with readers of the live events beside them.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from typing import Final

import attrs

from tests.benchmarks.api_client import Server, followed
from tests.benchmarks.figures import Sheet, told

__all__ = ("Pace", "settling")

READS: Final = {
    "one container": "/v1/containers/c-{}",
    "explain": "/v1/containers/c-{}/explain",
    "the fleet": "/v1/fleet",
    "a page of the list": "/v1/containers?limit=50&sort=phase",
    "metrics": "/metrics",
    "ready": "/readyz",
}
CRASHED: Final = 100
"""One container of so many."""

Taken = dict[str, list[float]]


@attrs.frozen(kw_only=True)
class Pace:
    """How many of each read are asked for in a second, and when to give up.

    A large fleet has more time: a fiftieth of a second for each container.
    """

    a_second: float = 10.0
    readers: int = 20
    limit_s: float = 600.0

    def limit_for(self, containers: int) -> float:
        """Return how long a fleet of so many may take, in seconds."""
        return max(self.limit_s, containers / 50)


async def _ask(
    server: Server, kind: str, pace: Pace, is_over: asyncio.Event, taken: Taken
) -> None:
    """Ask for one kind of read, over a connection of its own, until all is over."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    clock = time.perf_counter
    number, begun = 0, clock()
    while not is_over.is_set():
        number += 1
        await asyncio.sleep(max(0.0, begun + number / pace.a_second - clock()))
        asked = clock()
        writer.write(server.ask(READS[kind].format(number * 7 % 100)))
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
        _ = await reader.readexactly(int(length))
        if head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 503")):
            taken[kind].append(clock() - asked)
        begun = max(begun, asked - number / pace.a_second)  # what was missed is let go
    writer.close()


async def _while(
    server: Server, pace: Pace, begin: Callable[[], object], limit_s: float
) -> Taken:
    """Ask until the fleet has settled after what *begin* does."""
    taken: Taken = {kind: [] for kind in READS}
    is_over = asyncio.Event()
    async with followed(server, pace.readers):
        tasks = [
            asyncio.ensure_future(_ask(server, kind, pace, is_over, taken))
            for kind in READS
        ]
        _ = await asyncio.to_thread(begin)
        end = time.perf_counter() + limit_s
        is_settled = False
        while not is_settled and time.perf_counter() < end:
            await asyncio.sleep(1)
            is_settled = bool((await asyncio.to_thread(server.say))["is_settled"])
        is_over.set()
        _ = await asyncio.gather(*tasks)
    return taken


def _cells(taken: list[float]) -> tuple[str, ...]:
    if not taken:
        return ("", "", "")
    ordered = sorted(1_000 * each for each in taken)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return told(statistics.median(ordered)), told(p99), told(ordered[-1])


def settling(containers: int, pace: Pace) -> Sheet:
    """Measure reads of an operator whose fleet of so many settles, and then crashes."""
    server, limit_s = Server.start("settling", containers), pace.limit_for(containers)
    count = max(1, containers // CRASHED)

    def measured(words: str) -> Taken:
        work = _while(server, pace, lambda: server.say(words), limit_s)
        return asyncio.run(work)

    try:
        settled, crashed = measured(f"apply {containers}"), measured(f"crash {count}")
    finally:
        server.stop()
    return Sheet(
        title=f"Reads, in ms, while {containers} containers settle, and while {count}"
        f" of them crash; {pace.readers} live readers",
        columns=("", *(f"{when}: {what}" for when in WHEN for what in WHAT)),
        rows=tuple(
            (kind, *_cells(settled[kind]), *_cells(crashed[kind])) for kind in READS
        ),
    )


WHEN: Final = ("settling", "crashing")
WHAT: Final = ("median", "99 of 100", "most")
