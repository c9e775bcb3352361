"""Coroutines run to their end, whatever the size of what they return."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ("waited",)

T = TypeVar("T")


def waited(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, and return what it returns, or raise what it raises.

    Its result is no result of ``asyncio.run``: that puts the handler of SIGINT back in
    the end, ``signal.signal`` looks the handler up in an enum, does not find it, and
    writes its ``repr`` into an error that nobody sees, with that of the task in it and
    of the task's result. Of a fleet of 100 000 containers that takes ten seconds
    (CPython 3.11, ``signal._int_to_enum``).
    """
    results: list[T] = []

    async def kept() -> None:
        results.append(await coroutine)

    asyncio.run(kept())
    return results.pop()
