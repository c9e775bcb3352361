"""What came from outside in a history: how every run went, and how long things took.

One pass over the rows with what they led to; what is kept grows with the runs and the
news of them, not with the rows. Requests, boots and looks are not kept: whoever goes
through the rows again meets them there.

Note [What was skipped]. News that are skipped were never told: a run whose end is
skipped lives on. A failed command that is skipped was accepted; where the failure had
ended the run before it began, it goes as the next recorded run of the same spec went,
in its place.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar, assert_never

import attrs

from orchestrator.core.commands import (
    Command,
    DestroyContainer,
    ForgetContainer,
    ObserveFleet,
    RollService,
    SendNotice,
    StartContainer,
    StopContainer,
)
from orchestrator.core.errors import StaleOperator, TimedOut, Unreachable
from orchestrator.core.events import (
    Booted,
    CommandAccepted,
    CommandFailed,
    CommandKind,
    ContainerEnded,
    ContainerErrored,
    ContainerObserved,
    ContainerReady,
    ContainerStarted,
    FleetObserved,
    HealthChanged,
)
from orchestrator.core.exits import StartFailed
from orchestrator.core.fingerprints import Fingerprints
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.phases import Stopping, live_run
from orchestrator.core.state import Container, Fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.core.uptimes import is_ready
from orchestrator.replay.history import Entry
from orchestrator.replay.imagined.life_drafts import LifeDraft, in_place_of
from orchestrator.replay.imagined.lives import Answer, Ending, Fact, Life
from orchestrator.replay.imagined.typical import Typical, sample, typical_of

__all__ = ("Causes", "causes_of")


@attrs.frozen(kw_only=True)
class Causes:
    """The runs of each container in their order, and what is typical.

    ``alike`` are those of a container that were started with the same, by its name and
    the fingerprint; ``older`` are the runs that no start command of the record has
    begun; ``looks`` how long the first looks at the platform took.
    """

    rows: int = 0
    lives: Table[str, tuple[Life, ...]] = Table()
    alike: Table[tuple[str, str], tuple[Life, ...]] = Table()
    older: Table[str, tuple[Life, ...]] = Table()
    looks: tuple[Millis, ...] = ()
    typical: Typical = Typical()


def causes_of(
    told: Iterable[tuple[Entry, Step]], *, skip: frozenset[int] = frozenset()
) -> Causes:
    """Gather the causes of a history; rows whose number is in *skip* caused nothing.

    *told* is what ``history.states`` yields.
    """
    gathering = _Gathering(skip=skip)
    for entry, step in told:
        gathering.take(entry, step)
    return gathering.close()


@attrs.define(kw_only=True, eq=False)
class _Gathering:
    """Takes in one row after the other."""

    skip: frozenset[int]
    rows: int = 0
    ends: Moment = 0
    booted: int = 0
    looked_at: Moment | None = None
    drafts: dict[tuple[str, int], LifeDraft] = attrs.field(
        factory=dict[tuple[str, int], LifeDraft]
    )
    looks: list[Millis] = attrs.field(factory=list[Millis])
    marks: Fingerprints = attrs.field(factory=Fingerprints)

    def take(self, entry: Entry, step: Step) -> None:
        """Take in a row: what it tells, whom it ends, what it commands."""
        self.rows += 1
        self.ends = entry.event.at
        for before, _ in step.pairs():
            self._stop(before)
        self._hear(entry)
        for before, after in step.pairs():
            run = None if before is None else live_run(before.phase)
            if before is None or run is None:
                continue
            draft = self._draft(before.name, run)
            draft.spec = before.spec
            draft.mark = draft.mark or self.marks.of(before.spec)
            if after is None or live_run(after.phase) != run:
                self._conclude(draft, entry)
            elif is_ready(after) and entry.seq not in self.skip:
                draft.until_ready = draft.until_ready or len(draft.facts)
            self._stop(after)
        for command in entry.commands:
            self._give(command, entry, step.after)

    def _stop(self, container: Container | None) -> None:
        """Take note that a run is being ended, and whether for being slow."""
        if container is not None and isinstance(container.phase, Stopping):
            draft = self._draft(container.name, container.phase.run)
            draft.is_stopping = True
            draft.was_slow = isinstance(container.phase.verdict, StartFailed)

    def _draft(self, name: str, run: int) -> LifeDraft:
        known = self.drafts.get((name, run))
        if known is None:
            known = self.drafts[name, run] = LifeDraft(name=name, run=run)
        return known

    # What is told

    def _hear(self, entry: Entry) -> None:
        match entry.event:
            case CommandAccepted() | CommandFailed() as event:
                self._answer(entry, event)
            case (
                ContainerStarted()
                | ContainerReady()
                | ContainerEnded()
                | ContainerErrored()
                | ContainerObserved()
                | HealthChanged()
            ) as event if entry.seq not in self.skip:
                fact = Fact(seq=entry.seq, at=event.at, event=event)
                self._draft(event.name, event.run).hear(fact)
            case Booted():
                self.booted, self.looked_at = entry.seq, None
            case FleetObserved() as event if self.looked_at is not None:
                sample(self.looks, event.at - self.looked_at)
                self.looked_at = None
            case _:
                pass

    def _answer(self, entry: Entry, event: CommandAccepted | CommandFailed) -> None:
        if event.kind is CommandKind.FORGET:
            return
        draft = self._draft(event.name, event.run)
        is_start = event.kind is CommandKind.START
        is_skipped = entry.seq in self.skip
        error = None
        if isinstance(event, CommandFailed) and not is_skipped:
            error = event.error
        draft.answer(
            draft.starts if is_start else draft.stops,
            since=self.booted,
            seq=entry.seq,
            at=event.at,
            error=error,
        )
        over = isinstance(event, CommandFailed) and not isinstance(
            event.error, Unreachable | TimedOut | StaleOperator
        )
        if is_start and over and not draft.is_over:
            draft.end(Ending.ALIVE if is_skipped else Ending.BY_ITSELF)
            draft.goes_as_next = is_skipped

    def _conclude(self, draft: LifeDraft, entry: Entry) -> None:
        """Note the end of a run of which the row itself does not tell."""
        if not draft.is_over:
            is_skipped = entry.seq in self.skip
            draft.end(Ending.ALIVE if is_skipped else Ending.BY_US)

    # What is commanded

    def _give(self, command: Command, entry: Entry, fleet: Fleet) -> None:
        answer = Answer(given=entry.seq, given_at=entry.event.at)
        match command:
            case StartContainer(name=name, run=run):
                draft = self._draft(name, run)
                draft.starts.append(answer)
                container = fleet.containers.get(name)
                if container is not None and not draft.mark:
                    draft.mark = self.marks.of(container.spec)
            case StopContainer(name=name, run=run):
                self._draft(name, run).stops.append(answer)
            case DestroyContainer(name=name, run=run):
                self._draft(name, run).stops.append(answer)
            case ObserveFleet():
                self.looked_at = entry.event.at
            case ForgetContainer() | SendNotice() | RollService():
                pass
            case _:
                assert_never(command)

    # The whole

    def close(self) -> Causes:
        """Return all runs by container, and what is typical of them."""
        begun: list[Life] = []
        older: list[Life] = []
        waiting: dict[tuple[str, str], int] = {}
        for draft in self.drafts.values():
            life, alike = draft.life(self.ends), (draft.name, draft.mark)
            if not draft.starts:
                older.append(life)
                continue
            place = waiting.pop(alike, None)
            if place is None:
                place = len(begun)
                begun.append(life)
            else:
                begun[place] = in_place_of(begun[place], life)
            if draft.goes_as_next:
                waiting[alike] = place
        return Causes(
            rows=self.rows,
            lives=_grouped((life.name, life) for life in begun),
            alike=_grouped(((life.name, life.mark), life) for life in begun),
            older=_grouped((life.name, life) for life in older),
            looks=tuple(self.looks),
            typical=typical_of(begun, self.looks),
        )


_Key = TypeVar("_Key")


def _grouped(keyed: Iterable[tuple[_Key, Life]]) -> Table[_Key, tuple[Life, ...]]:
    """Gather lives under their keys, in their order."""
    rows: dict[_Key, list[Life]] = {}
    for key, life in keyed:
        rows.setdefault(key, []).append(life)
    return Table.of((key, tuple(row)) for key, row in rows.items())
