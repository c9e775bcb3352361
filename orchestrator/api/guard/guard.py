"""The guard at the door: each request over TCP passes it, or is told why not.

In this order: was it meant for us (``origins``); who asks (``tokens``); not too often
(``rates``); may they do this (the scope of the route); is the body one that we read.
It knows nothing of fleets, and changes nothing.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Final, Literal

import attrs
from aiohttp import web
from aiohttp.typedefs import Middleware

from orchestrator.api.bodies import refusal
from orchestrator.api.breaking import Broken
from orchestrator.api.grants import GRANT
from orchestrator.api.guard.connections import Connections, Limits, client_of
from orchestrator.api.guard.harmless import dressed, shut
from orchestrator.api.guard.origins import SAFE, Names, foreign
from orchestrator.api.guard.rates import Rates
from orchestrator.api.guard.standing import Standing
from orchestrator.api.guard.tokens import (
    Grant,
    KnowsTokens,
    Token,
    TokenList,
    found,
)
from orchestrator.api.routes import scope_of
from orchestrator.codec.api_choice import BODY_MAX
from orchestrator.core.access_errors import (
    AccessError,
    NotAllowed,
    NotAuthenticated,
    TooManyRequests,
)
from orchestrator.core.moments import Moment

__all__ = ("Door", "Guard", "Middleware")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


_BURST_LEAST: Final = 100
"""A page with its files, or a hundred readers that come back at once."""

_FORMS: Final = frozenset(
    {"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"}
)
"""What a page may have a browser post anywhere, without asking first."""


def _now() -> Moment:
    return time.time_ns() // 1_000_000


@attrs.frozen(kw_only=True)
class Door:
    """What one place to listen at lets through."""

    names: Names
    read_only: bool = False
    requests_per_second: int = 50
    body_max_bytes: int = BODY_MAX
    limits: Limits = attrs.field(factory=Limits)


@attrs.define
class _Entry:
    """By which token a request came in, and whether its answer has begun."""

    digest: str | None
    has_begun: bool = False


_ENTRY: Final[ContextVar[_Entry | None]] = ContextVar("entry", default=None)
"""How the request came in that this task answers; open routes need no leave."""


class Guard:
    """Stands at one door, with the list of those who may come in."""

    def __init__(
        self, door: Door, tokens: KnowsTokens, *, now: Callable[[], Moment] = _now
    ) -> None:
        """Let through what *door* says, by the *tokens* that are valid *now*."""
        self._door = door
        self._tokens = tokens
        self._now = now
        rate = door.requests_per_second
        self._rates = Rates[tuple[str, str]](rate, max(_BURST_LEAST, 2 * rate))
        self._changing: set[asyncio.Future[web.StreamResponse]] = set()
        self._standing = Standing(self._valid, door.limits.recheck_s)
        self.connections = Connections(door.limits)

    @property
    def access(self) -> Literal["open", "tokens"]:
        """Say whether who asks must show a token: on loopback, once one was made."""
        return "open" if self._is_open(self._tokens.current()) else "tokens"

    def _is_open(self, tokens: TokenList | None) -> bool:
        return tokens is None and self._door.names.is_loopback

    @property
    def read_only(self) -> bool:
        """Say whether nobody may change anything here."""
        return self._door.read_only

    def middlewares(self) -> tuple[Middleware, ...]:
        """Return what stands around an application, the outermost first."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._answered(request, handler)

        return (guarded,)

    async def dress(self, _: web.Request, response: web.StreamResponse) -> None:
        """Give an answer the headers that keep it harmless in a browser."""
        dressed(response)
        entry = _ENTRY.get()
        if entry is not None:
            entry.has_begun = True

    async def _answered(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        error = self._stopped(request)
        if error is not None:
            return _refused(request, error)
        if request.method in SAFE:
            return await self._looked(request, handler)
        media = _other_media(request)
        if media is not None:
            return media
        # Who asks for a change and goes away has asked for it all the same.
        changing = asyncio.ensure_future(self._with_body(request, handler))
        self._changing.add(changing)
        changing.add_done_callback(self._changing.discard)
        return await asyncio.shield(changing)

    async def _looked(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Answer who looks; only as long as they may."""
        answering = self._with_body(request, handler)
        entry = _ENTRY.get()
        if entry is None:
            return await answering
        try:
            return await self._standing.answered(entry.digest, answering)
        except Broken:
            if not entry.has_begun:
                cause = "the token has expired, or was revoked, or is needed now"
                return _refused(request, NotAuthenticated(cause=cause))
            if request.transport is not None:
                request.transport.abort()
            raise asyncio.CancelledError from None  # there is nobody to answer

    def _valid(self) -> frozenset[str | None]:
        """Return the digests of the tokens that stand; None: nobody needs one."""
        tokens, now = self._tokens.current(), self._now()
        if tokens is None:
            return frozenset({None}) if self._is_open(tokens) else frozenset()
        return frozenset(each.digest for each in tokens.tokens if each.is_valid(now))

    async def _with_body(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Hand a request on with its whole body, within the limits."""
        if not request.can_read_body:
            return await handler(request)
        # One that reads its body must not wait for it, nor for more than it may have.
        bounded = request.clone(client_max_size=self._door.body_max_bytes)
        try:
            async with asyncio.timeout(self._door.limits.body_s):
                _ = await bounded.read()
        except TimeoutError:
            return shut(408, "request_timeout", "the body took too long to come")
        except web.HTTPRequestEntityTooLarge:
            most = self._door.body_max_bytes
            return shut(413, "body_too_large", f"a body has at most {most} bytes")
        except (ValueError, web.PayloadAccessError, ConnectionError):
            return shut(400, "bad_request", "the body is not what its head says")
        return await handler(bounded)

    def _stopped(self, request: web.Request) -> AccessError | None:
        """Return why a request may not pass; note what it may do if it does."""
        hosts = request.headers.getall("Host", [])
        if hosts and request.host not in hosts:  # the target may name one, too
            hosts = [*hosts, request.host]
        stranger = foreign(request.method, hosts, request.headers, self._door.names)
        if stranger is not None:
            return stranger
        needed = scope_of(request)
        if needed == "open" and request.method in SAFE:
            _ = GRANT.set("read")
            return None
        bearer = self._bearer(request)
        name = bearer.name if isinstance(bearer, Token) else ""
        client = client_of(request.remote or "")
        wait_s = self._rates.wait_s((client, name), asyncio.get_running_loop().time())
        if wait_s:
            return TooManyRequests(retry_after_ms=math.ceil(wait_s * 1_000))
        if isinstance(bearer, NotAuthenticated):
            return bearer
        _ = _ENTRY.set(_Entry(digest=None if bearer is None else bearer.digest))
        return self._forbidden(request, bearer, needed)

    def _bearer(self, request: web.Request) -> Token | NotAuthenticated | None:
        """Return whose token was shown; None where none is asked for."""
        tokens = self._tokens.current()
        if self._is_open(tokens):
            return None
        shown = request.headers.getall("Authorization", [])
        if not shown:
            return NotAuthenticated()
        scheme, _, secret = shown[0].partition(" ")
        if len(shown) > 1 or scheme.lower() != "bearer":
            return NotAuthenticated(cause="expected `Authorization: Bearer TOKEN`")
        token = None if tokens is None else found(tokens, secret.strip())
        if token is None:
            return NotAuthenticated(cause="the token is unknown, or was revoked")
        if not token.is_valid(self._now()):
            return NotAuthenticated(cause="the token has expired")
        return token

    def _forbidden(
        self, request: web.Request, bearer: Token | None, needed: str
    ) -> NotAllowed | None:
        """Return why the bearer may not do this; note what they may do.

        A method that changes things needs leave to change, known route or not.
        """
        may_write = bearer is None or bearer.scope is Grant.WRITE
        is_write = may_write and not self._door.read_only
        _ = GRANT.set("write" if is_write else "read")
        if is_write or (needed != "write" and request.method in SAFE):
            return None
        if self._door.read_only:
            return NotAllowed(cause="this operator is read-only over HTTP")
        return NotAllowed(cause="this token may only read")


def _other_media(request: web.Request) -> web.Response | None:
    """Refuse a body that is not plain JSON: a form could post it across sites."""
    said = request.headers.get("Content-Type")
    media = request.content_type
    if not request.can_read_body:  # many clients name a type even so; a form does
        is_fine = said is None or media not in _FORMS
    else:
        is_fine = said is not None and media == "application/json"
    if not is_fine:
        message = "expected a body of Content-Type application/json"
        return shut(415, "unsupported_media_type", message)
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        message = "expected a body that is not compressed"
        return shut(415, "unsupported_media_type", message)
    return None


def _refused(request: web.Request, error: AccessError) -> web.Response:
    """Write why a request does not pass; what else it brings is not read."""
    response = refusal(error)
    if isinstance(error, NotAuthenticated):
        response.headers["WWW-Authenticate"] = 'Bearer realm="orchestrator"'
    if request.can_read_body:
        response.force_close()
    return response
