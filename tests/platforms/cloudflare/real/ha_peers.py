"""An operator as a process of its own, behind its own proxy, asked over its socket."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from pathlib import Path
from typing import Any, Final

import aiohttp
import attrs

from orchestrator.api.places import socket_of
from tests.cli.kit import COMMAND
from tests.platforms.cloudflare.real.ha_record import NONCE, RecordingProxy
from tests.platforms.cloudflare.real.kit import IMAGE

__all__ = (
    "LEASE_S",
    "NONCES",
    "PATIENT_LEASE_S",
    "READY_S",
    "WEB",
    "Peer",
    "Reply",
    "fleet_file",
)

LEASE_S: Final = 3.0
"""Of the drill, whose take-over times are told."""

PATIENT_LEASE_S: Final = 8.0
"""Of the tests: a leader that a busy machine holds up for seconds goes on leading."""

END_S: Final = 60.0
"""In which an operator that is told to end has ended."""

READY_S: Final = 5.0
"""In which one that is not paused has said whether it leads."""

_FLEET: Final = f"""
[fleet]
name = "demo"
max_concurrent_starts = 20
reconcile_interval = "5s"
env_vars = "nonces:numbered"
[platform]
kind = "cloudflare"
url = "URL"
timeout = "5s"
[journal]
kind = "durable_object"
[lease]
duration = "LEASE"
[restart]
backoff = {{ initial_ms = 100, max_ms = 200 }}
crash = {{ allowed_crashes = 1000 }}
[ad_hoc]
image = "{IMAGE}"
ports = {{ http = 8080 }}
stop_grace = "1s"
[[containers]]
name = "web"
replicas = 2
image = "{IMAGE}"
ports = {{ http = 8080 }}
stop_grace = "1s"
"""
WEB: Final = ("web-0", "web-1")


def fleet_file(url: str, lease_s: float) -> str:
    """Return the fleet file of an operator that asks a gateway there."""
    return _FLEET.replace("URL", url).replace("LEASE", f"{lease_s:.0f}s")


NONCES: Final = f"""import os
def numbered(spec, secrets):
    return {{"{NONCE}": os.urandom(8).hex()}}
"""


@attrs.frozen
class Reply:
    """What an operator answered over its API."""

    status: int
    body: Any


@attrs.define(kw_only=True)
class Peer:
    """One operator: its files, its proxy, its process."""

    name: str
    folder: Path
    proxy: RecordingProxy
    secrets: Path
    lease_s: float
    process: subprocess.Popen[bytes] | None = None

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def file(self) -> Path:
        return self.folder / "fleet.toml"

    @property
    def log(self) -> str:
        return (self.folder / "up.log").read_text(errors="replace")

    @property
    def is_up(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def write(self) -> None:
        self.folder.mkdir()
        text = fleet_file(self.proxy.url, self.lease_s)
        self.file.write_text(text, encoding="utf-8")
        (self.folder / "nonces.py").write_text(NONCES, encoding="utf-8")

    def start(self) -> None:
        assert not self.is_up
        words = ("up", str(self.file), "--standby", "--state", str(self.state))
        with (self.folder / "up.log").open("ab") as log:
            self.process = subprocess.Popen(
                (*COMMAND, *words, "--secrets", str(self.secrets)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """End it with SIGKILL, paused or not."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    async def end(self) -> None:
        """Let it end in good order: it gives its lease back."""
        if self.process is not None:
            self.process.terminate()
            await asyncio.to_thread(self.process.wait, END_S)

    def pause(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    async def asked(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        key: str | None = None,
        limit_s: float = 30.0,
    ) -> Reply | None:
        """Ask it over its socket; None: it did not answer."""
        connector = aiohttp.UnixConnector(path=str(socket_of(self.state)))
        headers = {} if key is None else {"Idempotency-Key": key}
        limit = aiohttp.ClientTimeout(total=limit_s)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=limit) as session,
                session.request(
                    method, f"http://localhost{path}", json=body, headers=headers
                ) as response,
            ):
                text = await response.text()
                is_json = "json" in response.content_type
                return Reply(response.status, json.loads(text) if is_json else text)
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None

    async def leads(self) -> bool:
        if not self.is_up:
            return False
        reply = await self.asked("GET", "/readyz", limit_s=READY_S)
        return reply is not None and reply.status == 200
