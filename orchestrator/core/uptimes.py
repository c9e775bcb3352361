"""What a container's time came to: in each phase, wanted, ready; starts and crashes.

``Uptime`` is fed with every step of a fleet, in recorded or in virtual time, and sums
up in constant space. ``Totals`` is what it gives: a value.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from orchestrator.core.commands import StartContainer
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.phases import Asleep, Completed, Running, phase_name
from orchestrator.core.state import Container
from orchestrator.core.steps import Step
from orchestrator.core.table import Table

__all__ = (
    "Totals",
    "Uptime",
    "begun",
    "has_crashed",
    "has_restarted",
    "is_ready",
    "is_wanted",
    "sum_of",
)


@attrs.frozen(kw_only=True)
class Totals:
    """What a stretch of a container's life came to; durations in milliseconds.

    ``wanted_ms``: its owner wanted it to run, and its work was not done; ``ready_ms``:
    the part of that in which it was ready. ``starts`` counts runs begun, ``restarts``
    those that followed another, ``crashes`` the ends that its policy calls failures.
    """

    phase_ms: Table[str, Millis] = Table()
    wanted_ms: Millis = 0
    ready_ms: Millis = 0
    starts: int = 0
    restarts: int = 0
    crashes: int = 0

    @property
    def down_ms(self) -> Millis:
        """Return for how long it was wanted and not ready."""
        return self.wanted_ms - self.ready_ms

    @property
    def availability(self) -> float | None:
        """Return the share of the time in which it was wanted and ready; None: never.

        >>> Totals(wanted_ms=4_000, ready_ms=3_000).availability
        0.75

        """
        return self.ready_ms / self.wanted_ms if self.wanted_ms else None


def sum_of(parts: Iterable[Totals]) -> Totals:
    """Add up totals, of several containers or of stretches of one life.

    >>> sum_of([Totals(starts=1), Totals(starts=2)]).starts
    3

    """
    phase_ms: dict[str, Millis] = {}
    whole = Totals()
    for part in parts:
        for name, elapsed in part.phase_ms.items():
            phase_ms[name] = phase_ms.get(name, 0) + elapsed
        whole = Totals(
            wanted_ms=whole.wanted_ms + part.wanted_ms,
            ready_ms=whole.ready_ms + part.ready_ms,
            starts=whole.starts + part.starts,
            restarts=whole.restarts + part.restarts,
            crashes=whole.crashes + part.crashes,
        )
    return attrs.evolve(whole, phase_ms=Table.of(phase_ms.items()))


def is_wanted(container: Container) -> bool:
    """Say whether a container shall be up: its owner wants it, and it is not done."""
    is_done = isinstance(container.phase, Completed | Asleep)
    return container.desired.running and not is_done


def is_ready(container: Container) -> bool:
    """Say whether a container accepts work."""
    match container.phase:
        case Running(ready_at=int()):
            return True
        case _:
            return False


def begun(step: Step) -> tuple[StartContainer, ...]:
    """Return the runs that a step begins; a start that is commanded again is none."""
    return tuple(
        command
        for command in step.commands
        if isinstance(command, StartContainer) and _is_new(step, command)
    )


def _is_new(step: Step, command: StartContainer) -> bool:
    before = step.before.containers.get(command.name)
    return before is None or before.run < command.run


def has_crashed(before: Container, after: Container) -> bool:
    """Say whether a run has ended in a way that the policy calls a failure."""
    return after.history.crashes_total > before.history.crashes_total


def has_restarted(before: Container, after: Container) -> bool:
    """Say whether a run has begun that follows another."""
    return after.history.restarts_total > before.history.restarts_total


@attrs.define(kw_only=True, eq=False)
class Uptime:
    """Sums up one container's time; *since* is when the stretch begins.

    ``container`` is what it is now, None while it is not there.
    """

    since: Moment
    container: Container | None = None
    phase_ms: dict[str, Millis] = attrs.field(factory=dict[str, Millis])
    wanted_ms: Millis = 0
    ready_ms: Millis = 0
    starts: int = 0
    restarts: int = 0
    crashes: int = 0

    def pass_to(self, at: Moment) -> None:
        """Sum up what it was until *at*; a moment that is past already adds nothing."""
        elapsed = at - self.since
        if elapsed <= 0:
            return
        self.since = at
        if self.container is None:
            return
        name = phase_name(self.container.phase)
        self.phase_ms[name] = self.phase_ms.get(name, 0) + elapsed
        if is_wanted(self.container):
            self.wanted_ms += elapsed
            self.ready_ms += elapsed * is_ready(self.container)

    def become(self, after: Container | None, at: Moment) -> None:
        """Take in what it is from *at* on; a record it did not have counts nothing."""
        self.pass_to(at)
        before, self.container = self.container, after
        if before is not None and after is not None:
            self.crashes += has_crashed(before, after)
            self.restarts += has_restarted(before, after)

    def totals(self) -> Totals:
        """Return what it has come to so far."""
        return Totals(
            phase_ms=Table.of(self.phase_ms.items()),
            wanted_ms=self.wanted_ms,
            ready_ms=self.ready_ms,
            starts=self.starts,
            restarts=self.restarts,
            crashes=self.crashes,
        )
