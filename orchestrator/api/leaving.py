"""An application that shuts down: who waits gets an answer, and what flows its end.

Connections are cut a moment later, and then there would be neither.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import Final, TypeVar

from aiohttp import web

from orchestrator.api.breaking import Breakable, Broken

__all__ = ("LEAVING", "Broken", "Leaving")

T = TypeVar("T")

PATIENCE_S: Final = 0.5
"""For what was asked to come to its end; connections are cut a little later."""

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

    async def answered(self, work: Awaitable[T]) -> T:
        """Wait for what was asked, a little longer than the application stays.

        ``Broken`` is raised where it does not come to its end even then.
        """
        task = asyncio.ensure_future(work)
        try:
            if not self._is_over:
                with suppress(Broken):
                    return await self.waited(asyncio.shield(task))
            done, _ = await asyncio.wait([task], timeout=PATIENCE_S)
            if not done:
                raise Broken
            return task.result()
        finally:
            task.cancel()

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
