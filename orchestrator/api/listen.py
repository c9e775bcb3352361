"""Where the API listens for HTTP: addresses of TCP, beside the Unix socket.

They are taken before the operator starts, so that a wrong one starts nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
from aiohttp import web
from returns.result import Failure, Result, Success

from orchestrator.api.guard import Guard
from orchestrator.api.guard.certificates import Certificate
from orchestrator.api.guard.connections import Connections, Limits
from orchestrator.api.guard.harmless import Speaking, unexpected
from orchestrator.api.guard.quiet import quiet_logger
from orchestrator.api.places import HTTP_AT
from orchestrator.codec.api_choice import LISTEN_SHAPE, Address, address_of
from orchestrator.codec.problems import invalid
from orchestrator.core.errors import InvalidSpec

__all__ = ("Bound", "bound_to", "serve_http")

Answering = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

BACKLOG: Final = 128
HEADERS_MAX: Final = 64
LINE_MAX: Final = 8_190
"""Bytes of the first line of a request, and of each of its headers."""

SHUTDOWN_S: Final = 1.0

PORTS_TRIED: Final = 8
"""Where any port will do: one that is free at one address may be in use at another."""

_LACKING: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""What a machine answers of an address that it has not."""

_WHY: Final = {
    errno.EADDRINUSE: "an address that is free; does an operator run already?",
    errno.EADDRNOTAVAIL: "an address of this machine",
    errno.EACCES: "a port that this user may listen on",
}


@attrs.frozen(kw_only=True)
class Bound:
    """Sockets that listen, all at the same port: ``address`` is what was asked for."""

    address: Address
    sockets: tuple[socket.socket, ...]

    @property
    def is_loopback(self) -> bool:
        """Say whether only this machine can reach it."""
        return all(_ip(each).is_loopback for each in self.sockets)

    @property
    def is_everywhere(self) -> bool:
        """Say whether it is every address of this machine."""
        return any(_ip(each).is_unspecified for each in self.sockets)

    def url(self, scheme: str = "http") -> str:
        """Return under which URL this machine reaches it."""
        address = self.address
        if self.is_everywhere:
            is_ipv4 = self.sockets[0].family == socket.AF_INET
            address = attrs.evolve(address, host="127.0.0.1" if is_ipv4 else "::1")
        return f"{scheme}://{address}"

    def close(self) -> None:
        """Listen no more."""
        for each in self.sockets:
            each.close()


def _ip(each: socket.socket) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    found = ipaddress.ip_address(each.getsockname()[0].partition("%")[0])
    return getattr(found, "ipv4_mapped", None) or found


def bound_to(text: str) -> Result[Bound, InvalidSpec]:
    """Take the addresses that HOST:PORT stands for; port 0 is any that is free."""
    address = address_of(text)
    if address is None or address.port is None:
        return Failure(invalid("listen", LISTEN_SHAPE, text))
    try:
        found = socket.getaddrinfo(
            address.host,
            address.port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE,
        )
    except OSError:
        return Failure(invalid("listen", "a host whose address is known", text))
    places = tuple(dict.fromkeys((one[0], str(one[4][0])) for one in found))
    failed = 0
    for _ in range(1 if address.port else PORTS_TRIED):
        sockets, failed = _all_bound(places, address.port)
        if sockets:
            address = attrs.evolve(address, port=sockets[0].getsockname()[1])
            return Success(Bound(address=address, sockets=sockets))
    why = _WHY.get(failed, "an address to listen on")
    return Failure(invalid("listen", why, text))


def _all_bound(
    places: tuple[tuple[socket.AddressFamily, str], ...], port: int
) -> tuple[tuple[socket.socket, ...], int]:
    """Take the same port at all these addresses; or none, and the error's number."""
    sockets: list[socket.socket] = []
    failed = 0
    for family, host in places:
        try:
            sockets.append(_bound(family, host, port))
        except OSError as error:
            failed = error.errno or 0
            # A name may stand for an address that this machine has not, such as ::1.
            if failed in _LACKING:
                continue
            for each in sockets:
                each.close()
            return (), failed
        else:
            port = sockets[0].getsockname()[1]
    return tuple(sockets), failed


def _bound(family: int, host: str, port: int) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind((host, port))
        one.settimeout(0)
    except OSError:
        one.close()
        raise
    return one


@contextlib.asynccontextmanager
async def serve_http(
    app: web.Application,
    bound: Bound,
    state: Path,
    *,
    guard: Guard,
    certificate: Certificate | None = None,
) -> AsyncIterator[str]:
    """Serve an application for a block; its URL stands in the state folder meanwhile.

    The application has the middleware of the same *guard*.
    """
    app.on_response_prepare.append(guard.dress)
    connections = guard.connections
    said = _means(connections.limits)
    runner = web.AppRunner(
        app, handler_cancellation=True, shutdown_timeout=SHUTDOWN_S, **said
    )
    await runner.setup()
    make = runner.server
    assert make is not None  # noqa: S101 - it was set up
    make.request_handler = _timed(make.request_handler, connections)
    speaking = partial(Speaking, make, loop=asyncio.get_running_loop(), **said)
    context = (lambda: None) if certificate is None else certificate.context
    url = bound.url("http" if certificate is None else "https")
    word = state / HTTP_AT
    for each in bound.sockets:
        each.listen(BACKLOG)
    accepting = [
        asyncio.ensure_future(connections.accept(each, speaking, context))
        for each in bound.sockets
    ]
    try:
        _leave_word(word, url)
        yield url
    finally:
        for task in accepting:
            task.cancel()
        await asyncio.gather(*accepting, return_exceptions=True)
        bound.close()
        await connections.close()
        await runner.cleanup()
        word.unlink(missing_ok=True)


def _leave_word(path: Path, url: str) -> None:
    """Say where it listens, whole at any moment."""
    partial_ = path.with_name(f".{path.name}")
    partial_.write_text(json.dumps({"url": url}), encoding="utf-8")
    partial_.replace(path)


def _timed(answer: Answering, connections: Connections) -> Answering:
    """Have the clock of a connection know when the head of a request is complete."""

    async def timed(request: web.BaseRequest) -> web.StreamResponse:
        transport = request.transport
        connections.entered(transport)
        try:
            return unexpected(request) or await answer(request)
        finally:
            connections.left(transport)

    return timed


def _means(limits: Limits) -> dict[str, Any]:
    """Return what the framework is told of each connection."""
    return {
        "access_log": None,
        "keepalive_timeout": limits.idle_s,
        "lingering_time": limits.linger_s,
        "logger": quiet_logger(),
        "max_field_size": LINE_MAX,
        "max_headers": HEADERS_MAX,
        "max_line_size": LINE_MAX,
    }
