"""Processes that the local platform starts and stops, beside bare subprocesses.

Both start as many, see that each runs, end each with SIGTERM, and wait for its end. The
bare ones are children of this process, by ``asyncio.create_subprocess_exec``; they end
with it. The platform's outlive their operator: a shim of its own holds each, keeps its
marks and its log on the disk, and sees that a stop is kept. That is a process more for
each, and an interpreter of Python: what it costs is told, not wished away.

What is compared is the time of the wall: processors work for processes that are not
ours. Each case starts a batch at once, as many as an operator does.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import attrs

from orchestrator.core.events import ContainerEnded, ContainerStarted
from orchestrator.core.specs import ContainerSpec
from orchestrator.platforms.local.platform import LocalPlatform
from orchestrator.platforms.port import ForgetOrder, StopOrder
from orchestrator.runtime.outcomes import settled
from orchestrator.testing.platforms import Listener, start_order
from tests.benchmarks.figures import Asked, Figures, costs
from tests.benchmarks.harness import Case, Goal, interleaved

__all__ = ("ABOUT", "figures")

ABOUT: Final = "Processes started and stopped by the local platform, beside bare ones."

PROCESSES: Final = 32
SLEEP: Final = ("sleep", "600")
SAYS: Final = "import time; print(flush=True); time.sleep(600)"
PYTHON: Final = (sys.executable, "-I", "-S", "-c", SAYS)
"""What says that it runs: a shim does no less."""


async def _bare(words: tuple[str, ...], count: int) -> None:
    """Start and stop with asyncio alone."""

    async def one() -> None:
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        if words is PYTHON:
            assert process.stdout is not None
            _ = await process.stdout.readline()
        process.terminate()
        _ = await process.wait()

    await asyncio.gather(*(one() for _ in range(count)))


async def _value(answer: Awaitable[Any]) -> Any:
    found = await answer
    assert not hasattr(found, "code"), found
    return found


@attrs.define
class _Local:
    """A local platform below a folder of its own; runs count on from case to case."""

    root: Path
    run: int = 0

    async def start_and_stop(self, count: int) -> None:
        self.run += 1
        platform = LocalPlatform(self.root)
        granted = await _value(settled(platform.attach(self.run)))
        listener = Listener(platform)
        names = tuple(f"c-{number}" for number in range(count))

        async def one(name: str) -> None:
            spec = ContainerSpec(name=name, command=SLEEP)
            order = start_order(spec, self.run, granted.epoch)
            await _value(settled(platform.perform(order)))
            await self._heard(listener, ContainerStarted, name)
            stop = StopOrder(
                name=name,
                run=self.run,
                epoch=granted.epoch,
                signal="TERM",
                grace_ms=10_000,
            )
            await _value(settled(platform.perform(stop)))
            await self._heard(listener, ContainerEnded, name)

        try:
            await asyncio.gather(*map(one, names))
            for name in names:
                gone = ForgetOrder(name=name, run=self.run, epoch=granted.epoch)
                await _value(settled(platform.perform(gone)))
        finally:
            await listener.close()
            await platform.detach()

    async def _heard(self, listener: Listener, kind: Any, name: str) -> None:
        def is_meant(event: Any) -> bool:
            same = isinstance(event, kind) and event.name == name
            return same and event.run == self.run

        await listener.wait(kind.__name__, is_meant)


def _running(way: Callable[[], Any]) -> Callable[[], object]:
    return lambda: asyncio.run(way())


def figures(asked: Asked) -> Figures:
    """Start and stop a batch in each way, in turns."""
    count = asked.containers or (4 if asked.smoke else PROCESSES)
    with tempfile.TemporaryDirectory(prefix="orchestrator-benchmark-") as root:
        platform = _Local(Path(root))
        ways: dict[str, Callable[[], Any]] = {
            "bare sleep": lambda: _bare(SLEEP, count),
            "bare Python that sleeps": lambda: _bare(PYTHON, count),
            "local platform": lambda: platform.start_and_stop(count),
        }
        cases = [
            Case(name=name, items=count, run=_running(way))
            for name, way in ways.items()
        ]
        rounds = 1 if asked.smoke else asked.rounds
        timing = interleaved(cases, rounds, clock=time.perf_counter_ns)
    title = f"A process started and stopped, {count} at once: time of the wall"
    return Figures(
        sheets=(costs(title, timing, unit="ms", scale=1e6),),
        ratios={
            f"local platform / {limit}": timing.speed(
                Goal(case="local platform", limit=limit, least=0)
            )
            for limit in ("bare sleep", "bare Python that sleeps")
        },
    )
