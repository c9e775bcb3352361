"""Connections: how many there may be, and how long one may keep us waiting.

A client may take its time in four places. Each has a limit of its own: the head of a
request (here), its body (the guard), the pause between two requests (the framework),
and taking an answer (here: none of it for minutes, and it is cut off).
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

import attrs

from orchestrator.api.guard.harmless import raw
from orchestrator.core.access_errors import TooManyRequests

__all__ = ("Connections", "Limits", "client_of")

_OPEN_MOST: Final = 2_048
_PAUSE_S: Final = 0.2
"""After an accept that failed: most likely too many files are open."""

_GRACE_S: Final = 0.02
"""Some turns of the loop."""

_TIMEOUT: Final = raw(
    "408 Request Timeout", "request_timeout", "the request took too long to come"
)
_TOO_MANY: Final = raw(
    "429 Too Many Requests",
    TooManyRequests.code,
    "too many connections are open",
    "Retry-After: 1",
)


def _open_most() -> int:
    """Return half of the files that may be open: containers need some, too."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _OPEN_MOST if soft < 0 else max(16, min(_OPEN_MOST, soft // 2))


@attrs.frozen(kw_only=True)
class Limits:
    """How long, in seconds, and how many; of ``open_most``, a client three quarters."""

    head_s: float = 10.0
    body_s: float = 10.0
    idle_s: float = 120.0
    stuck_s: float = 300.0
    linger_s: float = 2.0
    recheck_s: float = 1.0
    open_most: int = attrs.field(factory=_open_most)

    @property
    def client_most(self) -> int:
        """Return how many connections one address may have."""
        return max(1, self.open_most * 3 // 4)


def client_of(host: str) -> str:
    """Return whom an address belongs to: of IPv6, a whole /64 is one client.

    >>> client_of("10.0.0.1"), client_of("2001:db8::1:2:3:4"), client_of("::1%lo")
    ('10.0.0.1', '2001:db8:0:0', '0:0:0:0')

    """
    if ":" not in host:
        return host
    try:
        packed = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    except OSError:
        return host
    groups = [packed[i : i + 2].hex().lstrip("0") or "0" for i in range(0, 8, 2)]
    return ":".join(groups)


class Connections:
    """All connections over TCP."""

    def __init__(self, limits: Limits) -> None:
        """Hold none yet."""
        self._limits = limits
        self._open: dict[str, int] = {}
        self._count = 0
        self._by_transport: dict[asyncio.BaseTransport, _Connection] = {}
        self._greeting: set[asyncio.Task[None]] = set()

    @property
    def count(self) -> int:
        """Return how many there are."""
        return self._count

    def entered(self, transport: asyncio.BaseTransport | None) -> None:
        """Note that the head of a request is complete."""
        connection = self._by_transport.get(transport) if transport else None
        if connection is not None:
            connection.entered()

    def left(self, transport: asyncio.BaseTransport | None) -> None:
        """Note that a request was answered."""
        connection = self._by_transport.get(transport) if transport else None
        if connection is not None:
            connection.left()

    async def accept(
        self,
        listening: socket.socket,
        make: Callable[[], asyncio.Protocol],
        context: Callable[[], ssl.SSLContext | None],
    ) -> None:
        """Take connections in, for ever; who has enough of them is refused."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                one, address = await loop.sock_accept(listening)
            except OSError:
                await asyncio.sleep(_PAUSE_S)
                continue
            client = client_of(address[0])
            theirs = self._open.get(client, 0)
            limits = self._limits
            if theirs >= limits.client_most or self._count >= limits.open_most:
                _refuse(one, is_plain=context() is None)
                continue
            self._open[client] = theirs + 1
            self._count += 1
            greeting = loop.create_task(self._greet(one, client, make, context()))
            self._greeting.add(greeting)
            greeting.add_done_callback(self._greeting.discard)

    async def close(self) -> None:
        """Stop to greet those who have just come."""
        for greeting in self._greeting:
            greeting.cancel()
        await asyncio.gather(*self._greeting, return_exceptions=True)

    async def _greet(
        self,
        one: socket.socket,
        client: str,
        make: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext | None,
    ) -> None:
        """Make a connection of a socket: with TLS, after its handshake."""
        connection: _Connection | None = None
        limits: dict[str, Any] = {}
        if context is not None:
            limits["ssl_handshake_timeout"] = self._limits.head_s
            limits["ssl_shutdown_timeout"] = self._limits.linger_s
        loop = asyncio.get_running_loop()
        try:
            made = connection = _Connection(make(), self, client)
            _ = await loop.connect_accepted_socket(
                lambda: made, one, ssl=context, **limits
            )
        except (OSError, asyncio.CancelledError):
            pass  # a failed handshake is one of them
        finally:
            if connection is None or not connection.is_made:
                one.close()
                self.release(client)

    def hold(self, transport: asyncio.BaseTransport, connection: _Connection) -> None:
        """Take a connection in."""
        self._by_transport[transport] = connection

    def drop(self, transport: asyncio.BaseTransport, client: str) -> None:
        """Let a connection go."""
        if self._by_transport.pop(transport, None) is not None:
            self.release(client)

    def release(self, client: str) -> None:
        """Count one less of a client."""
        self._count -= 1
        rest = self._open[client] - 1
        if rest:
            self._open[client] = rest
        else:
            del self._open[client]

    @property
    def limits(self) -> Limits:
        """Return the limits."""
        return self._limits


def _refuse(one: socket.socket, *, is_plain: bool) -> None:
    with one, contextlib.suppress(OSError):
        one.settimeout(0)
        if is_plain:
            one.send(_TOO_MANY)
            one.shutdown(socket.SHUT_WR)


class _Connection(asyncio.Protocol):
    """Passes everything on to the framework's protocol, and watches the time."""

    def __init__(self, inner: asyncio.Protocol, all_: Connections, client: str) -> None:
        self._inner = inner
        self._all = all_
        self._client = client
        self._transport: asyncio.Transport | None = None
        self._head_due: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stuck: asyncio.TimerHandle | None = None
        self._has_begun = False
        self._is_busy = False
        self.is_made = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of TCP or TLS
        self.is_made = True
        self._transport = transport
        self._all.hold(transport, self)
        self._inner.connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._timer, self._stuck):
            if timer is not None:
                timer.cancel()
        self._inner.connection_lost(exc)
        if self._transport is not None:
            self._all.drop(self._transport, self._client)

    def data_received(self, data: bytes) -> None:
        if not self._is_busy:
            self._has_begun = True
            if self._head_due is None:
                self._wait_for_head()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()
        self._wait_for_taking(None)

    def resume_writing(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None
        self._inner.resume_writing()

    def entered(self) -> None:
        """Stop the clock: what follows is bounded by the guard and the handler."""
        self._is_busy = True
        self._head_due = None

    def left(self) -> None:
        self._is_busy = self._has_begun = False

    def _wait_for_head(self) -> None:
        """Begin to wait; one timer is there for many heads, and set again if early."""
        loop = asyncio.get_running_loop()
        self._head_due = loop.time() + self._all.limits.head_s
        if self._timer is None:
            self._timer = loop.call_at(self._head_due, self._last_look)

    def _last_look(self) -> None:
        """Let what has come be read: it may be this process that was slow."""
        loop, due = asyncio.get_running_loop(), self._head_due
        if due is None:
            self._timer = None
        elif loop.time() < due:
            self._timer = loop.call_at(due, self._last_look)
        else:
            self._timer = loop.call_later(_GRACE_S, self._too_slow, due)

    def _too_slow(self, due: float) -> None:
        self._timer = None
        if self._head_due != due:  # it has come in the meantime
            self._last_look()
        elif self._transport is not None and not self._transport.is_closing():
            if self._has_begun:
                self._transport.write(_TIMEOUT)
            self._transport.close()

    def _wait_for_taking(self, before: int | None) -> None:
        """Cut the client off if it takes nothing until the next look."""
        if self._transport is None:
            return
        left = self._transport.get_write_buffer_size()
        if before is not None and left >= before:
            self._transport.abort()
            return
        loop = asyncio.get_running_loop()
        seconds = self._all.limits.stuck_s
        self._stuck = loop.call_later(seconds, self._wait_for_taking, left)
