"""Export of a journal: JSON Lines, one row a line, plain or gzip.

``journal.line_format`` says what the lines look like, ``journal.lines`` reads them.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

from returns.io import IOFailure, IOResult, IOSuccess

from orchestrator.core.errors import JournalError, JournalUnavailable
from orchestrator.journal.line_format import (
    VERSION,
    VERSION_WITH_BASE,
    base_line,
    end_line,
    header_line,
    row_line,
)
from orchestrator.journal.port import START, Head, Row, Snapshot
from orchestrator.journal.provenance import Redacted

__all__ = ("export_rows", "sync", "write_lines", "write_rows")

_LEVEL: Final = 6
"""Of compression: half the time of the highest, for some hundredths of the size."""


def _always() -> bool:
    return True


def export_rows(
    path: Path,
    rows: Iterable[Row],
    base: Snapshot | None = None,
    redacted: Redacted | None = None,
    *,
    is_whole: Callable[[], bool] = _always,
) -> IOResult[Head, JournalError]:
    """Write rows to a file, whole or not at all; packed where it ends in ``.gz``.

    *base* is what they begin behind, None for row 1; *redacted* says that they are not
    the journal's own words. Links are followed; what is no file, such as a pipe, is
    written into. *is_whole* is asked behind the last row: if not, the file has no end
    line, and reads as one that was cut off.
    """
    done = write_rows(path, rows, base, redacted, is_whole=is_whole)
    return IOSuccess(done) if isinstance(done, Head) else IOFailure(done)


def write_rows(
    path: Path,
    rows: Iterable[Row],
    base: Snapshot | None,
    redacted: Redacted | None = None,
    *,
    is_whole: Callable[[], bool] = _always,
) -> Head | JournalError:
    """Do what ``export_rows`` does; the answer is a plain value.

    What *rows* raise goes on to the caller; there is no file then.
    """
    target = Path(os.path.realpath(path))
    is_packed = path.suffix == ".gz"

    def written(file: IO[bytes]) -> Head:
        if not is_packed:
            return write_lines(file, rows, base, redacted, is_whole=is_whole)
        # Without the file's name: the same rows give the same bytes.
        with gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) as packed:
            lines: Any = packed
            return write_lines(lines, rows, base, redacted, is_whole=is_whole)

    try:
        # A link that is one still leads nowhere, round and round: it cannot be opened.
        if target.is_symlink() or (target.exists() and not target.is_file()):
            with target.open("wb") as straight:
                return written(straight)
        return _replaced(target, written)
    except OSError as error:
        return JournalUnavailable(cause=str(error))


def _replaced(target: Path, written: Callable[[IO[bytes]], Head]) -> Head:
    """Have a file written under another name; give it its own where it is whole."""
    partial = target.with_name(target.name + ".partial")
    try:
        with partial.open("wb") as raw:
            head = written(raw)
        sync(partial)
        partial.replace(target)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise
    sync(target.parent)
    return head


def sync(path: Path) -> None:
    """Have a file, or what a folder lists, on the disk."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def write_lines(
    file: IO[bytes],
    rows: Iterable[Row],
    base: Snapshot | None = None,
    redacted: Redacted | None = None,
    *,
    is_whole: Callable[[], bool] = _always,
) -> Head:
    """Write rows to an open file or a pipe, plain; ``OSError`` where it cannot be.

    If *is_whole* says no behind the last row, there is no end line.
    """
    version = VERSION if base is None else VERSION_WITH_BASE
    file.write(header_line(version, redacted=redacted))
    head = START if base is None else base.head
    if base is not None:
        file.write(base_line(base))
    for row in rows:
        file.write(row_line(row))
        head = Head(seq=row.seq, digest=row.digest)
    if is_whole():
        file.write(end_line(head))
    return head
