"""A server of ``api_server``, a process of its own, and readers of its live events."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import attrs

__all__ = ("Following", "Server", "followed")

ROOT: Final = Path(__file__).parents[2]
FOLLOW: Final = "/v1/events?follow=true&with=containers"


@attrs.define
class Server:
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    port: int
    token: str

    @classmethod
    def start(cls, kind: str, containers: int) -> Server:
        words = [kind, "--containers", str(containers)]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.api_server", *words],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        port, token = process.stdout.readline().split()
        return cls(process, int(port), token)

    def say(self, line: str = "used") -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(line, file=self.process.stdin, flush=True)
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def ask(self, path: str) -> bytes:
        """Write a request for a path."""
        lines = ("Host: localhost", f"Authorization: Bearer {self.token}")
        return "\r\n".join((f"GET {path} HTTP/1.1", *lines, "", "")).encode()

    def stop(self) -> None:
        _ = self.process.communicate(timeout=60)


@attrs.define
class Following:
    """What one reader of live events has seen."""

    rows: int = 0
    gaps: int = 0

    async def read(self, server: Server) -> None:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", server.port, limit=2**20
        )
        writer.write(server.ask(FOLLOW))
        try:
            while data := await reader.read(65_536):
                self.rows += data.count(b'{"kind":"event"')
                self.gaps += data.count(b'{"kind":"gap"')
        finally:
            writer.close()


@asynccontextmanager
async def followed(server: Server, count: int) -> AsyncIterator[list[Following]]:
    readers = [Following() for _ in range(count)]
    tasks = [asyncio.ensure_future(reader.read(server)) for reader in readers]
    try:
        yield readers
    finally:
        for task in tasks:
            task.cancel()
        _ = await asyncio.gather(*tasks, return_exceptions=True)
