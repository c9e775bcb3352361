"""The rows of another operator, folded as they come: a loop that decides nothing.

What a row costs is what its step costs; the fleet is kept once. Who reads it sees what
the leader has made durable, as late as the row came. Where rows were compacted away
before they were read, or make no sense here, it ends and says why.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, TypeAlias

import attrs
from returns.future import FutureResult
from returns.result import Failure, Result

from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import (
    ContainerError,
    JournalBusy,
    JournalError,
    JournalTooNew,
    JournalUnavailable,
    NotLeader,
    RateLimited,
    TimedOut,
    Unreachable,
)
from orchestrator.core.events import Event
from orchestrator.core.loads import LoadObserved
from orchestrator.core.origins import Origin
from orchestrator.core.owner_events import SpecApplied
from orchestrator.core.reduce import step_of
from orchestrator.core.requests import Request
from orchestrator.core.state import RULES, Fleet
from orchestrator.core.steps import Step
from orchestrator.journal.port import Head, Journal, Row
from orchestrator.runtime.clock import Clock
from orchestrator.runtime.decoding import decoded
from orchestrator.runtime.hooks import Hooks
from orchestrator.runtime.loop import Loop
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.recovery import Recovered
from orchestrator.runtime.steps import Asked
from orchestrator.runtime.telemetry import Telemetry
from orchestrator.runtime.turns import PIECE

__all__ = ("PAGE", "Ask", "Following", "News", "declares", "passes")

LOG: Final = logging.getLogger("orchestrator.standby")

PAGE: Final = 500
"""Rows that are read and folded at once, in a thread."""

AGAIN_S: Final = (0.2, 5.0)
"""Before the journal is read again after a fault: at first, and at most."""


@attrs.frozen(kw_only=True)
class News:
    """Rows behind the one that was asked for, and the number of the newest there is."""

    rows: tuple[Row, ...]
    newest: int


Ask: TypeAlias = Callable[[Head, int], FutureResult[News, JournalError]]
"""Reads so many rows behind a head; it waits a while where there are none yet."""


class Following(Loop):
    """The loop of a standby: its fleet is that of the journal's rows, and no more.

    ``lag_rows`` are known to be there and not folded yet; ``was_up``: something was
    declared while it followed, or before.
    """

    def __init__(
        self,
        recovered: Recovered,
        journal: Journal,
        refusal: Callable[[], NotLeader],
        policies: CustomPolicies = NO_POLICIES,
        *,
        telemetry: Telemetry | None = None,
    ) -> None:
        """Begin where *recovered* ends; *refusal* is what a request is answered."""
        super().__init__(
            recovered,
            journal,
            Clock(not_before=recovered.fleet.at),
            Hooks(None),
            policies,
            telemetry=telemetry,
        )
        self.lag_rows = 0
        self.was_up = declares(recovered.fleet)
        self._begin = recovered.head.seq - recovered.folded
        self._snapshot_at = recovered.snapshot_at
        self._is_unsaved = recovered.is_unsaved
        self._refusal = refusal

    def warm(self) -> Recovered:
        """Return what is folded so far, as if it had just been recovered."""
        return Recovered(
            fleet=self.fleet,
            head=self.head,
            folded=self.head.seq - self._begin,
            snapshot_at=self._snapshot_at,
            is_unsaved=self._is_unsaved,
        )

    def ask(
        self, request: Request | LoadObserved
    ) -> FutureResult[Asked, ContainerError]:
        """Refuse a request: only the leader takes it."""
        del request
        return FutureResult.from_failure(self._refusal())

    async def follow(self, ask: Ask) -> None:
        """Fold what comes until cancelled, or until that makes no sense any more."""
        try:
            self.fatal = await self._until_fatal(ask)
        finally:
            async with self.turned:
                self.turned.notify_all()

    async def _until_fatal(self, ask: Ask) -> ContainerError:
        pause = AGAIN_S[0]
        while True:
            error = await self._read_on(ask)
            if error is None:
                self.journal_error, pause = None, AGAIN_S[0]
                continue
            if not passes(error):
                return error
            if self.journal_error is None:
                LOG.warning("the leader's rows do not come: %s", error.message)
            self.journal_error = error
            await asyncio.sleep(pause)
            pause = min(pause * 2, AGAIN_S[1])

    async def _read_on(self, ask: Ask) -> JournalError | None:
        """Wait for the next rows, and fold them; return why that is not possible."""
        news = await settled(ask(self.head, PAGE))
        if not isinstance(news, News):
            return news
        self.lag_rows = max(0, news.newest - self.head.seq)
        if news.rows:
            steps = await asyncio.to_thread(self._steps, self.fleet, news.rows)
            if isinstance(steps, Failure):
                wrong: JournalError = steps.failure()
                return wrong
            await self._take(news.rows, steps.unwrap())
        return None

    def _steps(
        self, fleet: Fleet, rows: tuple[Row, ...]
    ) -> Result[list[Step], JournalError]:
        """Take the steps of rows; those of a newer release's rules are refused."""

        def taken(events: list[Event]) -> list[Step]:
            nonlocal fleet
            steps: list[Step] = []
            for event in events:
                step = step_of(fleet, event, self._policies)
                fleet = step.after
                steps.append(step)
            return steps

        steps = decoded(rows, self._policies).map(taken)
        if fleet.rules > RULES:
            seq = rows[-1].seq
            return Failure(JournalTooNew(found=fleet.rules, known=RULES, seq=seq))
        return steps

    async def _take(self, rows: tuple[Row, ...], steps: list[Step]) -> None:
        """Make steps true, some at a time: who reads has its turn between them."""
        for first in range(0, len(rows), PIECE):
            if first:
                await asyncio.sleep(0)
            piece = steps[first : first + PIECE]
            last = rows[first : first + PIECE][-1]
            self.fleet, self.head = (
                piece[-1].after,
                Head(seq=last.seq, digest=last.digest),
            )
            for step in piece:
                if isinstance(step.event, SpecApplied):
                    applied = step.event
                    if applied.declarations or applied.services:
                        self.was_up = True
                for watcher in tuple(self.watchers):
                    watcher(step)
            self.lag_rows = max(0, self.lag_rows - len(piece))
        async with self.turned:
            self.turned.notify_all()


def declares(fleet: Fleet) -> bool:
    """Say whether something of a fleet is declared: nothing is after ``down``."""
    return bool(fleet.services) or any(
        each.origin is Origin.MIN_REPLICA_SET and not each.leaving
        for each in fleet.containers.values()
    )


def passes(error: ContainerError) -> bool:
    """Say whether a fault may pass by itself: it is worth asking again."""
    if isinstance(error, JournalUnavailable):
        return error.retryable
    return isinstance(error, JournalBusy | Unreachable | TimedOut | RateLimited)
