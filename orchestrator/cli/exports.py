"""``journal export`` and ``journal import``: a journal as a file, and back."""

from __future__ import annotations

import asyncio
from itertools import islice
from pathlib import Path
from typing import TypeVar

import click
from returns.future import FutureResult

from orchestrator.cli.failing import Failed, failed
from orchestrator.cli.readings import JOURNAL, good, reading
from orchestrator.core.errors import ContainerError, JournalError
from orchestrator.journal.jsonl import export_rows
from orchestrator.journal.port import START, Draft, Head, Journal, Row
from orchestrator.journal.reading import Reading
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.runtime.outcomes import settled

__all__ = ("export", "import_")

T = TypeVar("T")
PAGE = 5_000
OUT = click.Path(path_type=Path, dir_okay=False)


async def _value(operation: FutureResult[T, JournalError]) -> T:
    value = await settled(operation)
    if isinstance(value, ContainerError):
        raise failed(value)
    return value


@click.command("export")
@click.argument("source", metavar="JOURNAL", type=JOURNAL)
@click.argument("out", type=OUT)
def export(source: Path, out: Path) -> None:
    """Write the rows of JOURNAL to OUT, JSON Lines, packed where it ends in .gz."""
    with reading(source) as read:
        head = good(export_rows(out, read.rows()))
    click.echo(f"{head.seq} rows, the last with digest {head.digest.hex()[:16]}")


@click.command("import")
@click.argument("source", metavar="IN", type=JOURNAL)
@click.argument("target", metavar="JOURNAL", type=OUT)
def import_(source: Path, target: Path) -> None:
    """Make a new JOURNAL out of the rows of an export."""
    if target.exists():
        raise Failed(f"{target} exists: an import makes a new journal", 6)
    with reading(source) as read:
        asyncio.run(_fill(target, read))
        click.echo(f"{read.head.seq} rows")


async def _fill(target: Path, read: Reading) -> None:
    made: Journal = await _value(open_sqlite(target))
    head: Head = START
    rows = read.rows()
    try:
        while page := tuple(map(_draft, islice(rows, PAGE))):
            head = await _value(made.append(head, page))
    finally:
        await _value(made.close())


def _draft(row: Row) -> Draft:
    return Draft(at=row.at, event=row.event, commands=row.commands, changes=row.changes)
