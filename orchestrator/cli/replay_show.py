"""``orchestrator replay JOURNAL``: the fleet at the end of a journal, or on its way.

Every row is folded, from the first one on: snapshots are not trusted here. Ages and
waits are counted from the place that is shown, not from now.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import click
from returns.result import Failure

from orchestrator.cli.failing import Failed, failed
from orchestrator.cli.journal_kinds import token_option
from orchestrator.cli.named import OPTION, policies_named
from orchestrator.cli.other_rules import OtherRules
from orchestrator.cli.plain import cleaned
from orchestrator.cli.readings import (
    JOURNAL,
    Moment,
    beginning_of,
    expect_kept,
    iso_time,
    policies_option,
    reading,
    replayable,
    shown_while,
)
from orchestrator.cli.reads import readable
from orchestrator.cli.shown import output_option, show_containers, show_facts
from orchestrator.cli.trees import TREES, show_tree
from orchestrator.cli.verified import (
    Verified,
    show_verified,
    told,
    verified,
    verified_tree,
)
from orchestrator.codec.problems import invalid
from orchestrator.codec.wire import tree_of
from orchestrator.core.custom import CustomPolicies
from orchestrator.core.errors import ContainerNotFound
from orchestrator.core.state import Fleet
from orchestrator.journal.reading import Reading
from orchestrator.replay.history import Entry, fold
from orchestrator.replay.places import AfterRow, AtMoment, Place, is_within
from orchestrator.runtime.views import View

__all__ = ("show",)

NEAR: Final = 0.75
"""How alike a name must be to be offered in place of one that is not there."""


class _Shown(click.Command):
    """Is called without a word of its own: ``orchestrator replay JOURNAL``."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        if parent is not None:
            info_name, parent = parent.info_name, parent.parent
        return super().make_context(info_name, args, parent=parent, **extra)


@click.command("show", cls=_Shown, hidden=True)
@click.argument("journal", metavar="JOURNAL", type=JOURNAL)
@click.option(
    "--until",
    type=click.IntRange(0),
    metavar="ROW",
    help="As it was after this row; 0 is before the first one.",
)
@click.option(
    "--at",
    type=Moment(),
    metavar="TIME",
    help="As it was at a time such as 2026-01-31T12:30:00Z or -10m.",
)
@click.option("--container", metavar="NAME", help="Show all of one container.")
@click.option("--verify", is_flag=True, help="Check that today's code decides so.")
@output_option("table", "wide", "json", "yaml")
@policies_option
@token_option
def show(
    journal: Path,
    until: int | None,
    at: int | None,
    container: str | None,
    output: str,
    policies: str | None,
    *,
    verify: bool,
) -> None:
    """Fold JOURNAL again and show the fleet at its end, or at a place on the way.

    JOURNAL is a database, an export (packed or not), a state folder, or - for an export
    on standard input. With --verify, each row is decided once more and compared with
    what it says; the first that differs ends it, with exit code 8.
    """
    if until is not None and at is not None:
        raise click.UsageError("--until and --at name two places: give one.")
    place: Place | None = None if until is None else AfterRow(until)
    place = place if at is None else AtMoment(at)
    known = policies_named(policies, Path.cwd(), OPTION)
    with reading(journal, tell=told(output) if verify else None) as read:
        way = _Way(read, place, beginning_of(read, known))
        found = verified(read, known, way.entries()) if verify else None
        fleet = way.fold(known) if found is None else found.good.fleet
        if found is not None and found.problem is not None:
            show_verified(found, output)
            found.expect()
        if read.error is None and not read.is_bare:
            _show(way.view(fleet), container, output, found)
        way.rules.warn()


class _Way:
    """The rows of a journal up to a place, and how far they went."""

    def __init__(self, read: Reading, place: Place | None, fleet: Fleet) -> None:
        """Begin with *fleet*; fail where the place lies before it."""
        self._read = read
        self._place = place
        self._fleet = fleet
        self._begin = self._row = read.head.seq
        self._is_passed = False
        self.rules = OtherRules(fleet)
        expect_kept(read, fleet, place)

    def entries(self) -> Iterator[Entry]:
        """Yield the entries that belong to what had happened by the place."""
        for entry in self.rules.passing(self._within()):
            self._row = entry.seq
            yield entry

    def _within(self) -> Iterator[Entry]:
        for entry in self._read.entries():
            if not is_within(self._place, entry.seq, entry.event.at):
                self._is_passed = True
                return
            yield entry

    def fold(self, policies: CustomPolicies) -> Fleet:
        """Return the fleet at the place."""
        rows = shown_while(self.entries(), self._read, "replaying")
        return fold(replayable(rows, policies), fleet=self._fleet, policies=policies)

    def view(self, fleet: Fleet) -> View:
        """Return the fleet as it was seen there; fail where there is no such row."""
        at = fleet.at
        match self._place:
            case AfterRow(seq=seq) if seq > self._row:
                if self._read.cut_at_line is None:
                    expected = f"a row from {self._begin} to {self._row}, the newest"
                    raise failed(invalid("until", expected, seq))
            case AtMoment(at=moment) if self._is_passed:
                at = moment
            case AtMoment(at=moment) if moment > at:
                click.echo(f"the journal ends before, at row {self._row}", err=True)
            case _:
                pass
        return View(seq=self._row, at=at, fleet=fleet)


def _show(
    view: View, container: str | None, output: str, found: Verified | None
) -> None:
    one = None if container is None else _facts(view, container)
    if output in TREES:
        show_tree(_tree(view, one, found), output)
        return
    click.echo(_headline(view))
    if one is None:
        show_containers(tree_of(view.infos()), output, now=view.at)
    else:
        show_facts({**one["container"], **readable(one["explanation"])}, output)
    if found is not None:
        click.echo()
        show_verified(found, output)


def _headline(view: View) -> str:
    fleet = view.fleet
    if not view.seq:
        return "before the first row, when nothing had happened"
    moment, rules = iso_time(view.at), fleet.rules if fleet.epoch else "-"
    return (
        f"fleet {cleaned(fleet.name)}, after row {view.seq}, at {moment}, rules {rules}"
    )


def _facts(view: View, name: str) -> dict[str, Any]:
    """Return what ``status`` and ``explain`` would have said."""
    info, explanation = view.info(name), view.explain(name)
    if isinstance(info, Failure) or isinstance(explanation, Failure):
        raise _not_found(view, name)
    return {
        "container": tree_of(info.unwrap()),
        "explanation": tree_of(explanation.unwrap()),
    }


def _not_found(view: View, name: str) -> Failed:
    error = ContainerNotFound(name=name)
    near = get_close_matches(name, list(view.fleet.containers), cutoff=NEAR)
    hint = f" after row {view.seq}"
    hint += f"; there is {', '.join(map(repr, near))}" if near else ""
    return Failed(error.message + hint, failed(error).code)


def _tree(
    view: View, one: dict[str, Any] | None, found: Verified | None
) -> dict[str, Any]:
    fleet = view.fleet
    tree: dict[str, Any] = {
        "fleet": fleet.name,
        "row": view.seq,
        "at": view.at,
        "moment": iso_time(view.at),
        "rules": fleet.rules if fleet.epoch else None,
    }
    tree |= {"containers": tree_of(view.infos())} if one is None else one
    return tree if found is None else {**tree, "verified": verified_tree(found)}
