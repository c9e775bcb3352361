"""Opening what an operation answers: the one place that does."""

from __future__ import annotations

from typing import TypeVar

from returns.future import FutureResult
from returns.io import IOResult
from returns.pipeline import is_successful
from returns.unsafe import unsafe_perform_io

__all__ = ("opened", "settled")

T = TypeVar("T")
E = TypeVar("E")


async def settled(operation: FutureResult[T, E]) -> T | E:
    """Wait for an operation; return its result, or its error, as a plain value.

    The union is closed: a ``match`` over it is checked for completeness.
    """
    return opened(await operation)


def opened(outcome: IOResult[T, E]) -> T | E:
    """Return what an outcome holds, a result or an error, as a plain value."""
    if is_successful(outcome):
        return unsafe_perform_io(outcome.unwrap())
    return unsafe_perform_io(outcome.failure())
