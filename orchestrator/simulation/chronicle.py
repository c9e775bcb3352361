"""What a run came to, written down while it goes on, in bounded space.

Nothing here grows with the number of steps: times and counts are summed up, of the
moments only the most telling ones are kept, and a lane of the drawing has as many
places as it is wide. Time is the world's; what a container is, is what the operator
knows.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from enum import StrEnum
from typing import Final

import attrs

from orchestrator.core.invariants import INVARIANTS, violations
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.phases import (
    Asleep,
    BackingOff,
    Completed,
    CrashLooping,
    Failed,
    Pending,
    Phase,
    Running,
    Stopped,
    Unknown,
)
from orchestrator.core.state import Container, Fleet
from orchestrator.core.steps import Step
from orchestrator.core.uptimes import Uptime, begun
from orchestrator.simulation.moments_of import Telling, moments_of
from orchestrator.simulation.rollout_settling import under_way
from orchestrator.simulation.rollout_watch import RolloutTales

__all__ = ("Chronicle", "Lane", "Look", "Noted", "Violated")


class Look(StrEnum):
    """How a container looks in a lane: what matters of its phase."""

    READY = "ready"
    UNDER_WAY = "under_way"
    WAITING = "waiting"
    CRASH_LOOPING = "crash_looping"
    FAILED = "failed"
    AT_REST = "at_rest"
    UNKNOWN = "unknown"
    NOT_THERE = "not_there"


_LOOKS: Final = tuple(Look)


def _look(phase: Phase | None) -> Look:
    match phase:
        case None:
            return Look.NOT_THERE
        case Running(ready_at=int()):
            return Look.READY
        case BackingOff():
            return Look.WAITING
        case Pending(waits_for=service) if service:
            return Look.WAITING
        case CrashLooping():
            return Look.CRASH_LOOPING
        case Failed():
            return Look.FAILED
        case Stopped() | Completed() | Asleep():
            return Look.AT_REST
        case Unknown():
            return Look.UNKNOWN
        case _:
            return Look.UNDER_WAY


@attrs.frozen(kw_only=True)
class Noted:
    """A moment worth telling; *about* "" is the fleet."""

    at: Moment
    about: str
    what: str


@attrs.frozen(kw_only=True)
class Violated:
    """An invariant that did not hold, and where that was seen first."""

    name: str
    about: str
    step: int
    at: Moment
    count: int = 1


@attrs.define(kw_only=True)
class Lane:
    """One container's day: sums, and what it was in each column of a drawing."""

    name: str
    uptime: Uptime
    columns: bytearray
    crashed_in: dict[int, int] = attrs.field(factory=dict[int, int])
    started_in: dict[int, int] = attrs.field(factory=dict[int, int])
    _column: int = 0
    _shares: dict[Look, Millis] = attrs.field(factory=dict[Look, Millis])

    def looks(self) -> tuple[Look, ...]:
        """Return how it looked in each column."""
        return tuple(_LOOKS[place] for place in self.columns)

    def pass_to(self, at: Moment, column_ms: Millis) -> None:
        """Sum up what it was until *at*."""
        container = self.uptime.container
        look = _look(None if container is None else container.phase)
        self._paint(look, self.uptime.since, at, column_ms)
        self.uptime.pass_to(at)

    def _paint(self, look: Look, begin: Moment, at: Moment, column_ms: Millis) -> None:
        """Give each column the look that it had for longest."""
        while begin < at:
            end = min(at, (self._column + 1) * column_ms)
            self._shares[look] = self._shares.get(look, 0) + end - begin
            begin = end
            if end == (self._column + 1) * column_ms:
                self._close_column()

    def finish(self) -> None:
        """Give the last column its look, too, which is not over."""
        if self._shares:
            self._close_column()

    def _close_column(self) -> None:
        if self._column < len(self.columns):
            longest = max(self._shares.items(), key=lambda share: share[1])[0]
            self.columns[self._column] = _LOOKS.index(longest)
        self._shares = {}
        self._column += 1


@attrs.define(kw_only=True, eq=False)
class Chronicle:
    """Takes in every step of a run of *span_ms*; ``now`` is the world's moment.

    ``ignored`` need not settle, nor need those whom ``is_excused`` names.
    """

    now: Callable[[], Moment]
    span_ms: Millis
    width: int = 720
    keeps: int = 20
    steps: int = 0
    events: dict[str, int] = attrs.field(factory=dict[str, int])
    commands: dict[str, int] = attrs.field(factory=dict[str, int])
    lanes: dict[str, Lane] = attrs.field(factory=dict[str, Lane])
    violated: dict[str, Violated] = attrs.field(factory=dict[str, Violated])
    ignored: dict[str, None] = attrs.field(factory=dict[str, None])
    is_excused: Callable[[Container], bool] = lambda _: False
    rollouts: RolloutTales = attrs.field(factory=RolloutTales)
    settled_at: Moment | None = None
    left_out: int = 0
    _kept: list[tuple[int, int, Noted]] = attrs.field(
        factory=list[tuple[int, int, Noted]]
    )
    _seen: dict[tuple[str, str], int] = attrs.field(factory=dict[tuple[str, str], int])
    _number: int = 0

    @property
    def column_ms(self) -> Millis:
        """How long a column of the drawing is."""
        return max(1, -(-self.span_ms // self.width))

    def take(self, step: Step) -> None:
        """Take in one step."""
        self.steps += 1
        at = self.now()
        kind = type(step.event).__name__
        self.events[kind] = self.events.get(kind, 0) + 1
        for command in step.commands:
            order = type(command).__name__
            self.commands[order] = self.commands.get(order, 0) + 1
        for command in begun(step):
            lane = self._lane(command.name)
            lane.uptime.starts += 1
            _count(lane.started_in, at // self.column_ms)
        for name in step.touched:
            self._follow(name, step, at)
        for telling in moments_of(step):
            self.note(at, telling)
        for violation in violations(step):
            self._blame(violation.name, violation.about, at)
        self.rollouts.take(step, at)
        if self._is_moving(step.after):
            self.settled_at = None
        elif self.settled_at is None:
            self.settled_at = at

    def _is_moving(self, fleet: Fleet) -> bool:
        """Say whether somebody is not yet where he should be, or a rollout goes on."""
        return bool(under_way(fleet)) or any(
            name not in self.ignored and not self._is_excused(fleet, name)
            for name in fleet.diverged
        )

    def _is_excused(self, fleet: Fleet, name: str) -> bool:
        container = fleet.containers.get(name)
        return container is not None and self.is_excused(container)

    def _lane(self, name: str) -> Lane:
        lane = self.lanes.get(name)
        if lane is None:
            columns = bytearray([_LOOKS.index(Look.NOT_THERE)]) * self.width
            uptime = Uptime(since=0)
            lane = self.lanes[name] = Lane(name=name, uptime=uptime, columns=columns)
        return lane

    def _follow(self, name: str, step: Step, at: Moment) -> None:
        lane = self._lane(name)
        lane.pass_to(at, self.column_ms)
        crashes = lane.uptime.crashes
        lane.uptime.become(step.after.containers.get(name), at)
        if lane.uptime.crashes > crashes:
            _count(lane.crashed_in, at // self.column_ms)

    def _blame(self, name: str, about: str, at: Moment) -> None:
        known = self.violated.get(name)
        if known is None:
            self.violated[name] = Violated(
                name=name, about=about, step=self.steps, at=at
            )
            self.note(at, Telling(about=about, what=f"VIOLATED: {name}", weight=1_000))
        else:
            self.violated[name] = attrs.evolve(known, count=known.count + 1)

    def note(self, at: Moment, telling: Telling) -> None:
        """Keep a moment if it tells more than those that are kept.

        What has been told of a container is worth less each time.
        """
        key = (telling.about, telling.what.partition(":")[0])
        times = self._seen[key] = self._seen.get(key, 0) + 1
        weight = telling.weight // times
        self._number += 1
        noted = Noted(at=at, about=telling.about, what=telling.what)
        entry = (weight, -self._number, noted)
        if len(self._kept) < self.keeps:
            heapq.heappush(self._kept, entry)
        elif self.keeps:
            self.left_out += 1
            _ = heapq.heappushpop(self._kept, entry)
        else:
            self.left_out += 1

    def forget_settling(self) -> None:
        """Ask anew from when on the fleet is settled."""
        self.settled_at = None

    def close(self, at: Moment) -> None:
        """Sum up to the end."""
        for lane in self.lanes.values():
            lane.pass_to(at, self.column_ms)
            lane.finish()

    def timeline(self) -> tuple[Noted, ...]:
        """Return the moments that were kept, in their order."""
        kept = sorted(self._kept, key=lambda entry: -entry[1])
        return tuple(noted for _, _, noted in kept)

    def held(self) -> tuple[str, ...]:
        """Return the invariants that held after every step."""
        return tuple(name for name in INVARIANTS if name not in self.violated)


def _count(counts: dict[int, int], column: int) -> None:
    counts[column] = counts.get(column, 0) + 1
