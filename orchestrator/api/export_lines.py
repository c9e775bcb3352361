"""The bytes of an export, a page of rows at a time: plain or packed.

They are those that ``journal export`` writes of the same journal at the same head. A
page is all that is held of it. Every row is checked against the one before, so that the
last line, which says that nothing is missing, stands behind whole rows alone.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import AsyncIterator, Iterator
from typing import Final

import attrs
from returns.result import Failure

from orchestrator.core.errors import JournalCorrupt, JournalError
from orchestrator.journal.line_format import (
    VERSION,
    VERSION_WITH_BASE,
    base_line,
    end_line,
    header_line,
    row_line,
)
from orchestrator.journal.pages import Page, page_of
from orchestrator.journal.port import (
    ALTERED,
    MISSING,
    START,
    Head,
    Journal,
    Row,
    Snapshot,
    broken,
)
from orchestrator.journal.provenance import Redacted
from orchestrator.journal.reading import Reading
from orchestrator.journal.redacted import redacted_base, redacted_rows
from orchestrator.replay.redacted.pseudonyms import Words
from orchestrator.runtime.outcomes import settled

__all__ = ("InOtherWords", "Lines", "Stretch", "pages", "reading_of", "stretch_of")

PAGE: Final = 200
"""Rows of a page; one that touches all of a large fleet is some megabytes."""

_LEVEL: Final = 6
"""Of compression, as a file is packed."""


@attrs.frozen(kw_only=True)
class Stretch:
    """What is exported: all rows behind a base, if there is one, up to a head."""

    base: Snapshot | None
    head: Head

    @property
    def begin(self) -> Head:
        """Return what the rows begin behind."""
        return START if self.base is None else self.base.head


async def stretch_of(journal: Journal) -> Stretch | JournalError:
    """Return all that a journal holds now; what comes later is no part of it."""
    base = await settled(journal.beginning())
    if isinstance(base, JournalError):
        return base
    head = await settled(journal.head())
    return Stretch(base=base, head=head) if isinstance(head, Head) else head


async def pages(
    journal: Journal, stretch: Stretch
) -> AsyncIterator[tuple[Row, ...] | JournalError]:
    """Yield the rows of a stretch; what is wrong with them is the last thing."""
    behind, end = stretch.begin, stretch.head
    while behind.seq < end.seq:
        limit = min(PAGE, end.seq - behind.seq)
        rows = await settled(journal.read(behind.seq, limit))
        if not isinstance(rows, tuple):
            yield rows
            return
        damage = broken(behind, rows) if rows else _missing(behind.seq + 1)
        if damage is not None:
            yield damage
            return
        yield rows
        behind = Head(seq=rows[-1].seq, digest=rows[-1].digest)
    if behind != end:
        yield JournalCorrupt(
            seq=end.seq, place=ALTERED, expected="the head", found="another row"
        )


def _missing(seq: int) -> JournalCorrupt:
    return JournalCorrupt(seq=seq, place=MISSING, expected="a row", found="none")


@attrs.define(kw_only=True)
class _Page:
    """Some rows as a source of their own."""

    rows: tuple[Row, ...] = ()
    base: Snapshot | None = None
    expected: int | None = None
    cut_at_line: int | None = None

    def pages(self, after: int | None = None) -> Iterator[Page]:
        """Yield the rows, which are one page."""
        del after
        if self.rows:
            yield page_of(self.rows)

    def snapshot(self, until: int) -> Snapshot | None:
        """Return none: nobody goes back."""
        del until
        return None

    def close(self) -> None:
        """Do nothing: no file was opened."""


def reading_of(rows: tuple[Row, ...] = (), base: Snapshot | None = None) -> Reading:
    """Return some rows, or the base before all of them, as a journal to be read."""
    return Reading(_Page(rows=rows, base=base))


@attrs.frozen(kw_only=True)
class InOtherWords:
    """What a journal is told in, and what is said of that."""

    words: Words
    about: Redacted


class Lines:
    """Writes the lines of one export, in their order."""

    def __init__(
        self, stretch: Stretch, other: InOtherWords | None, *, is_packed: bool
    ) -> None:
        """Write *stretch*; in *other* words, if there are any."""
        self._stretch = stretch
        self._other = other
        self._head = stretch.begin
        self._sink = io.BytesIO()
        # Without the file's name: the same rows give the same bytes.
        self._packed = (
            gzip.GzipFile("", "wb", _LEVEL, self._sink, mtime=0) if is_packed else None
        )

    def beginning(self) -> bytes | JournalError:
        """Write what stands before the rows."""
        base, other = self._stretch.base, self._other
        if base is not None and other is not None:
            told = redacted_base(reading_of(base=base), base, other.words)
            if isinstance(told, Failure):
                damage: JournalError = told.failure()
                return damage
            base = told.unwrap()
            self._head = base.head
        version = VERSION if base is None else VERSION_WITH_BASE
        about = None if other is None else other.about
        header = header_line(version, redacted=about)
        return self._written(header + (b"" if base is None else base_line(base)))

    def page(self, rows: tuple[Row, ...]) -> bytes | JournalError:
        """Write the next rows."""
        if self._other is not None:
            read = reading_of(rows)
            words, last = self._other.words, rows[-1].seq
            rows = tuple(redacted_rows(read, words, begin=self._head, until=last))
            if read.error is not None:
                return read.error
        self._head = Head(seq=rows[-1].seq, digest=rows[-1].digest)
        return self._written(b"".join(map(row_line, rows)))

    def end(self) -> bytes:
        """Write the last line: nothing is missing before it."""
        written = self._written(end_line(self._head))
        if self._packed is None:
            return written
        self._packed.close()
        return written + self._taken()

    def _written(self, data: bytes) -> bytes:
        if self._packed is None:
            return data
        _ = self._packed.write(data)
        return self._taken()

    def _taken(self) -> bytes:
        """Return what was packed since the last time."""
        data = self._sink.getvalue()
        _ = self._sink.seek(0)
        _ = self._sink.truncate()
        return data
