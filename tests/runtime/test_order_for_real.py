"""Processes of this machine that start and stop in the order of their dependencies."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from orchestrator import (
    ContainerSpec,
    FleetSpec,
    InvalidSpec,
    LocalPlatform,
    Operator,
    open_sqlite,
)
from orchestrator.core.dependencies import Condition
from orchestrator.core.table import Table
from tests.platforms.local_kit import script, shims
from tests.runtime.kit import LIMIT_MS, error, value

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

TELLS = """
import os, signal, socket, sys, time
name, diary = os.environ["CONTAINER_NAME"], os.environ["DIARY"]

def tell(what):
    with open(diary, "a") as pages:
        pages.write(f"{name} {what}\\n")

def end(*_):
    time.sleep(0.1)
    tell("stops")
    sys.exit(0)

signal.signal(signal.SIGTERM, end)
tell("starts")
time.sleep(0.2)
if "PORT_HTTP" in os.environ:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", int(os.environ["PORT_HTTP"])))
    tell("listens")  # before others may know it
    server.listen()
if name == "job":
    tell("is done")
    sys.exit(0)
while True:
    time.sleep(0.05)
"""


def spec(
    name: str, diary: Path, needs: dict[str, Condition] | None = None, *, port: int = 80
) -> ContainerSpec:
    return ContainerSpec(
        name=name,
        command=script(TELLS),
        ports=Table.of([("http", port)] if port else []),
        env=Table.of([("DIARY", str(diary))]),
        depends_on=Table.of((needs or {}).items()),
    )


async def test_processes_start_and_stop_in_order(tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    fleet = FleetSpec(
        name="shop",
        containers=(
            spec("web", diary, {"api": Condition.READY}),
            spec("api", diary, {"db": Condition.READY, "job": Condition.COMPLETED}),
            spec("db", diary),
            spec("job", diary, {"db": Condition.READY}, port=0),
        ),
    )
    journal = await value(open_sqlite(tmp_path / "journal.db"))
    try:
        async with Operator.open(
            fleet, platform=LocalPlatform(tmp_path / "local"), journal=journal
        ) as operator:
            _ = await value(operator.wait("web", limit_ms=LIMIT_MS))
            helper = spec("helper", diary, {"web": Condition.STARTED})
            _ = await value(operator.start_container(helper))
            _ = await value(operator.wait("helper", limit_ms=LIMIT_MS))
            lost = spec("lost", diary, {"wbe": Condition.READY})
            refused = await error(operator.start_container(lost))
            assert isinstance(refused, InvalidSpec)
            assert 'did you mean "web"?' in refused.message
            await value(operator.down())
    finally:
        for pid in shims(tmp_path / "local"):  # a failed test leaves nothing
            os.kill(pid, signal.SIGTERM)
    told = diary.read_text().splitlines()
    assert told == [
        *("db starts", "db listens"),
        *("job starts", "job is done"),
        *("api starts", "api listens"),
        *("web starts", "web listens"),
        *("helper starts", "helper listens"),
        *("helper stops", "web stops", "api stops", "db stops"),
    ]
