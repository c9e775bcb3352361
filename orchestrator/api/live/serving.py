"""Live events over HTTP: a stream that ends when the operator or the reader does."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from orchestrator.api.bodies import refusal
from orchestrator.api.live.frames import Form
from orchestrator.api.live.hub import CLOSED, ending, joined
from orchestrator.api.live.reader import Reader, begin
from orchestrator.api.live.wanted import Wanted, wanted_of
from orchestrator.api.queries import Asked
from orchestrator.core.access_errors import TooManyRequests
from orchestrator.runtime.operator import Operator

__all__ = ("READERS_MAX", "say_goodbye", "stream")

READERS_MAX: Final = 1_024
"""Readers of one operator; further ones are refused."""

COME_AGAIN_MS: Final = 5_000
"""When a refused reader may try again."""

PIECE: Final = 65_536
"""Bytes that are given to a connection at once: what a stalled reader can hold up."""

AT_ONCE: Final = 32_768
"""Bytes that a connection with nothing to send takes without ever waiting: half of the
high-water mark of the event loop's transports."""

KERNEL: Final = 131_072
"""Bytes that the system may hold for a reader; by itself it would hold megabytes."""

STALLED_S: Final = 60.0
"""A reader that has taken nothing for so long has its connection ended."""

RETRY: Final = b"retry: 1000\n\n"
"""How soon an ``EventSource`` comes again, in milliseconds."""

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx passes on each message when it comes
}


async def stream(
    request: web.Request, query: Asked, operator: Operator
) -> web.StreamResponse:
    """Answer a request for live events: with a stream, or why there is none."""
    wanted = wanted_of(query, request.headers.get("Accept", ""))
    with joined(operator, wanted) as hub:
        if len(hub.readers) > READERS_MAX:
            return refusal(TooManyRequests(retry_after_ms=COME_AGAIN_MS))
        reader = await begin(hub, wanted)
        if not isinstance(reader, Reader):
            return refusal(reader)
        return await _serve(request, reader, wanted)


async def _serve(
    request: web.Request, reader: Reader, wanted: Wanted
) -> web.StreamResponse:
    response = web.StreamResponse(headers=_HEADERS)
    response.content_type = wanted.form.value
    if wanted.form is Form.SSE:
        response.charset = "utf-8"
    await response.prepare(request)
    _hold_little(request)
    try:
        if wanted.form is Form.SSE:
            await response.write(RETRY)
        async with contextlib.aclosing(reader.chunks()) as chunks:
            async for chunk in chunks:
                await _send(request, response, chunk)
        await response.write_eof()
    except ConnectionResetError:
        pass  # the reader has gone
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
    return response


def _hold_little(request: web.Request) -> None:
    """Have the system hold little for a connection whose other end does not read."""
    connection = request.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL)


async def _send(
    request: web.Request, response: web.StreamResponse, chunk: bytes
) -> None:
    """Send a chunk in pieces; each must be taken in time.

    Where everything before it has been taken, a small one is not waited for.
    """
    transport = request.transport
    is_idle = transport is not None and not transport.get_write_buffer_size()
    if is_idle and len(chunk) <= AT_ONCE:
        await response.write(chunk)
        return
    for start in range(0, len(chunk), PIECE):
        async with asyncio.timeout(STALLED_S):
            await response.write(chunk[start : start + PIECE])


def say_goodbye(operator: Operator) -> Callable[[web.Application], Awaitable[None]]:
    """Return what an application does first when it shuts down: end its readers."""

    async def closing(_: web.Application) -> None:
        ending(operator, CLOSED)

    return closing
