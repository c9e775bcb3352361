"""The moment, from the wall once and from the steady clock since.

A wall clock that is set back would stop every wait; one that is set forward by more
than a second (a machine that slept) is followed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from orchestrator.core.moments import Moment

__all__ = ("Clock",)

LEAP_MS: Final = 1_000


def _wall() -> Moment:
    return time.time_ns() // 1_000_000


def _steady() -> Moment:
    return time.monotonic_ns() // 1_000_000


class Clock:
    """A clock that never runs backwards."""

    def __init__(
        self,
        wall: Callable[[], Moment] = _wall,
        steady: Callable[[], Moment] = _steady,
        *,
        not_before: Moment = 0,
    ) -> None:
        """Begin at what the wall says, or where the journal ends, if that is later.

        A wall that was set back between two operators would stop every wait, too.
        """
        self._wall = wall
        self._steady = steady
        self._offset = max(wall(), not_before) - steady()

    def now(self) -> Moment:
        """Return the moment, in milliseconds since the epoch."""
        moment = self._steady() + self._offset
        wall = self._wall()
        if wall > moment + LEAP_MS:
            self._offset += wall - moment
            return wall
        return moment
