"""HTTP to the gateway: every outcome is a value, and its limits hold.

Requests are bounded in time and number; connections are used again. Once the gateway
asks to come back later, nothing is sent until then. Neither a body nor a header ever
reaches an error or a log line: both may hold secrets.
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

__all__ = ("Answer", "Credentials", "Gateway", "Tree", "error_of")

Tree: TypeAlias = dict[str, Any]
Answer: TypeAlias = Result[Tree, PlatformError]

AT_ONCE: Final = 32
ANSWER_MAX: Final = 64 * 1_048_576
"""Bytes of an answer: a list of 100 000 containers is smaller."""

HOLD_MAX_MS: Final[Millis] = 300_000
"""For how long a gateway may keep us from asking."""

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
        self._held_until = 0.0

    async def get(self, path: str, *, wait_ms: Millis = 0, **query: object) -> Answer:
        """Read something; the answer may take *wait_ms* longer than usual."""
        asked = {key: str(value) for key, value in query.items() if value is not None}
        if wait_ms:
            asked["wait_ms"] = str(wait_ms)
        return await self._bounded("GET", path, asked, None, wait_ms)

    async def post(self, path: str, body: Mapping[str, Any]) -> Answer:
        """Have something done."""
        return await self._bounded("POST", path, {}, orjson.dumps(body), 0)

    async def close(self) -> None:
        """Let go of the connections."""
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
        held_ms = int((self._held_until - time.monotonic()) * 1_000)
        if held_ms > 0:
            return Failure(RateLimited(retry_after_ms=held_ms))
        credentials = self._credentials()
        if isinstance(credentials, Failure):
            return Failure(credentials.failure())
        limit_ms = self._timeout_ms + wait_ms
        try:
            async with asyncio.timeout(limit_ms / 1_000):
                return await self._asked(
                    method, path, query, body, credentials.unwrap().headers()
                )
        except TimeoutError:
            return Failure(TimedOut(after_ms=limit_ms))
        except aiohttp.InvalidURL:
            return Failure(Refused(cause="the URL of the gateway is none"))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Failure(Unreachable(cause=_cause(error)))

    async def _asked(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> Answer:
        sent = {**headers, "content-type": "application/json"}
        async with self._opened().request(
            method,
            f"{self._url}/v1/{path}",
            params=query,
            data=body,
            headers=sent,
            allow_redirects=False,
        ) as response:
            data = await _limited(response.content)
            tree = _tree(data)
            if response.status < ERRORS and tree is not None:
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
                timeout=aiohttp.ClientTimeout(total=None),
                auto_decompress=True,
            )
        return self._session


async def _limited(content: aiohttp.StreamReader) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in content.iter_any():
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


def _cause(error: BaseException) -> str:
    """Say what went wrong on the way; texts of the system hold no secrets."""
    text = str(getattr(error, "os_error", None) or error)
    return f"{type(error).__name__}: {text}"[:200]


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
    return min(int(text) * 1_000, HOLD_MAX_MS)
