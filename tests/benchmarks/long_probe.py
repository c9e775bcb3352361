"""What the long run asks the operator from within: its hooks, which count for it.

Copied beside the fleet file and loaded by the operator, alone. Where there is a file
``census`` it tells once how many objects of each type live: whoever hunts a leak asks
so twice.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path

__all__ = ("probe",)

HERE = Path(__file__).parent
HEAP_S = 5.0
"""Between two questions to the C library: it goes through all that is free."""


class _Heap(ctypes.Structure):
    """``struct mallinfo2`` of glibc."""

    _fields_ = [  # type: ignore[mutable-override]
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def _heap() -> dict[str, int]:
    """Ask the C library how much it has handed out, and how much it holds for later.

    Small objects are not among it: those Python keeps by itself. Nothing where the
    library cannot say.
    """
    ask = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if ask is None:
        return {}
    ask.restype = _Heap
    told = ask()
    return {"heap_used": told.uordblks + told.hblkhd, "heap_free": told.fordblks}


class Probe:
    """Tells how much is alive in this process, at each start of a container."""

    def __init__(self) -> None:
        """Begin with nothing asked."""
        self._heap: dict[str, int] = {}
        self._asked_at = -HEAP_S

    async def on_start(self, *about: object) -> None:
        """Write the figures down."""
        del about
        if time.monotonic() >= self._asked_at + HEAP_S:
            self._heap, self._asked_at = _heap(), time.monotonic()
        told = self._heap | {
            "tasks": len(asyncio.all_tasks()),
            "threads": threading.active_count(),
            "blocks": sys.getallocatedblocks(),
        }
        partial = HERE / "probe.partial"
        _ = partial.write_text(json.dumps(told), encoding="ascii")
        _ = partial.replace(HERE / "probe.json")
        if (HERE / "census").exists():
            (HERE / "census").unlink()
            _ = gc.collect()
            types = Counter(
                f"{type(one).__module__}.{type(one).__qualname__}"
                for one in gc.get_objects()
            )
            lines = [f"{count} {name}" for name, count in types.most_common(200)]
            _ = (HERE / "census.txt").write_text("\n".join(lines), encoding="utf-8")


probe = Probe()
