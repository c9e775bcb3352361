"""Every platform obeys the laws of the port."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
from returns.future import FutureResult

from orchestrator.core.errors import PlatformError, Unreachable
from orchestrator.core.health import (
    CommandProbe,
    HealthCheck,
    HealthChecks,
    HttpProbe,
    TcpProbe,
)
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.platforms.local import asking
from orchestrator.platforms.local.platform import LocalPlatform
from orchestrator.platforms.port import Question, Reply
from orchestrator.platforms.simulated.platform import SimulatedPlatform
from orchestrator.testing.platforms import check_platform, check_takeover
from tests.platforms.local_kit import SERVER, script

SPEC = ContainerSpec(name="web-0", command=("sleep", "1000"))


@pytest.fixture(autouse=True)
def _never_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have it be the container that is late, however late this machine is."""
    monkeypatch.setattr(asking, "LATE_S", 60.0)


async def test_the_simulated_platform_obeys() -> None:
    await check_platform(SimulatedPlatform(seed=7), SPEC)


async def test_the_local_platform_obeys(tmp_path: Path) -> None:
    await check_platform(LocalPlatform(tmp_path), SPEC)


async def test_it_obeys_with_a_container_that_listens(tmp_path: Path) -> None:
    program = (
        "import socket, sys, time; s = socket.create_server(('127.0.0.1',"
        " int(open(sys.argv[1]).read().split(':')[1].strip('} ')))); time.sleep(1000)"
    )
    ports = tmp_path / "containers" / "web-0" / "ports.json"
    spec = ContainerSpec(
        name="web-0",
        command=("python3", "-c", program, str(ports)),
        ports=Table.of([("http", 80)]),
    )
    await check_platform(LocalPlatform(tmp_path), spec)


async def test_they_obey_with_a_container_that_has_health_checks(
    tmp_path: Path,
) -> None:
    page = HealthCheck(probe=HttpProbe(port="http", path="/200"))
    spec = ContainerSpec(
        name="web",
        command=("env", f"FOLDER={tmp_path}", *script(SERVER)),
        ports=Table.of([("http", 80)]),
        health=HealthChecks(
            startup=HealthCheck(probe=CommandProbe(command=("true",))),
            readiness=HealthCheck(probe=TcpProbe(port="http")),
            liveness=page,
        ),
    )
    await check_platform(LocalPlatform(tmp_path / "root"), spec)
    await check_platform(SimulatedPlatform(seed=7), spec)


class Deceived(SimulatedPlatform):
    """A platform that lets every question pass, or fail."""

    def __init__(self, reply: Reply | None) -> None:
        super().__init__(seed=7)
        self._reply = reply

    def probe(self, question: Question) -> FutureResult[Reply, PlatformError]:
        if self._reply is None:
            return FutureResult.from_failure(Unreachable(cause="never there"))
        return FutureResult.from_value(self._reply)


@pytest.mark.parametrize(
    ("reply", "law"),
    [
        (Reply(passed=True, detail=""), "an earlier run is not asked"),
        (Reply(passed=False, detail=""), "what is ready passes"),
        (None, "what is ready passes"),
    ],
)
async def test_a_platform_that_answers_for_its_containers_is_found(
    reply: Reply | None, law: str
) -> None:
    spec = attrs.evolve(SPEC, ports=Table.of([("http", 80)]))
    with pytest.raises(AssertionError, match=law):
        await check_platform(Deceived(reply), spec)


class Lenient(SimulatedPlatform):
    """A platform that lets pass what it was ever asked about, though it has ended."""

    def probe(self, question: Question) -> FutureResult[Reply, PlatformError]:
        well = Reply(passed=True, detail="")
        return super().probe(question).map(lambda _: well)


async def test_a_platform_that_lets_the_dead_pass_is_found() -> None:
    spec = attrs.evolve(SPEC, ports=Table.of([("http", 80)]))
    with pytest.raises(AssertionError, match="what is gone does not pass"):
        await check_platform(Lenient(seed=7), spec)


class Prudish(SimulatedPlatform):
    """A platform that takes an answer that is not HTTP for trouble of its own."""

    def probe(self, question: Question) -> FutureResult[Reply, PlatformError]:
        if isinstance(question.probe, HttpProbe):
            return FutureResult.from_failure(Unreachable(cause="not HTTP"))
        return super().probe(question)


async def test_a_platform_that_blames_itself_for_an_answer_is_found() -> None:
    spec = attrs.evolve(SPEC, ports=Table.of([("http", 80)]))
    with pytest.raises(AssertionError, match="a question in HTTP has an answer"):
        await check_platform(Prudish(seed=7), spec)


async def test_a_newer_operator_takes_over_on_the_simulated_platform() -> None:
    """One world is one adapter: it has no other door."""
    both = SimulatedPlatform(seed=7)
    await check_takeover(both, both, SPEC)


async def test_a_newer_operator_takes_over_on_this_machine(tmp_path: Path) -> None:
    await check_takeover(LocalPlatform(tmp_path), LocalPlatform(tmp_path), SPEC)
