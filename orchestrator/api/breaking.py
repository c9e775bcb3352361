"""What may last, and is broken off from outside when it must not go on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

__all__ = ("Breakable", "Broken")

K = TypeVar("K")
T = TypeVar("T")


class Broken(Exception):
    """It was broken off before it came to its end."""


class Breakable(Generic[K]):
    """All that is under way, each with what is known of it."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._limits: dict[asyncio.Timeout, K] = {}

    def __len__(self) -> int:
        """Return how many are under way."""
        return len(self._limits)

    async def lasting(self, about: K, work: Awaitable[T]) -> T:
        """Wait for some work; raise ``Broken`` if it is broken off."""
        limit = asyncio.timeout(None)
        try:
            async with limit:
                self._limits[limit] = about
                try:
                    return await work
                finally:
                    self._limits.pop(limit, None)
        except TimeoutError:
            if limit.expired():
                raise Broken from None
            raise

    def break_off(self, which: Callable[[K], bool]) -> None:
        """Break off all of which something is so."""
        for limit in [each for each, about in self._limits.items() if which(about)]:
            del self._limits[limit]
            limit.reschedule(0)
