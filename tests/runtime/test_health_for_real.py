"""Hung, flapping and deaf processes of this machine, and what becomes of them."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from returns.future import FutureResult

from orchestrator import (
    Backoff,
    ContainerSpec,
    CrashLimit,
    FleetSpec,
    LocalPlatform,
    Operator,
    RestartPolicy,
    open_sqlite,
)
from orchestrator.core.errors import PlatformError
from orchestrator.core.exits import Exit, StartFailed, Unhealthy
from orchestrator.core.health import (
    CommandProbe,
    HealthCheck,
    HealthChecks,
    HttpProbe,
    Probe,
)
from orchestrator.core.state import Container
from orchestrator.core.table import Table
from orchestrator.platforms.local.folders import Folders
from orchestrator.platforms.local.records import read_run
from orchestrator.platforms.port import (
    Accepted,
    DestroyOrder,
    Order,
    StartOrder,
    StopOrder,
)
from tests.platforms.local_kit import SERVER, script, shims
from tests.runtime.kit import LIMIT_MS, value

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

PATIENT = RestartPolicy(
    crash=CrashLimit(allowed_crashes=9), backoff=Backoff(initial_ms=1, max_ms=2)
)
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
HANGS_MS = 3_000
"""After which a server hangs: one that is well is in time on every machine."""


class Watched(LocalPlatform):
    """A local platform that remembers its orders."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.orders: list[Order] = []

    def perform(self, order: Order) -> FutureResult[Accepted, PlatformError]:
        self.orders.append(order)
        return super().perform(order)


@attrs.frozen
class Ward:
    folder: Path
    operator: Operator
    platform: Watched

    @property
    def web(self) -> Container:
        return self.operator.fleet.containers["web"]

    async def until(self, is_so: Callable[[], bool]) -> None:
        loop = self.operator._loop
        async with asyncio.timeout(LIMIT_MS / 1_000), loop.turned:
            await loop.turned.wait_for(is_so)

    async def run_begins(self, run: int) -> None:
        await self.until(lambda: self.web.run >= run)

    async def run_is_ready(self, run: int) -> None:
        await self.run_begins(run)
        info = await value(self.operator.wait("web", limit_ms=LIMIT_MS))
        assert info.run == run

    async def ready_is(self, *, expected: bool) -> None:
        await self.until(lambda: self.operator.infos()[0].ready is expected)

    def ended_as(self) -> Exit | None:
        return None if self.web.last is None else self.web.last.exit

    def leader(self) -> int:
        found = read_run(Folders(self.folder / "local"), "web", self.web.run).leader
        assert found is not None
        return found.pid


def check(probe: Probe, **more: Any) -> HealthCheck:
    more.setdefault("period_ms", 50)
    more.setdefault("timeout_ms", 10_000)
    more.setdefault("failure_threshold", 2)
    return HealthCheck(probe=probe, **more)


def page(path: str, **headers: str) -> HttpProbe:
    return HttpProbe(port="http", path=path, headers=Table.of(headers.items()))


def web(folder: Path, text: str = SERVER, **checks: HealthCheck) -> ContainerSpec:
    return ContainerSpec(
        name="web",
        command=script(text),
        ports=Table.of([("http", 80)]),
        env=Table.of([("FOLDER", str(folder))]),
        restart=PATIENT,
        stop_grace_ms=300,
        health=HealthChecks(**checks),
    )


@asynccontextmanager
async def ward(folder: Path, spec: ContainerSpec, **means: Any) -> AsyncIterator[Ward]:
    platform = Watched(folder / "local")
    journal = await value(open_sqlite(folder / "journal.db"))
    fleet = FleetSpec(name="ward", containers=(spec,))
    try:
        async with Operator.open(
            fleet, platform=platform, journal=journal, **means
        ) as operator:
            yield Ward(folder, operator, platform)
            await value(operator.down())
    finally:
        for pid in shims(folder / "local"):  # a failed test leaves nothing
            os.kill(pid, signal.SIGTERM)


def ends_of(platform: Watched) -> list[str]:
    """Tell how each run was ended, by the first order that did it."""
    ends: dict[int, str] = {}
    for order in platform.orders:
        if isinstance(order, StopOrder | DestroyOrder):
            ends.setdefault(order.run, type(order).__name__)
    return list(ends.values())


async def test_a_server_that_hangs_is_ended_as_unhealthy_and_comes_back(
    tmp_path: Path,
) -> None:
    """And again: destroyed, then reported."""
    spec = web(tmp_path, liveness=check(page("/health"), timeout_ms=HANGS_MS))
    async with ward(tmp_path, spec) as it:
        for run in (1, 2, 3):
            await it.run_is_ready(run)
            (tmp_path / "hung").write_text(str(run))
            await it.run_begins(run + 1)
            assert it.ended_as() == Unhealthy(check="liveness")
            assert it.web.history.unhealthy == run
        assert ends_of(it.platform) == ["StopOrder", "DestroyOrder", "DestroyOrder"]
        told = await value(it.operator.explain("web"))
        assert (told.unhealthy, len(told.failures)) == (3, 3)
        await it.run_is_ready(4)


async def test_a_stopped_process_is_found_although_its_port_still_accepts(
    tmp_path: Path,
) -> None:
    spec = web(tmp_path, liveness=check(page("/health"), timeout_ms=HANGS_MS))
    async with ward(tmp_path, spec) as it:
        await it.run_is_ready(1)
        os.kill(it.leader(), signal.SIGSTOP)
        await it.run_is_ready(2)
        assert it.ended_as() == Unhealthy(check="liveness")


async def test_a_hung_process_that_is_deaf_to_its_signal_is_killed(
    tmp_path: Path,
) -> None:
    spec = web(
        tmp_path, DEAF + SERVER, liveness=check(page("/health"), timeout_ms=HANGS_MS)
    )
    async with ward(tmp_path, spec) as it:
        await it.run_is_ready(1)
        pid = it.leader()
        (tmp_path / "hung").write_text("1")
        await it.run_begins(2)
        assert it.ended_as() == Unhealthy(check="liveness")
        assert not Path("/proc", str(pid)).exists()
        await it.run_is_ready(2)


async def test_what_is_not_ready_is_not_counted_as_up_and_not_restarted(
    tmp_path: Path,
) -> None:
    (tmp_path / "bad").touch()
    spec = web(tmp_path, readiness=check(page("/flag"), success_threshold=2))
    async with ward(tmp_path, spec) as it:
        await it.until(lambda: it.operator.infos()[0].phase == "running")
        late = await it.operator.converge(limit_ms=1_000, steady_ms=0)
        assert "TimedOut" in repr(late)
        assert it.operator.infos()[0].why.endswith("has not passed yet")
        for _ in range(2):
            (tmp_path / "bad").unlink()
            await it.ready_is(expected=True)
            (tmp_path / "bad").touch()
            await it.ready_is(expected=False)
            why = it.operator.infos()[0].why
            assert why == "runs and is not ready: its readiness check fails"
        (tmp_path / "bad").unlink()
        (info,) = await value(it.operator.converge(limit_ms=LIMIT_MS, steady_ms=100))
        assert (info.ready, info.run, info.restarts) == (True, 1, 0)


async def test_a_startup_check_that_never_passes_is_a_start_that_failed(
    tmp_path: Path,
) -> None:
    policy = attrs.evolve(PATIENT, start_budget=1)
    startup = check(page("/503"), failure_threshold=3)
    liveness = check(page("/hang"), failure_threshold=1)
    spec = web(tmp_path, startup=startup, liveness=liveness)
    async with ward(tmp_path, attrs.evolve(spec, restart=policy)) as it:
        await it.until(lambda: it.operator.infos()[0].phase == "crash_looping")
        reason = "its startup check failed: HTTP 503"
        assert it.ended_as() == StartFailed(reason=reason)
        assert it.web.run == 2
        asked = (tmp_path / "asked").read_text().split()
        assert set(asked) == {"/503"}  # the others wait for it


async def test_a_command_check_sees_what_its_container_has(tmp_path: Path) -> None:
    text = (
        "import os, sys;"
        " ill = os.environ['FOLDER'] + '/${name}-ill';"
        " run = os.environ['ORCHESTRATOR_RUN'].rpartition('/')[2];"
        " sys.exit(3 * (os.path.exists(ill) and open(ill).read() == run))"
    )
    probe = CommandProbe(command=script(text))
    spec = web(tmp_path, liveness=check(probe, timeout_ms=30_000))
    async with ward(tmp_path, spec) as it:
        await it.run_is_ready(1)
        (tmp_path / "web-ill").write_text("1")
        await it.run_begins(2)
        assert it.ended_as() == Unhealthy(check="liveness")
        records = await value(it.operator.events())
        causes = [getattr(record.event, "cause", "") for record in records]
        assert "exit 3" in causes
        await it.run_is_ready(2)


SECRET = "correct-horse-battery"


async def test_a_secret_header_reaches_the_container_and_no_disk_of_ours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    home = tmp_path / "container"
    home.mkdir()
    asked = page("/endless", Authorization="Bearer ${secret.TOKEN}")
    spec = web(home, readiness=check(asked), liveness=check(page("/200")))
    async with ward(tmp_path, spec, secrets={"TOKEN": SECRET}) as it:
        await it.run_is_ready(1)
        assert f"Authorization: Bearer {SECRET}" in (home / "headers").read_text()
        shown = [
            repr(await value(it.operator.events())),
            repr(await value(it.operator.explain("web"))),
            repr(await value(it.operator.get_config())),
            repr(await value(it.operator.platform_details())),
            repr(it.platform.orders),
            caplog.text,
        ]
        assert isinstance(it.platform.orders[0], StartOrder)
    assert not any(SECRET in text for text in shown)
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    ours = [path for path in kept if home not in path.parents]
    assert ours
    assert not any(SECRET.encode() in path.read_bytes() for path in ours)
