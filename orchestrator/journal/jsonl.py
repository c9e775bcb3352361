"""Export of a journal: JSON Lines, one row a line, plain or gzip.

``journal.line_format`` says what the lines look like, ``journal.lines`` reads them.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

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


def export_rows(
    path: Path,
    rows: Iterable[Row],
    base: Snapshot | None = None,
    redacted: Redacted | None = None,
) -> IOResult[Head, JournalError]:
    """Write rows to a file, whole or not at all; packed where it ends in ``.gz``.

    *base* is what they begin behind, None for row 1; *redacted* says that they are not
    the journal's own words.
    """
    done = write_rows(path, rows, base, redacted)
    return IOSuccess(done) if isinstance(done, Head) else IOFailure(done)


def write_rows(
    path: Path,
    rows: Iterable[Row],
    base: Snapshot | None,
    redacted: Redacted | None = None,
) -> Head | JournalError:
    """Do what ``export_rows`` does; the answer is a plain value."""
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as raw:
            if path.suffix == ".gz":
                # Without the file's name: the same rows give the same bytes.
                with gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as packed:
                    head = write_lines(packed, rows, base, redacted)  # type: ignore[arg-type]
            else:
                head = write_lines(raw, rows, base, redacted)
        sync(partial)
        partial.replace(path)
        sync(path.parent)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        return JournalUnavailable(cause=str(error))
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
) -> Head:
    """Write rows to an open file or a pipe, plain; ``OSError`` where it cannot be."""
    version = VERSION if base is None else VERSION_WITH_BASE
    file.write(header_line(version, redacted=redacted))
    head = START if base is None else base.head
    if base is not None:
        file.write(base_line(base))
    for row in rows:
        file.write(row_line(row))
        head = Head(seq=row.seq, digest=row.digest)
    file.write(end_line(head))
    return head
