"""When the platform is looked at: one look for all who want one."""

from __future__ import annotations

from orchestrator.core.commands import Command, ObserveFleet
from orchestrator.core.drafts import FleetDraft
from orchestrator.core.events import ReconcileRequested, TimeReached
from orchestrator.core.moments import Moment
from orchestrator.core.wake import observe_due

__all__ = ("look", "one_look")


def look(
    draft: FleetDraft, event: ReconcileRequested | TimeReached
) -> tuple[Command, ...]:
    """Look at the platform if that was asked for, or the time for it has come."""
    if isinstance(event, TimeReached) and not observe_due(draft, event.at):
        return ()
    return (ObserveFleet(),)


def one_look(
    draft: FleetDraft, commands: tuple[Command, ...], at: Moment
) -> tuple[Command, ...]:
    """Let one look at the platform do for all who want one."""
    for command in commands:
        if isinstance(command, ObserveFleet):
            break
    else:
        return commands
    others = tuple(
        command for command in commands if not isinstance(command, ObserveFleet)
    )
    if draft.observing:
        return others
    draft.observing = True
    draft.reconciled_at = at
    return (*others, ObserveFleet())
