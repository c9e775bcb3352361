"""The rows of an export, read one after the other: JSON Lines, plain or gzip.

Nothing is kept: a file of any length takes the memory of a page. Each row is checked
against the chain, and each line is what would be written, to the byte. A file whose
last line is missing was cut off: what is whole is read, and ``cut_at_line`` says where
it breaks off. Any other damage ends the reading with its line.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

import attrs
import orjson

from orchestrator.codec.schema import SCHEMA
from orchestrator.core.errors import JournalCorrupt, JournalError
from orchestrator.journal.line_format import (
    BEGINNING,
    FORMAT,
    VERSION_WITH_BASE,
    base_of,
    end_line,
    header_line,
    row_of,
)
from orchestrator.journal.line_frame import framed_rows
from orchestrator.journal.pages import Page, page_of
from orchestrator.journal.port import (
    ALTERED,
    MISSING,
    START,
    Head,
    Row,
    Snapshot,
    broken,
)
from orchestrator.journal.provenance import Redacted, read_redacted
from orchestrator.journal.unpacking import GZIP
from orchestrator.journal.whole_lines import PACKED_BLOCK, Stop, WholeLines, shown

__all__ = ("LinesReader", "open_lines")

PAGE: Final = 1_000


def open_lines(source: Path | IO[bytes]) -> LinesReader:
    """Open a file, or what comes through a pipe; ``OSError`` where it cannot be.

    Whether it is packed is seen by its first bytes, whatever its name is.
    """
    raw = source.open("rb") if isinstance(source, Path) else source
    buffered: Any = raw if hasattr(raw, "peek") else io.BufferedReader(raw)
    packed = buffered.peek(2)[:2] == GZIP
    name = str(source) if isinstance(source, Path) else "-"
    if not packed:
        return LinesReader(WholeLines(buffered, name=name))
    file = gzip.GzipFile(fileobj=buffered)
    return LinesReader(WholeLines(file, name=name, under=buffered, block=PACKED_BLOCK))


class LinesReader:
    """An export that is being read, once; ``open_lines`` makes it.

    ``redacted``: whether it is in other words; ``problem``: what is wrong with the
    lines before the first row.
    """

    def __init__(self, lines: WholeLines) -> None:
        """Read *lines* up to the first row; they are closed with this."""
        self.base: Snapshot | None = None
        self.expected: int | None = None
        self.cut_at_line: int | None = None
        self.redacted: Redacted | None = None
        self.problem: JournalError | None = None
        self._lines = lines
        self._is_over = False
        self._cut_at: int | None = None
        self._damage: JournalError | None = None
        try:
            self._read_beginning()
        except Stop as stop:
            self._over(stop)
            self.problem = stop.problem or JournalCorrupt(
                place=f"line {self.line}", expected="a whole line", found="a cut"
            )
        self._first = self.line + 1
        self.start = START if self.base is None else self.base.head

    def snapshot(self, until: int) -> Snapshot | None:
        """Return the base, where *until* is not before it; there are no others."""
        base = self.base
        return base if base is not None and base.seq <= until else None

    def close(self) -> None:
        """Close the file."""
        self._lines.close()

    @property
    def line(self) -> int:
        """Return how many lines were read, one that could not be among them."""
        return self._lines.line

    def line_of(self, seq: int) -> int:
        """Return the line of a row."""
        return self._first + seq - self.start.seq - 1

    def pages(self, after: int | None = None) -> Iterator[Page | JournalError]:
        """Yield the rows after row *after*; a damage is the last thing yielded."""
        for page in self._pages():
            if not isinstance(page, Page) or after is None or page.after >= after:
                yield page
            elif page.head.seq > after:
                yield page.part(after - page.after, len(page))

    def _pages(self) -> Iterator[Page | JournalError]:
        head = self.start
        while not self._is_over:
            page = self._page(head)
            if page is not None:
                yield page
                head = page.head
        self.cut_at_line = self._cut_at
        if self._damage is not None:
            yield self._damage

    def _over(self, stop: Stop) -> None:
        """Keep why the lines end, and never the exception itself.

        It leads to this reader by the frames that it came through: a circle that holds
        all that was read, a whole base too, until Python's collector looks at all that
        lives. While an operator works that is next to never (``runtime.collecting``).
        """
        self._is_over, self._cut_at, self._damage = True, stop.cut_at, stop.problem

    def _page(self, head: Head) -> Page | None:
        """Read rows, and check each against the one before; a ``Stop`` ends them.

        Where a line is in doubt, it and all behind it that are at hand are parsed: most
        often they are of one kind, such as rows of rules 1.
        """
        rows = list[Row]()
        try:
            lines = self._lines.ahead(PAGE)
            page = framed_rows(lines, head)
            if page is not None:
                self._lines.take(len(page))
                return page
            for _ in lines:
                row = self._examined(self._lines.next(), head)
                head = _head_of(row)
                rows.append(row)
        except Stop as stop:
            self._over(stop)
        return page_of(rows) if rows else None

    def _examined(self, line: bytes, head: Head) -> Row:
        """Return the row of a line that is in doubt, or stop, and say what it is."""
        row = self._row_in(line, head)
        if broken(head, (row,)) is None:
            return row
        rows = [row]
        with suppress(Stop):  # the row behind it tells what befell this one
            rows.append(self._row_in(self._lines.next(), _head_of(row)))
        damage = broken(head, rows)
        assert damage is not None  # noqa: S101 - as before
        raise Stop(self._placed(damage))

    def _row_in(self, line: bytes, head: Head) -> Row:
        """Read a row, unchecked, which should be the one behind *head*."""
        tree = _parsed(line)
        if tree is not None and "end" in tree:
            self._end(line, tree, head)
        row = None if tree is None else row_of(tree, line)
        if row is None:
            found = JournalCorrupt(
                seq=head.seq + 1,
                place=ALTERED,
                expected="a row as it is written",
                found=shown(line),
            )
            raise Stop(self._placed(found, self.line))
        return row

    def _end(self, line: bytes, tree: dict[str, Any], head: Head) -> None:
        """Stop at the last line: nothing else is behind it, or may be."""
        if line != end_line(head):
            raise self._wrong_end(line, tree["end"], head)
        try:
            more = self._lines.next()
        except Stop as stop:
            if stop.problem is not None:
                raise
            if not stop.partial:
                raise Stop from None
            more = stop.partial
        raise self._lines.damage("the end of the file", more)

    def _wrong_end(self, line: bytes, end: Any, head: Head) -> Stop:
        """Say which row is missing, where the last line names a later one."""
        named = end.get("seq") if isinstance(end, dict) else None
        if type(named) is not int or named <= head.seq:
            return self._lines.damage(f"the end at row {head.seq}", line)
        first = head.seq + 1
        return Stop(
            JournalCorrupt(
                seq=first,
                place=f"line {self.line}, {MISSING}",
                expected=f"row {first}",
                found=f"the end at row {named}",
            )
        )

    def _read_beginning(self) -> None:
        try:
            line = self._lines.next()
        except Stop as stop:
            if BEGINNING.startswith(stop.partial[: len(BEGINNING)]):
                raise
            raise self._lines.damage(f"an export ({FORMAT})", stop.partial) from None
        tree = _parsed(line) or {}
        if tree.get("format") != FORMAT:
            raise self._lines.damage(f"an export ({FORMAT})", line)
        for key, known in (("version", VERSION_WITH_BASE), ("schema", SCHEMA)):
            found = tree.get(key)
            if type(found) is not int or not 1 <= found <= known:
                raise self._lines.damage(f'"{key}" up to {known}', line)
        self.redacted = read_redacted(tree.get("redacted"))
        if header_line(tree["version"], tree["schema"], self.redacted) != line:
            raise self._lines.damage("a first line as it is written", line)
        if tree["version"] == VERSION_WITH_BASE:
            line = self._lines.next()
            self.base = base_of(line)
            if self.base is None:
                raise self._lines.damage("a base as it is written", line)

    def _placed(
        self, damage: JournalCorrupt, line: int | None = None
    ) -> JournalCorrupt:
        """Say in which line a damaged row stands."""
        if line is None:
            line = self.line_of(damage.seq or 0)
        return attrs.evolve(damage, place=f"line {line}, {damage.place}")


def _head_of(row: Row) -> Head:
    return Head(seq=row.seq, digest=row.digest)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        tree: Any = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return tree if isinstance(tree, dict) else None
