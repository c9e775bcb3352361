"""One life of an operator with a large fleet, phase by phase: what ``fleet`` measures.

A process of its own, so that what it says of memory is its own: ``python -m
tests.benchmarks.fleet_life N`` prints the phases as JSON, and with ``--held 100`` also
where the loop was while nobody else had it for so many milliseconds. The journal is
SQLite in a temporary folder, the platform the simulated one, fifty times as fast as the
clock.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import attrs

from orchestrator.core.exits import Exited
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.specs import ContainerSpec
from orchestrator.journal.sqlite import SqliteJournal, open_sqlite
from orchestrator.platforms.simulated.platform import SimulatedPlatform
from orchestrator.runtime.operator import Operator
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.reports import ReconcileReport
from tests.benchmarks.held import Held

BEAT_S: Final = 0.005
LIMIT_MS: Final = 3_600_000
STORM: Final = 100
"""One container of so many crashes."""


@attrs.frozen(kw_only=True)
class Phase:
    """What a phase took. *held_ms*: the longest that others waited for the loop.

    *busy_ms* is the longest time of the processor that the loop's thread took in
    one go: what *held_ms* would be on a machine that does nothing else.
    """

    name: str
    rows: int
    cpu_s: float
    wall_s: float
    peak_kb: int
    held_ms: float
    busy_ms: float


@attrs.define
class Gauge:
    """Looks at the loop every five milliseconds, and at the process after a phase."""

    held: Held | None = None
    phases: list[Phase] = attrs.field(factory=list[Phase])
    held_s: float = 0.0
    busy_s: float = 0.0

    async def beat(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, was = loop.time() + BEAT_S, time.thread_time()
            await asyncio.sleep(BEAT_S)
            self.held_s = max(self.held_s, loop.time() - due)
            self.busy_s = max(self.busy_s, time.thread_time() - was)
            if self.held is not None:
                self.held.beat()

    @asynccontextmanager
    async def phase(self, name: str) -> AsyncIterator[dict[str, int]]:
        """Measure a block, which says how many rows it came to."""
        self.held_s = self.busy_s = 0.0
        _forget_the_peak()
        cpu, wall, rows = time.process_time(), time.monotonic(), {"rows": 0}
        yield rows
        await asyncio.sleep(2 * BEAT_S)  # what held the loop last is of this phase
        if self.held is not None:
            print(name, *self.held.told(), sep="\n", file=sys.stderr)
        self.phases.append(
            Phase(
                name=name,
                rows=rows["rows"],
                cpu_s=time.process_time() - cpu,
                wall_s=time.monotonic() - wall,
                peak_kb=_status("VmHWM"),
                held_ms=self.held_s * 1_000,
                busy_ms=self.busy_s * 1_000,
            )
        )


def _status(key: str) -> int:
    text = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in text.splitlines() if line.startswith(key))
    return int(line.split()[1])


def _forget_the_peak() -> None:
    """Have the kernel count the most that is used from now on."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def declared(count: int) -> FleetSpec:
    """Return a fleet of plain containers, 64 of which may start at once."""
    return FleetSpec(
        name="bench",
        settings=FleetSettings(max_concurrent_starts=64, reconcile_interval_ms=0),
        containers=tuple(
            ContainerSpec(name=f"c-{number:06}", command=("run",))
            for number in range(count)
        ),
    )


async def lived(count: int, folder: Path, held: Held | None) -> tuple[Phase, ...]:
    """Boot, settle, look, crash, settle again, and come back."""
    gauge, spec = Gauge(held), declared(count)
    platform = SimulatedPlatform(seed=1, speed=50)
    beating = asyncio.ensure_future(gauge.beat())
    path = folder / "fleet.sqlite"
    async with gauge.phase("boot") as told:
        operator = await _opened(spec, platform, path)
        told["rows"] = operator.seq
    async with gauge.phase("settle") as told:
        told["rows"] = await _settled(operator)
    async with gauge.phase("a look that finds nothing"):
        report = await settled(operator.reconcile())
        assert isinstance(report, ReconcileReport), report
    async with gauge.phase("storm of 1 %") as told:
        before = operator.seq
        names = [each.name for each in spec.containers[::STORM]]
        platform.crash(names, Exited(code=1))
        last = before + 2 * len(names) - 1
        _ = await settled(operator.events(last, limit=1, wait_ms=LIMIT_MS))
        told["rows"] = operator.seq - before + await _settled(operator)
    async with gauge.phase("close"):
        await operator.close()
    _ = gc.collect()  # one that comes back is a process that has collected nothing
    async with gauge.phase("restart") as told:
        operator = await _opened(spec, platform, path)
        before = operator.seq
        told["rows"] = await _settled(operator)
        assert operator.seq < before + count // 10, "what ran was started again"
    await operator.close()
    beating.cancel()
    return tuple(gauge.phases)


async def _opened(spec: FleetSpec, platform: SimulatedPlatform, path: Path) -> Operator:
    journal = await settled(open_sqlite(path))
    assert isinstance(journal, SqliteJournal), journal
    operator = await settled(Operator.start(spec, platform=platform, journal=journal))
    assert isinstance(operator, Operator), operator
    return operator


async def _settled(operator: Operator) -> int:
    """Wait until all of it has settled; return how many rows that took."""
    before = operator.seq
    infos = await settled(operator.converge(limit_ms=LIMIT_MS, steady_ms=100))
    assert isinstance(infos, tuple), infos
    assert all(each.ready for each in infos)
    return operator.seq - before


def main() -> None:
    """Run one size, and print its phases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("containers", type=int)
    parser.add_argument("--held", type=float, metavar="MS", help="say where, too")
    asked = parser.parse_args()
    held = None if asked.held is None else Held(asked.held)
    with tempfile.TemporaryDirectory() as folder:
        phases = asyncio.run(lived(asked.containers, Path(folder), held))
    if held is not None:
        held.end()
    told: list[dict[str, Any]] = [attrs.asdict(each) for each in phases]
    print(json.dumps(told))


if __name__ == "__main__":
    main()
