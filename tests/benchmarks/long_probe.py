"""What the long run asks the operator from within: its hooks, which count for it.

Copied beside the fleet file and loaded by the operator, alone. Where there is a file
``census`` it tells once how many objects of each type live: whoever hunts a leak asks
so twice.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import threading
from collections import Counter
from pathlib import Path

__all__ = ("probe",)

HERE = Path(__file__).parent


class Probe:
    """Tells how much is alive in this process, at each start of a container."""

    async def on_start(self, *about: object) -> None:
        """Write the figures down."""
        del about
        told = {
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
