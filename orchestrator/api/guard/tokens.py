"""Tokens: who may come in over TCP, what for, and until when.

A token is shown once, when it is made. What is kept is its digest: a token is 256 bits
of chance, so a plain SHA-256 of it tells nobody anything.
"""

from __future__ import annotations

import hmac
import secrets
from enum import StrEnum
from hashlib import sha256
from typing import Final, Protocol

import attrs
from attrs.validators import ge, instance_of, le, optional

from orchestrator.core.fields import holds
from orchestrator.core.moments import MOMENT_MAX, Moment
from orchestrator.core.names import is_name

__all__ = (
    "TOKENS_MAX",
    "Grant",
    "KnowsTokens",
    "Token",
    "TokenList",
    "found",
    "made",
)

TOKENS_MAX: Final = 1_000
"""Each request looks at all of them."""

_BYTES: Final = 32
_MARK: Final = "orch_"
"""What a token begins with, so that a search for leaked secrets knows it."""


class Grant(StrEnum):
    """What a token lets its bearer do."""

    READ = "read"
    WRITE = "write"


def _is_digest(value: object) -> bool:
    is_long = isinstance(value, str) and len(value) == 2 * sha256().digest_size
    return is_long and set(str(value)) <= set("0123456789abcdef")


_moment: Final = [instance_of(int), ge(0), le(MOMENT_MAX)]


@attrs.frozen(kw_only=True)
class Token:
    """What is kept of a token: never the token itself."""

    name: str = attrs.field(validator=holds(is_name, "a name"))
    scope: Grant = attrs.field(validator=instance_of(Grant))
    digest: str = attrs.field(
        validator=holds(_is_digest, "64 hexadecimal digits"), repr=False
    )
    created_at: Moment = attrs.field(validator=_moment)
    expires_at: Moment | None = attrs.field(default=None, validator=optional(_moment))

    def is_valid(self, now: Moment) -> bool:
        """Say whether it still opens the door at a moment."""
        return self.expires_at is None or now < self.expires_at


def _are_apart(value: object) -> bool:
    assert isinstance(value, tuple)  # noqa: S101 - the codec has seen to it
    names = [token.name for token in value]
    return len(set(names)) == len(names) <= TOKENS_MAX


@attrs.frozen(kw_only=True)
class TokenList:
    """All tokens of an operator; their names differ."""

    tokens: tuple[Token, ...] = attrs.field(
        default=(),
        validator=holds(_are_apart, f"at most {TOKENS_MAX} tokens of different names"),
    )

    def named(self, name: str) -> Token | None:
        """Return the token of a name."""
        return next((token for token in self.tokens if token.name == name), None)

    def plus(self, token: Token) -> TokenList:
        """Return the list with one token more."""
        return TokenList(tokens=(*self.tokens, token))

    def minus(self, name: str) -> TokenList:
        """Return the list without a token."""
        rest = tuple(token for token in self.tokens if token.name != name)
        return TokenList(tokens=rest)


class KnowsTokens(Protocol):
    """Where an operator's tokens are kept."""

    def current(self) -> TokenList | None:
        """Return the tokens as they are now; None where none was ever made."""
        ...


def made(
    name: str, scope: Grant, *, now: Moment, expires_at: Moment | None = None
) -> tuple[str, Token]:
    """Make a token: what its bearer is given, and what is kept of it."""
    secret = _MARK + secrets.token_urlsafe(_BYTES)
    token = Token(
        name=name,
        scope=scope,
        digest=_digest(secret),
        created_at=now,
        expires_at=expires_at,
    )
    return secret, token


def found(tokens: TokenList, secret: str) -> Token | None:
    """Return the token that was shown, valid or not; in the same time for any secret.

    >>> secret, token = made("ci", Grant.READ, now=0)
    >>> kept = TokenList(tokens=(token,))
    >>> found(kept, secret) == token, found(kept, secret + "x"), found(kept, "")
    (True, None, None)

    """
    shown = _digest(secret)
    match: Token | None = None
    for token in tokens.tokens:
        if hmac.compare_digest(token.digest, shown):
            match = token
    return match


def _digest(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
