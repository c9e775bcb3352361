"""What a fleet showed at a place of its past: its operator tells, or its journal does.

What reads a journal is loaded only where no operator runs, and what reads a place only
where one is given: all other commands stay quick.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orchestrator.cli.client import NoOperator, Seen
from orchestrator.cli.reach import Reach
from orchestrator.cli.state import has_journal
from orchestrator.cli.trees import TREES

if TYPE_CHECKING:
    from orchestrator.replay.places import Place

__all__ = ("at_option", "look_back", "show_place")

F = TypeVar("F", bound=Callable[..., Any])


class _At(click.ParamType["Place"]):
    """A place in a history; ``cli.readings`` knows how it is written."""

    name = "row|time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Place:
        readings = importlib.import_module("orchestrator.cli.readings")
        place: Place = readings.At().convert(value, param, ctx)
        return place


def at_option(function: F) -> F:
    """Add ``--at`` to a command."""
    return click.option(
        "--at",
        type=_At(),
        metavar="ROW|TIME",
        help="As it was after a row of the journal, or at a time such as"
        " 2026-01-31T12:30 or -10m.",
    )(function)


def look_back(reach: Reach, at: Place, *path: str) -> Seen:
    """Return what the operator answers under *path*, or its journal in its place.

    The past does not need an operator; nothing is changed where none runs.
    """
    query_of = importlib.import_module("orchestrator.api.moments").query_of
    try:
        return reach.client().seen(*path, at=query_of(at))
    except NoOperator:
        state = reach.folder()
        if state is None or not has_journal(state):
            raise
    click.echo(f"no operator runs for {state}: its journal is read", err=True)
    module = importlib.import_module("orchestrator.cli.unattended")
    seen: Seen = module.seen_in_journal(state, at, *path)
    return seen


def show_place(seen: Seen, output: str) -> None:
    """Say which row and moment is shown; beside what only a program reads."""
    moment = datetime.fromtimestamp(seen.at / 1_000).astimezone()
    stamp = f", at {moment.isoformat(sep=' ', timespec='milliseconds')}"
    row = f"after row {seen.seq}" if seen.seq else "before the first row"
    for_programs = output in {*TREES, "name"}
    click.echo(f"{row}{stamp if seen.at else ''}", err=for_programs)
