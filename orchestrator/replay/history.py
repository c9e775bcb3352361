"""Rows with their meaning, and the fleet at any place among them.

Everything here takes any iterable of entries, one at a time, and keeps none of them:
memory does not grow with the length of a history. *fleet* is where the entries begin:
the empty one for a whole journal, that of its base for one that was compacted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile
from operator import attrgetter
from typing import Final

import attrs

from orchestrator.core.commands import Command
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.events import Event
from orchestrator.core.evolving import quick
from orchestrator.core.reduce import fold as fold_events
from orchestrator.core.reduce import step_of
from orchestrator.core.state import Fleet, empty_fleet
from orchestrator.core.steps import Step
from orchestrator.replay.places import Place, is_within

__all__ = ("NOTHING", "Entry", "fold", "states")

NOTHING: Final = empty_fleet("fleet")
"""The fleet before a journal's first row; the first spec applied gives the name."""


@quick
@attrs.frozen(kw_only=True, weakref_slot=False)
class Entry:
    """One row of a journal, decoded.

    ``changes`` is what the event changed, as the row holds it: JSON of the fields that
    are new of each container it touched (a digest in rows of rules 1).
    """

    seq: int
    event: Event
    commands: tuple[Command, ...]
    changes: bytes


_event: Final[Callable[[Entry], Event]] = attrgetter("event")


def fold(
    entries: Iterable[Entry],
    *,
    fleet: Fleet = NOTHING,
    until: Place | None = None,
    policies: CustomPolicies = NO_POLICIES,
) -> Fleet:
    """Return the fleet after all entries, or at the place *until*.

    >>> fold([]).at
    0

    """
    if until is not None:
        entries = takewhile(lambda e: is_within(until, e.seq, e.event.at), entries)
    return fold_events(fleet, map(_event, entries), policies)


def states(
    entries: Iterable[Entry],
    *,
    fleet: Fleet = NOTHING,
    policies: CustomPolicies = NO_POLICIES,
) -> Iterator[tuple[Entry, Step]]:
    """Yield every entry with what today's code makes of it: before, after, commands."""
    for entry in entries:
        step = step_of(fleet, entry.event, policies)
        fleet = step.after
        yield entry, step
