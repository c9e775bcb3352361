"""Asks the gateway for a list, page by page where it has pages, one after the other.

How large a page is the gateway says (``about``: ``limits.page``), which knows how long
it takes to look at so many. One that says nothing is asked for all at once, as always.

What fails at the first page fails at once: nothing is known yet, and who asks has a
pause of its own. Behind that a page is asked for again, after a pause, if another try
may help; those that are there already are not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Final

from returns.result import Failure, Result, Success

from orchestrator.core.errors import PlatformError, RateLimited, TimedOut, Unreachable
from orchestrator.core.moments import Millis
from orchestrator.platforms.cloudflare.http import Gateway
from orchestrator.platforms.cloudflare.pages import (
    NOTHING,
    Listing,
    Page,
    joined,
    page_read,
)

__all__ = ("Lister", "held_s")

LOG: Final = logging.getLogger("orchestrator.cloudflare")

AGAIN_S: Final = (0.2, 5.0)
"""Before a page is asked for again: at first, and at most."""

TRIES: Final = 6
"""So often a page is asked for, with some six seconds of pauses in all."""

ANEW_MAX: Final = 3
"""So often a list begins anew because the registry is another one."""

LIMIT_MS: Final[Millis] = 60_000
"""A list that takes longer is given up: who asked does not wait for it any more."""

NEVER_THE_SAME: Final = Unreachable(
    cause="the registry of the fleet was another one again and again"
)


class Lister:
    """Asks for the list at one path, whose answer names it as the path does."""

    def __init__(
        self, gateway: Gateway, fleet: str, kind: str, size: Callable[[], int | None]
    ) -> None:
        """Ask *gateway*; a page has *size* items, None: it knows no pages."""
        self._gateway = gateway
        self._path = f"fleets/{fleet}/{kind}"
        self._kind = kind
        self._size = size
        self._turn = asyncio.Lock()

    async def listed(self, epoch: int | None) -> Result[Listing, PlatformError]:
        """Return the whole list."""
        async with self._turn:
            try:
                async with asyncio.timeout(LIMIT_MS / 1_000):
                    return await self._all(epoch)
            except TimeoutError:
                return Failure(TimedOut(after_ms=LIMIT_MS))

    async def _all(self, epoch: int | None) -> Result[Listing, PlatformError]:
        listing, anew = NOTHING, 0
        while (after := listing.after) is not None:
            ask = self._surely if listing.pages else self._page
            told = await ask(epoch, after)
            if isinstance(told, Failure):
                return Failure(told.failure())
            listing = joined(listing, told.unwrap())
            anew += not listing.pages
            if anew > ANEW_MAX:
                return Failure(NEVER_THE_SAME)
        return Success(listing)

    async def _surely(
        self, epoch: int | None, after: str
    ) -> Result[Page, PlatformError]:
        """Ask for a page again and again, as long as that may help."""
        pause = AGAIN_S[0]
        for _ in range(TRIES - 1):
            told = await self._page(epoch, after)
            error = told.failure() if isinstance(told, Failure) else None
            if not isinstance(error, Unreachable | TimedOut | RateLimited):
                return told
            LOG.info("the %s behind %r: %s", self._kind, after, error.message)
            await asyncio.sleep(max(pause, held_s(error)))
            pause = min(pause * 2, AGAIN_S[1])
        return await self._page(epoch, after)

    async def _page(self, epoch: int | None, after: str) -> Result[Page, PlatformError]:
        size = self._size()
        behind = None if size is None else after
        told = await self._gateway.get(
            self._path, epoch=epoch, after=behind, limit=size
        )
        return told.bind(partial(page_read, key=self._kind, after=after))


def held_s(error: PlatformError) -> float:
    """Return for how long the gateway wants not to be asked."""
    if isinstance(error, RateLimited) and error.retry_after_ms is not None:
        return error.retry_after_ms / 1_000
    return 0.0
