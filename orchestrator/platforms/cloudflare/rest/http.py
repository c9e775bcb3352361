"""When a request leaves, how often, and what came of it: the wire of the REST client.

A read is asked again a few times when its answer was lost; a write leaves once, since
nobody knows what a lost one did. While the API wants to be left alone nothing leaves:
a short wait is waited out, a long one is answered at once with ``RateLimited``.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
import attrs
import orjson
from returns.result import Failure, Result

from orchestrator.core.errors import RateLimited, Refused, TimedOut, Unreachable
from orchestrator.core.moments import Millis
from orchestrator.platforms.broken import connection_told
from orchestrator.platforms.cloudflare.rest.errors import (
    Answer,
    Reply,
    Trouble,
    judge,
    told,
)
from orchestrator.platforms.cloudflare.rest.limits import hold_ms

__all__ = ("Call", "RestHttp", "RestLimits", "RestTiming")

READ_BYTES: Final = 65_536
_SAFE: Final = re.compile(r"[!-~]+", re.ASCII)


def _limit(default: int, *, least: int) -> int:
    limit: int = attrs.field(default=default, validator=attrs.validators.ge(least))
    return limit


@attrs.frozen(kw_only=True)
class RestLimits:
    """What bounds every request.

    ``hold_patience_ms`` is how long a request waits while the API wants none, and
    ``concurrency`` how many are under way at once: the API allows four a second.
    """

    request_timeout_ms: Millis = _limit(30_000, least=1)
    retries_max: int = _limit(2, least=0)
    backoff_ms: Millis = _limit(500, least=0)
    hold_patience_ms: Millis = _limit(10_000, least=0)
    concurrency: int = _limit(4, least=1)
    answer_max_bytes: int = _limit(32 * 1_048_576, least=1)
    pages_max: int = _limit(1_000, least=1)
    applications_per_page: int = _limit(500, least=1)
    instances_per_page: int = _limit(1_000, least=1)


@attrs.frozen(kw_only=True)
class RestTiming:
    """The clock that only goes forward, in milliseconds, and how to wait on it."""

    now_ms: Callable[[], Millis]
    sleep: Callable[[float], Awaitable[None]]


@attrs.frozen
class Call:
    """One request; ``withheld``: it holds secrets, which its answer may repeat."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = attrs.field(default=(), kw_only=True)
    body: Mapping[str, Any] | None = attrs.field(default=None, repr=False, kw_only=True)
    withheld: bool = attrs.field(default=False, kw_only=True)


class RestHttp:
    """Requests to one account, one after another as far as the API wants it."""

    def __init__(
        self,
        root: str,
        token: str,
        *,
        session: aiohttp.ClientSession | None,
        limits: RestLimits,
        timing: RestTiming,
        judging: Callable[[Reply], Result[Answer, Trouble]] = judge,
    ) -> None:
        """Ask below *root*; a session that is given is not closed here.

        *judging* says what a reply is.
        """
        if not _SAFE.fullmatch(token):
            raise ValueError("the token is empty, or holds what no header can carry")
        self.limits: Final = limits
        self.timing: Final = timing
        self._root = root
        self._judge = judging
        self._token = token
        self._session = session
        self._owned = session is None
        self._closed = False
        self._turns = asyncio.Semaphore(limits.concurrency)
        self._held_until: Millis = 0

    async def ask(self, call: Call) -> Result[Answer, Trouble]:
        """Send a request and say what came of it; never raise."""
        sent = self._written(call)
        if isinstance(sent, Trouble):
            return Failure(sent)
        retries = self.limits.retries_max if call.method == "GET" else 0
        async with self._turns:
            outcome = await self._held_or_sent(call, *sent)
            for retry in range(retries):
                pause_ms = self._pause_ms(outcome, retry)
                if pause_ms is None:
                    break
                await self.timing.sleep(pause_ms / 1000)
                outcome = await self._held_or_sent(call, *sent)
        return outcome

    async def close(self) -> None:
        """Close the session, if it is our own; later requests are refused."""
        self._closed = True
        if self._owned and self._session is not None:
            await self._session.close()

    def _written(self, call: Call) -> tuple[str, bytes | None] | Trouble:
        """Write address and body down, or say why they cannot be."""
        try:
            query = f"?{urlencode(call.query)}" if call.query else ""
            body = None if call.body is None else orjson.dumps(call.body)
        except (ValueError, TypeError):
            cause = f"{call.method} {call.path}: the request cannot be written down"
            return Trouble(error=Refused(cause=cause))
        return f"{self._root}{call.path}{query}", body

    def _pause_ms(self, outcome: Result[Answer, Trouble], retry: int) -> Millis | None:
        """Say how long to wait before a read is asked again; None is not at all."""
        if not isinstance(outcome, Failure):
            return None
        trouble: Trouble = outcome.failure()
        pause_ms = max(self.limits.backoff_ms << retry, trouble.wait_ms or 0)
        patient = pause_ms <= self.limits.hold_patience_ms
        return pause_ms if trouble.again and patient else None

    async def _held_or_sent(
        self, call: Call, url: str, body: bytes | None
    ) -> Result[Answer, Trouble]:
        deadline = self.timing.now_ms() + self.limits.hold_patience_ms
        while (rest_ms := self._held_until - self.timing.now_ms()) > 0:
            if self._held_until > deadline:
                return Failure(Trouble(error=RateLimited(retry_after_ms=rest_ms)))
            await self.timing.sleep(rest_ms / 1000)
        return await self._sent(call, url, body)

    async def _sent(
        self, call: Call, url: str, body: bytes | None
    ) -> Result[Answer, Trouble]:
        if self._closed or (self._session is not None and self._session.closed):
            return Failure(Trouble(error=Unreachable(cause="the client is closed")))
        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        try:
            reply = await self._exchanged(self._session, call, url, body)
        except TimeoutError:
            late = TimedOut(after_ms=self.limits.request_timeout_ms)
            return Failure(Trouble(error=late))
        except (aiohttp.ClientError, OSError) as error:
            lost = error.__cause__ if isinstance(error, _Lost) else error
            cause = told(connection_told(lost), self._token)
            return Failure(Trouble(error=Unreachable(cause=cause), again=True))
        if reply is None:
            cause = f"the answer is longer than {self.limits.answer_max_bytes} bytes"
            return Failure(Trouble(error=Unreachable(cause=cause)))
        held_ms = hold_ms(reply.status, reply.headers)
        self._held_until = max(self._held_until, self.timing.now_ms() + held_ms)
        return self._judge(reply)

    async def _exchanged(
        self, session: aiohttp.ClientSession, call: Call, url: str, body: bytes | None
    ) -> Reply | None:
        """Send and receive; None where the answer is longer than it may be.

        Redirects are not followed: the token is for this host.
        """
        headers = {"Authorization": f"Bearer {self._token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        began = self.timing.now_ms()
        chunks = bytearray()
        async with session.request(
            call.method,
            url,
            data=body,
            headers=headers,
            allow_redirects=False,
            middlewares=(_once,),
            timeout=aiohttp.ClientTimeout(total=self.limits.request_timeout_ms / 1000),
        ) as response:
            async for chunk in response.content.iter_chunked(READ_BYTES):
                chunks += chunk
                if len(chunks) > self.limits.answer_max_bytes:
                    return None
            return Reply(
                status=response.status,
                headers={
                    key.lower(): ", ".join(response.headers.getall(key))
                    for key in response.headers
                },
                body=bytes(chunks),
                after_ms=self.timing.now_ms() - began,
                secret=self._token,
                withheld=call.withheld,
            )


class _Lost(aiohttp.ClientError):
    """The connection was lost, in words that aiohttp does not act upon."""


async def _once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a GET or a DELETE again when a connection is lost.

    It would do so at once, however many times it is told not to retry: a deletion
    could take with it what was made in its place, and no pause would be kept.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Lost from error
