"""What a live reader needs of an operator: steps as they come, rows, and the end.

Steps come when they are durable, in the order of their rows and without a hole: the
first one that a new watcher sees is the row behind ``seq``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import attrs
from returns.result import Failure, Result, Success

from orchestrator.codec.changes import encode_changes, read_changes
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import ContainerError, JournalError
from orchestrator.core.moments import Moment
from orchestrator.core.reduce import step_of
from orchestrator.core.state import Fleet
from orchestrator.core.steps import Step
from orchestrator.journal.port import Journal, Row
from orchestrator.replay.places import AfterRow
from orchestrator.runtime.decoding import decoded
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.telemetry import Telemetry
from orchestrator.runtime.travel import Travel
from orchestrator.runtime.views import View

__all__ = ("Feed", "diverges")


@attrs.frozen(kw_only=True, eq=False)
class Feed:
    """An operator as those who follow it see it."""

    journal: Journal
    travel: Travel
    watchers: list[Callable[[Step], None]]
    view: Callable[[], View]
    running: asyncio.Future[None]
    fatal: Callable[[], ContainerError | None]
    policies: CustomPolicies = NO_POLICIES
    telemetry: Telemetry = attrs.field(factory=Telemetry)

    @property
    def seq(self) -> int:
        """Return the number of the newest row."""
        return self.view().seq

    @property
    def at(self) -> Moment:
        """Return what the operator's clock says."""
        return self.view().at

    @property
    def fleet(self) -> Fleet:
        """Return the fleet as it is now."""
        return self.view().fleet

    def watch(self, seen: Callable[[Step], None]) -> Callable[[], None]:
        """Have *seen* called with every step to come; the answer ends that."""
        self.watchers.append(seen)
        return lambda: self.watchers.remove(seen)

    async def first(self) -> int | JournalError:
        """Return the number of the oldest row that the journal still holds."""
        begin = await settled(self.journal.beginning())
        if begin is None:
            return 1
        return begin if isinstance(begin, JournalError) else begin.seq + 1

    async def rows(self, after: int, limit: int) -> tuple[Row, ...] | JournalError:
        """Read rows of the past."""
        return await settled(self.journal.read(after, limit))

    async def fleet_after(self, seq: int) -> Fleet | ContainerError:
        """Return the fleet as it was after a row."""
        gone_to = await self.travel.to(AfterRow(seq), self.view())
        if isinstance(gone_to, Failure):
            failure: ContainerError = gone_to.failure()
            return failure
        return gone_to.unwrap().fleet

    def steps(
        self, fleet: Fleet, rows: tuple[Row, ...]
    ) -> Result[tuple[Step, ...], JournalError]:
        """Take the steps again that rows of the past stand for, from the fleet before.

        Rows that recorded something else than what today's code makes of them are
        counted: a replay diverges there.
        """
        events = decoded(rows)
        if isinstance(events, Failure):
            return Failure(events.failure())
        steps: list[Step] = []
        for row, event in zip(rows, events.unwrap(), strict=True):
            step = step_of(fleet, event, self.policies)
            steps.append(step)
            fleet = step.after
            if diverges(row, step):
                self.telemetry.divergences += 1
        return Success(tuple(steps))


def diverges(row: Row, step: Step) -> bool:
    """Say whether a row recorded other changes than a step makes.

    Rows of the first rules hold no changes to compare.
    """
    changes = encode_changes(step.before, step.after, step.touched)
    return row.changes != changes and read_changes(row.changes) is not None
