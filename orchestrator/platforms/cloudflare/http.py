"""HTTP to the gateway: every outcome is a value, and its limits hold.

Requests are bounded in time and number; connections are used again. Once the gateway
asks to come back later, nothing is sent until then. What was sent never reaches an
error or a log line, not even where an answer repeats the credentials.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, cast

import aiohttp
import attrs
import orjson
from returns.result import Failure, Result, Success

from orchestrator.core.errors import (
    PlatformError,
    RateLimited,
    Refused,
    StaleOperator,
    StaleRun,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from orchestrator.core.moments import Millis

__all__ = ("SUCCESS", "Answer", "Credentials", "Gateway", "Tree", "error_of")

Tree: TypeAlias = dict[str, Any]
Answer: TypeAlias = Result[Tree, PlatformError]

AT_ONCE: Final = 32
REQUEST_MAX: Final = 1_048_576
"""Bytes of a request: the gateway reads no more."""

ANSWER_MAX: Final = 64 * 1_048_576
"""Bytes of an answer: a list of 100 000 containers is smaller."""

HOLD_MAX_MS: Final[Millis] = 300_000
"""For how long a gateway may keep us from asking."""

SECRET_MIN: Final = 16
"""Characters: the gateway takes no shorter token, and short ones stand everywhere."""

SECONDS_DIGITS: Final = 9
SUCCESS: Final = range(200, 300)
UNAUTHORIZED: Final = (401, 403)
TOO_MANY: Final = 429
ERRORS: Final = 400
FAULTS: Final = 500


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
        return await self._bounded("GET", path, asked, None, wait_ms)

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
        return await self._bounded("POST", path, {}, sent, wait_ms)

    async def close(self) -> None:
        """Let go of the connections; what is asked later is ``Unreachable``."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def _bounded(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: bytes | None,
        wait_ms: Millis,
    ) -> Answer:
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
                return await self._asked(method, path, query, body, credentials)
        except TimeoutError:
            return Failure(TimedOut(after_ms=limit_ms))
        except aiohttp.InvalidURL:
            return Failure(Refused(cause="the URL of the gateway is none"))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Failure(Unreachable(cause=_cause(error, credentials)))

    async def _asked(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: bytes | None,
        credentials: Credentials,
    ) -> Answer:
        sent = {**credentials.headers(), "content-type": "application/json"}
        async with self._opened().request(
            method,
            f"{self._url}/v1/{path}",
            params=query,
            data=body,
            headers=sent,
            allow_redirects=False,
        ) as response:
            data = await _limited(response.content)
            tree = _tree(credentials.hidden(data))
            if response.status in SUCCESS and tree is not None:
                return Success(tree)
            error = error_of(response.status, response.headers, tree)
            if isinstance(error, RateLimited):
                held_ms = min(error.retry_after_ms or 1_000, HOLD_MAX_MS)
                self._held_until = time.monotonic() + held_ms / 1_000
            return Failure(error)

    def _opened(self) -> aiohttp.ClientSession:
        """Return the session, made when it is first needed: it belongs to a loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=AT_ONCE),
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


def _cause(error: BaseException, credentials: Credentials) -> str:
    """Say what went wrong on the way; it may quote what was answered."""
    text = str(getattr(error, "os_error", None) or error).encode(errors="replace")
    return f"{type(error).__name__}: {credentials.hidden(text).decode()}"[:200]


def error_of(
    status: int, headers: Mapping[str, str], tree: Tree | None
) -> PlatformError:
    """Return what an answer of the gateway means that is no success.

    >>> error_of(401, {}, None)
    Unauthorized(cause='HTTP 401')
    >>> error_of(429, {"Retry-After": "2"}, {})
    RateLimited(retry_after_ms=2000)

    """
    told = tree or {}
    code, details = told.get("code"), told.get("details")
    cause = f"HTTP {status}"
    if isinstance(code, str):
        cause = f"{code}: {told.get('message', '')}"[:300]
    match code, details:
        case "stale_run", {"name": str(name), "run": int(run), "highest": int(highest)}:
            return StaleRun(name=name, run=run, highest=highest)
        case "stale_operator", {"epoch": int(epoch), "highest": int(highest)}:
            return StaleOperator(epoch=epoch, highest=highest)
        case "not_configured", _:
            return Unauthorized(cause=cause)
        case "not_running", _:  # what has become of it is told by its end
            return Unreachable(cause=cause)
        case _:
            pass
    if status in UNAUTHORIZED:
        return Unauthorized(cause=cause)
    if status == TOO_MANY:
        return RateLimited(retry_after_ms=_retry_after(headers, details))
    if ERRORS <= status < FAULTS:
        return Refused(cause=cause)
    if status < ERRORS:
        return Unreachable(cause=f"HTTP {status} that is no answer of a gateway")
    return Unreachable(cause=cause)


def _retry_after(headers: Mapping[str, str], details: object) -> Millis | None:
    """Read ``Retry-After`` in seconds (RFC 9110, section 10.2.3), or the gateway's."""
    told: object = None
    if isinstance(details, dict):
        told = cast("Tree", details).get("retry_after_ms")
    if type(told) is int and told >= 0:
        return min(told, HOLD_MAX_MS)
    text = headers.get("Retry-After", "")
    if not text.isascii() or not text.isdigit():
        return None
    if len(text) > SECONDS_DIGITS:
        return HOLD_MAX_MS
    return min(int(text) * 1_000, HOLD_MAX_MS)
