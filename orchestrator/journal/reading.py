"""A journal that nobody writes to through us, read row by row: file, export or pipe.

``open_reading`` takes whatever holds rows: the database of an operator (also while it
is at work), an export, plain or packed, or standard input. What comes out are rows, or
entries with their meaning, in bounded memory. Nothing is raised for a damage: the rows
end, and ``error`` says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from operator import attrgetter, length_hint
from pathlib import Path
from typing import IO, Final, Protocol, TypeVar

from returns.io import IOFailure, IOResult, IOSuccess
from returns.result import Result, Success

from orchestrator.codec.changes import encode_changes, read_changes
from orchestrator.codec.wire import (
    all_commands_of,
    commands_of,
    decode_fleet,
    event_of,
    events_of,
    tree_of,
)
from orchestrator.core.errors import (
    InvalidSpec,
    JournalCorrupt,
    JournalError,
    JournalUnavailable,
)
from orchestrator.core.evolving import evolver
from orchestrator.core.state import Fleet
from orchestrator.journal.lines import open_lines
from orchestrator.journal.pages import Page
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

T = TypeVar("T")

RECORDING: Final = Recording(changes=encode_changes, read=read_changes, tree=tree_of)
"""How our journals write what a replay compares."""

_entry: Final = evolver(Entry, "seq", "event", "commands", "changes")
"""Makes an entry of all its fields, which stand in their places: so ``map`` can call
it. What it is to be made *of* is then nothing."""

_at: Final = attrgetter("at")


class Source(Protocol):
    """Where rows come from.

    ``base``: what the rows begin behind, None for a whole journal; ``expected``: how
    many rows there are, where that is known beforehand; ``cut_at_line``: where an
    export breaks off, known when all was read.
    """

    base: Snapshot | None
    expected: int | None
    cut_at_line: int | None

    def pages(self, after: int | None = None) -> Iterator[Page | JournalError]:
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
        self._page: Page | None = None
        self._left: Iterator[object] = iter(())

    @property
    def head(self) -> Head:
        """Return how far it was read."""
        if self._page is not None:
            # Of a page that is handed out, the iterator knows what is left.
            read = len(self._page) - length_hint(self._left)
            return self._page.head_after(read)
        return START if self.source.base is None else self.source.base.head

    @property
    def is_bare(self) -> bool:
        """Say whether it breaks off before its first row: there is nothing to show.

        A journal that has no rows yet, and is whole, does not break off.
        """
        is_broken = self.error is not None or self.cut_at_line is not None
        return is_broken and self._page is None

    @property
    def cut_at_line(self) -> int | None:
        """Return the line where an export breaks off."""
        return self.source.cut_at_line

    def rows(self, after: int | None = None) -> Iterator[Row]:
        """Yield the rows; ``head`` and ``error`` say afterwards how far they went.

        *after*: only those behind this row, where a snapshot was taken for example.
        """
        for page in self._pages(after):
            yield from self._handed_out(page, [*page])

    def entries(self, after: int | None = None) -> Iterator[Entry]:
        """Yield the rows with their meaning; one that makes no sense is a damage.

        A page is read at once, and then handed out: to do the same again and again
        costs a processor less than to change between reading and whatever is done.
        """
        for page in self._pages(after):
            entries = _entries_of(page)
            if entries is not None:
                yield from self._handed_out(page, entries)
                continue
            for place, entry in enumerate(map(entry_of, page), start=1):
                self._page, self._left = page.part(0, place), iter(())
                if isinstance(entry, JournalCorrupt):
                    self.error = entry
                    return
                yield entry

    def _pages(self, after: int | None) -> Iterator[Page]:
        for page in self.source.pages(after):
            if not isinstance(page, Page):
                self.error = page
                return
            yield page

    def _handed_out(self, page: Page, values: Iterable[T]) -> Iterator[T]:
        """Return what is handed out of a page; ``head`` asks it what is left."""
        left = iter(values)
        self._page, self._left = page, left
        return left

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


def _entries_of(page: Page) -> Sequence[Entry] | None:
    """Return the rows of a page with their meaning; None where one has none, or may.

    ``entry_of`` then says which, and why.
    """
    events, commands = events_of(page.events), all_commands_of(page.commands)
    if events is None or commands is None or [*map(_at, events)] != [*page.ats]:
        return None
    columns = (page.seqs, events, commands, page.changes)
    return [*map(_entry, repeat(None), *columns)]


def entry_of(row: Row) -> Entry | JournalCorrupt:
    """Return a row with its meaning, or why it has none.

    Its moment is that of its event; who reads one of the two is not told otherwise.
    """
    event = event_of(row.event)
    if isinstance(event, InvalidSpec):
        return _senseless(row.seq, "event", event)
    commands = commands_of(row.commands)
    if isinstance(commands, InvalidSpec):
        return _senseless(row.seq, "commands", commands)
    if row.at != event.at:
        return JournalCorrupt(
            seq=row.seq,
            place="at",
            expected=f"{event.at}, as its event says",
            found=str(row.at),
        )
    return Entry(seq=row.seq, event=event, commands=commands, changes=row.changes)


def _senseless(seq: int, part: str, error: InvalidSpec) -> JournalCorrupt:
    problem = error.problems[0]
    return JournalCorrupt(
        seq=seq,
        place=f"{part} {problem.place}",
        expected=problem.expected,
        found=problem.found,
    )
