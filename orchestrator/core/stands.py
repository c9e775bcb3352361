"""Where a container stands among the indexes of its fleet, by its phase.

Mostly the class of the phase says it. Whoever stands somewhere is not where it should
be, and a reconcile looks at it again.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from orchestrator.core.moments import Moment
from orchestrator.core.phases import (
    Asleep,
    BackingOff,
    Completed,
    CrashLooping,
    Failed,
    Pending,
    Running,
    Starting,
    Stopped,
    Stopping,
    Unknown,
)
from orchestrator.core.state import Container

__all__ = ("NOWHERE", "STANDS", "STARTING", "Stand", "diverges", "stand_of")

Stand: TypeAlias = Moment | str
"""Where a container stands among the indexes: since when it waits, or one of these."""

NOWHERE: Final = "nowhere"
STARTING: Final = "starting and diverged"
_DIVERGED: Final = "diverged"
STANDS: Final[dict[type, Stand | None]] = {
    Starting: STARTING,
    Stopping: _DIVERGED,
    BackingOff: _DIVERGED,
    Unknown: _DIVERGED,
    Stopped: NOWHERE,
    Completed: NOWHERE,
    Failed: NOWHERE,
    Asleep: NOWHERE,
    Running: None,
    Pending: None,
    CrashLooping: None,
}
"""Where those stand whose phase says so by its class alone; None: ask ``stand_of``."""


def stand_of(container: Container) -> Stand:
    """Say where among the indexes a container stands."""
    phase = container.phase
    if isinstance(phase, Running):  # 0: not compared yet
        if phase.ready_at is None or not container.started_revision:
            return _DIVERGED
        return NOWHERE if container.desired.running else _DIVERGED
    if isinstance(phase, Pending):
        return NOWHERE if phase.waits_for else phase.since
    if isinstance(phase, CrashLooping):
        return NOWHERE if phase.until is None else _DIVERGED
    return STANDS[phase.__class__] or NOWHERE


def diverges(container: Container) -> bool:
    """Say whether anything is still to happen, for reconcile to look at it again."""
    return stand_of(container) is not NOWHERE
