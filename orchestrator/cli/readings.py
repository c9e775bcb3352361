"""What commands that read a journal have in common: which one, how far, with what.

A journal is a database, an export (plain or packed), a state folder that holds one, the
one that a fleet file names, or ``-`` for an export on standard input. What is read is
read as a stream, with a bar on a terminal; nothing of it is kept.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TextIO, TypeVar

import click
from returns.io import IOFailure, IOResult
from returns.result import Failure

from orchestrator.cli.failing import Failed, failed
from orchestrator.cli.journal_kinds import Far, meant, waiting_for
from orchestrator.cli.shown import now_ms
from orchestrator.core.custom import CustomPolicies
from orchestrator.core.errors import (
    ContainerError,
    JournalCompacted,
    JournalError,
    JournalUnavailable,
    PolicyNotRegistered,
)
from orchestrator.core.moments import MOMENT_MAX, parse_duration
from orchestrator.core.registry import not_registered, not_registered_of_fleet
from orchestrator.core.state import Fleet
from orchestrator.journal.durable.source import open_far
from orchestrator.journal.reading import Reading, beginning, open_reading
from orchestrator.replay.history import Entry
from orchestrator.replay.places import AfterRow, AtMoment, Place
from orchestrator.runtime.collecting import collecting_seldom
from orchestrator.runtime.outcomes import opened

__all__ = (
    "JOURNAL",
    "At",
    "Moment",
    "beginning_of",
    "expect_kept",
    "expect_uncut",
    "good",
    "iso_time",
    "policies_option",
    "read_journal",
    "reading",
    "replayable",
    "shown_while",
    "unregistered",
)

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

DATABASE: Final = "journal.db"
"""The journal's file in a state folder."""

JOURNAL: Final = click.Path(path_type=Path, allow_dash=True)

DIGITS_MAX: Final = 18
"""Digits of a row's number; SQLite holds no greater ones."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def policies_option(function: F) -> F:
    """Add ``--policies`` to a command."""
    return click.option(
        "--policies",
        metavar="MODULE:OBJECT",
        help="Where the custom policies are that the journal needs, from this folder.",
    )(function)


class Moment(click.ParamType[int]):
    """A moment: ISO 8601, or how long ago, such as ``-90s``.

    One without an offset is in this machine's zone, as the user's clock is.
    """

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
            moment = datetime.fromisoformat(text).astimezone()
        except (ValueError, OverflowError):  # the year 1 has no zone
            expected = "expected a time such as 2026-01-31T12:30:00Z, or -90s"
            self.fail(f"{expected}, found {text!r}", param, ctx)
        return (moment - _EPOCH) // timedelta(milliseconds=1)


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
        if text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX:
            return AfterRow(int(text))
        return AtMoment(Moment().convert(text, param, ctx))


def iso_time(moment: int) -> str:
    """Write a moment as ISO 8601, in UTC, so that ``--at`` reads it.

    >>> iso_time(1_500)
    '1970-01-01T00:00:01.500Z'

    """
    if not 0 <= moment <= MOMENT_MAX:
        return f"{moment} ms"
    stamp = (_EPOCH + timedelta(milliseconds=moment)).replace(tzinfo=None)
    return stamp.isoformat(timespec="milliseconds") + "Z"


@contextmanager
def reading(
    journal: Path, *, tell: Callable[[JournalError], None] | None = None
) -> Iterator[Reading]:
    """Read a journal in a block; at its end, say why the rows ended early, if they did.

    Garbage is collected seldom meanwhile (``runtime.collecting``).
    An export that was cut off fails with exit code 10 after all the rest was done.
    *tell* is told before why a journal cannot be opened.
    """
    found = opened(_opening(journal))
    if not isinstance(found, Reading):
        if tell is not None:
            tell(found)
        raise failed(found)
    try:
        with collecting_seldom():
            yield found
    finally:
        found.close()
    if found.error is not None:
        raise failed(found.error)
    expect_uncut(journal, found)


def expect_uncut(journal: Path, read: Reading) -> None:
    """Fail where an export that was read has no end."""
    line = read.cut_at_line
    if line is not None:
        raise Failed(f"{journal} was cut off at line {line}: the rest is lost", 10)


def read_journal(journal: Path) -> Reading:
    """Open a journal for reading, or say why it cannot be."""
    return good(_opening(journal))


def _opening(journal: Path) -> IOResult[Reading, JournalError]:
    if str(journal) == "-":
        given: TextIO | None = sys.stdin  # None where the program began without one
        if given is None:
            return IOFailure(JournalUnavailable(cause="standard input is closed"))
        return open_reading(given.buffer)
    found = meant(journal)
    if isinstance(found, Far):
        return open_far(waiting_for(found)).map(Reading)
    return open_reading(found)


def good(outcome: IOResult[T, JournalError]) -> T:
    """Return what was read, or fail with why it could not be."""
    value = opened(outcome)
    if isinstance(value, ContainerError):
        raise failed(value)
    return value


def beginning_of(read: Reading, policies: CustomPolicies) -> Fleet:
    """Return the fleet that the rows begin with: that of the base, if there is one."""
    fleet = beginning(read)
    if isinstance(fleet, Failure):
        raise failed(fleet.failure())
    missing = not_registered_of_fleet(fleet.unwrap(), policies)
    if missing is not None:
        raise unregistered(missing)
    return fleet.unwrap()


def expect_kept(read: Reading, fleet: Fleet, *places: Place | None) -> None:
    """Refuse a place before the rows of a journal that was compacted.

    *fleet* is what the rows begin with.
    """
    base = read.source.base
    if base is None:
        return
    for place in places:
        match place:
            case AfterRow(seq=seq) if seq < base.seq:
                raise failed(JournalCompacted(asked=seq, base=base.seq))
            case AtMoment(at=at) if at < fleet.at:
                began = f"behind row {base.seq}, at {iso_time(fleet.at)}"
                known = f"how things stood at {iso_time(at)} is not known any more"
                said = f"the journal begins {began}, for it was compacted: {known}"
                code = failed(JournalCompacted(asked=0, base=base.seq)).code
                raise Failed(said, code)
            case _:
                pass


def replayable(entries: Iterable[Entry], policies: CustomPolicies) -> Iterator[Entry]:
    """Yield entries; fail at one that declares a policy which is not registered.

    A fold is total and would give the container up, which nobody has decided.
    """
    for entry in entries:
        missing = not_registered(entry.event, policies)
        if missing is not None:
            raise unregistered(missing)
        yield entry


def unregistered(missing: PolicyNotRegistered) -> Failed:
    """Return the failure of a journal that needs a policy which was not given."""
    hint = ": give it with --policies MODULE:OBJECT"
    return Failed(missing.message + hint, failed(missing).code)


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
