"""Where a loop's thread is while it holds up everybody else: its stack, looked at.

The loop says now and then that it is well. A thread beside it looks at the stack of one
that has not said so for too long. It cannot look while the collector looks at all that
lives, or while C code keeps the interpreter: how long the collector took is told apart.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any, Final

__all__ = ("Held",)

LOOK_S: Final = 0.01
FRAMES: Final = 6
SHOWN: Final = 5


class Held:
    """Looks at one thread, from when it begins to when it is ended."""

    def __init__(self, at_least_ms: float) -> None:
        """Look at the stack of this thread when it was silent for so long."""
        self._at_least_s = at_least_ms / 1_000
        self._beaten = time.monotonic()
        self._watched = threading.get_ident()
        self.places: Counter[str] = Counter()
        self._collected: dict[int, list[float]] = {}
        self._began = 0.0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        gc.callbacks.append(self._collects)
        self._thread.start()

    def beat(self) -> None:
        """Say that the loop is well."""
        self._beaten = time.monotonic()

    def end(self) -> None:
        """Look no more."""
        self._is_over.set()
        gc.callbacks.remove(self._collects)
        self._thread.join()

    def told(self) -> list[str]:
        """Say where it was held, most often first, and how long was collected."""
        lines = [
            f"{count * LOOK_S * 1_000:6.0f} ms {place}"
            for place, count in self.places.most_common(SHOWN)
        ]
        for generation, taken in sorted(self._collected.items()):
            lines.append(
                f"{1_000 * sum(taken):6.0f} ms in {len(taken)} looks at generation"
                f" {generation}, the longest {1_000 * max(taken):.0f} ms"
            )
        self.places.clear()
        self._collected.clear()
        return lines

    def _look(self) -> None:
        while not self._is_over.wait(LOOK_S):
            if time.monotonic() - self._beaten > self._at_least_s:
                frame = sys._current_frames().get(self._watched)
                self.places[_place(frame)] += 1

    def _collects(self, phase: str, about: dict[str, Any]) -> None:
        if phase == "start":
            self._began = time.monotonic()
            return
        taken = time.monotonic() - self._began
        self._collected.setdefault(about["generation"], []).append(taken)


def _place(frame: FrameType | None) -> str:
    """Return the innermost frames of a stack, the innermost first."""
    words: list[str] = []
    while frame is not None and len(words) < FRAMES:
        code = frame.f_code
        words.append(f"{Path(code.co_filename).stem}.{code.co_name}:{frame.f_lineno}")
        frame = frame.f_back
    return " < ".join(words) or "it has ended"
