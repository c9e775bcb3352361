"""The first row of a history after which a condition holds.

By scan: row after row. Or, where states in between are known (snapshots), by halving:
a condition that lasts (``replay.conditions.conditions``) is false up to some row, then
true, so a state in which it is false says that all rows before it can be left out.

Note [The same container]. Counters of a container never fall, but one that is removed
and declared anew begins again. Between two states it was the same one if either

* no container that ever ran was removed before the later (``run_floor`` is 0: it is
  raised to the run of whatever leaves, and runs count from 1), or
* its owner's last wish in the later state is older than the earlier state: the wish is
  renewed when it is declared.

Where neither can be said the interval is halved, and at last scanned. So the answer is
that of a scan of all rows, in every case.

The fleet that a compacted journal begins with is looked at first, unless it is asked
what a row did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

import attrs
from returns.result import Failure, Result, Success

from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import PolicyNotRegistered
from orchestrator.core.phases import phase_name
from orchestrator.core.registry import not_registered, not_registered_of_fleet
from orchestrator.core.state import Fleet
from orchestrator.core.steps import Step
from orchestrator.replay.conditions.conditions import (
    Condition,
    as_test,
    asks_of_rows,
    counts_phases,
    lasts,
    names_in,
)
from orchestrator.replay.conditions.facts import phases_counted
from orchestrator.replay.conditions.kinds import Situation
from orchestrator.replay.history import NOTHING, Entry, states

__all__ = (
    "Finding",
    "Found",
    "HeldBefore",
    "Known",
    "Never",
    "Search",
    "bisect",
    "bisect_between",
)

SCANNED: Final = "every row was looked at"
TURNS: Final = "every row was looked at, for the condition can turn false again"
NO_STATES: Final = "every row was looked at, for there is no snapshot in between"
HALVED: Final = "by halving between snapshots, for once it holds it holds ever after"
DISAGREED: Final = "every row was looked at, for a snapshot disagrees with the rows"
BEGAN: Final = "no row was looked at, for it holds where the rows begin"


@attrs.frozen(kw_only=True)
class Search:
    """How an answer was found: ``rows`` folded, ``states`` looked at, and why so."""

    rows: int
    states: int
    why: str


@attrs.frozen(kw_only=True)
class Found:
    """The first entry after which the condition holds, and what it did."""

    entry: Entry
    step: Step
    search: Search


@attrs.frozen(kw_only=True)
class Never:
    """It holds after no row; ``fleet`` is that after the last one, number ``seq``."""

    seq: int
    fleet: Fleet
    search: Search


@attrs.frozen(kw_only=True)
class HeldBefore:
    """It holds where the rows begin, after row ``seq``; what made it so is gone."""

    seq: int
    fleet: Fleet
    search: Search


@attrs.frozen(kw_only=True)
class Known:
    """A history of which some states are known without folding.

    ``seqs``: the rows of these states, ascending; the first one is where the history
    begins (0, or the base of a compacted journal). ``entries_after`` gives the rows
    behind such a row, to the end.
    """

    seqs: tuple[int, ...] = attrs.field(validator=attrs.validators.min_len(1))
    fleet_at: Callable[[int], Fleet]
    entries_after: Callable[[int], Iterable[Entry]]


Finding: TypeAlias = Found | HeldBefore | Never
"""What a search comes to."""

Answer: TypeAlias = Result[Finding, PolicyNotRegistered]
_Hit: TypeAlias = tuple[Entry, Step]
_Place: TypeAlias = tuple[int, Fleet]


class _Missing(Exception):
    """A custom policy is missing; what was folded without it would be a guess."""

    def __init__(self, error: PolicyNotRegistered) -> None:
        super().__init__(error)
        self.error = error


class _Disagrees(Exception):
    """A state in which it holds, and no row before it that made it so."""


def bisect(
    entries: Iterable[Entry],
    condition: Condition,
    *,
    fleet: Fleet = NOTHING,
    after: int = 0,
    policies: CustomPolicies = NO_POLICIES,
) -> Answer:
    """Find the first entry after which a condition holds, by looking at each.

    *fleet*, after row *after*, is where the entries begin; it may hold there already.
    A failure is a custom policy that they need and *policies* has not.

    >>> from orchestrator.replay.conditions.parsing import parse_condition
    >>> bisect([], parse_condition("containers > 0").unwrap()).unwrap().seq
    0

    """
    walk = _Walk(condition, policies)
    try:
        held = walk.held(after, fleet)
        hit = None if held else walk.scan(after, fleet, entries)
    except _Missing as missing:
        return Failure(missing.error)
    return Success(held or walk.answer(hit, SCANNED))


def bisect_between(
    known: Known, condition: Condition, *, policies: CustomPolicies = NO_POLICIES
) -> Answer:
    """Find the same entry with the help of states that are known."""
    try:
        return Success(_between(known, condition, policies))
    except _Missing as missing:
        return Failure(missing.error)


def _between(known: Known, condition: Condition, policies: CustomPolicies) -> Finding:
    walk = _Walk(condition, policies)
    first, last = known.seqs[0], known.seqs[-1]
    held = walk.held(first, known.fleet_at(first))
    if held is not None:
        return held
    why = SCANNED
    if not lasts(condition):
        why = TURNS
    elif first == last:
        why = NO_STATES
    else:
        try:
            hit = walk.halved(known)
        except _Disagrees:
            why = DISAGREED
        else:
            return walk.answer(hit, HALVED)
    hit = walk.scan(first, known.fleet_at(first), known.entries_after(first))
    return walk.answer(hit, why)


class _Walk:
    """Looks for a condition, and keeps count of what that took."""

    def __init__(self, condition: Condition, policies: CustomPolicies) -> None:
        self._holds = as_test(condition)
        self._names = names_in(condition)
        self._counts = counts_phases(condition)
        self._asks_of_rows = asks_of_rows(condition)
        self._policies = policies
        self._rows = 0
        self._states = 0
        self._end: _Place = (0, NOTHING)

    def held(self, seq: int, fleet: Fleet) -> HeldBefore | None:
        """Return that it holds where the rows of a compacted journal begin."""
        is_asked = fleet is not NOTHING and not self._asks_of_rows
        if is_asked and self._holds(Situation(seq=seq, fleet=fleet)):
            search = Search(rows=0, states=0, why=BEGAN)
            return HeldBefore(seq=seq, fleet=fleet, search=search)
        return None

    def answer(self, hit: _Hit | None, why: str) -> Found | Never:
        """Return what was found, if anything was."""
        search = Search(rows=self._rows, states=self._states, why=why)
        if hit is None:
            seq, fleet = self._end
            return Never(seq=seq, fleet=fleet, search=search)
        entry, step = hit
        return Found(entry=entry, step=step, search=search)

    def scan(
        self, seq: int, fleet: Fleet, entries: Iterable[Entry], until: int | None = None
    ) -> _Hit | None:
        """Look at rows one by one, to the end or to row *until*."""
        self._end = (seq, fleet)
        missing = not_registered_of_fleet(fleet, self._policies)
        if missing is not None:
            raise _Missing(missing)
        counts = phases_counted(fleet) if self._counts else None
        for entry, step in states(entries, fleet=fleet, policies=self._policies):
            missing = not_registered(entry.event, self._policies)
            if missing is not None:
                raise _Missing(missing)
            self._rows += 1
            self._end = (entry.seq, step.after)
            if counts is not None:
                _count(counts, step)
            now = Situation(seq=entry.seq, fleet=step.after, step=step, counts=counts)
            if self._holds(now):
                return entry, step
            if entry.seq == until:
                return None
        return None

    def halved(self, known: Known) -> _Hit | None:
        """Look between known states, and scan the rows behind the last one."""
        first, last = self._state(known, 0), self._state(known, len(known.seqs) - 1)
        hit = self._inside(known, (0, first), (len(known.seqs) - 1, last))
        if hit is not None:
            return hit
        seq = known.seqs[-1]
        return self.scan(seq, last, known.entries_after(seq))

    def _state(self, known: Known, index: int) -> Fleet:
        self._states += index > 0
        return known.fleet_at(known.seqs[index])

    def _inside(self, known: Known, low: _Place, high: _Place) -> _Hit | None:
        """Look behind state *low*, up to state *high*; both by their index."""
        (left, before), (right, after) = low, high
        is_one = self._same(before, after)
        there = Situation(seq=known.seqs[right], fleet=after)
        is_there = is_one and self._holds(there)
        if is_one and not is_there:
            return None
        if right - left > 1:
            middle = (left + right) // 2
            half = (middle, self._state(known, middle))
            hit = self._inside(known, low, half)
            return self._inside(known, half, high) if hit is None else hit
        seq = known.seqs[left]
        hit = self.scan(seq, before, known.entries_after(seq), known.seqs[right])
        if hit is None and is_there:
            raise _Disagrees
        return hit

    def _same(self, before: Fleet, after: Fleet) -> bool:
        """Say whether what the condition asks about cannot have begun anew."""
        return after.run_floor == 0 or all(
            (now := after.containers.get(name)) is not None
            and now.desired.at < before.at
            for name in self._names
        )


def _count(counts: Counter[str], step: Step) -> None:
    """Keep count of the phases, by what a step has changed."""
    for was, now in step.pairs():
        if was is not None:
            counts[phase_name(was.phase)] -= 1
        if now is not None:
            counts[phase_name(now.phase)] += 1
