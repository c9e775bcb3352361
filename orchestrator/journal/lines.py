"""The rows of an export, read one after the other: JSON Lines, plain or gzip.

Nothing is kept: a file of any length takes the memory of one page. Each row is checked
against the chain, and each line is what would be written, to the byte. A file whose
last line is missing was cut off: what is whole is read, and ``cut_at_line`` says where
it breaks off. Any other damage ends the reading with its line.
"""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

import attrs
import orjson

from orchestrator.codec.schema import SCHEMA
from orchestrator.core.errors import JournalCorrupt, JournalError, JournalUnavailable
from orchestrator.journal.line_format import (
    BEGINNING,
    FORMAT,
    VERSION_WITH_BASE,
    base_of,
    end_line,
    header_line,
    row_of,
)
from orchestrator.journal.line_frame import framed_row
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

__all__ = ("LINE_MAX", "LinesReader", "open_lines")

LINE_MAX: Final = 256 * 1024 * 1024
"""Bytes of a line: only a base of a huge fleet comes near it, and a file without line
ends must not fill the memory."""

PAGE: Final = 1_000
SHOWN_MAX: Final = 60


class _Stop(Exception):
    """The rows end: with a problem, with a cut, or because all were read."""

    def __init__(
        self,
        problem: JournalError | None = None,
        cut_at: int | None = None,
        partial: bytes = b"",
    ) -> None:
        super().__init__(cut_at)
        self.problem = problem
        self.cut_at = cut_at
        self.partial = partial


def open_lines(source: Path | IO[bytes]) -> LinesReader:
    """Open a file, or what comes through a pipe; ``OSError`` where it cannot be.

    Whether it is packed is seen by its first bytes, whatever its name is.
    """
    raw = source.open("rb") if isinstance(source, Path) else source
    buffered: Any = raw if hasattr(raw, "peek") else io.BufferedReader(raw)
    packed = buffered.peek(2)[:2] == GZIP
    file: Any = gzip.GzipFile(fileobj=buffered) if packed else buffered
    name = str(source) if isinstance(source, Path) else "-"
    return LinesReader(file, name=name, under=buffered)


class LinesReader:
    """An export that is being read, once; ``open_lines`` makes it.

    ``line``: how many lines were read; ``redacted``: whether it is in other words;
    ``problem``: what is wrong with the lines before the first row.
    """

    def __init__(
        self, file: IO[bytes], *, name: str, under: IO[bytes] | None = None
    ) -> None:
        """Read *file*, which is called *name* in errors, up to its first row.

        *under*: the packed file below it, which is closed with it.
        """
        self.base: Snapshot | None = None
        self.expected: int | None = None
        self.cut_at_line: int | None = None
        self.redacted: Redacted | None = None
        self.problem: JournalError | None = None
        self.line = 0
        self._file = file
        self._under = under
        self._name = name
        self._stop: _Stop | None = None
        try:
            self._read_beginning()
        except _Stop as stop:
            self._stop = stop
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
        self._file.close()
        if self._under is not None:
            self._under.close()

    def line_of(self, seq: int) -> int:
        """Return the line of a row."""
        return self._first + seq - self.start.seq - 1

    def pages(
        self, after: int | None = None
    ) -> Iterator[tuple[Row, ...] | JournalError]:
        """Yield the rows after row *after*; a damage is the last thing yielded."""
        for page in self._pages():
            if not isinstance(page, tuple) or after is None or page[0].seq > after:
                yield page
            elif page[-1].seq > after:
                yield tuple(row for row in page if row.seq > after)

    def _pages(self) -> Iterator[tuple[Row, ...] | JournalError]:
        head = self.start
        while self._stop is None:
            rows = self._page(head)
            if rows:
                yield tuple(rows)
                head = _head_of(rows[-1])
        self.cut_at_line = self._stop.cut_at
        if self._stop.problem is not None:
            yield self._stop.problem

    def _page(self, head: Head) -> list[Row]:
        """Read rows, and check each against the one before; ``_stop`` ends them."""
        seq, digest, rows = head.seq, head.digest, list[Row]()
        try:
            for _ in range(PAGE):
                line = self._next_line()
                found = framed_row(line, seq + 1, digest)
                row = found or self._examined(line, Head(seq=seq, digest=digest))
                seq, digest = row.seq, row.digest
                rows.append(row)
        except _Stop as stop:
            self._stop = stop
        return rows

    def _examined(self, line: bytes, head: Head) -> Row:
        """Return the row of a line that is in doubt, or stop, and say what it is."""
        row = self._row_in(line, head)
        if broken(head, (row,)) is None:
            return row
        rows = [row]
        with suppress(_Stop):  # the row behind it tells what befell this one
            rows.append(self._row_in(self._next_line(), _head_of(row)))
        damage = broken(head, rows)
        assert damage is not None  # noqa: S101 - as before
        raise _Stop(self._placed(damage))

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
                found=_shown(line),
            )
            raise _Stop(self._placed(found, self.line))
        return row

    def _end(self, line: bytes, tree: dict[str, Any], head: Head) -> None:
        """Stop at the last line: nothing else is behind it, or may be."""
        if line != end_line(head):
            raise self._wrong_end(line, tree["end"], head)
        try:
            more = self._next_line()
        except _Stop as stop:
            if stop.problem is not None:
                raise
            if not stop.partial:
                raise _Stop from None
            more = stop.partial
        raise self._damage("the end of the file", more)

    def _wrong_end(self, line: bytes, end: Any, head: Head) -> _Stop:
        """Say which row is missing, where the last line names a later one."""
        named = end.get("seq") if isinstance(end, dict) else None
        if type(named) is not int or named <= head.seq:
            return self._damage(f"the end at row {head.seq}", line)
        first = head.seq + 1
        return _Stop(
            JournalCorrupt(
                seq=first,
                place=f"line {self.line}, {MISSING}",
                expected=f"row {first}",
                found=f"the end at row {named}",
            )
        )

    def _read_beginning(self) -> None:
        try:
            line = self._next_line()
        except _Stop as stop:
            if BEGINNING.startswith(stop.partial[: len(BEGINNING)]):
                raise
            raise self._damage(f"an export ({FORMAT})", stop.partial) from None
        tree = _parsed(line) or {}
        if tree.get("format") != FORMAT:
            raise self._damage(f"an export ({FORMAT})", line)
        for key, known in (("version", VERSION_WITH_BASE), ("schema", SCHEMA)):
            found = tree.get(key)
            if type(found) is not int or not 1 <= found <= known:
                raise self._damage(f'"{key}" up to {known}', line)
        self.redacted = read_redacted(tree.get("redacted"))
        if header_line(tree["version"], tree["schema"], self.redacted) != line:
            raise self._damage("a first line as it is written", line)
        if tree["version"] == VERSION_WITH_BASE:
            line = self._next_line()
            self.base = base_of(line)
            if self.base is None:
                raise self._damage("a base as it is written", line)

    def _next_line(self) -> bytes:
        """Read a whole line; a partial last one is a cut."""
        self.line += 1
        try:
            line = self._file.readline(LINE_MAX)
        except EOFError:  # a packed file that was cut off
            raise _Stop(cut_at=self.line) from None
        except (gzip.BadGzipFile, zlib.error, struct.error) as error:
            raise self._damage("packed lines", str(error)) from None
        except OSError as error:
            cause = f"{self._name}: {error.strerror or error}"
            raise _Stop(JournalUnavailable(cause=cause)) from None
        if line.endswith(b"\n"):
            return line
        if len(line) >= LINE_MAX:
            raise self._damage("a line end", f"{LINE_MAX} bytes without one")
        raise _Stop(cut_at=self.line, partial=line)

    def _damage(self, expected: str, found: str | bytes) -> _Stop:
        return _Stop(
            JournalCorrupt(
                place=f"line {self.line}", expected=expected, found=_shown(found)
            )
        )

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


def _shown(found: str | bytes) -> str:
    """Show the beginning of what was found."""
    if isinstance(found, str):
        return found
    text = found.rstrip(b"\n").decode(errors="replace")
    return repr(text) if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]!r}..."
