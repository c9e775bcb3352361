"""What the one who asks may do: told by the guard, read by what answers.

Each request is answered in a context of its own, so nobody is told of another's.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final, Literal

__all__ = ("GRANT",)

GRANT: Final[ContextVar[Literal["read", "write"]]] = ContextVar(
    "grant", default="write"
)
"""Where no guard stands, as on the Unix socket, everything."""
