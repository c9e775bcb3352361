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
    """The snapshots of one journal, one for every so many rows.

    There are never fewer rows between two than there are containers: what a snapshot
    costs follows the size of the fleet, and so stays a small part of what its rows do.
    They are written beside the loop, which goes on.
    """

    def __init__(self, journal: Journal, newest: int, every: int) -> None:
        """Save into *journal*, whose newest snapshot is of row *newest*."""
        self._journal = journal
        self._newest = newest
        self._every = every
        self._saving: asyncio.Task[None] | None = None

    def now_and_then(self, fleet: Fleet, head: Head) -> None:
        """Begin to save the fleet where enough rows have come since the newest one."""
        is_saved = self._saving is None or self._saving.done()
        apart = max(self._every, len(fleet.containers))
        if is_saved and head.seq - self._newest >= apart:
            self._newest = head.seq
            self._saving = asyncio.ensure_future(self._save(fleet, head))

    async def save(self, fleet: Fleet, head: Head) -> None:
        """Save the fleet as it is after row *head*, unless that was done."""
        await self.over()
        if head.seq != self._newest:
            self._newest = head.seq
            await self._save(fleet, head)

    async def over(self) -> None:
        """Wait until what is being saved is."""
        if self._saving is not None:
            await self._saving

    async def _save(self, fleet: Fleet, head: Head) -> None:
        """Write it in another thread, for a large one takes seconds."""
        snapshot = await asyncio.to_thread(snapshot_of, fleet, head)
        error = await settled(self._journal.save_snapshot(snapshot))
        if error is not None:
            about = {"seq": head.seq}
            LOG.warning("no snapshot was saved: %s", error.message, extra=about)
