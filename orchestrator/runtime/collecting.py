"""How often Python looks for cyclic garbage: seldom, where a whole fleet is kept.

Folding makes and drops values by the million, and none of them are cycles: reference
counts free them at once. The collector looks through all that lives again and again
all the same, the whole fleet with it. So its threshold is raised while a journal is
read, and is afterwards what it was: memory that only the collector frees (of whoever
else is at work meanwhile) waits a little longer, some megabytes of it at most.

While an operator works, or stands by, it is raised, too, and less: what is looked
through at once is little then, so that nobody is held up, and all that lives is looked
through as seldom as while a journal is read. A look through a hundred thousand
containers takes a second. Between two blocks there must be no gap: what has been made
in the one is more than the lower threshold allows, and is looked through at once.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final, TypeAlias

__all__ = ("AT_WORK", "THRESHOLD", "collecting_seldom")

Threshold: TypeAlias = tuple[int, int, int]

THRESHOLD: Final = (50_000, 20, 50)
"""In place of Python's (700, 10, 10): made and not dropped, before a look at them."""

AT_WORK: Final = (10_000, 10, 500)
"""The same for an operator or a standby: ten thousand at once, then ten times that."""

_lock: Final = Lock()
_before: list[Threshold] = []
"""What it was before the first of those who asked."""

_asked: list[Threshold] = []
"""What those ask for who are in their block: they may overlap, in any order."""


@contextmanager
def collecting_seldom(threshold: Threshold = THRESHOLD) -> Iterator[None]:
    """Raise the collector's threshold in a block; the last to leave puts it back.

    Of several blocks the one counts that asks for the highest. A collector that is off,
    or that looks as seldom already, is let be.

    >>> with collecting_seldom():
    ...     gc.get_threshold() >= THRESHOLD
    True

    """
    with _lock:
        if not _asked:
            _before.append(gc.get_threshold())
        _asked.append(threshold)
        _raise()
    try:
        yield
    finally:
        with _lock:
            _asked.remove(threshold)
            if _asked:
                _raise()
            else:
                gc.set_threshold(*_before.pop())


def _raise() -> None:
    """Let the collector look as seldom as whoever asked wants it to at most."""
    was, wanted = _before[0], max(_asked)
    if gc.isenabled() and was[0] > 0:
        gc.set_threshold(*max(was, wanted))
