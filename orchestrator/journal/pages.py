"""Rows that follow each other, as columns: what is read of a journal at once.

Most of a page is never looked at row by row: its digests are computed, its events are
decoded, its commands are mostly none. So a page holds a column for each part of its
rows, and makes rows for those who want them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any, Final

import attrs

from orchestrator.core.evolving import evolver
from orchestrator.journal.port import Head, Row, continues

__all__ = ("Page", "made_rows", "page_behind", "page_of")

_row: Final = evolver(Row, "seq", "at", "event", "commands", "changes", "digest")
"""Makes a row of all its fields, which stand in their places: so ``map`` can call it.
What it is to be made *of* is then nothing."""


@attrs.frozen(kw_only=True)
class Page:
    """Rows behind row ``after``, at least one, checked: a column for each part."""

    after: int
    ats: Sequence[int]
    events: Sequence[bytes]
    commands: Sequence[bytes]
    changes: Sequence[bytes]
    digests: Sequence[bytes]

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.digests)

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows."""
        columns = (self.ats, self.events, self.commands, self.changes, self.digests)
        return map(_row, repeat(None), self.seqs, *columns)

    @property
    def seqs(self) -> range:
        """Return the numbers of the rows."""
        return range(self.after + 1, self.after + 1 + len(self))

    @property
    def head(self) -> Head:
        """Return where the page ends."""
        return self.head_after(len(self))

    def head_after(self, rows: int) -> Head:
        """Return where the first so many rows of the page end; one at least."""
        return Head(seq=self.after + rows, digest=self.digests[rows - 1])

    def part(self, first: int, last: int) -> Page:
        """Return the rows from place *first* on, up to the one before place *last*."""
        here = slice(first, last)
        return Page(
            after=self.after + first,
            ats=self.ats[here],
            events=self.events[here],
            commands=self.commands[here],
            changes=self.changes[here],
            digests=self.digests[here],
        )


def made_rows(found: Iterable[tuple[Any, ...]]) -> tuple[Row, ...]:
    """Return rows that are given as ``Row`` orders their fields."""
    return tuple([_row(None, *fields) for fields in found])


def page_of(rows: Sequence[Row]) -> Page:
    """Return rows that were checked, at least one, as a page."""
    return Page(
        after=rows[0].seq - 1,
        ats=[row.at for row in rows],
        events=[row.event for row in rows],
        commands=[row.commands for row in rows],
        changes=[row.changes for row in rows],
        digests=[row.digest for row in rows],
    )


def page_behind(head: Head, found: Sequence[Sequence[Any]]) -> Page | None:
    """Return rows, given as ``Row`` orders their fields, as a page behind *head*.

    None where they do not continue it, in whatever way; ``port.broken`` says how. (A
    damaged database may hand out anything.)
    """
    seqs, ats, events, commands, changes, digests = zip(*found, strict=True)
    parts = [*zip(ats, events, commands, changes, strict=True)]
    if not continues(head, seqs, parts, digests):
        return None
    return Page(
        after=head.seq,
        ats=ats,
        events=events,
        commands=commands,
        changes=changes,
        digests=digests,
    )
