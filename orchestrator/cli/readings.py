"""What commands that read a journal have in common: which one, how far, with what.

A journal is a database, an export (plain or packed), a state folder that holds one, or
``-`` for an export on standard input.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from returns.io import IOResult

from orchestrator.cli.failing import Failed, failed
from orchestrator.cli.shown import now_ms
from orchestrator.core.errors import ContainerError, JournalError
from orchestrator.core.moments import parse_duration
from orchestrator.journal.reading import Reading, open_reading
from orchestrator.replay.places import AfterRow, AtMoment, Place
from orchestrator.runtime.outcomes import opened

__all__ = (
    "JOURNAL",
    "At",
    "Moment",
    "good",
    "policies_option",
    "read_journal",
    "reading",
    "shown_while",
)

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

DATABASE: Final = "journal.sqlite"
"""The journal's file in a state folder."""

JOURNAL: Final = click.Path(path_type=Path, allow_dash=True)


def policies_option(function: F) -> F:
    """Add ``--policies`` to a command."""
    return click.option(
        "--policies",
        metavar="MODULE:OBJECT",
        help="Where the custom policies are that the journal needs, from this folder.",
    )(function)


class Moment(click.ParamType[int]):
    """A moment: ISO 8601, or how long ago, such as ``-90s``."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Return it in milliseconds since 1970."""
        if isinstance(value, int):
            return value
        text = str(value)
        if text.startswith("-"):
            ago = parse_duration(text[1:]).value_or(None)
            if ago is not None:
                return now_ms() - ago
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            expected = "expected a time such as 2026-01-31T12:30:00Z, or -90s"
            self.fail(f"{expected}, found {text!r}", param, ctx)
        return round(moment.timestamp() * 1_000)


class At(click.ParamType[Place]):
    """A place in a history: the number of a row, or a moment."""

    name = "row|time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Place:
        """Return the place."""
        if isinstance(value, AfterRow | AtMoment):
            return value
        text = str(value)
        if text.isascii() and text.isdigit():
            return AfterRow(int(text))
        return AtMoment(Moment().convert(text, param, ctx))


@contextmanager
def reading(journal: Path) -> Iterator[Reading]:
    """Read a journal in a block; at its end, say why the rows ended early, if they did.

    An export that was cut off fails with exit code 10 after all the rest was done.
    """
    found = read_journal(journal)
    try:
        yield found
    finally:
        found.close()
    if found.error is not None:
        raise failed(found.error)
    if found.cut_at_line is not None:
        line = found.cut_at_line
        raise Failed(f"{journal} was cut off at line {line}: the rest is lost", 10)


def read_journal(journal: Path) -> Reading:
    """Open a journal for reading, or say why it cannot be."""
    if str(journal) == "-":
        return good(open_reading(sys.stdin.buffer))
    if journal.is_dir():
        journal = journal / DATABASE
    return good(open_reading(journal))


def good(outcome: IOResult[T, JournalError]) -> T:
    """Return what was read, or fail with why it could not be."""
    value = opened(outcome)
    if isinstance(value, ContainerError):
        raise failed(value)
    return value


def shown_while(things: Iterable[T], read: Reading, what: str) -> Iterator[T]:
    """Yield things of a journal one by one, with a progress bar on a terminal."""
    if not sys.stderr.isatty():
        yield from things
        return
    bar = click.progressbar(
        things, length=read.source.expected, label=what, file=sys.stderr, width=0
    )
    with bar as passing:
        yield from passing
