"""``journal import``: a new journal out of the rows of an export."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import click
from returns.io import IOResult

from orchestrator.cli.failing import Failed
from orchestrator.cli.journal_kinds import (
    Far,
    epoch_to_write,
    meant,
    token_option,
    waiting_for,
)
from orchestrator.cli.other_rules import OtherRules
from orchestrator.cli.readings import JOURNAL, good, reading, shown_while
from orchestrator.cli.transfers import (
    not_empty,
    redacted_before,
    rows_told,
    to_the_end,
)
from orchestrator.core.errors import JournalError
from orchestrator.journal.durable.imported import import_far
from orchestrator.journal.imported import import_rows, in_the_way
from orchestrator.journal.port import Head, Row, Snapshot
from orchestrator.journal.provenance import Redacted
from orchestrator.journal.reading import beginning
from orchestrator.replay.history import NOTHING

__all__ = ("import_",)

Importing: TypeAlias = Callable[
    [Iterator[Row], Snapshot | None], IOResult[Head, JournalError]
]
"""Takes rows that were checked, and what they begin behind."""

REFUSED: Final = 6
UNREACHABLE: Final = 5


@click.command("import")
@click.argument("source", metavar="IN", type=JOURNAL)
@click.argument(
    "target", metavar="JOURNAL", type=click.Path(path_type=Path, dir_okay=False)
)
@click.option(
    "--damaged",
    is_flag=True,
    help="Take what is whole of an export that is damaged, or was cut off.",
)
@token_option
def import_(source: Path, target: Path, *, damaged: bool) -> None:
    """Make a new JOURNAL out of the rows of an export.

    It is there when all of them are in it: not before, and not where some are lost.
    JOURNAL may be a fleet file: one behind a gateway is filled where it is empty, and
    an import that broke off goes on.
    """
    into = _into(source, target, damaged=damaged)
    with reading(source) as read:
        rules = OtherRules(beginning(read).value_or(NOTHING))
        passing = rules.passing_rows(read.rows())
        rows = not_empty(shown_while(passing, read, "importing"), read)
        if not damaged:
            rows = to_the_end(rows, read)
        head = good(into(rows, read.source.base))
        said = "".join(rows_told(read.source.base, head))
        click.echo(f"{said}{_origin(redacted_before(read))}")
        rules.warn(older=False, then="its operator may understand them in another way")


def _into(source: Path, target: Path, *, damaged: bool) -> Importing:
    """Return what takes the rows; fail where there is a journal already."""
    found = meant(target)
    if isinstance(found, Far):
        if str(source) != "-" and not damaged:
            _expect_whole(source)
        return partial(_import_far, found)
    path = Path(os.path.realpath(found))
    if not path.parent.is_dir():
        raise Failed(f"there is no folder {target.parent}", UNREACHABLE)
    there = in_the_way(path)
    if there is not None:
        raise Failed(f"{there} exists: an import makes a new journal", REFUSED)
    return partial(import_rows, path)


def _import_far(
    far: Far, rows: Iterator[Row], base: Snapshot | None
) -> IOResult[Head, JournalError]:
    with closing(waiting_for(far)) as waiting:
        return import_far(waiting, epoch_to_write(waiting), rows, base)


def _expect_whole(source: Path) -> None:
    """Read an export to its end first: what is in a far journal cannot be undone."""
    with reading(source) as read:
        deque(to_the_end(shown_while(read.rows(), read, "reading"), read), maxlen=0)


def _origin(about: Redacted | None) -> str:
    if about is None:
        return ""
    kept = f" but for {', '.join(about.kept)}" if about.kept else ""
    return f", in other words{kept}; the original ends with digest {about.of[:16]}"
