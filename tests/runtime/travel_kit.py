"""Journals with a past, filled without waiting for it to happen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from orchestrator.codec.wire import decode_event
from orchestrator.core.events import Event
from orchestrator.core.reduce import step_of
from orchestrator.core.state import Fleet, empty_fleet
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.port import START, Draft, Head, Journal, Row, Snapshot
from orchestrator.runtime.recovery import snapshot_of
from orchestrator.runtime.views import View
from tests.replay.golden import POLICIES, rows
from tests.runtime.kit import value

NAME = "golden"


@cache
def history(seed: int, count: int) -> tuple[Row, ...]:
    """Return the first rows of a lively fleet: faults, requests, groups, checks."""
    return rows(seed)[:count]


def events_of(history: Iterable[Row]) -> list[Event]:
    return [decode_event(row.event).unwrap() for row in history]


@cache
def fleets(seed: int, count: int) -> tuple[Fleet, ...]:
    """Return the fleet before the first row, and after each."""
    found = [empty_fleet(NAME)]
    for event in events_of(history(seed, count)):
        found.append(step_of(found[-1], event, POLICIES).after)
    return tuple(found)


def draft(row: Row) -> Draft:
    return Draft(at=row.at, event=row.event, commands=row.commands, changes=row.changes)


async def fill(
    journal: Journal, history: Sequence[Row], snapshots: Sequence[Snapshot] = ()
) -> None:
    """Append rows to a journal that they continue, and save snapshots of them."""
    head = await value(journal.head())
    for start in range(0, len(history), 500):
        page = tuple(map(draft, history[start : start + 500]))
        head = await value(journal.append(head, page))
    for snapshot in snapshots:
        if snapshot.seq <= head.seq:
            await value(journal.save_snapshot(snapshot))


def head_of(history: Sequence[Row], seq: int) -> Head:
    found = {row.seq: Head(seq=row.seq, digest=row.digest) for row in history}
    return found.get(seq, START)


def snapshots(seed: int, count: int, every: int) -> tuple[Snapshot, ...]:
    """Return a snapshot after every so many rows."""
    seen = history(seed, count)
    return tuple(
        snapshot_of(fleets(seed, count)[seq], head_of(seen, seq))
        for seq in range(every, count + 1, every)
    )


async def compacted(seed: int, count: int, base: int) -> MemoryJournal:
    """Return a journal whose rows begin behind *base*."""
    seen = history(seed, count)
    behind = snapshot_of(fleets(seed, count)[base], head_of(seen, base))
    journal = MemoryJournal(behind)
    await fill(journal, seen[base:])
    return journal


def present(at: int, fleet: Fleet | None = None, seq: int = 0) -> View:
    return View(seq=seq, at=at, fleet=fleet or empty_fleet(NAME))
