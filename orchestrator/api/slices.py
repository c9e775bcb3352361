"""Long work in short slices: between two of them everybody else has a turn.

Whoever goes through a whole fleet in a handler would hold up all other requests, and
the operator itself, for seconds where the fleet is large. A fleet is a value: what is
gone through does not change meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final, TypeVar

__all__ = ("SLICE_S", "Slice", "sliced")

T = TypeVar("T")

SLICE_S: Final = 0.005
"""How long one may go on while others wait."""


class Slice:
    """How long somebody has been at it without a pause."""

    def __init__(
        self, most_s: float = SLICE_S, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """Begin now; *clock* counts seconds."""
        self._most_s = most_s
        self._clock = clock
        self._end = clock() + most_s

    @property
    def is_over(self) -> bool:
        """Say whether it is the turn of others."""
        return self._clock() >= self._end

    async def turn(self) -> None:
        """Let everybody else have a turn, and begin another slice."""
        await asyncio.sleep(0)
        self._end = self._clock() + self._most_s


async def sliced(items: Iterable[T]) -> AsyncIterator[T]:
    """Yield items; who takes them is paused when a slice is over."""
    now = Slice()
    for item in items:
        yield item
        if now.is_over:
            await now.turn()
