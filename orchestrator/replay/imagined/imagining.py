"""What would have come of a history under a hypothesis, beside what came of it.

``what_if`` goes through a record twice: once for its causes
(``replay.imagined.causes``), once to play them under the hypothesis
(``replay.imagined.playing``). What is compared are sums: runs
begun, crashes, time in each phase, the share of the time in which it was ready.

A record that can be gone through only once (an iterator) is kept meanwhile; one that
can be gone through again (a list, a journal that is opened anew) is not. Rows that were
added to it between the two are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import attrs
from returns.result import Failure, Result, Success

from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import InvalidSpec, PolicyNotRegistered, Problem
from orchestrator.core.events import Declaration, Event, SpecApplied, StartRequested
from orchestrator.core.moments import Moment
from orchestrator.core.phases import CrashLooping, Failed, phase_name
from orchestrator.core.registry import not_registered, not_registered_of_fleet
from orchestrator.core.service_events import AdoptRequested, ScaleRequested
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.core.uptimes import Totals, sum_of
from orchestrator.replay.history import NOTHING, Entry, states
from orchestrator.replay.imagined.assumptions import Assumption, Notes, Supposed
from orchestrator.replay.imagined.beats import Beat, Parted
from orchestrator.replay.imagined.causes import Causes, causes_of
from orchestrator.replay.imagined.hypotheses import (
    FOR_ALL,
    Hypothesis,
    Recorded,
    problems_of,
    rewritten,
    under,
)
from orchestrator.replay.imagined.playing import STEPS_MAX, Play
from orchestrator.replay.totals import Tally, tally_from

__all__ = ("Compared", "Side", "WhatIf", "what_if")

NotAsked = InvalidSpec | PolicyNotRegistered
"""Why a question cannot be answered."""


@attrs.frozen(kw_only=True)
class Side:
    """One side of a comparison: what a container's time came to, and how it ended.

    ``phase``: its phase at the end, None where it is not there; ``gave_up_at``: since
    when it has been given up or held for good, None: it is not.
    """

    totals: Totals
    phase: str | None
    gave_up_at: Moment | None


@attrs.frozen(kw_only=True)
class Compared:
    """A container as it was and as it would have been; ``parted``: from when on."""

    name: str
    recorded: Side
    imagined: Side
    parted: Parted | None


@attrs.frozen(kw_only=True)
class WhatIf:
    """The answer: both sides of each container and in total, and what is assumed."""

    begins: Moment
    ends: Moment
    rows: int
    containers: tuple[Compared, ...]
    recorded: Totals
    imagined: Totals
    fleet: Fleet
    assumptions: tuple[Assumption, ...]


@attrs.frozen(kw_only=True)
class _Known:
    """What the first way through a record has found."""

    causes: Causes
    record: Recorded


def what_if(
    entries: Iterable[Entry],
    hypothesis: Hypothesis,
    *,
    fleet: Fleet = NOTHING,
    policies: CustomPolicies = NO_POLICIES,
    seen: Callable[[Beat], None] | None = None,
    steps_most: int = STEPS_MAX,
) -> Result[WhatIf, NotAsked]:
    """Answer what would have come of a record; *seen* is shown every step of it.

    *fleet* is where the record begins. Refused is what cannot be skipped or inserted,
    and a custom policy that the record or the hypothesis needs and nobody registered;
    and a hypothesis that takes more than *steps_most* steps beside the rows.
    """
    rows = tuple(entries) if isinstance(entries, Iterator) else entries
    notes = Notes()
    known = _known(rows, hypothesis, notes, fleet=fleet, policies=policies)
    if not isinstance(known, _Known):
        return Failure(known)
    play = Play(
        hypothesis=hypothesis,
        causes=known.causes,
        record=fleet,
        world=under(fleet, hypothesis),
        policies=policies,
        notes=notes,
        steps_left=steps_most,
    )
    recorded, imagined = tally_from(fleet), tally_from(play.world)
    for beat in play.beats(islice(rows, known.causes.rows)):
        if beat.recorded is not None:
            recorded.take(beat.recorded)
        if beat.imagined is not None:
            imagined.take(beat.imagined)
        if seen is not None:
            seen(beat)
    if play.is_endless:
        most = f"at most {steps_most} steps beside the rows"
        problem = Problem(place="the hypothesis", expected=most, found="more")
        return Failure(InvalidSpec(problems=(problem,)))
    return Success(_answer(known, play, recorded, imagined))


# The first way through


def _known(
    entries: Iterable[Entry],
    hypothesis: Hypothesis,
    notes: Notes,
    *,
    fleet: Fleet,
    policies: CustomPolicies,
) -> _Known | NotAsked:
    found = _Finding(hypothesis=hypothesis, notes=notes, policies=policies)
    for container in fleet.containers.values():
        found.meet(container.spec)
    told = states(entries, fleet=fleet, policies=policies)
    causes = causes_of(map(found.pass_by, told), skip=hypothesis.skip)
    behind = not_registered_of_fleet(under(fleet, hypothesis), policies)
    missing = behind or found.missing
    if missing is not None:
        return missing
    record = found.record(fleet)
    problems = problems_of(hypothesis, record)
    if problems is not None:
        return problems
    for name in (*hypothesis.policies, *hypothesis.specs):
        if name not in record.names and name != FOR_ALL:
            notes.take(Supposed.NOT_DECLARED, name)
    return _Known(causes=causes, record=record)


@attrs.define(kw_only=True, eq=False)
class _Finding:
    """What is found on the first way, besides the causes."""

    hypothesis: Hypothesis
    notes: Notes
    policies: CustomPolicies
    first: Entry | None = None
    last: Entry | None = None
    missing: PolicyNotRegistered | None = None
    names: dict[str, None] = attrs.field(factory=dict[str, None])
    skipped: dict[int, Event] = attrs.field(factory=dict[int, Event])

    def pass_by(self, told: tuple[Entry, Step]) -> tuple[Entry, Step]:
        """Look at a row and let it pass."""
        entry, step = told
        event = entry.event
        self.first, self.last = self.first or entry, entry
        if entry.commands != step.commands:
            self.notes.take(Supposed.DECIDED_OTHERWISE, "")
        if entry.seq in self.hypothesis.skip:
            self.skipped[entry.seq] = event
        match event:
            case (
                SpecApplied(declarations=declarations)
                | ScaleRequested(declarations=declarations)
            ):
                for declaration in declarations:
                    self.meet(declaration.spec)
            case StartRequested(declaration=Declaration(spec=spec)):
                self.meet(spec)
            case AdoptRequested(declaration=declaration):
                self.meet(declaration.spec)
            case _:
                pass
        if self.missing is None:
            supposed = rewritten(event, self.hypothesis)
            self.missing = not_registered(event, self.policies) or not_registered(
                supposed, self.policies
            )
        return told

    def meet(self, spec: ContainerSpec) -> None:
        """Take note of a container that the record has."""
        self.names[spec.name] = self.names[spec.service] = None

    def record(self, fleet: Fleet) -> Recorded:
        """Return what a hypothesis has to fit."""
        first, last = self.first, self.last
        return Recorded(
            first=0 if first is None else first.seq,
            last=0 if last is None else last.seq,
            begins=fleet.at if first is None else first.event.at,
            ends=fleet.at if last is None else last.event.at,
            names=Table.of(self.names.items()),
            skipped=Table.of(self.skipped.items()),
        )


# The answer


def _answer(known: _Known, play: Play, recorded: Tally, imagined: Tally) -> WhatIf:
    recorded.close(known.record.ends)
    imagined.close(known.record.ends)
    was, would = recorded.totals(), imagined.totals()
    names = Table.of((name, None) for name in (*was, *would))
    containers = tuple(
        Compared(
            name=name,
            recorded=_side(name, was, play.record),
            imagined=_side(name, would, play.world),
            parted=play.parted.get(name),
        )
        for name in names
    )
    return WhatIf(
        begins=known.record.begins,
        ends=known.record.ends,
        rows=known.causes.rows,
        containers=containers,
        recorded=sum_of(was.values()),
        imagined=sum_of(would.values()),
        fleet=play.world,
        assumptions=play.notes.all(),
    )


def _side(name: str, totals: Table[str, Totals], fleet: Fleet) -> Side:
    container = fleet.containers.get(name)
    phase = None if container is None else container.phase
    gave_up_at: Moment | None = None
    match phase:
        case Failed(since=since) | CrashLooping(since=since, until=None):
            gave_up_at = since
        case _:
            pass
    return Side(
        totals=totals.get(name) or Totals(),
        phase=None if phase is None else phase_name(phase),
        gave_up_at=gave_up_at,
    )
