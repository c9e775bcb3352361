"""A short history for tests: one container fails ever again, another is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs

from orchestrator.codec.changes import encode_changes
from orchestrator.codec.wire import encode_commands, encode_event
from orchestrator.core.events import (
    Booted,
    ContainerEnded,
    ContainerReady,
    ContainerStarted,
    Declaration,
    Event,
    FleetObserved,
    RemoveRequested,
    SpecApplied,
    StartRequested,
    StopRequested,
    TimeReached,
)
from orchestrator.core.exits import Exited
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.policies import CrashLimit, RestartPolicy
from orchestrator.core.reduce import step_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import RULES, Fleet
from orchestrator.core.table import Table
from orchestrator.journal.jsonl import export_rows
from orchestrator.journal.port import START, Draft, chained
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.replay.history import NOTHING, Entry, fold
from orchestrator.replay.places import AfterRow
from orchestrator.runtime.recovery import snapshot_of
from tests.journal.opened import good, opened

SECOND = 1_000
MINUTE = 60 * SECOND
POLICY = RestartPolicy(crash=CrashLimit(allowed_crashes=2))
WEB = ContainerSpec(name="web-1", command=("serve",), restart=POLICY)
JOB = ContainerSpec(name="job", command=("work",))
EXTRA = ContainerSpec(name="extra", command=("work",))


def declared(spec: ContainerSpec) -> Declaration:
    return Declaration(spec=spec, salt=7)


def applied(*specs: ContainerSpec, at: int = 1) -> SpecApplied:
    return SpecApplied(
        at=at,
        fleet="demo",
        settings=FleetSettings(),
        declarations=tuple(declared(spec) for spec in specs),
    )


BEGIN: tuple[Event, ...] = (
    Booted(at=0, epoch=1, rules=RULES),
    applied(WEB, JOB),
    FleetObserved(at=2, complete=True, strangers=Table.of([("other", 3)])),
)


def failure(run: int, at: int) -> tuple[Event, ...]:
    """Start a run of web-1, have it fail, and let its wait pass."""
    return (
        ContainerStarted(at=at, name="web-1", run=run),
        ContainerReady(at=at + 10, name="web-1", run=run),
        ContainerEnded(at=at + 20, name="web-1", run=run, exit=Exited(code=7)),
        TimeReached(at=at + MINUTE, name="web-1"),
    )


def extra(run: int, at: int) -> tuple[Event, ...]:
    """Start a container by request, see it end, remove it."""
    return (
        StartRequested(at=at, name="extra", declaration=declared(EXTRA)),
        ContainerStarted(at=at + 1, name="extra", run=run),
        StopRequested(at=at + 2, name="extra"),
        ContainerEnded(at=at + 3, name="extra", run=run, exit=Exited(code=0)),
        RemoveRequested(at=at + 4, name="extra"),
    )


EVENTS: tuple[Event, ...] = (
    *BEGIN,
    *failure(1, SECOND),
    *failure(2, 2 * MINUTE),
    StopRequested(at=3 * MINUTE, name="job"),
    *failure(3, 4 * MINUTE),
)
"""Rows 1 to 16: web-1 crash-loops at row 15."""


def told(events: Iterable[Event], fleet: Fleet = NOTHING) -> tuple[Entry, ...]:
    """Return events as the rows of a journal that an operator wrote."""
    entries: list[Entry] = []
    for seq, event in enumerate(events, 1):
        step = step_of(fleet, event)
        fleet = step.after
        changes = encode_changes(step.before, step.after, step.touched)
        entries.append(
            Entry(seq=seq, event=event, commands=step.commands, changes=changes)
        )
    return tuple(entries)


INCIDENT = told(EVENTS)


def drafts(entries: Iterable[Entry]) -> tuple[Draft, ...]:
    """Return entries as an operator would append them."""
    return tuple(
        Draft(
            at=entry.event.at,
            event=encode_event(entry.event),
            commands=encode_commands(entry.commands),
            changes=entry.changes,
        )
        for entry in entries
    )


def exported(path: Path, entries: Iterable[Entry]) -> Path:
    """Write entries to an export."""
    _ = opened(export_rows(path, chained(START, drafts(entries))))
    return path


def stored(
    path: Path, entries: Sequence[Entry], *snapshots: int, rules: int = RULES
) -> Path:
    """Write entries to a database, with snapshots behind some of the rows."""

    async def fill() -> None:
        journal = await good(open_sqlite(path))
        head = START
        for entry in entries:
            head = await good(journal.append(head, drafts([entry])))
            if entry.seq in snapshots:
                fleet = fold(entries, until=AfterRow(entry.seq))
                snapshot = attrs.evolve(snapshot_of(fleet, head), rules=rules)
                await good(journal.save_snapshot(snapshot))
        await good(journal.close())

    asyncio.run(fill())
    return path
