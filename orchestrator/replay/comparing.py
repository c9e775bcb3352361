"""What differs: between two journals, and between two fleets.

Journals are compared row by row, in step, up to the first one that differs; behind it
they are folded, so that it can be said how their ends differ. It is the content that
counts: event, commands, changes, not the digests, which a copy may have anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import attrs
from returns.result import Failure, Result, Success

from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import Difference, PolicyNotRegistered
from orchestrator.core.events import Event
from orchestrator.core.moments import Moment
from orchestrator.core.reduce import fold as fold_events
from orchestrator.core.registry import not_registered, not_registered_of_fleet
from orchestrator.core.state import Fleet
from orchestrator.replay.fleet_differences import FleetsDiffer, compare_fleets
from orchestrator.replay.history import NOTHING, Entry
from orchestrator.replay.places import Place, is_within
from orchestrator.replay.trees import differences
from orchestrator.replay.verifying import Recording

__all__ = (
    "Comparison",
    "Parting",
    "Side",
    "Standing",
    "compare",
    "standings",
)


@attrs.frozen(kw_only=True)
class Side:
    """One of two journals: its rows, and the fleet after row ``after``, before them."""

    entries: Iterable[Entry]
    fleet: Fleet = NOTHING
    after: int = 0


@attrs.frozen(kw_only=True)
class Parting:
    """The first row that is not the same: what each journal has there, None: its end.

    In ``differences``, ``recorded`` is what the first one says.
    """

    seq: int
    one: Entry | None
    other: Entry | None
    differences: tuple[Difference, ...]


@attrs.frozen(kw_only=True)
class Standing:
    """A fleet, and the row behind which it stands so."""

    seq: int
    fleet: Fleet


@attrs.frozen(kw_only=True)
class Comparison:
    """How two journals compare.

    ``alike`` rows, from row ``first`` on, are the same; then they part, or both end
    (``parting`` is None). ``one`` and ``other`` are how they end.
    """

    first: int
    alike: int
    parting: Parting | None
    one: Standing
    other: Standing
    fleets: FleetsDiffer

    @property
    def is_nothing(self) -> bool:
        """Say whether there is no difference."""
        return self.parting is None and self.fleets.is_nothing


class _Missing(Exception):
    """A custom policy is missing; what was folded without it would be a guess."""

    def __init__(self, error: PolicyNotRegistered) -> None:
        super().__init__(error)
        self.error = error


class _Rows:
    """Entries, one at a time, with a look at the next one, and where they have led."""

    def __init__(self, side: Side, policies: CustomPolicies) -> None:
        missing = not_registered_of_fleet(side.fleet, policies)
        if missing is not None:
            raise _Missing(missing)
        self._entries = iter(side.entries)
        self._policies = policies
        self.seq = side.after
        self.fleet = side.fleet
        self.next = next(self._entries, None)

    def take(self, entry: Entry) -> Event:
        """Go over the next row, which is *entry*; return its event."""
        missing = not_registered(entry.event, self._policies)
        if missing is not None:
            raise _Missing(missing)
        self.seq = entry.seq
        self.next = next(self._entries, None)
        return entry.event

    def fold(self, wanted: Callable[[Entry], bool]) -> None:
        """Fold rows as long as they are wanted."""
        self.fleet = fold_events(self.fleet, self._taken(wanted), self._policies)

    def _taken(self, wanted: Callable[[Entry], bool]) -> Iterator[Event]:
        while (entry := self.next) is not None and wanted(entry):
            yield self.take(entry)


def compare(
    one: Side,
    other: Side,
    recording: Recording,
    *,
    policies: CustomPolicies = NO_POLICIES,
) -> Result[Comparison, PolicyNotRegistered]:
    """Compare two journals, row by row and at their ends.

    Rows that only one of them has, for the other was compacted, are folded and not
    compared. A failure is a custom policy that the rows need and *policies* has not.
    """
    try:
        ours, theirs = _Rows(one, policies), _Rows(other, policies)
        begin = max(one.after, other.after)
        for rows in (ours, theirs):
            rows.fold(lambda entry: entry.seq <= begin)
        alike = _alike(ours, theirs, recording, policies)
        parting = _parting(ours, theirs, recording)
        for rows in (ours, theirs):
            rows.fold(lambda _: True)
    except _Missing as missing:
        return Failure(missing.error)
    return Success(
        Comparison(
            first=begin + 1,
            alike=alike,
            parting=parting,
            one=Standing(seq=ours.seq, fleet=ours.fleet),
            other=Standing(seq=theirs.seq, fleet=theirs.fleet),
            fleets=compare_fleets(ours.fleet, theirs.fleet, recording.tree),
        )
    )


def _alike(
    ours: _Rows, theirs: _Rows, recording: Recording, policies: CustomPolicies
) -> int:
    """Go over the rows that are the same; fold them once where the fleets are, too."""
    count = 0

    def common() -> Iterator[Event]:
        nonlocal count
        while (one := ours.next) is not None and (other := theirs.next) is not None:
            if not _is_same(one, other, recording):
                return
            count += 1
            _ = ours.take(one)
            yield theirs.take(other)

    if ours.fleet == theirs.fleet:
        ours.fleet = theirs.fleet = fold_events(ours.fleet, common(), policies)
    else:
        for event in common():
            for rows in (ours, theirs):
                rows.fleet = fold_events(rows.fleet, (event,), policies)
    return count


def _is_same(one: Entry, other: Entry, recording: Recording) -> bool:
    if (one.seq, one.event, one.commands) != (other.seq, other.event, other.commands):
        return False
    return one.changes == other.changes or not _of_changes(one, other, recording)


def _of_changes(
    one: Entry, other: Entry, recording: Recording
) -> tuple[Difference, ...]:
    """Compare what two rows have changed, where both of them say it in fields."""
    was, now = recording.read(one.changes), recording.read(other.changes)
    if (was is None) != (now is None):
        return ()
    if was is None:
        was, now = one.changes.hex(), other.changes.hex()
    return tuple(differences(was, now, "changes"))


def _parting(ours: _Rows, theirs: _Rows, recording: Recording) -> Parting | None:
    """Return where two journals part, None where both have ended."""
    one, other = ours.next, theirs.next
    if one is None or other is None:
        longer = one or other
        if longer is None:
            return None
        return Parting(seq=longer.seq, one=one, other=other, differences=())
    tree = recording.tree
    found = (
        *differences(one.seq, other.seq, "seq"),
        *differences(tree(one.event), tree(other.event), "event"),
        *differences(tree(one.commands), tree(other.commands), "commands"),
        *_of_changes(one, other, recording),
    )
    return Parting(seq=one.seq, one=one, other=other, differences=found)


def standings(
    side: Side, places: tuple[Place, Place], *, policies: CustomPolicies = NO_POLICIES
) -> Result[tuple[Standing, Standing], PolicyNotRegistered]:
    """Return the fleet of one journal at two places, in one go, whichever is first."""
    try:
        rows = _Rows(side, policies)
        rows.fold(lambda entry: all(_is_in(place, entry) for place in places))
        earlier = Standing(seq=rows.seq, fleet=rows.fleet)
        following = rows.next
        rows.fold(lambda entry: any(_is_in(place, entry) for place in places))
    except _Missing as missing:
        return Failure(missing.error)
    later = Standing(seq=rows.seq, fleet=rows.fleet)
    if following is not None and _is_in(places[0], following):
        return Success((later, earlier))
    return Success((earlier, later))


def _is_in(place: Place, entry: Entry) -> bool:
    at: Moment = entry.event.at
    return is_within(place, entry.seq, at)
