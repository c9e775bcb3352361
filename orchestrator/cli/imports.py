"""``journal import``: a new journal out of the rows of an export."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

from orchestrator.cli.failing import Failed
from orchestrator.cli.other_rules import OtherRules
from orchestrator.cli.readings import JOURNAL, good, reading, shown_while
from orchestrator.cli.transfers import (
    counted,
    not_empty,
    redacted_before,
    to_the_end,
)
from orchestrator.journal.imported import import_rows, in_the_way
from orchestrator.journal.provenance import Redacted
from orchestrator.journal.reading import beginning
from orchestrator.replay.history import NOTHING

__all__ = ("import_",)

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
def import_(source: Path, target: Path, *, damaged: bool) -> None:
    """Make a new JOURNAL out of the rows of an export.

    It is there when all of them are in it: not before, and not where some are lost.
    """
    path = Path(os.path.realpath(target))
    if not path.parent.is_dir():
        raise Failed(f"there is no folder {target.parent}", UNREACHABLE)
    there = in_the_way(path)
    if there is not None:
        raise Failed(f"{there} exists: an import makes a new journal", REFUSED)
    with reading(source) as read:
        rules = OtherRules(beginning(read).value_or(NOTHING))
        passing = rules.passing_rows(read.rows())
        rows = not_empty(shown_while(passing, read, "importing"), read)
        if not damaged:
            rows = to_the_end(rows, read)
        head = good(import_rows(path, rows, read.source.base))
        said = "".join(counted(read.source.base, head))
        click.echo(f"{said}{_origin(redacted_before(read))}")
        rules.warn(older=False, then="its operator may understand them in another way")


def _origin(about: Redacted | None) -> str:
    if about is None:
        return ""
    kept = f" but for {', '.join(about.kept)}" if about.kept else ""
    return f", in other words{kept}; the original ends with digest {about.of[:16]}"
