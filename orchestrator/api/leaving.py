"""An application that shuts down: who waits gets an answer, and what flows its end.

Connections are cut a moment later, and then there would be neither.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from typing import Final, TypeVar

from aiohttp import web

from orchestrator.api.breaking import Breakable, Broken

__all__ = ("LEAVING", "Broken", "Leaving")

T = TypeVar("T")

_OVER: Final = object()


class Leaving:
    """What waits in one application, and whether it shuts down."""

    def __init__(self) -> None:
        """Begin with an application that stays."""
        self._waiting: Breakable[None] = Breakable()
        self._is_over = False

    async def leave(self, _: web.Application) -> None:
        """Wake all who wait: the application shuts down."""
        self._is_over = True
        self._waiting.break_off(lambda _: True)

    async def waited(self, work: Awaitable[T]) -> T:
        """Wait for some work; raise ``Broken`` once the application shuts down."""
        return await self._waiting.lasting(None, work)

    async def until_then(self, items: AsyncIterator[T]) -> AsyncIterator[T]:
        """Yield items until there are no more, or the application shuts down."""
        while not self._is_over:
            try:
                item = await self.waited(anext(items, _OVER))
            except Broken:
                return
            if item is _OVER:
                return
            yield item  # type: ignore[misc]


LEAVING: Final = web.AppKey("leaving", Leaving)
"""Where an application keeps it."""
