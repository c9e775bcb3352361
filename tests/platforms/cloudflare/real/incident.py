"""Record an incident on the real runtime: ``python -m ...real.incident FILE``.

The journal in docs/examples was made with it, and the tutorial on finding its cause
tells of it. A shop runs; a deploy changes the command of its worker, which dies two
seconds after each start from then on. In the crash loop the gateway's feed of events
hangs, so that the end of a run of ``web-1`` is never told, only seen; the operator is
killed and started anew; at last the fixed worker is deployed.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import attrs

from orchestrator.cli.client import Client
from orchestrator.codec.fleet_file import read_fleet_file
from tests.bench.engine import started
from tests.bench.fault_proxy import FaultProxy, Hang
from tests.cli.kit import COMMAND, reached, run
from tests.platforms.cloudflare.real.kit import IMAGE, TOKEN, Stage, stage

SHOP: Final = f"""
[fleet]
name = "shop"
reconcile_interval = "5s"
[platform]
kind = "cloudflare"
url = "URL"
[restart]
crash = {{ allowed_crashes = 3, window = "30s" }}
backoff = {{ initial = "1s", max = "5s" }}
[[containers]]
name = "web"
replicas = 2
image = "{IMAGE}"
ports = {{ http = 8080 }}
[[containers]]
name = "cache"
image = "{IMAGE}"
ports = {{ http = 8080 }}
[[containers]]
name = "worker"
image = "{IMAGE}"
command = COMMAND
ports = {{ http = 8080 }}
config = {{ release = "RELEASE" }}
"""
SERVES, DIES = '["/bin/serve"]', '["/bin/quit", "70", "2"]'
LIMIT_S: Final = 90.0


@attrs.frozen(kw_only=True)
class Ground:
    """Where it happens, and the steps of it."""

    stage: Stage
    proxy: FaultProxy
    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets"

    @asynccontextmanager
    async def up(self, command: str, release: str) -> AsyncIterator[Client]:
        """Run ``up`` with a release of the worker, and kill it at the end."""
        text = shop(command, release, self.proxy.url)
        file = self.folder / "shop.toml"
        file.write_text(text, encoding="utf-8")
        places = ("--state", str(self.state), "--secrets", str(self.secrets))
        words = ("up", str(file), *places)
        with (self.folder / "up.log").open("a") as log:
            process = subprocess.Popen((*COMMAND, *words), stdout=log, stderr=log)
        try:
            yield await asyncio.to_thread(reached, self.state)
        finally:
            process.kill()
            process.wait()


def shop(command: str, release: str, url: str) -> str:
    text = SHOP.replace("COMMAND", command).replace("RELEASE", release)
    return text.replace("URL", url)


async def until(client: Client, name: str, holds: Callable[[Any], bool]) -> None:
    """Wait until the operator tells so of a container."""
    async with asyncio.timeout(LIMIT_S):
        while not holds(  # noqa: ASYNC110 - it is in another process
            await asyncio.to_thread(client.get, "containers", name)
        ):
            await asyncio.sleep(0.1)


async def happens(it: Ground) -> None:
    async with it.up(SERVES, "1.3") as client:
        for name in ("web-0", "web-1", "cache", "worker"):
            await until(client, name, lambda info: info["ready"])
        await asyncio.sleep(3)
    async with it.up(DIES, "1.4") as client:
        await until(client, "worker", lambda info: info["restarts"] >= 1)
        it.proxy.add(Hang(), path="/events")
        it.stage.engine.docker.kill(await it.stage.container("web-1"))
        await until(client, "web-1", lambda info: info["run"] == 2 and info["ready"])
        it.proxy.heal()
        await until(client, "worker", lambda info: info["phase"] == "crash_looping")
        await asyncio.sleep(2)
    await asyncio.sleep(3)
    async with it.up(DIES, "1.4") as client:
        await until(client, "worker", lambda info: info["phase"] == "running")
        await until(client, "worker", lambda info: info["phase"] == "crash_looping")
        await asyncio.sleep(1)
    async with it.up(SERVES, "1.4.1") as client:
        await until(client, "worker", lambda info: info["ready"])
        await asyncio.sleep(6)
        await asyncio.to_thread(run, "down", "--state", str(it.state))


async def record(out: Path) -> None:
    spec = read_fleet_file(
        shop(SERVES, "1.3", "https://x.example").encode(), file="f", folder="/"
    )
    with started() as engine, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with (
            stage(engine, folder, spec.unwrap().spec) as there,
            FaultProxy(there.workerd.url) as proxy,
        ):
            it = Ground(stage=there, proxy=proxy, folder=folder)
            it.secrets.write_text(f"GATEWAY_TOKEN={TOKEN}\n", encoding="utf-8")
            it.secrets.chmod(0o600)
            try:
                await happens(it)
            finally:
                print((folder / "up.log").read_text()[-2_000:])
        done = run("journal", "export", str(it.state / "journal.db"), str(out))
        print(done.out, done.err)


if __name__ == "__main__":
    asyncio.run(record(Path(sys.argv[1])))
