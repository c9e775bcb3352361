"""A batch worked out without holding up whoever reads: in pieces, or in a thread.

Until its rows are durable nobody sees a batch, so others may have their turn between
its pieces. What concerns many containers at once (a look, a new fleet file, a large
scale) is one piece, and may take seconds: it is worked out in a thread. The loop waits
for it, and takes nothing else meanwhile: the order of events is the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from orchestrator.core.moments import Moment
from orchestrator.core.observations import Observation
from orchestrator.core.requests import Apply, Scale
from orchestrator.core.state import Fleet
from orchestrator.journal.port import Draft
from orchestrator.runtime.steps import Ask, Batch, Item, Looked
from orchestrator.runtime.watch import Watch

__all__ = ("LONG", "PIECE", "is_long", "watched", "worked_out")

PIECE: Final = 32
"""Items, or rows, between which others have their turn: some ten milliseconds."""

LONG: Final = 1_000
"""Containers that one item may concern before it is worked out in a thread."""


async def worked_out(
    batch: Batch, items: Sequence[Item], now: Moment
) -> tuple[Draft, ...]:
    """Take the items of a batch, at *now*; return the rows to write."""
    if any(is_long(item, batch.fleet) for item in items):
        return await asyncio.to_thread(batch.take_all, items, now)
    drafts: list[Draft] = []
    for first in range(0, len(items), PIECE):
        if first:
            await asyncio.sleep(0)
        drafts += batch.take_all(items[first : first + PIECE], now)
    return tuple(drafts)


async def watched(watch: Watch, batch: Batch) -> None:
    """Hold the steps of a batch to every invariant."""
    steps = batch.steps
    if any(len(step.touched) > LONG for step in steps):
        await asyncio.to_thread(watch.see_all, steps)
        return
    for first in range(0, len(steps), PIECE):
        if first:
            await asyncio.sleep(0)
        watch.see_all(steps[first : first + PIECE])


def is_long(item: Item, fleet: Fleet) -> bool:
    """Say whether an item concerns more containers than others should wait for."""
    match item:
        case Looked(seen=Observation(sightings=sightings)):
            return max(len(sightings), len(fleet.containers)) > LONG
        case Ask(request=Apply(spec=spec)):
            return max(len(spec.containers), len(fleet.containers)) > LONG
        case Ask(request=Scale(service=name, replicas=int(wanted))):
            known = fleet.services.get(name)
            return known is not None and abs(wanted - known.replicas) > LONG
        case _:
            return False
