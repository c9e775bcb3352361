"""The way to the journal of one fleet at a gateway: its paths, its refusals, its bytes.

What is read of a journal is handed on to the byte, for its digests cover all of it;
what is wrong with an answer is told without repeating it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Unpack

import attrs
import orjson
from returns.result import Failure, Result, Success

from orchestrator.codec.carried import JSON, Refusal, Sent
from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.errors import (
    JournalCompacted,
    JournalConflict,
    JournalError,
    JournalUnavailable,
    PlatformError,
    Refused,
    Unauthorized,
)
from orchestrator.platforms.cloudflare.access import credentials_of, gateway_of
from orchestrator.platforms.cloudflare.http import SUCCESS, Credentials, Gateway

__all__ = ("FleetWire", "advice_on", "wire_to")

FULL: Final = JournalUnavailable(
    cause="the storage of the fleet's registry is full, and nothing was written:"
    " keep less of the journal, or compact it"
)

BYTES_PER_MS: Final = 256
"""A way that is slower than that, 2 Mbit/s, is none."""


class FleetWire:
    """Asks a gateway below the path of one fleet."""

    def __init__(self, gateway: Gateway, fleet: str, advice: str = "") -> None:
        """Ask *gateway*, which is closed with this.

        *advice*: what to do where it does not let us in.
        """
        self._gateway = gateway
        self._fleet = fleet
        self._advice = advice

    async def call(
        self, method: str, path: str, **sent: Unpack[Sent]
    ) -> Result[bytes, Refusal]:
        """Ask once; return the bytes of a success."""
        body = sent.get("body", b"")
        answered = await self._gateway.exchange(
            method,
            f"fleets/{self._fleet}/{path}",
            _read,
            body=body or None,
            kind=sent.get("kind", JSON),
            query=sent.get("query", {}),
            wait_ms=sent.get("wait_ms", 0) + len(body) // BYTES_PER_MS,
        )
        if isinstance(answered, Failure):
            return Failure(self._advised(answered.failure()))
        found: Result[bytes, JournalError] = answered.unwrap()
        return found.alt(_as_refusal)

    def _advised(self, error: PlatformError) -> PlatformError:
        if isinstance(error, Unauthorized) and self._advice:
            return attrs.evolve(error, cause=f"{error.cause}; {self._advice}")
        return error

    async def close(self) -> None:
        """Let go of the connections; what is asked later is ``Unreachable``."""
        await self._gateway.close()


def wire_to(
    choice: CloudflareChoice,
    fleet: str,
    secrets: Mapping[str, str],
    *,
    held_by: str = "",
) -> Result[FleetWire, PlatformError]:
    """Return the way to a fleet's journal; tokens are looked up at each request.

    ``Refused`` without an address, ``Unauthorized`` without a token. *held_by* says
    whose secrets they are: it is told where the gateway does not take them.
    """
    if choice.url is None:
        cause = "the fleet file says no platform.url: deploy the gateway first"
        return Failure(Refused(cause=cause))
    found = credentials_of(choice, secrets)
    if isinstance(found, Failure):
        return Failure(found.failure())
    advice = advice_on(choice, held_by)
    return Success(FleetWire(gateway_of(choice, secrets), fleet, advice))


def advice_on(choice: CloudflareChoice, held_by: str = "") -> str:
    """Say which secrets open a gateway, by their names, and how they are set.

    >>> advice_on(CloudflareChoice(access_secrets="ACCESS"), "the environment")
    'the secret GATEWAY_TOKEN of the environment has to be what `npx wrangler secret \
put GATEWAY_TOKEN` has given to the Worker; ACCESS_CLIENT_ID and ACCESS_CLIENT_SECRET \
are for Access'

    """
    whose = f" of {held_by}" if held_by else ""
    put = "`npx wrangler secret put GATEWAY_TOKEN` has given to the Worker"
    told = f"the secret {choice.token_secret}{whose} has to be what {put}"
    access = choice.access_secrets
    if access is None:
        return f"{told}; where Access stands before it, see access_secrets"
    return f"{told}; {access}_CLIENT_ID and {access}_CLIENT_SECRET are for Access"


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
