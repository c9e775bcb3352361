"""Who starts now: as many as the fleet's limits let go, first come first served.

Starts are granted here and nowhere else: never before the first complete observation
after boot, never more at once or a minute than the fleet allows, never before what a
container depends on is as it must be (``core.ordering``).
"""

from __future__ import annotations

from orchestrator.core.commands import Command
from orchestrator.core.drafts import FleetDraft, place
from orchestrator.core.moments import Moment
from orchestrator.core.moves import launch
from orchestrator.core.ordering import hold_back
from orchestrator.core.wake import MINUTE

__all__ = ("grant",)


def grant(draft: FleetDraft, at: Moment) -> tuple[Command, ...]:
    """Start those who wait, as many as the fleet's limits let go now."""
    commands: tuple[Command, ...] = ()
    while draft.observed and _has_slot(draft, at):
        first = draft.waiting.first()
        if first is None:
            draft.queued = False
            break
        before = draft.containers[first[0][1]]
        if before.spec.depends_on and hold_back(draft, before):
            continue
        after, started = launch(before, at, run_floor=draft.run_floor)
        commands += started
        _ = place(draft, before, after)
        if draft.settings.max_starts_per_minute is not None:
            _count_start(draft, at, draft.settings.max_starts_per_minute)
        if not draft.waiting:
            draft.queued = False
            break
    return commands


def _has_slot(draft: FleetDraft, at: Moment) -> bool:
    if len(draft.starting) >= draft.settings.max_concurrent_starts:
        return False
    limit = draft.settings.max_starts_per_minute
    if limit is None or len(draft.recent_starts) < limit:
        return True
    return draft.recent_starts[-limit] + MINUTE <= at


def _count_start(draft: FleetDraft, at: Moment, limit: int) -> None:
    draft.recent_starts = (*draft.recent_starts, at)[-limit:]
