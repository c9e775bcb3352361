"""Both sides with fleets of registered containers, which only stand for some.

A machine that runs thousands of containers is not to be had; what an operator does with
thousands is. So each side's own code runs in the runtime, the objects of containers as
well, and in the place of ``ctx.container`` is one that runs once it is started, and
answers at every port (reference/standing.js).

A look, ours: ``operator.reconcile()``, which asks the gateway over HTTP, and that asks
every object. A look, theirs: ``reconcile()`` over HTTP, which asks one object after the
other. An event is told, on both sides, to the object that keeps the fleet, from within
the runtime, and is durable when that answers.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import aiohttp
import attrs

from orchestrator import FleetSettings, FleetSpec, Operator, open_sqlite, settled
from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.journal.sqlite import SqliteJournal
from orchestrator.platforms.cloudflare.gateway import CloudflarePlatform
from orchestrator.platforms.cloudflare.project.files import gateway_sources, project_of
from orchestrator.platforms.cloudflare.project.plan import plan_of
from orchestrator.runtime.reports import ReconcileReport
from tests.bench.engine import Engine
from tests.bench.machine import RELEASES, node
from tests.bench.workerd import COMPATIBILITY_DATE, DurableObject, Workerd
from tests.compared.sides import work_of
from tests.platforms.cloudflare.real.kit import TOKEN, spec, write

__all__ = (
    "BrokeError",
    "Ours",
    "Theirs",
    "ours_registered",
    "theirs_registered",
    "wall",
)

REFERENCE: Final = Path(__file__).parent / "reference"
DRIVER: Final = REFERENCE / "registered.mjs"
UP_LIMIT_S: Final = 900.0
AT_ONCE: Final = 200
"""So many start at a time: how fast is measured elsewhere."""

STILL_S: Final = 20.0
"""A fleet of which nobody else became ready for so long is up, as far as it goes."""


@attrs.define(kw_only=True)
class Ours:
    """Our gateway, and the operator that looks through it as long as it is open."""

    declared: FleetSpec
    folder: Path
    url: str
    told: int = 1

    @property
    def n(self) -> int:
        return len(self.declared.containers)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Operator]:
        """Open an operator, and wait until every container is ready."""
        async with self._opened() as operator:
            names = [one.name for one in self.declared.containers]
            async with asyncio.timeout(UP_LIMIT_S):
                await asyncio.gather(*(settled(operator.wait(name)) for name in names))
            yield operator

    async def kept(self) -> int:
        """Open an operator, and say how many are ready when no more become so."""
        async with self._opened() as operator, asyncio.timeout(UP_LIMIT_S):
            ready, before = _ready(operator), -1
            while ready != before or not ready:
                await asyncio.sleep(STILL_S)
                ready, before = _ready(operator), ready
            return ready

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Operator]:
        journal = await settled(open_sqlite(self.folder / "state" / "journal.db"))
        assert isinstance(journal, SqliteJournal), journal
        choice = CloudflareChoice(url=self.url, timeout_ms=60_000)
        platform = CloudflarePlatform(choice, "demo", {choice.token_secret: TOKEN})
        async with Operator.open(
            self.declared, platform=platform, journal=journal
        ) as operator:
            yield operator

    async def look(self, operator: Operator, times: int) -> list[float]:
        """Reconcile a fleet that is as it should be; return ms of each."""
        taken = []
        for _ in range(times):
            began = time.perf_counter()
            report = await settled(operator.reconcile())
            taken.append((time.perf_counter() - began) * 1_000)
            assert isinstance(report, ReconcileReport), report
            assert len(report.outcomes) == self.n
        return taken

    async def listed(self, times: int) -> list[float]:
        """Ask the gateway alone for every container; return ms of each."""
        headers = {"authorization": f"Bearer {TOKEN}"}
        taken = []
        async with aiohttp.ClientSession(headers=headers) as session:
            for _ in range(times):
                began = time.perf_counter()
                async with session.get(f"{self.url}/v1/fleets/demo/containers") as said:
                    found = await said.json()
                taken.append((time.perf_counter() - began) * 1_000)
                assert len(found["containers"]) == self.n, found
        return taken

    async def events(self, times: int) -> list[float]:
        """Tell the registry of events; return ms of one."""
        query = f"times={times}&from={self.told}&names={self.n}"
        self.told += times
        began = time.perf_counter()
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.url}/measure/events?{query}") as said,
        ):
            assert await said.json() == times
        return [(time.perf_counter() - began) * 1_000 / times]


def _ready(operator: Operator) -> int:
    return sum(info.phase == "running" for info in operator.infos())


@asynccontextmanager
async def ours_registered(engine: Engine, folder: Path, n: int) -> AsyncIterator[Ours]:
    """Run our gateway for a fleet; its operator registers it."""
    containers = tuple(
        attrs.evolve(spec("web", "serve"), name=f"web-{number:02}", replica=number)
        for number in range(n)
    )
    settings = FleetSettings(max_concurrent_starts=AT_ONCE, reconcile_interval_ms=0)
    declared = FleetSpec(name="demo", settings=settings, containers=containers)
    async with _gateway(engine, folder / "gateway", declared) as workerd:
        yield Ours(declared=declared, folder=folder, url=workerd.url)


@asynccontextmanager
async def _gateway(
    engine: Engine, project: Path, declared: FleetSpec
) -> AsyncIterator[Workerd]:
    plan = plan_of(declared, CloudflareChoice(), folder="..").unwrap()
    files = project_of(plan, gateway_sources(), token_secret="GATEWAY_TOKEN")
    write(project, files.items())
    classes = [application.class_name for application in plan.applications]
    main = (REFERENCE / "registered_ours.js").read_text(encoding="utf-8")
    main += '\nimport { standing } from "./standing.js";\n'
    main += 'export { FleetRegistry } from "./index.js";\n'
    for name in classes:
        main += (
            f"export class {name} extends project.{name} {{\n"
            "  constructor(ctx, env) {\n    super(standing(ctx), env);\n  }\n}\n"
        )
    (project / "src" / "measured.js").write_text(main, encoding="utf-8")
    standing = (REFERENCE / "standing.js").read_bytes()
    (project / "src" / "standing.js").write_bytes(standing)
    objects = {
        application.binding: DurableObject(application.class_name)
        for application in plan.applications
    }
    async with Workerd(
        engine=engine,
        project=project,
        main="src/measured.js",
        durable_objects={**objects, "REGISTRY": DurableObject("FleetRegistry")},
        bindings={"GATEWAY_TOKEN": TOKEN},
    ) as workerd:
        yield workerd


@attrs.define(kw_only=True)
class Theirs:
    """The reference library in a process of its own."""

    process: asyncio.subprocess.Process

    async def look(self, times: int) -> list[float]:
        return await self._asked(f"look {times}")

    async def events(self, times: int) -> list[float]:
        return await self._asked(f"events {times}")

    async def _asked(self, line: str) -> list[float]:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        await self.process.stdin.drain()
        found: list[float] = await _line(self.process)
        return found


class BrokeError(Exception):
    """The reference library does not bring a fleet of that size up: what it says."""


@asynccontextmanager
async def theirs_registered(engine: Engine, n: int) -> AsyncIterator[Theirs]:
    """Register a fleet at the reference library; ``BrokeError`` where it cannot."""
    async with _driven(engine, "--n", str(n)) as process:
        async with asyncio.timeout(UP_LIMIT_S):
            up = await _line(process)
        if "broke" in up:
            raise BrokeError(up["broke"])
        assert up["up"] == n
        yield Theirs(process=process)


async def wall(engine: Engine, fits: int, fails: int) -> dict[str, Any]:
    """Find the largest fleet that the reference library keeps, and what it says."""
    async with (
        _driven(engine, "--wall", f"{fits},{fails}") as process,
        asyncio.timeout(UP_LIMIT_S),
    ):
        found: dict[str, Any] = await _line(process)
        return found


@asynccontextmanager
async def _driven(
    engine: Engine, *words: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    temporary = engine.folder / "registered"
    temporary.mkdir(exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        *(*engine.enter, str(node("pinned")), str(DRIVER)),
        *("--work", str(work_of("pinned")), "--date", COMPATIBILITY_DATE),
        *("--miniflare", RELEASES["pinned"].miniflare, *words),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # one group, to be told as one
        env={"PATH": os.environ["PATH"], "TMPDIR": str(temporary)},
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # workerd as well
        await process.wait()


async def _line(process: asyncio.subprocess.Process) -> Any:
    assert process.stdout is not None
    line = await process.stdout.readline()
    assert line, "the reference library's process has ended"
    return json.loads(line)
