"""What may last, and is broken off from outside when it must not go on.

Every read passes here twice, and most are over at once: so there is no timer and no
task more, but the task that waits is cancelled, as a time limit would do it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

__all__ = ("Breakable", "Broken")

K = TypeVar("K")
T = TypeVar("T")


class Broken(Exception):
    """It was broken off before it came to its end."""


class _Stretch(Generic[K]):
    """Something under way: what is known of it, and the task that waits for it."""

    __slots__ = ("about", "asked_before", "is_cancelled", "task")

    def __init__(self, about: K, task: asyncio.Task[object]) -> None:
        self.about = about
        self.task = task
        self.asked_before = task.cancelling()
        self.is_cancelled = False


class Breakable(Generic[K]):
    """All that is under way, each with what is known of it."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._under_way: set[_Stretch[K]] = set()

    def __len__(self) -> int:
        """Return how many are under way."""
        return len(self._under_way)

    async def lasting(self, about: K, work: Awaitable[T]) -> T:
        """Wait for some work; raise ``Broken`` if it is broken off.

        A task that is cancelled by somebody else, too, stays cancelled.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in one
        stretch = _Stretch(about, task)
        self._under_way.add(stretch)
        try:
            return await work
        except asyncio.CancelledError:
            if stretch.is_cancelled and task.cancelling() <= stretch.asked_before + 1:
                raise Broken from None
            raise
        finally:
            self._under_way.discard(stretch)
            if stretch.is_cancelled:
                _ = task.uncancel()

    def break_off(self, which: Callable[[K], bool]) -> None:
        """Break off all of which something is so, in the loop's next turn."""
        loop = asyncio.get_running_loop()
        for stretch in self._under_way:
            if which(stretch.about):
                _ = loop.call_soon(self._cancel, stretch)

    def _cancel(self, stretch: _Stretch[K]) -> None:
        if stretch in self._under_way and not stretch.is_cancelled:
            stretch.is_cancelled = True
            _ = stretch.task.cancel()
