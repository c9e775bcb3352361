"""Requests under way: one whose token no longer opens the door is broken off.

A stream of events may last for days. The guard looks at a request once, when it comes
in; here it is looked at again now and then, as long as it lasts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from orchestrator.api.breaking import Breakable

__all__ = ("Standing",)

T = TypeVar("T")


class Standing:
    """All requests that are answered now, each with the token that let it in."""

    def __init__(
        self, valid: Callable[[], frozenset[str | None]], every_s: float
    ) -> None:
        """Ask every so many seconds which tokens are *valid*: their digests.

        None among them says that nobody needs one.
        """
        self._valid = valid
        self._every_s = every_s
        self._requests: Breakable[str | None] = Breakable()
        self._timer: asyncio.TimerHandle | None = None

    def answered(self, digest: str | None, answering: Awaitable[T]) -> Awaitable[T]:
        """Wait for an answer as long as a token stands; ``Broken`` if it falls."""
        self._look_later()
        return self._requests.lasting(digest, answering)

    def _look_later(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._every_s, self._look)

    def _look(self) -> None:
        self._timer = None
        if not len(self._requests):
            return
        valid = self._valid()
        self._requests.break_off(lambda digest: digest not in valid)
        if len(self._requests):
            self._look_later()
