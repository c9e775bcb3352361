"""How long the loop has been in one turn: whether it works, or hangs.

A turn ends in milliseconds. One that does not end waits for something that does not
come, such as a disk that answers no more: the process lives, and decides nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

__all__ = ("TURN_MAX_S", "Pulse")

TURN_MAX_S: Final = 60.0
"""Many times what any turn has ever taken, a large snapshot's included."""


class Pulse:
    """Notes when a turn begins and ends; ``with pulse:`` is one turn."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin between two turns; *clock* tells seconds, and only runs forward."""
        self._clock = clock
        self._since: float | None = None

    def __enter__(self) -> None:
        """Begin a turn."""
        self._since = self._clock()

    def __exit__(self, *_: object) -> None:
        """End it, however it has gone."""
        self._since = None

    @property
    def hangs(self) -> bool:
        """Say whether the turn that has begun should have ended long ago."""
        since = self._since
        return since is not None and self._clock() - since > TURN_MAX_S
