"""The way to a gateway that holds a journal, as the journal sees it.

Who speaks HTTP (``platforms.cloudflare``) is a stranger here: it is handed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias

from returns.result import Result

from orchestrator.core.errors import JournalError, PlatformError
from orchestrator.core.moments import Millis

__all__ = ("BYTES", "JSON", "LINES", "NOTHING_ASKED", "Refusal", "Wire")

JSON: Final = "application/json"
LINES: Final = "application/x-ndjson"
BYTES: Final = "application/octet-stream"
"""What kind of body is sent."""

NOTHING_ASKED: Final[Mapping[str, str]] = MappingProxyType({})

Refusal: TypeAlias = PlatformError | JournalError
"""Why there is no answer: the journal says no, or nobody could be asked.

``TimedOut`` and ``Unreachable``: whether it was done is not known.
"""


class Wire(Protocol):
    """Asks the gateway of one fleet."""

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        kind: str = JSON,
        query: Mapping[str, str] = NOTHING_ASKED,
        wait_ms: Millis = 0,
    ) -> Result[bytes, Refusal]:
        """Ask once, below the path of the fleet; return the bytes of a success.

        *kind* is the media type of *body*. The answer may take *wait_ms* longer than
        usual, and longer for a long body.
        """
        ...

    async def close(self) -> None:
        """Let go of the connections; what is asked later is ``Unreachable``."""
        ...
