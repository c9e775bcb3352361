"""The command at a gateway that runs: what ``up`` is given, and an end by SIGKILL."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import attrs

from orchestrator.cli.client import Client
from orchestrator.codec.fleet_file import read_fleet_file
from tests.bench.engine import Engine
from tests.cli.kit import COMMAND, file_at
from tests.platforms.cloudflare.real.kit import TOKEN, Stage, stage


@attrs.frozen(kw_only=True)
class Ground:
    """A gateway, a fleet file that names it, a file of secrets."""

    stage: Stage
    file: Path
    state: Path
    secrets: Path

    def env(self) -> dict[str, str]:
        return {**os.environ, "GATEWAY_TOKEN": TOKEN}


@asynccontextmanager
async def ground_of(
    engine: Engine, folder: Path, text: str, *secrets: str
) -> AsyncIterator[Ground]:
    """Run a gateway for a fleet file, which says URL where it shall name it."""
    somewhere = text.replace("URL", "https://x.example")
    read = read_fleet_file(somewhere.encode(), file="f", folder="/").unwrap()
    async with stage(engine, folder, read.spec) as it:
        yield Ground(
            stage=it,
            file=file_at(folder, text.replace("URL", it.workerd.url)),
            state=folder / "state",
            secrets=secrets_in(folder, *secrets),
        )


def secrets_in(folder: Path, *more: str) -> Path:
    """Write a file of secrets: the gateway's token, and more lines."""
    secrets = folder / "secrets"
    secrets.write_text("\n".join((f"GATEWAY_TOKEN={TOKEN}", *more, "")))
    secrets.chmod(0o600)
    return secrets


@contextmanager
def killed(file: Path, state: Path, *words: str, **more: Any) -> Iterator[None]:
    """Run ``up`` for a block, and end it with SIGKILL; containers go on."""
    given = (str(file), "--state", str(state), *words)
    with (state.parent / "up.log").open("a") as output:
        process = subprocess.Popen(
            (*COMMAND, "up", *given), stdout=output, stderr=output, **more
        )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def up_and_killed(it: Ground) -> AbstractContextManager[None]:
    """Run ``up`` as its ground says, and end it so."""
    return killed(it.file, it.state, "--secrets", str(it.secrets), env=it.env())


def check_starts(client: Client) -> None:
    """Hold it that no run was told to have started twice."""
    events: list[Any] = []
    while page := client.get("events", after=len(events)):
        events += page
    started = [
        (each["event"]["name"], each["event"]["run"])
        for each in events
        if each["event"]["type"] == "container_started"
    ]
    assert len(started) == len(set(started))
