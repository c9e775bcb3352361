"""Why the door to the operator stays shut, as values.

They are about who asks and how, not about what is asked for; the core itself answers
only ``KeyReused``.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias

import attrs

from orchestrator.core.moments import Millis

__all__ = (
    "AccessError",
    "ForeignOrigin",
    "KeyReused",
    "NotAllowed",
    "NotAuthenticated",
    "TooManyRequests",
)


@attrs.frozen(kw_only=True)
class NotAuthenticated:
    """No token was given, or one that is unknown, revoked or too old."""

    code: ClassVar[str] = "not_authenticated"
    cause: str = "no token was given"

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"not authenticated: {self.cause}"


@attrs.frozen(kw_only=True)
class NotAllowed:
    """The token may only read, or the operator is read-only."""

    code: ClassVar[str] = "not_allowed"
    cause: str

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"not allowed: {self.cause}"


@attrs.frozen(kw_only=True)
class ForeignOrigin:
    """The request names a host, or comes from a page, that is not the operator's."""

    code: ClassVar[str] = "foreign_origin"
    header: str
    expected: str
    found: str

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"{self.header}: expected {self.expected}, found {self.found}"


@attrs.frozen(kw_only=True)
class TooManyRequests:
    """The client has asked more often than it may."""

    code: ClassVar[str] = "too_many_requests"
    retry_after_ms: Millis

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"too many requests: ask again in {self.retry_after_ms} ms"


@attrs.frozen(kw_only=True)
class KeyReused:
    """An idempotency key was used before, for another request."""

    code: ClassVar[str] = "key_reused"
    key: str

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"the idempotency key {self.key!r} belongs to another request"


AccessError: TypeAlias = (
    NotAuthenticated | NotAllowed | ForeignOrigin | TooManyRequests | KeyReused
)
"""Why a request is refused before anybody looks at what it asks for."""
