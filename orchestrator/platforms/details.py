"""What a look shows, as details: for platforms that have no other words."""

from __future__ import annotations

from typing import assert_never

from orchestrator.core.exits import exit_text
from orchestrator.core.observations import (
    Observation,
    SeenAbsent,
    SeenEnded,
    SeenRunning,
    SeenUnreachable,
    Sighting,
)
from orchestrator.platforms.port import PlatformDetail

__all__ = ("details_of",)


def details_of(observation: Observation) -> tuple[PlatformDetail, ...]:
    """Return a detail for each container that is seen."""
    return tuple(map(_detail, observation.sightings))


def _detail(seen: Sighting) -> PlatformDetail:
    state, kind, raw = _words(seen)
    return PlatformDetail(name=seen.name, run=seen.run, state=state, kind=kind, raw=raw)


def _words(seen: Sighting) -> tuple[str, str, str]:
    match seen.sight:
        case SeenRunning(ready=True):
            return "ready", "", ""
        case SeenRunning():
            return "running", "", ""
        case SeenEnded(exit=exit_):
            return "ended", type(exit_).__name__, exit_text(exit_)
        case SeenUnreachable():
            return "unreachable", "", ""
        case SeenAbsent():
            return "absent", "", ""
        case _:
            assert_never(seen.sight)
