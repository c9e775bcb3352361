"""What the engine lists, once it is so many."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sized
from typing import TypeVar

__all__ = ("LIMIT_S", "so_many")

Listing = TypeVar("Listing", bound=Sized)

LIMIT_S = 120.0
"""A bound on waiting, never a measurement."""


async def so_many(ask: Callable[[], Listing], count: int) -> Listing:
    """Ask until the engine lists so many, and return them.

    It lists a moment later what it has said to whoever waits for a start or an end.
    """
    until = time.monotonic() + LIMIT_S
    while len(found := ask()) != count:
        assert time.monotonic() < until, f"{count} containers: found {found}"
        await asyncio.sleep(0.02)
    return found
