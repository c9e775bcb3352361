"""What a timeline is made of: spans and runs, the life of a container, all of them.

Moments are in milliseconds since 1970, durations in milliseconds.
"""

from __future__ import annotations

from typing import Final

import attrs

from orchestrator.core.exits import Exit
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.phases import Rule
from orchestrator.core.table import Table
from orchestrator.core.uptimes import Totals
from orchestrator.replay.timelines.happenings import (
    Asked,
    Checked,
    Decided,
    Entered,
    Fate,
    LookFailed,
    LostSight,
    OrderFailed,
    RunBegun,
    TookOver,
)
from orchestrator.replay.timelines.of_services import RolloutMoved

__all__ = ("Course", "RunTold", "Span", "Timeline")

_WAITS: Final = ("backing_off", "crash_looping", "pending")
"""The phases in which a container waits for its next start."""


@attrs.frozen(kw_only=True)
class Span:
    """A stretch in which a container stayed where it was.

    ``until`` and ``until_seq`` are None where it is there at the end of the timeline.
    """

    begin: Entered
    until: Moment | None = None
    until_seq: int | None = None

    @property
    def is_wait(self) -> bool:
        """Say whether it waited for its next start, or was held."""
        return self.begin.phase in _WAITS

    def lasted(self, end: Moment) -> Millis:
        """Return how long it was, up to *end* where it still goes on."""
        return (end if self.until is None else self.until) - self.begin.at


@attrs.frozen(kw_only=True)
class RunTold:
    """All of one run; ``ready_at`` is when it was ready for the first time.

    ``commands`` counts how often its start was commanded; ``fate`` is None while it
    is live. ``..._seen``: whether a look found it so, untold by the platform's event;
    None where it is not so (yet), or was so before the timeline begins.
    """

    begun: RunBegun
    commands: int
    started_at: Moment | None
    ready_at: Moment | None
    ended_seq: int | None = None
    ended_at: Moment | None = None
    fate: Fate | None = None
    exit: Exit | None = None
    crashed: bool = False
    started_seen: bool | None = None
    ready_seen: bool | None = None
    ended_seen: bool | None = None

    @property
    def rule(self) -> Rule | None:
        """Return by which rule it was started, where that is known."""
        return self.begun.rule

    def uptime(self, end: Moment) -> Millis | None:
        """Return for how long it had a process, up to *end* while it is live."""
        if self.started_at is None:
            return None
        return (end if self.ended_at is None else self.ended_at) - self.started_at


@attrs.frozen(kw_only=True)
class Course:
    """One container's part of a timeline; ``left_out`` counts what was not kept."""

    name: str
    totals: Totals
    spans: tuple[Span, ...]
    runs: tuple[RunTold, ...]
    decisions: tuple[Decided, ...]
    requests: tuple[Asked, ...]
    checks: tuple[Checked, ...]
    failures: tuple[OrderFailed | LostSight, ...]
    left_out: Table[str, int]

    @property
    def waits(self) -> tuple[Span, ...]:
        """Return the spans in which it waited for its next start, or was held."""
        return tuple(span for span in self.spans if span.is_wait)


@attrs.frozen(kw_only=True)
class Timeline:
    """What happened from ``begin`` to ``end``, behind row ``after_seq`` to ``seq``.

    ``differing`` and ``first_differing`` are as in ``Closed``.
    """

    begin: Moment
    end: Moment
    after_seq: int
    seq: int
    courses: tuple[Course, ...]
    boots: tuple[TookOver, ...]
    requests: tuple[Asked, ...]
    failed_looks: tuple[LookFailed, ...]
    rollouts: tuple[RolloutMoved, ...]
    left_out: Table[str, int]
    differing: int
    first_differing: int | None
