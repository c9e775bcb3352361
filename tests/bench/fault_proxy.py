"""A proxy in front of an HTTP server that fails as networks and servers do.

::

    async with FaultProxy(url) as proxy:
        proxy.add(Status(503), path="/v1/instances", times=2)
        ...
        proxy.heal()

The first fault that fits a request is what happens to it; without one it passes. A
connection carries one request, and is closed after the answer. No upgrades (WebSocket).

A client may hide a fault: aiohttp repeats a GET once when its connection breaks.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Self, TypeAlias, assert_never
from urllib.parse import urlsplit

import attrs

from tests.bench.workerd import bound

HEAD_MAX = 1 << 20
CHUNK = 1 << 16
END_OF_HEAD = b"\r\n\r\n"
GARBAGE = b"\x16\x03\x01 \x00\xff garbage\r\n\r\n"
PAGE = b"<html>hello</html>"
# So closed, a connection ends with a reset instead of a farewell.
NO_FAREWELL = struct.pack("ii", 1, 0)
OF_THE_CONNECTION = (b"connection:", b"keep-alive:")


@attrs.frozen
class Cut:
    """The connection breaks before the server has seen the request."""


@attrs.frozen
class CutAfterRequest:
    """The server does what is asked, then the connection breaks without an answer."""


@attrs.frozen
class CutInAnswer:
    """The connection ends in the middle of the answer's body."""


@attrs.frozen
class Slow:
    """The request waits before it is passed on."""

    delay_ms: int


@attrs.frozen
class Hang:
    """The request is not passed on, and never answered."""


@attrs.frozen
class Status:
    """The proxy answers by itself, with an error that is not the server's."""

    status: int
    retry_after_s: int | None = None


@attrs.frozen
class Garbage:
    """The answer is no HTTP."""


@attrs.frozen
class Nonsense:
    """The answer is a success, with a page instead of JSON."""


Fault: TypeAlias = (
    Cut | CutAfterRequest | CutInAnswer | Slow | Hang | Status | Garbage | Nonsense
)


@attrs.define
class Rule:
    """A fault, for which requests, and for how many of them still."""

    fault: Fault
    path: re.Pattern[str]
    left: int | None


@attrs.frozen
class Seen:
    """A request that came: its method, its path with the query, and its fault."""

    method: str
    path: str
    fault: Fault | None


@attrs.frozen
class Request:
    """A request as it came, byte for byte."""

    head: bytes
    body: bytes

    @property
    def method(self) -> str:
        return self.head.split(b" ", 1)[0].decode()

    @property
    def path(self) -> str:
        return self.head.split(b" ", 2)[1].decode()


@attrs.define
class FaultProxy:
    """The proxy; ``url`` is where to ask instead of the server."""

    upstream: str
    port: int = 0
    requests: list[Seen] = attrs.field(factory=list)
    _rules: list[Rule] = attrs.field(factory=list)
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = attrs.field(factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add(self, fault: Fault, path: str = "", times: int | None = None) -> None:
        """Let requests whose path matches somewhere fail, for ever or so many times."""
        self._rules.append(Rule(fault, re.compile(path), times))

    def heal(self) -> None:
        """Let everything pass."""
        self._rules.clear()

    def count(self, path: str = "", method: str = "") -> int:
        """Count the requests that came, by path and method if given."""
        return sum(
            re.search(path, seen.path) is not None and method in ("", seen.method)
            for seen in self.requests
        )

    async def open(self) -> None:
        """Listen, on the same port as before."""
        assert self._server is None
        listener = bound(self.port)
        self.port = listener.getsockname()[1]
        self._server = await asyncio.start_server(
            self._connected, sock=listener, limit=HEAD_MAX
        )

    async def close(self) -> None:
        """Break every connection and refuse new ones, until it is opened again."""
        if self._server is None:
            return
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            request = await read_request(reader)
            fault = self._fault_of(request.path)
            self.requests.append(Seen(request.method, request.path, fault))
            answering = asyncio.ensure_future(self._answer(fault, request, writer))
            leaving = asyncio.ensure_future(reader.read(1))
            await first_of(answering, leaving)
        except (OSError, asyncio.IncompleteReadError):
            reset(writer)  # one side has gone: the other is to know
        except asyncio.CancelledError:
            reset(writer)
        finally:
            self._tasks.discard(task)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _fault_of(self, path: str) -> Fault | None:
        for rule in self._rules:
            if rule.left != 0 and rule.path.search(path):
                if rule.left is not None:
                    rule.left -= 1
                return rule.fault
        return None

    async def _answer(
        self, fault: Fault | None, request: Request, writer: asyncio.StreamWriter
    ) -> None:
        match fault:
            case None:
                await self._pass_on(request, writer)
            case Cut():
                reset(writer)
            case CutAfterRequest():
                async with self._asked(request) as (_, pieces):
                    _ = [piece async for piece in pieces]
                reset(writer)
            case CutInAnswer():
                async with self._asked(request) as (head, pieces):
                    body = b"".join([piece async for piece in pieces])
                writer.write(head + body[: len(body) // 2])
                await writer.drain()
            case Slow(delay_ms=delay_ms):
                await asyncio.sleep(delay_ms / 1000)
                await self._pass_on(request, writer)
            case Hang():
                await asyncio.Event().wait()
            case Status(status=status, retry_after_s=wait_s):
                wait = () if wait_s is None else (f"Retry-After: {wait_s}",)
                writer.write(made(status, b"no\n", "Content-Type: text/plain", *wait))
            case Garbage():
                writer.write(GARBAGE)
            case Nonsense():
                writer.write(made(200, PAGE, "Content-Type: text/html"))
            case _:
                assert_never(fault)

    async def _pass_on(self, request: Request, writer: asyncio.StreamWriter) -> None:
        async with self._asked(request) as (head, pieces):
            writer.write(head)
            async for piece in pieces:
                writer.write(piece)
                await writer.drain()

    @asynccontextmanager
    async def _asked(
        self, request: Request
    ) -> AsyncIterator[tuple[bytes, AsyncIterator[bytes]]]:
        """Ask the server; give the head of its answer, and the rest to read."""
        there = urlsplit(self.upstream)
        reader, writer = await asyncio.open_connection(
            there.hostname, there.port or 80, limit=HEAD_MAX
        )
        try:
            head = with_lines(request.head, b"host:", f"Host: {there.netloc}")
            writer.write(head + request.body)
            head = await reader.readuntil(END_OF_HEAD)
            status = head.split(b" ", 2)[1]
            bodiless = request.method == "HEAD" or status in (b"204", b"304")
            yield (
                with_lines(head),
                nothing() if bodiless else body_of(head, reader, None),
            )
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def read_request(reader: asyncio.StreamReader) -> Request:
    """Read a request with its body."""
    head = await reader.readuntil(END_OF_HEAD)
    return Request(head, b"".join([piece async for piece in body_of(head, reader)]))


async def body_of(
    head: bytes, reader: asyncio.StreamReader, otherwise: int | None = 0
) -> AsyncIterator[bytes]:
    """Read a body as it comes, whichever way its length is told.

    Where it is not told, it is ``otherwise``, and None means until the other side
    hangs up. That it hangs up after an answer cannot be relied upon: workerd does not.
    """
    told = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(b":") for line in head.splitlines()[1:])
    }
    if told.get(b"transfer-encoding", b"").lower() == b"chunked":
        size = 1
        while size:
            line = await reader.readuntil(b"\r\n")
            size = int(line.partition(b";")[0], 16)
            yield line + await reader.readexactly(size + 2)
        return
    length = int(told[b"content-length"]) if b"content-length" in told else otherwise
    left = sys.maxsize if length is None else length
    while left > 0:
        piece = await reader.read(min(left, CHUNK))
        if not piece and length is not None:
            raise asyncio.IncompleteReadError(b"", left)
        if not piece:
            return
        left -= len(piece)
        yield piece


async def nothing() -> AsyncIterator[bytes]:
    """Read no body."""
    for _ in ():
        yield b""


def with_lines(head: bytes, replaced: bytes = b"", *lines: str) -> bytes:
    """Let the connection end after this, and replace a line by others."""
    dropped = (*OF_THE_CONNECTION, replaced) if replaced else OF_THE_CONNECTION
    first, *rest = head.rstrip(b"\r\n").split(b"\r\n")
    kept = [line for line in rest if not line.lower().startswith(dropped)]
    added = [line.encode() for line in (*lines, "Connection: close")]
    return b"\r\n".join((first, *kept, *added)) + b"\r\n\r\n"


def made(status: int, body: bytes, *headers: str) -> bytes:
    """Make an answer of the proxy's own."""
    lines = (f"HTTP/1.1 {status} Fault", *headers, f"Content-Length: {len(body)}")
    return with_lines("\r\n".join(lines).encode()) + body


async def first_of(*futures: asyncio.Future[Any]) -> None:
    """Wait for the first of them, and let the others be."""
    try:
        await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for future in futures:
            future.cancel()
        await asyncio.gather(*futures, return_exceptions=True)
    if problem := next((f.exception() for f in futures if not f.cancelled()), None):
        raise problem


def reset(writer: asyncio.StreamWriter) -> None:
    """Break a connection."""
    if (made := writer.get_extra_info("socket")) is not None:
        with suppress(OSError):
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_FAREWELL)
    writer.transport.abort()
