"""One step of a fleet as a value: what was, what happened, what came of it."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from orchestrator.core.commands import Command
from orchestrator.core.events import (
    CrashHistoryCleared,
    Event,
    SpecApplied,
    StartRequested,
)
from orchestrator.core.evolving import quick
from orchestrator.core.state import Container, Fleet

__all__ = ("Step", "is_another", "is_asked_for")


@quick
@attrs.frozen(kw_only=True, weakref_slot=False)
class Step:
    """One step of the fleet, and the names to look at."""

    before: Fleet
    event: Event
    after: Fleet
    commands: tuple[Command, ...]
    touched: tuple[str, ...]

    def pairs(self) -> Iterable[tuple[Container | None, Container | None]]:
        """Yield what each touched container was and is."""
        for name in self.touched:
            yield self.before.containers.get(name), self.after.containers.get(name)


def is_another(before: Container, after: Container) -> bool:
    """Say whether a name was let go, and taken by another container, in one step."""
    is_known = before.leaving or before.started_revision > 0
    return is_known and after.started_revision == 0


def is_asked_for(event: Event) -> bool:
    """Say whether an event is a wish of the owner that may open a new history."""
    return isinstance(event, StartRequested | CrashHistoryCleared | SpecApplied)
