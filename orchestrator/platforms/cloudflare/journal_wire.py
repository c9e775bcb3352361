"""The way to the journal of one fleet at a gateway: its paths, its refusals, its bytes.

What is read of a journal is handed on to the byte, for its digests cover all of it;
what is wrong with an answer is told without repeating it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import orjson
from returns.result import Failure, Result, Success

from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.errors import (
    JournalCompacted,
    JournalConflict,
    JournalError,
    JournalUnavailable,
    PlatformError,
    Refused,
)
from orchestrator.core.moments import Millis
from orchestrator.platforms.cloudflare.access import credentials_of, gateway_of
from orchestrator.platforms.cloudflare.http import (
    JSON,
    SUCCESS,
    Credentials,
    Gateway,
)

__all__ = ("FleetWire", "wire_to")

Refusal: TypeAlias = PlatformError | JournalError

FULL: Final = JournalUnavailable(
    cause="the storage of the fleet's registry is full, and nothing was written:"
    " keep less of the journal, or compact it"
)

BYTES_PER_MS: Final = 256
"""A way that is slower than that, 2 Mbit/s, is none."""

NO_QUERY: Final[Mapping[str, str]] = MappingProxyType({})


class FleetWire:
    """Asks a gateway below the path of one fleet."""

    def __init__(self, gateway: Gateway, fleet: str) -> None:
        """Ask *gateway*, which is closed with this."""
        self._gateway = gateway
        self._fleet = fleet

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        kind: str = JSON,
        query: Mapping[str, str] = NO_QUERY,
        wait_ms: Millis = 0,
    ) -> Result[bytes, Refusal]:
        """Ask once; return the bytes of a success.

        The answer may take *wait_ms* longer than usual, and longer for a long body.
        """
        answered = await self._gateway.exchange(
            method,
            f"fleets/{self._fleet}/{path}",
            _read,
            body=body or None,
            kind=kind,
            query=query,
            wait_ms=wait_ms + len(body) // BYTES_PER_MS,
        )
        if isinstance(answered, Failure):
            return Failure(answered.failure())
        found: Result[bytes, JournalError] = answered.unwrap()
        return found.alt(_as_refusal)

    async def close(self) -> None:
        """Let go of the connections; what is asked later is ``Unreachable``."""
        await self._gateway.close()


def wire_to(
    choice: CloudflareChoice, fleet: str, secrets: Mapping[str, str]
) -> Result[FleetWire, PlatformError]:
    """Return the way to a fleet's journal; tokens are looked up at each request.

    ``Refused`` without an address, ``Unauthorized`` without a token.
    """
    if choice.url is None:
        cause = "the fleet file says no platform.url: deploy the gateway first"
        return Failure(Refused(cause=cause))
    found = credentials_of(choice, secrets)
    if isinstance(found, Failure):
        return Failure(found.failure())
    return Success(FleetWire(gateway_of(choice, secrets), fleet))


def _read(
    status: int, data: bytes, credentials: Credentials
) -> Result[bytes, JournalError] | None:
    del credentials  # nothing that is told here repeats them
    if status in SUCCESS:
        return Success(data)
    refusal = refusal_of(data)
    return None if refusal is None else Failure(refusal)


def refusal_of(data: bytes) -> JournalError | None:
    """Return what a refusal says of the journal; None: it is about something else.

    >>> refusal_of(b'{"code":"journal_compacted","details":{"asked":1,"base":7}}')
    JournalCompacted(asked=1, base=7)
    >>> refusal_of(b"<html>")

    """
    try:
        told: Any = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    match told:
        case {
            "code": "journal_conflict",
            "details": {"expected_seq": int(expected), "found_seq": int(found)},
        }:
            return JournalConflict(expected_seq=expected, found_seq=found)
        case {
            "code": "journal_compacted",
            "details": {"asked": int(asked), "base": int(base)},
        }:
            return JournalCompacted(asked=asked, base=base)
        case {"code": "journal_full"}:
            return FULL
        case {"code": "not_found", "message": "no such path"}:
            cause = "the gateway keeps no journals: write and deploy it again"
            return JournalUnavailable(cause=cause, retryable=False)
        case _:
            return None


def _as_refusal(error: JournalError) -> Refusal:
    return error
