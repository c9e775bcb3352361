"""The gateway, faked, with the journal that it keeps: a real server for both.

What is asked of the journal goes to a ``FakeArchive``; everything else is the matter of
``FakeGateway``. ``journal_faults`` are used up one a request.
"""

from __future__ import annotations

import asyncio
from collections import deque
from pathlib import Path
from typing import Any

import attrs
import orjson
from aiohttp import web

from tests.journal.fake_archive import FakeArchive
from tests.platforms.cloudflare.fake_gateway import (
    FLEET,
    TOKEN,
    FakeGateway,
    Fault,
    Refusal,
    dropped,
    truncated,
)
from tests.platforms.cloudflare.fake_rest import (
    IMAGE,
    Drop,
    Slow,
    Status,
    Truncate,
)

__all__ = ("KeepingGateway", "fleet_file", "secrets_file")


@attrs.define
class KeepingGateway(FakeGateway):
    """A gateway that keeps the journal of one fleet."""

    archive: FakeArchive = attrs.Factory(FakeArchive)
    journal_faults: deque[Fault] = attrs.Factory(deque)
    version: str | None = "1.4.0"
    dead_at: str | None = None
    """A path from which on nothing is answered any more, and nothing done."""
    is_dead: bool = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/v1/fleets/").partition("/")[2]
        if path.partition("/")[0] != "journal":
            return await super().handle(request)
        body = await request.content.read()
        self.is_dead = self.dead_at is not None and (
            self.is_dead or path == self.dead_at
        )
        if self.is_dead:
            return dropped(request)
        fault = self.journal_faults.popleft() if self.journal_faults else None
        if isinstance(fault, Status):
            headers = dict(fault.headers)
            return web.Response(status=fault.status, body=fault.body, headers=headers)
        if fault == Drop(after=False):
            return dropped(request)
        try:
            self._let_in(request, b"")
            answered = self._kept(request, path, body)
        except Refusal as refusal:
            answered = (refusal.status, orjson.dumps(refusal.body))
        match fault:
            case Drop():
                return dropped(request)
            case Truncate():
                return await truncated(request, answered[1])
            case Slow(seconds=seconds):
                await asyncio.sleep(seconds)
            case _:
                pass
        return web.Response(status=answered[0], body=answered[1])

    async def _routed(
        self, method: str, path: str, query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        told = await super()._routed(method, path, query, body)
        return {**told, "gateway": self.version} if path == "about" else told

    def _kept(self, request: web.Request, path: str, body: bytes) -> tuple[int, bytes]:
        """Ask the archive; the epoch is one for both."""
        self.archive.epoch = max(self.archive.epoch, self.epoch)
        self.archive.lease = self.lease.told()
        answered = self.archive.answer(request.method, path, request.query, body)
        self.epoch = max(self.archive.epoch, self.epoch)
        if request.method != "GET" and answered[0] == 200:
            self.lease.renew()
        return answered


def fleet_file(folder: Path, url: str, kind: str = "durable_object") -> Path:
    """Write a fleet file whose journal is behind a gateway."""
    path = folder / "fleet.toml"
    path.write_text(
        f"""
[fleet]
name = "{FLEET}"
[platform]
kind = "cloudflare"
url = "{url}"
[journal]
kind = "{kind}"
[[containers]]
name = "web"
image = "{IMAGE}"
ports = {{ http = 8080 }}
""",
        encoding="utf-8",
    )
    return path


def secrets_file(folder: Path, token: str = TOKEN) -> Path:
    """Write a file with the token of the gateway."""
    path = folder / "secrets"
    path.write_text(f"GATEWAY_TOKEN={token}\n", encoding="utf-8")
    path.chmod(0o600)
    return path
