"""What a journal was checked for, part by part, and the first row that is not as told.

Three things can be wrong with a row, and the answer says which: it was altered, left
out or repeated (the chain of digests says so, as it is read); or it is as it was
written, and today's code decides otherwise. Rows that other rules have written are
folded and their chain is checked; that they were decided so is not claimed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import attrs
import click
from rich import box
from rich.table import Table
from rich.text import Text

from orchestrator.cli.failing import failed
from orchestrator.cli.plain import cleaned
from orchestrator.cli.readings import beginning_of, reading, shown_while, unregistered
from orchestrator.cli.shown import show_table
from orchestrator.cli.trees import TREES, show_tree
from orchestrator.codec.wire import tree_of
from orchestrator.core.custom import CustomPolicies
from orchestrator.core.errors import (
    ContainerError,
    Difference,
    JournalError,
    NotReplayable,
    PolicyNotRegistered,
)
from orchestrator.journal.reading import RECORDING, Reading
from orchestrator.replay.history import Entry
from orchestrator.replay.verifying import Segment, Verdict, checks

__all__ = (
    "Verified",
    "problem_tree",
    "show_verified",
    "told",
    "verified",
    "verified_tree",
    "verify_shown",
)

BOTH = "chain and decisions"


@attrs.frozen(kw_only=True)
class Verified:
    """How far a journal was verified.

    ``base`` is the row that a compacted journal begins behind, ``good`` what was found
    up to the first failure, or to the end where there is none; ``problem`` is that
    failure, ``cut_at_line`` where an export breaks off.
    """

    base: int | None
    good: Verdict
    problem: ContainerError | None
    cut_at_line: int | None

    def expect(self) -> None:
        """Fail with the first row that is not as it should be, if there is one."""
        if isinstance(self.problem, PolicyNotRegistered):
            raise unregistered(self.problem)
        if self.problem is not None:
            raise failed(self.problem)


def verified(
    read: Reading, policies: CustomPolicies, entries: Iterable[Entry] | None = None
) -> Verified:
    """Verify a journal: its chain and, where today's rules wrote it, its decisions.

    *entries* are those of the reading, where not all of them are asked for.
    """
    fleet = beginning_of(read, policies)
    good = Verdict(fleet=fleet, rows=0, segments=())
    problem: ContainerError | None = None
    rows = read.entries() if entries is None else entries
    for found in checks(
        shown_while(rows, read, "verifying"), RECORDING, fleet=fleet, policies=policies
    ):
        if isinstance(found, Verdict):
            good = found
        else:
            problem = found
    base = read.source.base
    return Verified(
        base=None if base is None else base.seq,
        good=good,
        problem=problem or read.error,
        cut_at_line=read.cut_at_line,
    )


def verify_shown(journal: Path, policies: CustomPolicies, output: str) -> None:
    """Verify a journal and show what was found; fail where something is wrong.

    *output* is one of ``TREES``, or anything else for a person.
    """
    with reading(journal, tell=told(output)) as read:
        found = verified(read, policies)
        show_verified(found, output)
        found.expect()


def told(output: str) -> Callable[[JournalError], None]:
    """Return what tells a program why a journal cannot even be opened."""

    def tell(error: JournalError) -> None:
        if output in TREES:
            _show({"problem": problem_tree(error)}, output)

    return tell


def _show(tree: dict[str, Any], output: str) -> None:
    show_tree({"verified": tree}, output)


def show_verified(found: Verified, output: str) -> None:
    """Show what each part was checked for, and what differs in the row that diverges.

    *output* is one of ``TREES`` or anything else; ``Verified.expect`` fails afterwards.
    """
    if output in TREES:
        _show(verified_tree(found), output)
        return
    if found.base is not None or found.good.segments:
        show_table(_parts(found))
    if isinstance(found.problem, NotReplayable):
        where = f"row {found.problem.seq} ({found.problem.event})"
        click.echo(f"{where} is whole, and today's code decides otherwise:")
        show_table(_beside(found.problem.differences))
    else:
        good = found.good
        click.echo(
            f"{good.rows} rows are whole, {good.compared} replay to the same decisions"
        )


def verified_tree(found: Verified) -> dict[str, Any]:
    """Return what was found as plain JSON."""
    return {
        "base": found.base,
        "rows": found.good.rows,
        "compared": found.good.compared,
        "segments": [tree_of(segment) for segment in found.good.segments],
        "cut_at_line": found.cut_at_line,
        "problem": None if found.problem is None else problem_tree(found.problem),
    }


def problem_tree(problem: ContainerError) -> dict[str, Any]:
    """Return a failure as plain JSON: its code, its sentence, its facts."""
    return {
        "code": problem.code,
        "message": problem.message,
        **{
            field.name: tree_of(getattr(problem, field.name))
            for field in attrs.fields(type(problem))
        },
    }


def _parts(found: Verified) -> Table:
    table = _table("ROWS", "RULES", "CHECKED")
    if found.base is not None:
        kept = "compacted away; the fleet after the last of them was kept"
        table.add_row(f"1..{found.base}", "-", kept)
    for segment in found.good.segments:
        rules = "-" if segment.rules is None else str(segment.rules)
        table.add_row(f"{segment.first}..{segment.last}", rules, _checked(segment))
    return table


def _checked(segment: Segment) -> str:
    if segment.compared:
        return BOTH
    return f"chain only: decided by other rules ({segment.rules}), not compared"


def _beside(differences: Iterable[Difference]) -> Table:
    table = _table("PLACE", "RECORDED", "RECOMPUTED")
    for one in differences:
        # As a Text, cleaned: what a journal holds is no markup, and moves no cursor.
        cells = (one.place, one.recorded, one.recomputed)
        table.add_row(*(Text(cleaned(cell)) for cell in cells))
    return table


def _table(*heads: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    return table
