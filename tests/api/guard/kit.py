"""A door to knock at: an operator behind its guard, on a free port of loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import attrs
from returns.result import Success

from orchestrator.api.app import make_app
from orchestrator.api.guard import Door, Guard
from orchestrator.api.guard.certificates import Certificate
from orchestrator.api.guard.connections import Limits
from orchestrator.api.guard.origins import Names
from orchestrator.api.guard.token_file import TokenFile, change_tokens
from orchestrator.api.guard.tokens import Grant, Token, made
from orchestrator.api.listen import bound_to, serve_http
from orchestrator.codec.api_choice import Address, address_of
from orchestrator.core.moments import Moment
from tests.runtime.kit import LIMIT_MS, Kit, fleet, opened, spec, value

NOW: Moment = 1_000_000
HASTY = Limits(head_s=1.0, body_s=3.0, idle_s=2.0, linger_s=0.2, stuck_s=0.5)
"""A test waits for these; what came in time is not to be late for a slow machine."""
HEADS = attrs.evolve(HASTY, idle_s=60.0)
"""It is the head that is late, and not that nothing comes: who is slow sees both."""
SOON_S = 60.0
"""What is to happen happens in this time, or the test has failed."""


@attrs.frozen
class Answer:
    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])


@attrs.frozen(kw_only=True)
class Served:
    kit: Kit
    guard: Guard
    state: Path
    url: str
    port: int
    session: aiohttp.ClientSession
    ended: asyncio.Event

    async def call(
        self, method: str, path: str, token: str | None = None, **more: Any
    ) -> Answer:
        headers = dict(more.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        async with self.session.request(
            method, f"{self.url}{path}", headers=headers, **more
        ) as answer:
            data = await answer.read()
            is_json = answer.content_type == "application/json"
            body = await answer.json() if is_json else data
            return Answer(answer.status, body, answer.headers)

    async def raw(self, data: bytes, *, more: bytes = b"") -> bytes:
        """Send bytes, and return everything that comes back until the end.

        The door must be one that lets nobody wait: ``limits=HASTY``.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            if more:
                writer.write(more)
            async with asyncio.timeout(SOON_S):
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def until_left(self) -> None:
        """Wait until no connection is left."""
        async with asyncio.timeout(SOON_S):
            while self.guard.connections.count:  # noqa: ASYNC110 - only tests ask
                await asyncio.sleep(0.01)

    def token(self, name: str, grant: Grant, expires_at: Moment | None = None) -> str:
        return token_in(self.state, name, grant, expires_at)


def token_in(
    state: Path, name: str, grant: Grant, expires_at: Moment | None = None
) -> str:
    secret, token = made(name, grant, now=NOW - 10, expires_at=expires_at)
    keep(state, token)
    return secret


def keep(state: Path, token: Token) -> None:
    change_tokens(state, lambda tokens: Success(tokens.plus(token))).unwrap()


def revoke(state: Path, name: str) -> None:
    change_tokens(state, lambda tokens: Success(tokens.minus(name))).unwrap()


@asynccontextmanager
async def served(
    state: Path,
    *,
    limits: Limits | None = None,
    certificate: Certificate | None = None,
    listen: str = "127.0.0.1:0",
    hosts: tuple[str, ...] = (),
    now: Callable[[], Moment] = lambda: NOW,
    **door: Any,
) -> AsyncIterator[Served]:
    """Serve an operator with the container ``web``, by default at the moment NOW."""
    ended = asyncio.Event()
    bound = bound_to(listen).unwrap()
    guard = Guard(
        Door(
            names=Names(
                listen=bound.address,
                is_loopback=bound.is_loopback,
                is_everywhere=bound.is_everywhere,
                others=tuple(map(address, hosts)),
            ),
            limits=limits or Limits(),
            requests_per_second=door.pop("requests_per_second", 100_000),
            **door,
        ),
        TokenFile(state),
        now=now,
    )
    async with opened(fleet(spec("web"))) as kit:
        await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
        app = make_app(kit.operator, version="9.9", end=ended.set, guard=guard)
        async with (
            serve_http(app, bound, state, guard=guard, certificate=certificate) as url,
            aiohttp.ClientSession() as session,
        ):
            yield Served(
                kit=kit,
                guard=guard,
                state=state,
                url=url,
                port=bound.address.port or 0,
                session=session,
                ended=ended,
            )


def address(text: str) -> Address:
    found = address_of(text)
    assert found is not None
    return found


def head(method: str, path: str, *lines: str, host: str = "127.0.0.1") -> bytes:
    """Write the head of a request that is the last one of its connection."""
    first = (f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close")
    text = "\r\n".join((*first, *lines))
    return f"{text}\r\n\r\n".encode("latin-1")


def status_of(answer: bytes) -> int:
    """Return the status of an answer; 0: the connection was closed without one."""
    return int(answer.split(b" ", 2)[1]) if answer else 0
