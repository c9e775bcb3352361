"""When the fleet is saved as it is: now and then, and at the end.

A snapshot is a cache. One that cannot be saved costs time at the next boot, no more.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from orchestrator.core.state import Fleet
from orchestrator.journal.port import Head, Journal
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.recovery import snapshot_of

__all__ = ("Snapshots",)

LOG: Final = logging.getLogger("orchestrator.loop")


class Snapshots:
    """The snapshots of one journal, one for every so many rows."""

    def __init__(self, journal: Journal, newest: int, every: int) -> None:
        """Save into *journal*, whose newest snapshot is of row *newest*."""
        self._journal = journal
        self._newest = newest
        self._every = every

    async def now_and_then(self, fleet: Fleet, head: Head) -> None:
        """Save the fleet where *every* rows have come since the newest snapshot."""
        if head.seq - self._newest >= self._every:
            await self.save(fleet, head)

    async def save(self, fleet: Fleet, head: Head) -> None:
        """Save the fleet as it is after row *head*, unless that was done.

        It is written in another thread, for a large one takes a second: reads go on.
        """
        if head.seq == self._newest:
            return
        self._newest = head.seq
        snapshot = await asyncio.to_thread(snapshot_of, fleet, head)
        error = await settled(self._journal.save_snapshot(snapshot))
        if error is not None:
            about = {"seq": head.seq}
            LOG.warning("no snapshot was saved: %s", error.message, extra=about)
