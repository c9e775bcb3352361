"""A journal as a timeline: what happened, in order of time, and container by container.

``happenings`` yields items one by one and keeps none. ``Recorder`` sorts them into the
spans, runs, decisions, requests and failures of each container, of each the newest
*limit*; what it left out is counted. Neither looks further back than where it begins.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from typing import Final

from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.events import Event
from orchestrator.core.moments import Moment
from orchestrator.core.reduce import fold as fold_events
from orchestrator.core.state import Fleet
from orchestrator.core.steps import Step
from orchestrator.replay.history import NOTHING, Entry, states
from orchestrator.replay.places import AtMoment, Place, is_within
from orchestrator.replay.timelines.grants import rules_of_starts
from orchestrator.replay.timelines.happenings import Closed, Happening, Opened
from orchestrator.replay.timelines.items import as_it_was, items_of
from orchestrator.replay.timelines.news import Message, news_of
from orchestrator.replay.timelines.of_services import (
    ServiceHappening,
    of_services,
)
from orchestrator.replay.timelines.recording import Recorder
from orchestrator.replay.timelines.stretches import Timeline

__all__ = ("LIMIT", "happenings", "timeline")

LIMIT: Final = 1_000
"""How many spans, runs, decisions ... of a container a timeline keeps, unless asked."""


def timeline(
    entries: Iterable[Entry],
    *,
    fleet: Fleet = NOTHING,
    policies: CustomPolicies = NO_POLICIES,
    since: Place | None = None,
    until: Place | None = None,
    containers: Collection[str] | None = None,
    limit: int | None = LIMIT,
) -> Timeline:
    """Return what happened between two places, container by container.

    *containers*: their names, None for all of them; *limit*: how much is kept of each
    kind of each container, None for all of it.

    >>> timeline([]).courses
    ()

    """
    recorder = Recorder(limit=limit)
    for item in happenings(
        entries,
        fleet=fleet,
        policies=policies,
        since=since,
        until=until,
        containers=containers,
    ):
        recorder.take(item)
    return recorder.timeline()


def happenings(
    entries: Iterable[Entry],
    *,
    fleet: Fleet = NOTHING,
    policies: CustomPolicies = NO_POLICIES,
    since: Place | None = None,
    until: Place | None = None,
    containers: Collection[str] | None = None,
) -> Iterator[Happening]:
    """Yield what happened between two places, in order of time.

    First ``Opened`` and where each container was; last ``Closed``.
    """
    start = _Beginning(entries, since)
    fleet = fold_events(fleet, start.before(), policies)
    begin = _begin(fleet, since, start.rest)
    yield Opened(seq=start.seq, at=begin)
    for name, container in fleet.containers.items():
        if containers is None or name in containers:
            yield from as_it_was(container, begin)
    seq, differing, first = start.seq, 0, None
    rest = _Until(chain(start.rest, start.entries), until)
    for entry, step in states(rest, fleet=fleet, policies=policies):
        seq, fleet = entry.seq, step.after
        if entry.commands != step.commands:
            differing += 1
            first = first or seq
        yield from _items(step, seq, policies, containers)
    yield Closed(
        seq=seq,
        at=max(begin, fleet.at, rest.closes_at),
        differing=differing,
        first_differing=first,
    )


class _Beginning:
    """Yields the events before a place, and keeps the first entry behind it."""

    def __init__(self, entries: Iterable[Entry], since: Place | None) -> None:
        self.entries = iter(entries)
        self.rest: list[Entry] = []
        self.seq = 0
        self.since = since

    def before(self) -> Iterator[Event]:
        for entry in self.entries:
            is_before = self.since is not None and is_within(
                self.since, entry.seq, entry.event.at
            )
            if not is_before:
                self.rest = [entry]
                self.seq = entry.seq - 1
                return
            self.seq = entry.seq
            yield entry.event


class _Until:
    """Yields the entries up to a place; ``closes_at`` is 0 where they end before it."""

    def __init__(self, entries: Iterable[Entry], until: Place | None) -> None:
        self.entries = entries
        self.until = until
        self.closes_at: Moment = 0

    def __iter__(self) -> Iterator[Entry]:
        for entry in self.entries:
            if not is_within(self.until, entry.seq, entry.event.at):
                if isinstance(self.until, AtMoment):
                    self.closes_at = self.until.at
                return
            yield entry


def _begin(fleet: Fleet, since: Place | None, rest: list[Entry]) -> Moment:
    """Return when a stretch begins: where asked, or with the first row there is."""
    if not rest:
        return fleet.at
    if isinstance(since, AtMoment) and since.at > fleet.at and fleet.at:
        return since.at
    return fleet.at or rest[0].event.at


def _items(
    step: Step, seq: int, policies: CustomPolicies, shown: Collection[str] | None
) -> Iterator[Happening]:
    """Yield the items of one row."""
    told = news_of(step.event, seq)
    if told is not None and _concerns(told, shown):
        yield told
    for item in of_services(step, seq):
        if _concerns(item, shown):
            yield item
    names = dict.fromkeys(step.touched)
    for command in step.commands:
        name = getattr(command, "name", None)
        if name is not None:
            names[name] = None
    rules = rules_of_starts(step, policies)
    for name in names:
        if shown is None or name in shown:
            yield from items_of(step, seq, name, rules)


def _concerns(told: Message | ServiceHappening, shown: Collection[str] | None) -> bool:
    """Say whether news is about the fleet, or about a container that is shown."""
    name: str = getattr(told, "name", "")
    return shown is None or not name or name in shown
