"""How often Python looks for cyclic garbage while a journal is folded: seldom.

Folding makes and drops values by the million, and none of them are cycles: reference
counts free them at once. The collector looks through all that lives again and again
all the same, the whole fleet with it. So its threshold is raised while a journal is
read, and is afterwards what it was: memory that only the collector frees (of whoever
else is at work meanwhile) waits a little longer, some megabytes of it at most.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

__all__ = ("THRESHOLD", "collecting_seldom")

THRESHOLD: Final = (50_000, 20, 50)
"""In place of Python's (700, 10, 10): made and not dropped, before a look at them."""

_lock: Final = Lock()
_before: list[tuple[int, int, int]] = []
"""What it was before the first of those who asked: they may overlap, in any order."""


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Raise the collector's threshold in a block; the last to leave puts it back.

    A collector that is off, or that looks as seldom already, is let be.

    >>> with collecting_seldom():
    ...     gc.get_threshold() >= THRESHOLD
    True

    """
    with _lock:
        was = gc.get_threshold()
        _before.append(was)
        if gc.isenabled() and 0 < was[0] < THRESHOLD[0]:
            gc.set_threshold(*THRESHOLD)
    try:
        yield
    finally:
        with _lock:
            was = _before.pop()
            if not _before:
                gc.set_threshold(*was)
