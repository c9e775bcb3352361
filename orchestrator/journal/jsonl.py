"""Export of a journal: JSON Lines, one row a line, plain or gzip.

```
{"format": "orchestrator-journal", "version": 1, "schema": 1}
{"seq": 1, "at": 0, "event": {}, "commands": [], "changes": {}, "digest": "..."}
{"end": {"seq": 1, "digest": "..."}}
```

The last line says that nothing is missing. ``journal.lines`` reads it.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import orjson
from returns.io import IOFailure, IOResult, IOSuccess

from orchestrator.codec.changes import read_changes
from orchestrator.codec.schema import SCHEMA
from orchestrator.core.errors import JournalError, JournalUnavailable
from orchestrator.journal.lines import FORMAT, VERSION
from orchestrator.journal.port import START, Head, Row

__all__ = ("export_rows",)


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
    _line(file, {"format": FORMAT, "version": VERSION, "schema": SCHEMA})
    for row in rows:
        _line(
            file,
            {
                "seq": row.seq,
                "at": row.at,
                "event": orjson.Fragment(row.event),
                "commands": orjson.Fragment(row.commands),
                "changes": _changes(row.changes),
                "digest": row.digest.hex(),
            },
        )
        head = Head(seq=row.seq, digest=row.digest)
    _line(file, {"end": {"seq": head.seq, "digest": head.digest.hex()}})
    return head


def _changes(changes: bytes) -> orjson.Fragment | str:
    """Return what changed as JSON; the digest of an old row in hexadecimal digits."""
    if read_changes(changes) is None:
        return changes.hex()
    return orjson.Fragment(changes)


def _line(file: IO[bytes], tree: dict[str, Any]) -> None:
    file.write(orjson.dumps(tree) + b"\n")
