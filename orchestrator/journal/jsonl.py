"""Export and import of a journal: JSON Lines, one row a line, plain or gzip.

```
{"format": "orchestrator-journal", "version": 1, "schema": 1}
{"seq": 1, "at": 0, "event": {}, "commands": [], "changes": "..", "digest": ".."}
{"end": {"seq": 1, "digest": "..."}}
```

The last line says that nothing is missing. A file without it was cut off: what is
whole is read and the cut is reported. Any other damage is refused with its line: each
row is checked against the chain, so no altered byte goes unseen.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Final

import attrs
import orjson
from returns.io import IOFailure, IOResult, IOSuccess

from orchestrator.codec.schema import SCHEMA
from orchestrator.core.errors import JournalCorrupt, JournalError, JournalUnavailable
from orchestrator.journal.port import START, Head, Row, broken

__all__ = ("Imported", "export_rows", "import_rows")

_FORMAT: Final = "orchestrator-journal"
_VERSION: Final = 1
_KEYS: Final = {"seq", "at", "event", "commands", "changes", "digest"}
LINE_MAX: Final = 64 * 1024 * 1024
"""Bytes of a line: no row is near it, and a file without line ends must not fill the
memory."""


@attrs.frozen(kw_only=True)
class Imported:
    """What was read: the rows, where they end, and the line where it breaks off."""

    rows: tuple[Row, ...]
    head: Head
    cut_at_line: int | None = None


class _Damage(Exception):
    def __init__(self, line: int, expected: str, found: str, seq: int | None) -> None:
        super().__init__(line)
        self.error = JournalCorrupt(
            seq=seq, place=f"line {line}", expected=expected, found=found
        )


class _Cut(Exception):
    pass


def export_rows(path: Path, rows: Iterable[Row]) -> IOResult[Head, JournalError]:
    """Write rows to a file, whole or not at all; packed where it ends in ``.gz``."""
    partial = path.with_name(path.name + ".partial")
    try:
        with _opened(partial, "wb", packed=path.suffix == ".gz") as file:
            head = _write(file, rows)
            file.flush()
        _sync(partial)
        partial.replace(path)
        _sync(path.parent)
    except OSError as error:
        partial.unlink(missing_ok=True)
        return IOFailure(JournalUnavailable(cause=str(error)))
    return IOSuccess(head)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _opened(path: Path, mode: str, *, packed: bool) -> IO[bytes]:
    if packed:
        return gzip.GzipFile(path, mode, mtime=0)  # type: ignore[return-value]
    return path.open(mode)


def _write(file: IO[bytes], rows: Iterable[Row]) -> Head:
    head = START
    _line(file, {"format": _FORMAT, "version": _VERSION, "schema": SCHEMA})
    for row in rows:
        _line(
            file,
            {
                "seq": row.seq,
                "at": row.at,
                "event": orjson.Fragment(row.event),
                "commands": orjson.Fragment(row.commands),
                "changes": row.changes.hex(),
                "digest": row.digest.hex(),
            },
        )
        head = Head(seq=row.seq, digest=row.digest)
    _line(file, {"end": {"seq": head.seq, "digest": head.digest.hex()}})
    return head


def _line(file: IO[bytes], tree: dict[str, Any]) -> None:
    file.write(orjson.dumps(tree) + b"\n")


def import_rows(path: Path) -> IOResult[Imported, JournalError]:
    """Read the rows of a file, each checked against the chain."""
    rows: list[Row] = []
    cut: int | None = None
    try:
        with _opened(path, "rb", packed=path.suffix == ".gz") as file:
            lines = _lines(file)
            try:
                _expect_header(lines)
                rows.extend(_rows(lines))
            except _Cut:
                cut = len(rows) + 2
    except _Damage as damage:
        return IOFailure(damage.error)
    except (OSError, zlib.error) as error:
        return IOFailure(JournalUnavailable(cause=f"{path}: {error}"))
    head = Head(seq=rows[-1].seq, digest=rows[-1].digest) if rows else START
    return IOSuccess(Imported(rows=tuple(rows), head=head, cut_at_line=cut))


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield whole lines with their numbers; a partial last one is a cut."""
    number = 0
    while True:
        number += 1
        try:
            line = file.readline(LINE_MAX)
        except EOFError:  # a gzip file that was cut off
            raise _Cut from None
        if not line.endswith(b"\n"):
            if len(line) >= LINE_MAX:
                raise _Damage(number, "a line end", f"{LINE_MAX} bytes", None)
            raise _Cut
        yield number, line


def _expect_header(lines: Iterator[tuple[int, bytes]]) -> None:
    number, line = next(lines)
    tree = _parsed(number, line, 0)
    if tree.get("format") != _FORMAT:
        raise _Damage(number, f'"format": "{_FORMAT}"', repr(tree.get("format")), None)
    for key, known in (("version", _VERSION), ("schema", SCHEMA)):
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
            changes=bytes.fromhex(tree["changes"]),
            digest=bytes.fromhex(tree["digest"]),
        )
    except (TypeError, ValueError):
        raise _Damage(number, "two digests", "something else", seq) from None


def _expect_end(number: int, tree: dict[str, Any], head: Head) -> None:
    end = tree["end"]
    expected = {"seq": head.seq, "digest": head.digest.hex()}
    if end != expected:
        raise _Damage(number, f"the end at row {head.seq}", repr(end)[:60], head.seq)
