"""What only Python's collector frees: things that hold each other in a circle.

An operator has the collector look at all that lives next to never, so what is held in
circles by what happens again and again grows as a leak does.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ("circles", "ours")


@contextmanager
def circles() -> Iterator[list[object]]:
    """Collect nothing in a block; afterwards the list holds what only that would free.

    >>> with circles() as found:
    ...     one: list[object] = []
    ...     one.append(one)
    ...     del one
    >>> [type(each) for each in found]
    [<class 'list'>]

    """
    found: list[object] = []
    was_enabled = gc.isenabled()
    _ = gc.collect()
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        _ = gc.collect()
        found += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        if was_enabled:
            gc.enable()


def ours(found: list[object]) -> Counter[str]:
    """Count those of our own classes, by class."""
    return Counter(
        kind.__qualname__
        for kind in map(type, found)
        if kind.__module__.startswith("orchestrator")
    )
