"""What the area ``durable`` times, one after the other, each on a fleet of its own.

Every run makes what it works on, which is not timed, and returns nanoseconds.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from orchestrator import Operator, open_sqlite, settled
from orchestrator.journal.port import START, Draft, Head
from orchestrator.platforms.port import Attachment
from orchestrator.runtime.recovery import PAGE, Recovered, recover
from orchestrator.simulation.dice import Dice
from tests.benchmarks.durable_ground import Ground, declared, journal_filled, lived
from tests.benchmarks.figures import told
from tests.benchmarks.harness import Timing

__all__ = ("AT_ONCE", "KINDS", "Runs", "Size")

AT_ONCE: Final = (1, 64)
"""Rows of one commit: alone, and as many as a loop that is busy writes together."""

KINDS: Final = ("durable", "SQLite")
LIMIT_S: Final = 600.0
OK: Final = 200
NEWS: Final = ("container_started", "container_ready", "container_ended")

Run: TypeAlias = Callable[[], Awaitable[float]]
Reading: TypeAlias = Callable[[Any, int], Awaitable[None]]


@attrs.frozen(kw_only=True)
class Size:
    """How much is appended, read and taken in."""

    commits: int
    rows: int
    containers: int
    news: int
    lists: tuple[int, ...]
    rounds: int


@attrs.define(kw_only=True)
class Runs:
    """A gateway, and the folder of the journals beside it."""

    it: Ground
    size: Size
    folder: Path
    _count: int = 0

    def _name(self) -> str:
        self._count += 1
        return f"measured-{self._count}"

    async def _opened(self, kind: str, name: str) -> Any:
        """Open a journal; that of a fleet at the gateway is written by a new epoch."""
        if kind == "SQLite":
            return await settled(open_sqlite(self.folder / name / "journal.db"))
        return await self.it.journal(name)

    # Rows appended

    async def appended(self, drafts: tuple[Draft, ...]) -> Timing:
        """Append rows to both, in each size: of one row."""
        return await _turns(
            {
                f"{kind}, {size} at once": partial(self._append, kind, drafts, size)
                for size in AT_ONCE
                for kind in KINDS
            },
            self.size.rounds,
        )

    async def _append(self, kind: str, drafts: tuple[Draft, ...], size: int) -> float:
        journal = await self._opened(kind, self._name())
        count = size * self.size.commits
        few = drafts[2:]  # the first ones declare a fleet
        kept = (few * (count // len(few) + 1))[:count]
        head: Any = START
        begun = time.perf_counter_ns()
        for first in range(0, count, size):
            head = await settled(journal.append(head, kept[first : first + size]))
        taken = time.perf_counter_ns() - begun
        assert isinstance(head, Head), head
        await settled(journal.close())
        return taken / count

    # Behind rows

    async def behind_rows(self, drafts: tuple[Draft, ...]) -> Timing:
        """Read, and read and fold, a journal without a snapshot: of all rows."""
        ways: dict[str, Run] = {}
        for kind in KINDS:
            name = self._name()
            journal = await self._opened(kind, name)
            await journal_filled(journal, drafts)
            await settled(journal.close())
            for what, run in (("read", _read), ("come back", _come_back)):
                behind = partial(self._behind, kind, name, run, len(drafts))
                ways[f"{what}, {kind}"] = behind
        return await _turns(ways, self.size.rounds)

    async def _behind(self, kind: str, name: str, run: Reading, count: int) -> float:
        journal = await self._opened(kind, name)
        begun = time.perf_counter_ns()
        await run(journal, count)
        taken = time.perf_counter_ns() - begun
        await settled(journal.close())
        return taken

    # A list of all

    async def lists(self) -> tuple[tuple[str, str, str], ...]:
        """Ask for the lists of larger and larger fleets at rest: bytes, and seconds."""
        found = list[tuple[str, str, str]]()
        for containers in self.size.lists:
            name = self._name()
            await self.it.filled(name, containers, containers)
            begun = time.perf_counter()
            status, data = await self.it.listed(name)
            taken = time.perf_counter() - begun
            told_bytes = told(len(data)) if status == OK else data[:200].decode()
            found.append((str(containers), told_bytes, told(taken)))
        return tuple(found)

    # Behind news

    async def behind_news(self) -> Timing:
        """Come back behind a full feed, and read its parts alone: of all of it."""
        ways: dict[str, Run] = {"the feed, read": self._feed, "the look": self._look}
        for kind in KINDS:
            ways[f"caught up, {kind}"] = partial(self._caught_up, kind)
        return await _turns(ways, self.size.rounds)

    async def _ended(self) -> tuple[str, int]:
        """Have a registry know a fleet that has ended; return its name, its news."""
        name, size = self._name(), self.size
        return name, await self.it.filled(name, size.containers, size.news)

    async def _feed(self) -> float:
        name, kept = await self._ended()
        platform = self.it.platform(name)
        assert isinstance(await settled(platform.attach(0)), Attachment)
        heard, begun = 0, time.perf_counter_ns()
        async for _ in platform.events(""):
            heard += 1
            if heard == kept:
                break
        taken = time.perf_counter_ns() - begun
        await platform.detach()
        return taken

    async def _look(self) -> float:
        name, _ = await self._ended()
        platform = self.it.platform(name)
        begun = time.perf_counter_ns()
        seen: Any = await settled(platform.observe())
        taken = time.perf_counter_ns() - begun
        await platform.detach()
        assert len(seen.sightings) == self.size.containers, seen
        return taken

    async def _caught_up(self, kind: str) -> float:
        """Open the operator of a fleet that ended while nobody led."""
        name, kept = await self._ended()
        spec = declared(self.size.containers, name)
        journal = await self._opened(kind, name)
        before, drafts = await asyncio.to_thread(lived, spec)
        await journal_filled(journal, drafts, before)
        await settled(journal.close())
        journal = await self._opened(kind, name)
        begun = time.perf_counter_ns()
        async with Operator.open(
            spec, platform=self.it.platform(name), journal=journal
        ) as operator:
            await _taken_in(operator, kept)
            taken = time.perf_counter_ns() - begun
            absence = await operator.caught_up()
            assert absence is not None
            assert len(absence.ended) == self.size.containers, absence.facts()
        return taken


async def _read(journal: Any, count: int) -> None:
    after = 0
    while after < count:
        page = await settled(journal.read(after, PAGE))
        assert isinstance(page, tuple), page
        after = page[-1].seq


async def _come_back(journal: Any, count: int) -> None:
    found = await settled(recover(journal, "fleet"))
    assert isinstance(found, Recovered), found
    assert found.folded == count


async def _taken_in(operator: Operator, news: int) -> None:
    """Wait until so many news were taken in, and the first look is over."""
    counted, loop = operator.telemetry.events, operator._loop

    def is_so() -> bool:
        heard = sum(n for (tag, _), n in counted.items() if tag in NEWS)
        return heard >= news and operator.fleet.observed

    async with asyncio.timeout(LIMIT_S), loop.turned:
        await loop.turned.wait_for(is_so)


async def _turns(ways: Mapping[str, Run], rounds: int) -> Timing:
    """Run each way once a round, in an order that is drawn."""
    dice = Dice(1)
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        rest = list(ways)
        while rest:
            name = rest.pop(dice.between(0, len(rest) - 1))
            taken[name].append(await ways[name]())
            print(
                f"{name}: {taken[name][-1] / 1e6:.3f} ms", file=sys.stderr, flush=True
            )
    return Timing(rounds={name: tuple(each) for name, each in taken.items()})
