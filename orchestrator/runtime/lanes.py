"""Work that is done a piece at a time, with a bound to how many pieces may wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ("Lane",)


class Lane:
    """Where work of one kind is done, a piece at a time."""

    def __init__(self, most: int) -> None:
        """Let in *most* pieces: one is done, the others wait."""
        self._most = most
        self._turn = asyncio.Lock()
        self._count = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[bool]:
        """Wait for one's turn; there is none (False) where too many wait already."""
        if self._count >= self._most:
            yield False
            return
        self._count += 1
        try:
            async with self._turn:
                yield True
        finally:
            self._count -= 1
