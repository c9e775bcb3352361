"""What a run did, as a journal tells it: how it began, what was told of it, its end.

A ``Life`` is what a platform and a program have contributed to a run, apart from what
we decided: the answers to our commands, the news, whether it ended by itself.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

import attrs

from orchestrator.core.errors import PlatformError, StartError
from orchestrator.core.events import (
    ContainerObserved,
    HealthChanged,
    LifecycleEvent,
)
from orchestrator.core.health import HealthChecks
from orchestrator.core.moments import Millis, Moment

__all__ = ("Answer", "Ending", "Fact", "Life", "News")

News: TypeAlias = LifecycleEvent | ContainerObserved | HealthChanged
"""What is told of a run that is not the answer to a command."""


class Ending(StrEnum):
    """Who ended a run, as far as the record knows."""

    BY_ITSELF = "by_itself"
    BY_US = "by_us"
    ALIVE = "alive"


@attrs.frozen(kw_only=True)
class Answer:
    """What came of a command: given by row ``given``, answered by row ``seq``.

    ``at`` None: no answer was heard. ``error`` None: it was accepted.
    """

    given: int
    given_at: Moment
    seq: int = 0
    at: Moment | None = None
    error: PlatformError | StartError | None = None

    @property
    def after_ms(self) -> Millis | None:
        """Return how long the answer took; None where none was heard."""
        return None if self.at is None else self.at - self.given_at


@attrs.frozen(kw_only=True)
class Fact:
    """News of a run, told by row ``seq`` at ``at``."""

    seq: int
    at: Moment
    event: News


@attrs.frozen(kw_only=True)
class Life:
    """One run, as it was recorded.

    ``begun_at``: when the start that took effect was commanded, the ``took``-th one;
    None: before the record begins. ``facts`` are the news, in order; the first
    ``until_ready`` of them made it ready (0: it never was). ``cut_short``: it was ended
    by us, or the record ends, before it could be ready, at ``known_until``. ``stops``
    are the answers to our stops, ``stop_end`` the news of the end that they brought
    about, ``checks`` which health checks were asked, ``grace_ms`` how long a stop let
    it live, ``mark`` the fingerprint of the spec that it was started with.
    """

    name: str
    run: int
    begun_at: Moment | None
    checks: HealthChecks = HealthChecks()
    grace_ms: Millis = 0
    mark: str = ""
    starts: tuple[Answer, ...] = ()
    took: int = 1
    facts: tuple[Fact, ...] = ()
    until_ready: int = 0
    cut_short: bool = False
    known_until: Moment = 0
    ending: Ending = Ending.ALIVE
    stops: tuple[Answer, ...] = ()
    stop_end: Fact | None = None

    @property
    def stop_ms(self) -> Millis | None:
        """Return how long after our last stop it ended; None where it did not."""
        if self.stop_end is None or not self.stops:
            return None
        return self.stop_end.at - self.stops[-1].given_at
