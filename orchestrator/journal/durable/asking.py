"""Asking a gateway until it has answered: again where an answer was lost, not for ever.

Whatever is asked here may be asked twice: reading changes nothing, and what is written
says where it belongs, so that a gateway which has it already says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import ClassVar, Final

import attrs
import orjson
from returns.result import Failure, Result, Success

from orchestrator.core.errors import (
    JournalError,
    JournalUnavailable,
    Refused,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from orchestrator.core.moments import Millis
from orchestrator.journal.durable.wire import JSON, NOTHING_ASKED, Refusal, Wire

__all__ = ("PAUSES_S", "STRANGE", "Asking", "NotAuthorized", "doubtful")

STRANGE: Final = "the gateway's answer is none of a journal"

PAUSES_S: Final = (0.1, 0.5)
"""Before it is asked again. To go on for longer is the caller's matter: the loop does,
and answers its own callers meanwhile."""

_LOST: Final = (TimedOut, Unreachable)
"""Whether it was done is not known."""


@attrs.frozen(kw_only=True)
class NotAuthorized(JournalUnavailable):
    """The gateway is there, and takes no token of ours: another one may do.

    To a client of an operator the journal is unavailable, no more. Who has given the
    token, to a command, is told so (``ends_like``: with the exit code of that error).
    """

    ends_like: ClassVar[str] = Unauthorized.code

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return Unauthorized(cause=self.cause).message


class Asking:
    """A wire that is asked again where an answer was lost."""

    def __init__(self, wire: Wire) -> None:
        """Ask over *wire*, which is closed with this."""
        self._wire = wire

    async def read(
        self,
        path: str,
        query: Mapping[str, str] = NOTHING_ASKED,
        *,
        wait_ms: Millis = 0,
    ) -> Result[bytes, JournalError]:
        """Read what is at a path; the answer may take *wait_ms* longer than usual."""
        answered, _ = await self._asked("GET", path, query=query, wait_ms=wait_ms)
        return answered

    async def write(
        self,
        method: str,
        path: str,
        body: bytes,
        *,
        kind: str = JSON,
        query: Mapping[str, str] = NOTHING_ASKED,
    ) -> tuple[Result[bytes, JournalError], bool]:
        """Have something written; say whether an answer was lost on the way.

        A failure behind a lost answer leaves it open whether that was done.
        """
        return await self._asked(method, path, body=body, kind=kind, query=query)

    async def _asked(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        kind: str = JSON,
        query: Mapping[str, str] = NOTHING_ASKED,
        wait_ms: Millis = 0,
    ) -> tuple[Result[bytes, JournalError], bool]:
        pauses_s = list(PAUSES_S)
        is_lost = False
        while True:
            answered = await self._wire.call(
                method, path, body=body, kind=kind, query=query, wait_ms=wait_ms
            )
            if not isinstance(answered, Failure):
                data: bytes = answered.unwrap()
                if method == "GET" or _is_told(data):
                    return Success(data), is_lost
                return Failure(JournalUnavailable(cause=STRANGE)), True
            refusal = answered.failure()
            if not isinstance(refusal, _LOST):
                return Failure(_said(refusal)), is_lost
            is_lost = True
            if not pauses_s:
                return Failure(_said(refusal)), is_lost
            await asyncio.sleep(pauses_s.pop(0))

    async def close(self) -> None:
        """Let go of the connections."""
        await self._wire.close()


def _is_told(data: bytes) -> bool:
    """Say whether a success is one of a gateway: something else may have answered."""
    try:
        return isinstance(orjson.loads(data), dict)
    except orjson.JSONDecodeError:
        return False


def _said(refusal: Refusal) -> JournalError:
    """Return why the journal cannot be used, of whatever was in the way."""
    if isinstance(refusal, JournalError):
        return refusal
    if isinstance(refusal, Unauthorized):
        return NotAuthorized(cause=refusal.cause)
    retryable = not isinstance(refusal, Refused)  # asked again, it says the same
    return JournalUnavailable(cause=refusal.message, retryable=retryable)


def doubtful(error: JournalError) -> JournalUnavailable:
    """Return that whether something was written is not known, and why.

    What cannot be used at all stays so. Anything else is asked once more: who was
    replaced, or has come too late, is told so then, and keeps the doubt.
    """
    if isinstance(error, JournalUnavailable):
        return attrs.evolve(error, in_doubt=True)
    return JournalUnavailable(cause=error.message, in_doubt=True)
