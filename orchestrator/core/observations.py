"""What a look at the platform shows.

An observation is *complete* when the platform could answer for everything: only then
does absence mean anything. ``began`` is the operator's moment before it looked, so
that what changed meanwhile is not taken for a difference.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs

from orchestrator.core.exits import Exit
from orchestrator.core.moments import Moment
from orchestrator.core.table import Table

__all__ = (
    "Observation",
    "SeenAbsent",
    "SeenEnded",
    "SeenRunning",
    "SeenUnreachable",
    "Sight",
    "Sighting",
)


@attrs.frozen(kw_only=True)
class SeenRunning:
    """A process of the run exists; ready or not."""

    ready: bool = False
    addresses: Table[str, str] = Table()


@attrs.frozen(kw_only=True)
class SeenEnded:
    """The run has ended, and how is known."""

    exit: Exit


@attrs.frozen
class SeenUnreachable:
    """The platform cannot tell about this container now."""


@attrs.frozen
class SeenAbsent:
    """The platform answered for everything and has no such run."""


Sight: TypeAlias = SeenRunning | SeenEnded | SeenUnreachable | SeenAbsent


@attrs.frozen(kw_only=True)
class Sighting:
    """What was seen of one container; *fingerprint* names the spec that was started.

    *place* is where its run is, "" where the platform does not say (``core.placing``).
    """

    name: str
    run: int
    sight: Sight
    fingerprint: str = ""
    place: str = ""


@attrs.frozen(kw_only=True)
class Observation:
    """What was seen of all containers, in one look."""

    began: Moment
    complete: bool
    sightings: tuple[Sighting, ...] = ()
