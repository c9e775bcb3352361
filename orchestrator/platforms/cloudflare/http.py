"""HTTP to the gateway: every outcome is a value, and its limits hold.

Requests are bounded in time and number; connections are used again. Once the gateway
asks to come back later, nothing is sent until then. What was sent never reaches an
error or a log line, not even where an answer repeats the credentials.
"""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, TypeVar, cast

import aiohttp
import attrs
import orjson
from returns.result import Failure, Result, Success

from orchestrator.core.errors import (
    PlatformError,
    RateLimited,
    Refused,
    TimedOut,
    Unreachable,
)
from orchestrator.core.moments import Millis
from orchestrator.platforms.broken import connection_told
from orchestrator.platforms.cloudflare.refusals import (
    HOLD_MAX_MS,
    HeldByAnother,
    Tree,
    error_of,
)

__all__ = (
    "HOLD_MAX_MS",
    "JSON",
    "SUCCESS",
    "Answer",
    "Credentials",
    "Gateway",
    "HeldByAnother",
    "Tree",
    "error_of",
)

T = TypeVar("T")

Answer: TypeAlias = Result[Tree, PlatformError]
Reader: TypeAlias = "Callable[[int, bytes, Credentials], T | None]"
"""Makes something of a status and bytes that were answered; None: it is no answer."""

JSON: Final = "application/json"

AT_ONCE: Final = 32
IDLE_S: Final = 4.0
"""How long a connection is kept for the next request: workerd hangs up after 5 s
(measured with miniflare 4.20260426.0), and what is sent in that moment is lost."""

REQUEST_MAX: Final = 1_048_576
"""Bytes of a request: the gateway reads no more."""

ANSWER_MAX: Final = 64 * 1_048_576
"""Bytes of an answer: a list of 100 000 containers is smaller."""

SECRET_MIN: Final = 16
"""Characters: the gateway takes no shorter token, and short ones stand everywhere."""

SUCCESS: Final = range(200, 300)


@attrs.frozen(kw_only=True)
class Credentials:
    """What a request shows: looked up anew for each, so that a change is seen."""

    token: str = attrs.field(repr=False)
    access: tuple[str, str] | None = attrs.field(default=None, repr=False)

    def headers(self) -> dict[str, str]:
        """Return them as headers."""
        shown = {"authorization": f"Bearer {self.token}"}
        if self.access is not None:
            shown["cf-access-client-id"] = self.access[0]
            shown["cf-access-client-secret"] = self.access[1]
        return shown

    def hidden(self, text: bytes) -> bytes:
        """Take the secret ones out of what an answer or an error says."""
        for secret in (self.token, *(self.access or ())[1:]):
            if len(secret) >= SECRET_MIN:
                text = text.replace(secret.encode(errors="replace"), b"[hidden]")
        return text


@attrs.frozen(kw_only=True)
class _Sent:
    """A request; ``kind`` is the media type of its body."""

    method: str
    path: str
    query: Mapping[str, str] = attrs.field(factory=dict[str, str])
    body: bytes | None = attrs.field(default=None, repr=False)
    kind: str = JSON

    @property
    def data(self) -> bytes | io.BytesIO | None:
        """Return the body; a long one in pieces, for others have their turn then."""
        is_long = self.body is not None and len(self.body) > REQUEST_MAX
        return io.BytesIO(self.body or b"") if is_long else self.body


class Gateway:
    """Asks one gateway."""

    def __init__(
        self,
        url: str,
        credentials: Callable[[], Result[Credentials, PlatformError]],
        timeout_ms: Millis,
    ) -> None:
        """Ask below *url*; an answer takes *timeout_ms* at most."""
        self._url = url.rstrip("/")
        self._credentials = credentials
        self._timeout_ms = timeout_ms
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self._held_until = 0.0

    async def get(self, path: str, *, wait_ms: Millis = 0, **query: object) -> Answer:
        """Read something; the answer may take *wait_ms* longer than usual."""
        asked = {key: str(value) for key, value in query.items() if value is not None}
        if wait_ms:
            asked["wait_ms"] = str(wait_ms)
        sent = _Sent(method="GET", path=path, query=asked)
        return await self._bounded(sent, _as_tree, wait_ms)

    async def post(
        self, path: str, body: Mapping[str, Any], *, wait_ms: Millis = 0
    ) -> Answer:
        """Have something done; the answer may take *wait_ms* longer than usual."""
        try:
            sent = orjson.dumps(body)
        except orjson.JSONEncodeError:
            return Failure(Refused(cause="the request cannot be written as JSON"))
        if len(sent) > REQUEST_MAX:
            return Failure(
                Refused(cause=f"the request has {len(sent)} bytes: too many")
            )
        asked = _Sent(method="POST", path=path, body=sent)
        return await self._bounded(asked, _as_tree, wait_ms)

    async def exchange(
        self,
        method: str,
        path: str,
        read: Reader[T],
        *,
        body: bytes | None = None,
        kind: str = JSON,
        query: Mapping[str, str] | None = None,
        wait_ms: Millis = 0,
    ) -> Result[T, PlatformError]:
        """Send bytes of a *kind* as they are; *read* makes something of the answer.

        How long they may be is the caller's matter.
        """
        sent = _Sent(method=method, path=path, query=query or {}, body=body, kind=kind)
        return await self._bounded(sent, read, wait_ms)

    async def close(self) -> None:
        """Let go of the connections; what is asked later is ``Unreachable``."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def _bounded(
        self, sent: _Sent, read: Reader[T], wait_ms: Millis
    ) -> Result[T, PlatformError]:
        if self._closed:
            return Failure(Unreachable(cause="the client is closed"))
        held_ms = int((self._held_until - time.monotonic()) * 1_000)
        if held_ms > 0:
            return Failure(RateLimited(retry_after_ms=held_ms))
        looked_up = self._credentials()
        if isinstance(looked_up, Failure):
            return Failure(looked_up.failure())
        credentials: Credentials = looked_up.unwrap()
        limit_ms = self._timeout_ms + wait_ms
        try:
            async with asyncio.timeout(limit_ms / 1_000):
                return await self._asked(sent, read, credentials)
        except TimeoutError:
            return Failure(TimedOut(after_ms=limit_ms))
        except aiohttp.InvalidURL:
            return Failure(Refused(cause="the URL of the gateway is none"))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Failure(Unreachable(cause=_cause(error, credentials)))

    async def _asked(
        self, sent: _Sent, read: Reader[T], credentials: Credentials
    ) -> Result[T, PlatformError]:
        async with self._opened().request(
            sent.method,
            f"{self._url}/v1/{sent.path}",
            params=sent.query,
            data=sent.data,
            headers={**credentials.headers(), "content-type": sent.kind},
            allow_redirects=False,
        ) as response:
            data = await _limited(response.content)
            found = read(response.status, data, credentials)
            if found is not None:
                return Success(found)
            tree = _tree(credentials.hidden(data))
            error = error_of(response.status, response.headers, tree)
            if isinstance(error, RateLimited):
                held_ms = min(error.retry_after_ms or 1_000, HOLD_MAX_MS)
                self._held_until = time.monotonic() + held_ms / 1_000
            return Failure(error)

    def _opened(self) -> aiohttp.ClientSession:
        """Return the session, made when it is first needed: it belongs to a loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=AT_ONCE, keepalive_timeout=IDLE_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
            )
        return self._session


async def _limited(content: aiohttp.StreamReader) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while not content.at_eof() or not pieces:
        piece = await content.readany()
        size += len(piece)
        if size > ANSWER_MAX:
            msg = "an answer without end"
            raise ValueError(msg)
        pieces.append(piece)
    return b"".join(pieces)


def _tree(data: bytes) -> Tree | None:
    try:
        tree: object = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return cast("Tree", tree) if isinstance(tree, dict) else None


def _as_tree(status: int, data: bytes, credentials: Credentials) -> Tree | None:
    """Read the answer of a success; what it repeats of the credentials is hidden."""
    return _tree(credentials.hidden(data)) if status in SUCCESS else None


def _cause(error: BaseException, credentials: Credentials) -> str:
    """Say what went wrong on the way; it may quote what was answered."""
    text = connection_told(error).encode(errors="replace")
    return credentials.hidden(text).decode()[:200]
