"""The rows of an export, read one after the other: JSON Lines, plain or gzip.

Nothing is kept: a file of any length takes the memory of one page. Each row is checked
against the chain as it comes. A file whose last line is missing was cut off: what is
whole is read, and ``cut_at_line`` says where it breaks off. Any other damage ends the
reading with its line.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

import orjson

from orchestrator.codec.schema import SCHEMA
from orchestrator.core.errors import JournalCorrupt, JournalError, JournalUnavailable
from orchestrator.journal.port import START, Head, Row, Snapshot, broken

__all__ = ("FORMAT", "LINE_MAX", "VERSION", "LinesReader", "open_lines")

FORMAT: Final = "orchestrator-journal"
VERSION: Final = 1
LINE_MAX: Final = 64 * 1024 * 1024
"""Bytes of a line: no row is near it, and a file without line ends must not fill the
memory."""

PAGE: Final = 1_000
GZIP: Final = b"\x1f\x8b"
_KEYS: Final = {"seq", "at", "event", "commands", "changes", "digest"}


class _Damage(Exception):
    def __init__(self, line: int, expected: str, found: str, seq: int | None) -> None:
        super().__init__(line)
        self.error = JournalCorrupt(
            seq=seq, place=f"line {line}", expected=expected, found=found
        )


class _Cut(Exception):
    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def open_lines(source: Path | IO[bytes]) -> LinesReader:
    """Open a file, or what comes through a pipe; ``OSError`` where it cannot be.

    Whether it is packed is seen by its first bytes, whatever its name is.
    """
    raw = source.open("rb") if isinstance(source, Path) else source
    buffered = io.BufferedReader(raw) if not hasattr(raw, "peek") else raw  # type: ignore[type-var]
    packed = buffered.peek(2)[:2] == GZIP
    file = gzip.GzipFile(fileobj=buffered) if packed else buffered
    return LinesReader(file, name=str(source) if isinstance(source, Path) else "-")  # type: ignore[arg-type]


class LinesReader:
    """An export that is being read; ``open_lines`` makes it."""

    def __init__(self, file: IO[bytes], *, name: str) -> None:
        """Read *file*, which is called *name* in errors."""
        self.base: Snapshot | None = None
        self.expected: int | None = None
        self.cut_at_line: int | None = None
        self._file = file
        self._name = name

    def snapshot(self, until: int) -> Snapshot | None:
        """Return None: an export holds no snapshots."""
        del until
        return None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def pages(self) -> Iterator[tuple[Row, ...] | JournalError]:
        """Yield the rows; a damage is the last thing that is yielded."""
        rows: list[Row] = []
        problem: JournalError | None = None
        try:
            lines = self._lines()
            _expect_header(lines)
            for row in _rows(lines):
                rows.append(row)
                if len(rows) == PAGE:
                    yield tuple(rows)
                    rows = []
        except _Cut as cut:
            self.cut_at_line = cut.line
        except _Damage as damage:
            problem = damage.error
        except (OSError, zlib.error) as error:
            problem = JournalUnavailable(cause=f"{self._name}: {error}")
        if rows:
            yield tuple(rows)
        if problem is not None:
            yield problem

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield whole lines with their numbers; a partial last one is a cut."""
        number = 0
        while True:
            number += 1
            try:
                line = self._file.readline(LINE_MAX)
            except EOFError:  # a gzip file that was cut off
                raise _Cut(number) from None
            if not line.endswith(b"\n"):
                if len(line) >= LINE_MAX:
                    raise _Damage(number, "a line end", f"{LINE_MAX} bytes", None)
                raise _Cut(number)
            yield number, line


def _expect_header(lines: Iterator[tuple[int, bytes]]) -> None:
    number, line = next(lines)
    tree = _parsed(number, line, 0)
    if tree.get("format") != FORMAT:
        raise _Damage(number, f'"format": "{FORMAT}"', repr(tree.get("format")), None)
    for key, known in (("version", VERSION), ("schema", SCHEMA)):
        found = tree.get(key)
        if type(found) is not int or not 1 <= found <= known:
            raise _Damage(number, f'"{key}" up to {known}', repr(found), None)


def _rows(lines: Iterator[tuple[int, bytes]]) -> Iterator[Row]:
    head = START
    for number, line in lines:
        tree = _parsed(number, line, head.seq + 1)
        if "end" in tree:
            _expect_end(number, tree, head)
            for extra, _ in _rest(lines):
                raise _Damage(extra, "the end of the file", "another line", None)
            return
        row = _row(number, tree, head.seq + 1)
        damage = broken(head, (row,))
        if damage is not None:
            raise _Damage(number, damage.expected, damage.found, damage.seq)
        head = Head(seq=row.seq, digest=row.digest)
        yield row


def _rest(lines: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Yield what follows the last line; the end of the file is no cut here."""
    try:
        yield from lines
    except _Cut:
        return


def _parsed(number: int, line: bytes, seq: int) -> dict[str, Any]:
    try:
        tree = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise _Damage(number, "JSON", str(error), seq) from None
    if not isinstance(tree, dict):
        raise _Damage(number, "an object", type(tree).__name__, seq)
    return tree


def _row(number: int, tree: dict[str, Any], seq: int) -> Row:
    numbers = tree.get("seq"), tree.get("at")
    if set(tree) != _KEYS or not all(type(value) is int for value in numbers):
        raise _Damage(number, "a row", "something else", seq)
    try:
        return Row(
            seq=tree["seq"],
            at=tree["at"],
            event=orjson.dumps(tree["event"]),
            commands=orjson.dumps(tree["commands"]),
            changes=_changes(tree["changes"]),
            digest=bytes.fromhex(tree["digest"]),
        )
    except (TypeError, ValueError):
        raise _Damage(number, "two digests", "something else", seq) from None


def _changes(written: Any) -> bytes:
    return bytes.fromhex(written) if type(written) is str else orjson.dumps(written)


def _expect_end(number: int, tree: dict[str, Any], head: Head) -> None:
    end = tree["end"]
    expected = {"seq": head.seq, "digest": head.digest.hex()}
    if end != expected:
        raise _Damage(number, f"the end at row {head.seq}", repr(end)[:60], head.seq)
