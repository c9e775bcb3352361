"""Commands about a journal that no operator writes to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import click
from returns.future import FutureResult
from returns.io import IOResult
from returns.result import Failure

from orchestrator.cli.failing import Failed, failed
from orchestrator.cli.named import policies_named
from orchestrator.codec.wire import decode_commands, digest_changes
from orchestrator.core.errors import ContainerError, JournalError
from orchestrator.core.state import empty_fleet
from orchestrator.journal.jsonl import Imported, export_rows, import_rows
from orchestrator.journal.port import START, Draft, Head, Journal, Row
from orchestrator.journal.repair import repair as repair_journal
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.replay.history import Entry
from orchestrator.replay.verify import verify as verify_entries
from orchestrator.runtime.outcomes import opened, settled
from orchestrator.runtime.recovery import decoded

__all__ = ("journal",)

T = TypeVar("T")
PAGE = 5_000
JOURNAL = click.Path(path_type=Path, dir_okay=False)


@click.group()
def journal() -> None:
    """Export, import, verify or repair a journal."""


def _good(outcome: IOResult[T, JournalError]) -> T:
    value = opened(outcome)
    if isinstance(value, ContainerError):
        raise failed(value)
    return value


async def _value(operation: FutureResult[T, JournalError]) -> T:
    value = await settled(operation)
    if isinstance(value, ContainerError):
        raise failed(value)
    return value


async def _rows(path: Path) -> tuple[Row, ...]:
    found: Journal = await _value(open_sqlite(path, read_only=True))
    rows: list[Row] = []
    try:
        while page := await _value(found.read(len(rows), PAGE)):
            rows += page
    finally:
        await _value(found.close())
    return tuple(rows)


@journal.command("export")
@click.argument("source", metavar="JOURNAL", type=JOURNAL)
@click.argument("out", type=JOURNAL)
def export(source: Path, out: Path) -> None:
    """Write the rows of JOURNAL to OUT, JSON Lines, packed where it ends in .gz."""
    head = _good(export_rows(out, asyncio.run(_rows(source))))
    click.echo(f"{head.seq} rows, the last with digest {head.digest.hex()[:16]}")


@journal.command("import")
@click.argument("source", metavar="IN", type=JOURNAL)
@click.argument("target", metavar="JOURNAL", type=JOURNAL)
def import_(source: Path, target: Path) -> None:
    """Make a new JOURNAL out of the rows of an export."""
    read = _good(import_rows(source))
    if target.exists():
        raise Failed(f"{target} exists: an import makes a new journal", 6)
    asyncio.run(_fill(target, read))
    click.echo(f"{read.head.seq} rows")
    if read.cut_at_line is not None:
        click.echo(f"{source} was cut off at line {read.cut_at_line}", err=True)
        raise Failed("rows behind the cut are lost", 10)


async def _fill(target: Path, read: Imported) -> None:
    made: Journal = await _value(open_sqlite(target))
    head: Head = START
    try:
        for place in range(0, len(read.rows), PAGE):
            page = read.rows[place : place + PAGE]
            head = await _value(made.append(head, tuple(map(_draft, page))))
    finally:
        await _value(made.close())


def _draft(row: Row) -> Draft:
    return Draft(at=row.at, event=row.event, commands=row.commands, changes=row.changes)


@journal.command("verify")
@click.argument("source", metavar="JOURNAL", type=JOURNAL)
@click.option(
    "--policies",
    metavar="MODULE:OBJECT",
    help="Where the custom policies are that the journal needs, from this folder.",
)
def verify(source: Path, policies: str | None) -> None:
    """Check that no row was altered, and that today's code decides the same."""
    known = policies_named(policies, Path.cwd())
    rows = asyncio.run(_rows(source))
    entries = _entries(rows)
    fleet = empty_fleet("fleet")
    verdict = verify_entries(fleet, entries, digest_changes, policies=known)
    if isinstance(verdict, Failure):
        raise failed(verdict.failure())
    compared = verdict.unwrap().compared
    click.echo(f"{len(rows)} rows are whole, {compared} replay to the same decisions")


def _entries(rows: tuple[Row, ...]) -> Iterator[Entry]:
    events = decoded(rows)
    if isinstance(events, Failure):
        raise failed(events.failure())
    for row, event in zip(rows, events.unwrap(), strict=True):
        commands = decode_commands(row.commands)
        if isinstance(commands, Failure):
            raise failed(commands.failure())
        yield Entry(
            seq=row.seq,
            event=event,
            commands=commands.unwrap(),
            changes=row.changes,
        )


@journal.command("repair")
@click.argument("source", metavar="JOURNAL", type=JOURNAL)
def repair(source: Path) -> None:
    """Accept that the end of JOURNAL is lost; what is whole is kept."""
    done = _good(repair_journal(source))
    click.echo(f"the journal ends at row {done.head.seq}; {done.missing} rows are lost")
    if done.moved_to is not None:
        click.echo(f"{done.moved} rows behind a damage are in {done.moved_to}")
