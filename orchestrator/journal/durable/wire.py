"""The way to a gateway that holds a journal, as the journal sees it.

Who speaks HTTP (``platforms.cloudflare``) is a stranger here: it is handed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol, Unpack

from returns.result import Result

from orchestrator.codec.carried import BYTES, JSON, LINES, Refusal, Sent

__all__ = ("BYTES", "JSON", "LINES", "NOTHING_ASKED", "Refusal", "Wire")

NOTHING_ASKED: Final[Mapping[str, str]] = MappingProxyType({})


class Wire(Protocol):
    """Asks the gateway of one fleet."""

    async def call(
        self, method: str, path: str, **sent: Unpack[Sent]
    ) -> Result[bytes, Refusal]:
        """Ask once, below the path of the fleet; return the bytes of a success."""
        ...

    async def close(self) -> None:
        """Let go of the connections; what is asked later is ``Unreachable``."""
        ...
