"""Every platform obeys the laws of the port."""

from __future__ import annotations

from pathlib import Path

from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.platforms.local.platform import LocalPlatform
from orchestrator.platforms.simulated.platform import SimulatedPlatform
from orchestrator.testing.platforms import check_platform, check_takeover

SPEC = ContainerSpec(name="web-0", command=("sleep", "1000"))


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


async def test_a_newer_operator_takes_over_on_the_simulated_platform() -> None:
    """One world is one adapter: it has no other door."""
    both = SimulatedPlatform(seed=7)
    await check_takeover(both, both, SPEC)


async def test_a_newer_operator_takes_over_on_this_machine(tmp_path: Path) -> None:
    await check_takeover(LocalPlatform(tmp_path), LocalPlatform(tmp_path), SPEC)
