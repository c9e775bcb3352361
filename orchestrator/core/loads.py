"""What services are measured at, and what the platform does to a whole service.

A load is told as a sum over all replicas, in thousandths. Samples that are older than
the window of the service's policy are dropped.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

import attrs

from orchestrator.core.evolving import quick
from orchestrator.core.moments import Moment

__all__ = ("LoadObserved", "Loads", "MeasuredEvent", "RollOutcome", "ServiceRolled")


@quick
@attrs.frozen(kw_only=True, weakref_slot=False)
class Loads:
    """The samples of one service within its window, and when it last was scaled."""

    samples: tuple[tuple[Moment, int], ...] = ()
    scaled_at: Moment | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class LoadObserved:
    """A service was measured at *load_milli*, the sum over its replicas."""

    at: Moment
    service: str
    load_milli: int


class RollOutcome(StrEnum):
    """What became of a rollout by the platform: it goes on, or is over."""

    PROGRESSING = "progressing"
    DONE = "done"
    FAILED = "failed"


@attrs.frozen(kw_only=True, weakref_slot=False)
class ServiceRolled:
    """The platform tells of its own rollout of a service to a revision.

    ``updated`` of ``total`` instances run the image of it. ``done`` is said only where
    all do, whatever the platform calls its rollout. ``id`` is the platform's own name
    of it, "" where it has none. ``behind`` are members that it calls rolled
    out and that are not.
    """

    at: Moment
    service: str
    revision: int
    outcome: RollOutcome
    updated: int = 0
    total: int = 0
    cause: str = ""
    id: str = ""
    behind: tuple[str, ...] = ()


MeasuredEvent: TypeAlias = LoadObserved | ServiceRolled
"""What is measured of a service, or told of it by the platform."""
