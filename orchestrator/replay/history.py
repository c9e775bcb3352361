"""Rows with their meaning, and the fleet at any place among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile

import attrs

from orchestrator.core.commands import Command
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.events import Event
from orchestrator.core.moments import Moment
from orchestrator.core.reduce import Transition, fold, reduce
from orchestrator.core.state import Fleet

__all__ = ("Entry", "fleet_after", "fleet_at", "transitions")


@attrs.frozen(kw_only=True)
class Entry:
    """One row of a journal, decoded.

    ``changes`` is the digest of the records that the event changed.
    """

    seq: int
    event: Event
    commands: tuple[Command, ...]
    changes: bytes


def fleet_after(
    fleet: Fleet,
    entries: Sequence[Entry],
    seq: int,
    policies: CustomPolicies = NO_POLICIES,
) -> Fleet:
    """Return the fleet after row *seq*, folded from *fleet*."""
    events = (entry.event for entry in entries if entry.seq <= seq)
    return fold(fleet, events, policies)


def fleet_at(
    fleet: Fleet,
    entries: Iterable[Entry],
    moment: Moment,
    policies: CustomPolicies = NO_POLICIES,
) -> Fleet:
    """Return the fleet as it was believed to be at *moment*."""
    until = takewhile(lambda entry: entry.event.at <= moment, entries)
    return fold(fleet, (entry.event for entry in until), policies)


def transitions(
    fleet: Fleet, entries: Iterable[Entry], policies: CustomPolicies = NO_POLICIES
) -> Iterator[tuple[Entry, Transition]]:
    """Yield every row with what it does, one at a time; nothing is kept."""
    for entry in entries:
        transition = reduce(fleet, entry.event, policies)
        fleet = transition.fleet
        yield entry, transition
