"""The two sides of the comparison, measured in the same way on the same engine.

Cold, ours: from the opening of an operator whose fleet is declared, with nothing
running, until the last container has answered HTTP 200. It includes to open the
journal, to attach to the gateway, the first look and every request over HTTP. That a
container answers is asked through the gateway's probe, at the moment the operator says
that it is ready. Healthy, ours: ``operator.reconcile()``, which asks the gateway over
HTTP, and the gateway the object of each container. Theirs: reference/measure.mjs.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import aiohttp
import attrs

from orchestrator import FleetSpec, Operator, open_sqlite, settled
from orchestrator.journal.sqlite import SqliteJournal
from orchestrator.runtime.reports import ReconcileReport
from tests.bench.docker import SIDECAR_IMAGE
from tests.bench.engine import Engine
from tests.bench.images import APP_1
from tests.bench.machine import CACHE, RELEASES, Variant, locked, node, npm_script
from tests.bench.workerd import COMPATIBILITY_DATE
from tests.platforms.cloudflare.real.kit import PATIENT_MS, TOKEN, Stage, spec, stage

__all__ = (
    "SIDES",
    "Measured",
    "Plan",
    "Side",
    "install",
    "ours",
    "theirs",
    "work_of",
)

MEASURE: Final = Path(__file__).parent / "reference" / "measure.mjs"
WORK: Final = CACHE / "compared"
OLDER: Final = {"alone": "2026-03-01"}
"""What a runtime is asked to be compatible with that does not know the usual date."""

PORT: Final = 8080
LIMIT_S: Final = 300.0
OK: Final = 200

Side: TypeAlias = Literal["ours", "theirs"]
SIDES: Final[tuple[Side, ...]] = ("ours", "theirs")


@attrs.frozen(kw_only=True)
class Plan:
    """What one run starts; the first container never listens if it is to be deaf."""

    n: int
    words: tuple[str, ...] = ("serve",)
    deaf: bool = False
    healthy: int = 15
    variant: Variant = "pinned"

    @property
    def date(self) -> str:
        return OLDER.get(self.variant, COMPATIBILITY_DATE)

    @property
    def flags(self) -> tuple[str, ...]:
        """What must be said where the date does not imply it."""
        return ("containers_pid_namespace",) if self.variant in OLDER else ()


@attrs.frozen(kw_only=True)
class Measured:
    """One run: when each container answered, and how long each reconcile took."""

    ready_ms: tuple[float, ...]
    over_http_ms: tuple[float, ...] = ()
    within_ms: tuple[float, ...] = ()

    @property
    def cold_ms(self) -> float:
        return max(self.ready_ms)


async def ours(engine: Engine, folder: Path, plan: Plan) -> Measured:
    """Run a fleet with an operator of ours; all settings are the defaults."""
    first = ("deaf",) if plan.deaf else plan.words
    words = [first, *[plan.words] * (plan.n - 1)]
    containers = tuple(
        attrs.evolve(spec("web", *each), name=f"web-{n:02}", replica=n)
        for n, each in enumerate(words)
    )
    declared = FleetSpec(name="demo", containers=containers)
    hearing = [one.name for one in containers][int(plan.deaf) :]
    async with (
        stage(
            engine,
            folder,
            declared,
            plan.variant,
            compatibility_date=plan.date,
            compatibility_flags=plan.flags,
        ) as it,
        _session() as session,
    ):
        began = time.perf_counter()
        journal = await settled(open_sqlite(folder / "state" / "journal.db"))
        assert isinstance(journal, SqliteJournal), journal
        async with Operator.open(
            declared,
            platform=it.platform(timeout_ms=60_000),
            journal=journal,
        ) as operator:
            asked = [_answered(operator, it, session, name) for name in hearing]
            async with asyncio.timeout(LIMIT_S):
                answered = await asyncio.gather(*asked)
            ready_ms = tuple((moment - began) * 1_000 for moment in answered)
            times = 0 if plan.deaf else plan.healthy
            took = [await _reconciled(operator, plan.n) for _ in range(times)]
            await it.runs(plan.n)
            return Measured(ready_ms=ready_ms, over_http_ms=tuple(took))


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(headers={"authorization": f"Bearer {TOKEN}"})


async def _answered(
    operator: Operator, it: Stage, session: aiohttp.ClientSession, name: str
) -> float:
    """Wait until a container is ready, and ask it; return when it has answered."""
    info = await settled(operator.wait(name))
    url = f"{it.workerd.url}/v1/fleets/demo/containers/{name}/probe"
    asked = {"port": PORT, "path": "/", "timeout_ms": PATIENT_MS}
    async with session.post(url, json=asked) as response:
        told = await response.json()
    assert told.get("status") == OK, (info, told)
    return time.perf_counter()


async def _reconciled(operator: Operator, n: int) -> float:
    began = time.perf_counter()
    report = await settled(operator.reconcile())
    took = time.perf_counter() - began
    assert isinstance(report, ReconcileReport), report
    assert len(report.outcomes) == n
    return took * 1_000


async def theirs(engine: Engine, plan: Plan) -> Measured:
    """Run the reference library beside the engine, by a program of its own."""
    words = [*engine.enter, str(node(plan.variant)), str(MEASURE)]
    words += ["--work", str(work_of(plan.variant)), "--date", plan.date]
    words += ["--miniflare", RELEASES[plan.variant].miniflare]
    words += ["--socket", f"unix:{engine.shim}"]
    words += ["--image", APP_1, "--sidecar", SIDECAR_IMAGE]
    words += ["--n", str(plan.n), "--healthy", str(plan.healthy)]
    words += ["--entrypoint", _line(plan.words)]
    if plan.deaf:
        words += ["--deaf", _line(("deaf",))]
    temporary = engine.folder / "theirs"
    temporary.mkdir(exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        *words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # one group, to be told as one
        env={"PATH": os.environ["PATH"], "TMPDIR": str(temporary)},
    )
    try:
        async with asyncio.timeout(LIMIT_S):
            out, err = await process.communicate()
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)  # it removes its containers first
        await process.wait()
        raise
    assert process.returncode == 0, err.decode()
    (run,) = json.loads(out)["runs"]
    return _read(run)


def _line(words: tuple[str, ...]) -> str:
    return " ".join((f"/bin/{words[0]}", *words[1:]))


def _read(run: dict[str, Any]) -> Measured:
    return Measured(
        ready_ms=tuple(run["ready_ms"]),
        over_http_ms=tuple(run.get("over_http_ms", ())),
        within_ms=tuple(run.get("healthy_ms", ())),
    )


def work_of(variant: Variant) -> Path:
    """Give the folder of the reference library and the runtime of a variant."""
    return WORK if variant == "pinned" else WORK.with_name(f"{WORK.name}-{variant}")


def install(variant: Variant = "pinned") -> str | None:
    """Install the reference library, once; the bench itself has no network."""
    with locked(CACHE / "lock"):
        words = [str(node(variant)), str(MEASURE), "--work", str(work_of(variant))]
        words += ["--miniflare", RELEASES[variant].miniflare]
        words += ["--install", "--npm", str(npm_script())]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else None
