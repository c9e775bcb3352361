"""The loop: one writer. Durable first, then act.

Everything comes in through one mailbox: requests, the platform's news, outcomes of
commands, looks, time. What has come is moved through the core together and written
with one commit (group commit); then, and only then, answers are given, commands are
handed out, hooks are called.

When the journal cannot be written, requests are refused with its error, facts are
kept and tried again, and the fleet stays what it was: reads go on.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from returns.future import FutureResult
from returns.result import Failure, Result, Success

from orchestrator.codec.journal_choice import SNAPSHOT_EVERY
from orchestrator.core.commands import Command, ObserveFleet, RollService, SendNotice
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import (
    ContainerError,
    JournalConflict,
    JournalCorrupt,
    JournalError,
    JournalUnavailable,
    OperatorClosed,
    StaleOperator,
)
from orchestrator.core.events import CommandFailed, Event, TimeReached
from orchestrator.core.loads import LoadObserved
from orchestrator.core.moments import Moment
from orchestrator.core.requests import Request
from orchestrator.core.steps import Step
from orchestrator.journal.port import Head, Journal
from orchestrator.runtime.clock import Clock
from orchestrator.runtime.collecting import AT_WORK, collecting_seldom
from orchestrator.runtime.hooks import Hooks
from orchestrator.runtime.interpreter import Interpreter, setting_of
from orchestrator.runtime.notifier import envelope_of
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.pulse import Pulse
from orchestrator.runtime.recovery import Recovered
from orchestrator.runtime.snapshots import Snapshots
from orchestrator.runtime.steps import (
    Ask,
    Asked,
    Batch,
    Happened,
    Item,
    Looked,
    looked,
)
from orchestrator.runtime.telemetry import Telemetry
from orchestrator.runtime.timers import Timers
from orchestrator.runtime.turns import watched, worked_out
from orchestrator.runtime.watch import Watch

__all__ = ("BATCH_MAX", "Loop", "Seen")

LOG: Final = logging.getLogger("orchestrator.loop")

BATCH_MAX: Final = 256
"""Items of one commit."""

FACTS_MAX: Final = 4_096
"""Facts in the mailbox; the platform's stream waits while there are more."""

RETRY_S: Final = (0.1, 5.0)
"""Before the journal is tried again: at first, and at most."""

Seen = Callable[[Step], None]


class Loop:
    """The one writer of a fleet."""

    def __init__(
        self,
        recovered: Recovered,
        journal: Journal,
        clock: Clock,
        hooks: Hooks,
        policies: CustomPolicies = NO_POLICIES,
        *,
        snapshot_every: int = SNAPSHOT_EVERY,
        telemetry: Telemetry | None = None,
    ) -> None:
        """Begin where the journal ends."""
        fleet, head = recovered.fleet, recovered.head
        self.fleet = fleet
        self.head = head
        self.interpreter: Interpreter | None = None
        self.journal_error: JournalError | None = None
        self.fatal: ContainerError | None = None
        self.watchers: list[Seen] = []
        self.turned = asyncio.Condition()
        self.watch = Watch()
        self.pulse = Pulse()
        self.telemetry = telemetry or Telemetry()
        self._journal = journal
        self._policies = policies
        self._clock = clock
        self._hooks = hooks
        self._mailbox: deque[Item] = deque()
        self._in_hand: list[Item] = []
        self._wake = asyncio.Event()
        self._timers = Timers()
        self._closing = False
        self._not_before: Moment = 0
        self._snapshots = Snapshots(journal, recovered.snapshot_at, snapshot_every)
        self._timers.refresh(fleet, fleet.containers)

    def now(self) -> Moment:
        """Return the moment; never before anything that has happened.

        What comes after a look has begun is stamped so, although no millisecond has
        passed: else the look could not tell what it is older than.
        """
        return max(self._clock.now(), self.fleet.at, self._not_before)

    def ask(
        self, request: Request | LoadObserved
    ) -> FutureResult[Asked, ContainerError]:
        """Make a request, or tell a load; the answer is given when it is durable."""
        return FutureResult(self._ask(request))

    async def _ask(
        self, request: Request | LoadObserved
    ) -> Result[Asked, ContainerError]:
        if self._closing or self.fatal is not None:
            return Failure(self.fatal or OperatorClosed())
        answer: asyncio.Future[Asked | ContainerError] = (
            asyncio.get_running_loop().create_future()
        )
        self._put(Ask(request=request, answer=answer))
        given = await answer
        return Success(given) if isinstance(given, Asked) else Failure(given)

    def tell(self, event: Event) -> None:
        """Take in a fact."""
        self._put(Happened(event=event))

    async def tell_when_there_is_room(self, event: Event) -> None:
        """Take in a fact of the platform's stream, which can wait."""
        async with self.turned:
            await self.turned.wait_for(lambda: len(self._mailbox) < FACTS_MAX)
        self.tell(event)

    def _put(self, item: Item) -> None:
        self._mailbox.append(item)
        self._wake.set()

    async def run(self) -> None:
        """Work until closed, or until going on would be wrong."""
        try:
            with collecting_seldom(AT_WORK):
                await self._work()
        finally:
            self._closing = True
            self._refuse_the_rest()
            async with self.turned:
                self.turned.notify_all()

    async def _work(self) -> None:
        pause = RETRY_S[0]
        while self.fatal is None and not (self._closing and not self._mailbox):
            await self._wait(pause if self.journal_error else None)
            with self.pulse:
                failed = await self._turn()
            pause = min(pause * 2, RETRY_S[1]) if failed else RETRY_S[0]
            if failed and self._closing:
                break
            async with self.turned:
                self.turned.notify_all()

    async def _wait(self, at_most_s: float | None) -> None:
        """Wait for an item, a timer, or the next try of the journal."""
        if self._mailbox and self.journal_error is None:
            await asyncio.sleep(0)
            return
        due = self._timers.next_at()
        limits = [] if at_most_s is None else [at_most_s]
        if due is not None and self.journal_error is None:
            limits.append(max(0.0, (due - self.now()) / 1_000))
        try:
            async with asyncio.timeout(min(limits, default=None)):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _turn(self) -> bool:
        """Move one batch; say whether the journal refused it."""
        self._wake.clear()
        now = self.now()
        items = [
            self._mailbox.popleft() for _ in range(min(BATCH_MAX, len(self._mailbox)))
        ]
        items += (
            Happened(event=TimeReached(at=now, name=name))
            for name in self._timers.due(now, BATCH_MAX)
        )
        self._in_hand = items
        batch = Batch(fleet=self.fleet, seq=self.head.seq, policies=self._policies)
        drafts = await worked_out(batch, items, now)
        head = self.head
        if drafts:
            with self.telemetry.committing():
                written = await settled(self._journal.append(head, drafts))
            if not isinstance(written, Head):
                self._keep(items, written)
                return True
            head = written
            await watched(self.watch, batch)
        self.journal_error = None
        self._commit(batch, head)
        self._stand_down_if_stale(items)
        self._snapshots.now_and_then(self.fleet, self.head)
        return False

    def _keep(self, items: list[Item], error: JournalError) -> None:
        """Refuse the requests of a batch that was not written; keep its facts."""
        if self.journal_error is None:
            LOG.error("%s", error.message, extra={"seq": self.head.seq})
        self.journal_error = error
        for item in items:
            if isinstance(item, Ask) and not item.answer.done():
                item.answer.set_result(error)
        facts = [item for item in items if not isinstance(item, Ask)]
        self._mailbox.extendleft(reversed(facts))
        if isinstance(error, JournalCorrupt | JournalConflict) or (
            isinstance(error, JournalUnavailable) and not error.retryable
        ):
            self.fatal = error

    def _commit(self, batch: Batch, head: Head) -> None:
        """Make true what has become durable."""
        self.fleet, self.head = batch.fleet, head
        self.telemetry.committed(batch)
        for ask, answer in batch.answers:
            if not ask.answer.done():
                ask.answer.set_result(answer)
        for step in batch.steps:
            for command in step.commands:
                self._hand_out(command, step)
            for watcher in tuple(self.watchers):
                watcher(step)
            self._hooks.see(step)
        touched = {name for step in batch.steps for name in step.touched}
        self._timers.refresh(self.fleet, touched)

    def _hand_out(self, command: Command, step: Step) -> None:
        interpreter, fleet = self.interpreter, step.after
        if interpreter is None or isinstance(command, RollService):
            return  # whoever follows rollouts of the platform watches the steps
        if isinstance(command, ObserveFleet):
            began = self._not_before = max(self.now(), fleet.at + 1)
            interpreter.look(lambda seen: self._put(looked(seen, began)))
            return
        if isinstance(command, SendNotice):
            interpreter.notify(envelope_of(command, fleet))
            return
        interpreter.carry_out(command, setting_of(command, fleet))

    def _stand_down_if_stale(self, items: list[Item]) -> None:
        """Stop at once where a newer operator has taken over."""
        for item in items:
            match item:
                case (
                    Looked(seen=StaleOperator() as error)
                    | Happened(event=CommandFailed(error=StaleOperator() as error))
                ):
                    self.fatal = error
                case _:
                    pass

    def stand_down(self, error: ContainerError) -> None:
        """Stop where the platform has said that going on would be wrong."""
        self.fatal = error
        self._wake.set()

    async def save_snapshot(self) -> None:
        """Save the fleet as it is (``runtime.snapshots``)."""
        await self._snapshots.save(self.fleet, self.head)

    def close(self) -> None:
        """Take no more requests, and end when the mailbox is empty."""
        self._closing = True
        self._wake.set()

    def _refuse_the_rest(self) -> None:
        refusal: ContainerError = self.fatal or self.journal_error or OperatorClosed()
        for item in (*self._in_hand, *self._mailbox):
            if isinstance(item, Ask) and not item.answer.done():
                item.answer.set_result(refusal)
