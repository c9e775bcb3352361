"""What an operator counts while it works: plain numbers, read by ``/metrics``.

Everything is told to it when it has happened and is durable; nothing is decided by it,
and what is counted begins at zero with each operator. Names of containers are kept
only while they are in the fleet.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from orchestrator.codec.converter import tag_of
from orchestrator.core.commands import ContainerCommand
from orchestrator.core.errors import PlatformError, StartError
from orchestrator.core.events import COMMAND_KINDS, Event, FleetObserved
from orchestrator.core.moments import Moment
from orchestrator.core.state import Container, Fleet
from orchestrator.core.steps import Step
from orchestrator.runtime.steps import Asked, Batch
from orchestrator.runtime.traces import Traces

__all__ = ("NAMES_MAX", "Telemetry", "Timings", "passed_over")

NAMES_MAX: Final = 1_000
"""Containers that have series of their own, by default."""

COMMAND_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5, 10, 30)
"""Of commands: the platform answers within seconds, or at the interpreter's limit."""

LOOK_S: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5, 10, 30, 60)
LAG_S: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 60, 300)
COMMIT_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5)

ACCEPTED: Final = "accepted"
CANCELLED: Final = "cancelled"

_TAGS: Final[dict[type, str]] = {}
"""Names of classes, worked out once."""

Told = Callable[[PlatformError | StartError | None], None]


class Timings:
    """Durations, counted in buckets; the last bucket holds what is longer than all."""

    def __init__(self, bounds: Iterable[float]) -> None:
        """Begin empty; *bounds* are the upper ends, in seconds, growing."""
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration; a bound belongs to its bucket.

        >>> timings = Timings((1.0, 2.0))
        >>> for seconds in (1.0, 1.5, 9.0): timings.add(seconds)
        >>> timings.counts, timings.sum_s
        ([1, 1, 1], 11.5)

        """
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum_s += seconds


@attrs.define(kw_only=True, eq=False)
class Telemetry:
    """Counters and timings of one operator.

    ``journal_file`` is where the journal is, if it is a file: its size is shown.
    ``names_max``: containers with series of their own. ``traces`` is told of each
    command, too. ``restarts`` are those of each container in the fleet, by cause, and
    ``causes`` those of all of them together. ``looked_at``: when the newest complete
    look at the platform was over.
    ``journal_base``: the row that the journal begins behind; ``compacted_s``: when it
    was cut short, on ``clock``. ``takeovers``: how often this process came to lead.
    """

    journal_file: Path | None = None
    names_max: int = NAMES_MAX
    traces: Traces | None = None
    clock: Callable[[], float] = time.monotonic
    events: Counter[tuple[str, str]] = attrs.field(factory=Counter[tuple[str, str]])
    commands: Counter[tuple[str, str]] = attrs.field(factory=Counter[tuple[str, str]])
    in_flight: Counter[str] = attrs.field(factory=Counter[str])
    restarts: dict[str, Counter[str]] = attrs.field(factory=dict[str, Counter[str]])
    causes: Counter[str] = attrs.field(factory=Counter[str])
    divergences: int = 0
    looked_at: Moment | None = None
    journal_base: int = 0
    compactions: int = 0
    compaction_failures: int = 0
    takeovers: int = 0
    compacted_s: float | None = None
    command_s: dict[str, Timings] = attrs.field(factory=dict[str, Timings])
    look_s: Timings = attrs.field(factory=lambda: Timings(LOOK_S))
    lag_s: Timings = attrs.field(factory=lambda: Timings(LAG_S))
    commit_s: Timings = attrs.field(factory=lambda: Timings(COMMIT_S))

    def follow(self, seq: Callable[[], int]) -> None:
        """Say where the number of the newest row is found, for what is traced."""
        if self.traces is not None:
            self.traces.seq = seq

    def committed(self, batch: Batch) -> None:
        """Count what has become durable, and what came of the rest.

        Whom it touched is counted by ``restarted``.
        """
        for step in batch.steps:
            self._applied(step)
        for event, fleet in batch.passed_over:
            self.events[_tag(type(event)), passed_over(event, fleet)] += 1
        for ask, answer in batch.answers:
            if not isinstance(answer, Asked):
                self.events[_tag(type(ask.request)), "rejected"] += 1
            elif answer.replayed:
                self.events[_tag(type(ask.request)), "duplicate"] += 1

    def _applied(self, step: Step) -> None:
        event = step.event
        self.events[_tag(type(event)), "applied"] += 1
        if isinstance(event, FleetObserved) and event.complete:
            self.looked_at = event.at
        source_at = getattr(event, "source_at", None)
        if source_at is not None:
            self.lag_s.add(max(0, event.at - source_at) / 1_000)

    def restarted(self, _: int, step: Step, names: Iterable[str]) -> None:
        """Count who was restarted, of some that a step has touched."""
        for name in names:
            self._restarted(name, step)

    def _restarted(self, name: str, step: Step) -> None:
        """Count a restart, by the way in which the run before it ended."""
        before = step.before.containers.get(name)
        after = step.after.containers.get(name)
        more = _restarts(after) - _restarts(before)
        if after is None or more < 0:  # it is gone, or another one has its name
            self.causes -= self.restarts.pop(name, Counter())
        elif before is not None and more > 0:
            cause = _cause(after)
            self.restarts.setdefault(name, Counter())[cause] += more
            self.causes[cause] += more

    def compacted(self, base: int) -> None:
        """Note that the journal was cut short, and begins behind row *base*."""
        self.journal_base = base
        self.compactions += 1
        self.compacted_s = self.clock()

    def journal_bytes(self) -> int | None:
        """Return how long the journal's files are, None where it is no file."""
        file = self.journal_file
        if file is None:
            return None
        return _size(file) + _size(file.with_name(f"{file.name}-wal"))

    @contextmanager
    def carrying_out(self, command: ContainerCommand, fleet: str) -> Iterator[Told]:
        """Time a command; what is given is told how it came out."""
        kind = COMMAND_KINDS[type(command)].value
        outcome = CANCELLED

        def told(error: PlatformError | StartError | None) -> None:
            nonlocal outcome
            outcome = ACCEPTED if error is None else error.code

        span = None if self.traces is None else self.traces.begin(command, fleet)
        self.in_flight[kind] += 1
        begin = self.clock()
        try:
            yield told
        finally:
            self.in_flight[kind] -= 1
            self.commands[kind, outcome] += 1
            timings = self.command_s.setdefault(kind, Timings(COMMAND_S))
            timings.add(self.clock() - begin)
            if span is not None:
                span.end(outcome, is_error=outcome != ACCEPTED)

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Time a look at the platform."""
        begin = self.clock()
        try:
            yield
        finally:
            self.look_s.add(self.clock() - begin)

    @contextmanager
    def committing(self) -> Iterator[None]:
        """Time a commit of the journal."""
        begin = self.clock()
        try:
            yield
        finally:
            self.commit_s.add(self.clock() - begin)


def _tag(kind: type) -> str:
    tag = _TAGS.get(kind)
    if tag is None:
        tag = _TAGS[kind] = tag_of(kind)
    return tag


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _restarts(container: Container | None) -> int:
    return 0 if container is None else container.history.restarts_total


def _cause(container: Container) -> str:
    """Return how the run before a restart ended."""
    return "none" if container.last is None else _tag(type(container.last.exit))


def passed_over(event: Event, fleet: Fleet) -> str:
    """Say why a fact changed nothing: it was known already, or it came too late."""
    name = getattr(event, "name", None)
    run = getattr(event, "run", None)
    if name is None or run is None:
        return "duplicate"
    container = fleet.containers.get(name)
    return "stale" if container is None or run < container.run else "duplicate"
