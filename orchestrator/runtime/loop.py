"""The loop: one writer. Durable first, then act.

Everything comes in through one mailbox: requests, the platform's news, outcomes of
commands, looks, time. What has come is moved through the core together and written
with one commit (group commit); then, and only then, answers are given, commands are
handed out, hooks are called.

When the journal cannot be written, requests are refused with its error, facts are
kept and tried again, and the fleet stays what it was: reads go on. Where nobody knows
whether it was written, the same rows are tried again until somebody does: their
requests wait, and nothing else is decided meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

from returns.future import FutureResult
from returns.result import Failure, Result, Success

from orchestrator.codec.journal_choice import SNAPSHOT_EVERY
from orchestrator.core.commands import Command, ObserveFleet, RollService, SendNotice
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import (
    ContainerError,
    JournalError,
    OperatorClosed,
)
from orchestrator.core.events import Event, TimeReached
from orchestrator.core.journal_errors import is_in_doubt
from orchestrator.core.loads import LoadObserved
from orchestrator.core.moments import Moment
from orchestrator.core.requests import Request
from orchestrator.core.steps import Step
from orchestrator.journal.port import Draft, Head, Journal
from orchestrator.runtime.clock import Clock
from orchestrator.runtime.collecting import AT_WORK, collecting_seldom
from orchestrator.runtime.followers import Follower, Seen, by_pieces, followed
from orchestrator.runtime.hooks import Hooks
from orchestrator.runtime.interpreter import Interpreter, setting_of
from orchestrator.runtime.mailbox import BATCH_MAX, Mailbox
from orchestrator.runtime.members import Members
from orchestrator.runtime.notifier import envelope_of
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.pulse import Pulse
from orchestrator.runtime.recovery import Recovered
from orchestrator.runtime.snapshots import Snapshots
from orchestrator.runtime.steps import (
    Asked,
    Batch,
    Happened,
    Item,
    doubt_of,
    is_final,
    looked,
    refuse,
    stale_in,
)
from orchestrator.runtime.telemetry import Telemetry
from orchestrator.runtime.timers import Timers
from orchestrator.runtime.turns import watched, worked_out
from orchestrator.runtime.watch import Watch

__all__ = ("Loop",)

LOG: Final = logging.getLogger("orchestrator.loop")

RETRY_S: Final = (0.1, 5.0)
"""Before the journal is tried again: at first, and at most."""

_Begun: TypeAlias = tuple[list[Item], Batch, tuple[Draft, ...]]
"""Items taken out of the mailbox, what they come to, and the rows of that."""


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
        self.fleet, self.head = recovered.fleet, recovered.head
        self.interpreter: Interpreter | None = None
        self.journal_error: JournalError | None = None
        self.fatal: ContainerError | None = None
        self.members = Members(self.fleet)
        self.watchers: list[Seen] = [self.members.see]
        self.appended: Callable[[float], None] | None = None
        self.on_stand_down: list[Callable[[], None]] = []
        self.turned = asyncio.Condition()
        self.watch = Watch()
        self.pulse = Pulse()
        self.telemetry = telemetry or Telemetry()
        self.followers: list[Follower] = [self.telemetry.restarted]
        self._journal = journal
        self._policies = policies
        self._clock = clock
        self._hooks = hooks
        self._mailbox = Mailbox()
        self._in_hand: list[Item] = []
        self._doubtful: _Begun | None = None
        self._timers = Timers()
        self._closing = False
        self._not_before: Moment = 0
        self._snapshots = Snapshots(journal, recovered.snapshot_at, snapshot_every)

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
        given = await self._mailbox.ask(request)
        return Success(given) if isinstance(given, Asked) else Failure(given)

    def tell(self, event: Event) -> None:
        """Take in a fact."""
        self._mailbox.put(Happened(event=event))

    async def tell_when_there_is_room(self, event: Event) -> None:
        """Take in a fact of the platform's stream, which can wait."""
        async with self.turned:
            await self.turned.wait_for(lambda: self._mailbox.has_room)
        self.tell(event)

    async def run(self) -> None:
        """Work until closed, or until going on would be wrong."""
        try:
            with collecting_seldom(AT_WORK):
                refresh = partial(self._timers.refresh, self.fleet)
                await by_pieces(tuple(self.fleet.containers), refresh)
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
        await self._mailbox.wait(min(limits, default=None))

    async def _turn(self) -> bool:
        """Move one batch; say whether the journal refused it."""
        self._mailbox.calm()
        begun = self._doubtful or await self._begun()
        items, batch, drafts = begun
        head = self.head
        if drafts:
            asked_at = asyncio.get_running_loop().time()
            with self.telemetry.committing():
                written = await settled(self._journal.append(head, drafts))
            if not isinstance(written, Head):
                self._note(written)
                if self._doubtful is not None or is_in_doubt(written):
                    self._doubtful = begun  # whatever comes between, until it is known
                else:
                    refuse(items, written)
                    self._mailbox.give_back(items)
                return True
            self._doubtful = None
            if self.appended is not None:
                self.appended(asked_at)
            head = written
            await watched(self.watch, batch)
        self.journal_error = None
        await self._commit(batch, head)
        self.fatal = self.fatal or stale_in(items)
        self._snapshots.now_and_then(self.fleet, self.head)
        return False

    async def _begun(self) -> _Begun:
        """Take what has come, and work out what it does; nothing is true yet."""
        now = self.now()
        items = self._mailbox.take()
        items += (
            Happened(event=TimeReached(at=now, name=name))
            for name in self._timers.due(now, BATCH_MAX)
        )
        self._in_hand = items
        batch = Batch(fleet=self.fleet, seq=self.head.seq, policies=self._policies)
        return items, batch, await worked_out(batch, items, now)

    def _note(self, error: JournalError) -> None:
        """Take in why a batch was not written, or may not have been."""
        if self.journal_error is None:
            LOG.error("%s", error.message, extra={"seq": self.head.seq})
        self.journal_error = error
        if is_final(error):
            self.fatal = error

    async def _commit(self, batch: Batch, head: Head) -> None:
        """Make true what has become durable; then each container has its turn."""
        begin, self.fleet, self.head = self.head.seq + 1, batch.fleet, head
        self.telemetry.committed(batch)
        batch.answer()
        for step in batch.steps:
            for watcher in tuple(self.watchers):
                watcher(step)
            self._hooks.see(step)
        await followed(batch.steps, begin, self._hand_out, self.followers)
        touched = {name for step in batch.steps for name in step.touched}
        await by_pieces(tuple(touched), partial(self._timers.refresh, self.fleet))

    def _hand_out(self, command: Command, step: Step) -> None:
        interpreter, fleet = self.interpreter, step.after
        if interpreter is None or isinstance(command, RollService):
            return  # whoever follows rollouts of the platform watches the steps
        if self.fatal is not None:
            return  # it is outstanding for whoever leads next
        if isinstance(command, ObserveFleet):
            began = self._not_before = max(self.now(), fleet.at + 1)
            interpreter.look(lambda seen: self._mailbox.put(looked(seen, began)))
            return
        if isinstance(command, SendNotice):
            interpreter.notify(envelope_of(command, fleet))
            return
        interpreter.carry_out(command, setting_of(command, fleet))

    def stand_down(self, error: ContainerError) -> None:
        """Stop where the platform has said that going on would be wrong."""
        self.fatal = error
        self._mailbox.stir()
        for stop in tuple(self.on_stand_down):
            stop()

    async def save_snapshot(self) -> None:
        """Save the fleet as it is (``runtime.snapshots``)."""
        await self._snapshots.save(self.fleet, self.head)

    def close(self) -> None:
        """Take no more requests, and end when the mailbox is empty."""
        self._closing = True
        self._mailbox.stir()

    def _refuse_the_rest(self) -> None:
        refusal: ContainerError = self.fatal or self.journal_error or OperatorClosed()
        in_hand = refusal if self._doubtful is None else doubt_of(refusal)
        refuse(self._in_hand, in_hand)
        refuse(self._mailbox, refusal)
