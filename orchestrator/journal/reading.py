"""A journal that nobody writes to through us, read row by row: file, export or pipe.

``open_reading`` takes whatever holds rows: the database of an operator (also while it
is at work), an export, plain or packed, or standard input. What comes out are rows, or
entries with their meaning, in bounded memory. Nothing is raised for a damage: the rows
end, and ``error`` says why.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, Protocol

from returns.io import IOFailure, IOResult, IOSuccess
from returns.result import Result, Success

from orchestrator.codec.changes import encode_changes, read_changes
from orchestrator.codec.wire import (
    NO_COMMANDS,
    commands_of,
    decode_fleet,
    event_of,
    tree_of,
)
from orchestrator.core.errors import (
    InvalidSpec,
    JournalCorrupt,
    JournalError,
    JournalUnavailable,
)
from orchestrator.core.evolving import maker
from orchestrator.core.state import Fleet
from orchestrator.journal.lines import open_lines
from orchestrator.journal.port import START, Head, Row, Snapshot
from orchestrator.journal.stored import is_database, open_stored
from orchestrator.replay.history import NOTHING, Entry
from orchestrator.replay.verifying import Recording

__all__ = (
    "RECORDING",
    "Reading",
    "Source",
    "beginning",
    "entry_of",
    "open_reading",
)

RECORDING: Final = Recording(changes=encode_changes, read=read_changes, tree=tree_of)
"""How our journals write what a replay compares."""

_entry: Final = maker(Entry)


class Source(Protocol):
    """Where rows come from.

    ``base``: what the rows begin behind, None for a whole journal; ``expected``: how
    many rows there are, where that is known beforehand; ``cut_at_line``: where an
    export breaks off, known when all was read.
    """

    base: Snapshot | None
    expected: int | None
    cut_at_line: int | None

    def pages(
        self, after: int | None = None
    ) -> Iterator[tuple[Row, ...] | JournalError]:
        """Yield the rows behind row *after* (None: all), checked.

        A damage is the last thing that is yielded.
        """
        ...

    def snapshot(self, until: int) -> Snapshot | None:
        """Return the newest snapshot of row *until* or before, if there is one.

        The base counts as one.
        """
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class Reading:
    """A journal that is being read; ``open_reading`` makes it."""

    def __init__(self, source: Source) -> None:
        """Read *source*, which is closed with this."""
        self.source = source
        self.error: JournalError | None = None
        self._last: Row | None = None

    @property
    def head(self) -> Head:
        """Return how far it was read."""
        if self._last is not None:
            return Head(seq=self._last.seq, digest=self._last.digest)
        return START if self.source.base is None else self.source.base.head

    @property
    def is_bare(self) -> bool:
        """Say whether it breaks off before its first row: there is nothing to show.

        A journal that has no rows yet, and is whole, does not break off.
        """
        is_broken = self.error is not None or self.cut_at_line is not None
        return is_broken and self._last is None

    @property
    def cut_at_line(self) -> int | None:
        """Return the line where an export breaks off."""
        return self.source.cut_at_line

    def rows(self, after: int | None = None) -> Iterator[Row]:
        """Yield the rows; ``head`` and ``error`` say afterwards how far they went.

        *after*: only those behind this row, where a snapshot was taken for example.
        """
        for page in self.source.pages(after):
            if not isinstance(page, tuple):
                self.error = page
                return
            for row in page:
                self._last = row
                yield row

    def entries(self, after: int | None = None) -> Iterator[Entry]:
        """Yield the rows with their meaning; one that makes no sense is a damage.

        A page is read at once, and then handed out: to do the same again and again
        costs a processor less than to change between reading and whatever is done.
        """
        for page in self.source.pages(after):
            if not isinstance(page, tuple):
                self.error = page
                return
            for row, entry in zip(page, [entry_of(row) for row in page], strict=True):
                self._last = row
                if isinstance(entry, JournalCorrupt):
                    self.error = entry
                    return
                yield entry

    def close(self) -> None:
        """Close the file."""
        self.source.close()


def open_reading(place: Path | IO[bytes]) -> IOResult[Reading, JournalError]:
    """Open a journal, an export, or a pipe that an export comes through."""
    try:
        if isinstance(place, Path) and is_database(place):
            return open_stored(place).map(Reading)
        return IOSuccess(Reading(open_lines(place)))
    except OSError as error:
        return IOFailure(JournalUnavailable(cause=f"{place}: {error.strerror}"))


def beginning(read: Reading) -> Result[Fleet, JournalCorrupt]:
    """Return the fleet that the rows begin with: nothing, or that of the base."""
    base = read.source.base
    if base is None:
        return Success(NOTHING)
    return decode_fleet(base.body).alt(
        lambda error: _senseless(base.seq, "base", error)
    )


def entry_of(row: Row) -> Entry | JournalCorrupt:
    """Return a row with its meaning, or why it has none.

    Its moment is that of its event; who reads one of the two is not told otherwise.
    """
    event = event_of(row.event)
    if isinstance(event, InvalidSpec):
        return _senseless(row.seq, "event", event)
    commands = () if row.commands == NO_COMMANDS else commands_of(row.commands)
    if isinstance(commands, InvalidSpec):
        return _senseless(row.seq, "commands", commands)
    if row.at != event.at:
        return JournalCorrupt(
            seq=row.seq,
            place="at",
            expected=f"{event.at}, as its event says",
            found=str(row.at),
        )
    return _entry(seq=row.seq, event=event, commands=commands, changes=row.changes)


def _senseless(seq: int, part: str, error: InvalidSpec) -> JournalCorrupt:
    problem = error.problems[0]
    return JournalCorrupt(
        seq=seq,
        place=f"{part} {problem.place}",
        expected=problem.expected,
        found=problem.found,
    )
