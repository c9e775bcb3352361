"""A receiver of notices on this machine: it keeps what came, and answers as told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs

__all__ = ("Letter", "Receiver", "receiver")

Answer = bytes | Callable[[], Awaitable[bytes]]
"""What is written back, at once or when there is something."""

OK = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


@attrs.frozen
class Letter:
    """One request as it came."""

    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def tree(self) -> dict[str, Any]:
        """Return the body as JSON."""
        tree: dict[str, Any] = json.loads(self.body)
        return tree


@attrs.define
class Receiver:
    """What came, and what is answered: each of *answers* once, the last for ever."""

    answers: list[Answer]
    letters: list[Letter] = attrs.field(factory=list[Letter])
    port: int = 0
    came: asyncio.Event = attrs.field(factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Return where it is reached."""
        return f"http://127.0.0.1:{self.port}/hook/s3cr3t-path?k=v"

    async def has(self, count: int) -> list[Letter]:
        """Wait until so many letters came."""
        async with asyncio.timeout(60):
            while len(self.letters) < count:
                self.came.clear()
                await self.came.wait()
        return self.letters

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Take one request in, and answer it."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in head[1:] if line)
            body = await reader.readexactly(int(headers["Content-Length"]))
            self.letters.append(Letter(head[0].split(" ")[1], headers, body))
            self.came.set()
            answer = self.answers[0]
            if len(self.answers) > 1:
                del self.answers[0]
            writer.write(answer if isinstance(answer, bytes) else await answer())
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiver(*answers: Answer) -> AsyncIterator[Receiver]:
    """Open a receiver for a block."""
    here = Receiver(list(answers) or [OK])
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await here.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    here.port = server.sockets[0].getsockname()[1]
    try:
        yield here
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
