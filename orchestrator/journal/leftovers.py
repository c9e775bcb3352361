"""What is behind the first damage of a database, row by row, as far as it can be read.

A line a row, with the fields of an export. A field that is not what it should be stands
as ``{"hex": ...}``; of a row that SQLite cannot read the line says just that.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs
import orjson

from orchestrator.journal.jsonl import sync
from orchestrator.journal.tables import FAILURES, said

__all__ = ("Leftovers", "write_leftovers")

_FIELDS: Final = ("seq", "at", "event", "commands", "changes", "digest")
_Found: TypeAlias = tuple[Any, ...]
"""The columns of a row."""


@attrs.frozen(kw_only=True)
class Leftovers:
    """How many rows were written, and how many could not be read."""

    rows: int
    unreadable: int


def write_leftovers(
    path: Path, connection: sqlite3.Connection, start: int, head: int, named: int
) -> Leftovers:
    """Write what is not between *start* and *head* to a new file, durably.

    *named*: the number up to which there should be rows. No file without a row.
    """
    rows = unreadable = 0
    connection.text_factory = bytes  # a text that is none can be shown, too
    try:
        with path.open("xb") as file:
            for seq, found in _leftovers(connection, start, head, named):
                if isinstance(found, tuple):
                    rows += 1
                    tree = _tree(found)
                else:
                    unreadable += 1
                    tree = {"seq": seq, "unreadable": found}
                file.write(orjson.dumps(tree, option=orjson.OPT_APPEND_NEWLINE))
    finally:
        connection.text_factory = str
    if rows or unreadable:
        sync(path)
        sync(path.parent)
    else:
        path.unlink()
    return Leftovers(rows=rows, unreadable=unreadable)


def _leftovers(
    connection: sqlite3.Connection, start: int, head: int, named: int
) -> Iterator[tuple[int, _Found | str]]:
    """Yield rows that can be read, and of those that cannot the number and why."""
    before = connection.execute(
        f"SELECT {', '.join(_FIELDS)} FROM rows WHERE seq <= ? ORDER BY seq",  # noqa: S608
        (start,),
    )
    with suppress(*FAILURES):
        yield from ((found[0], found) for found in before)
    seq = head
    while True:
        try:
            found = _row(connection, "seq > ? ORDER BY seq LIMIT 1", seq)
            if found is None and seq < named:  # the tree ends, its leaves may not
                found = _row(connection, "seq = ?", seq + 1)
        except FAILURES as error:
            if seq >= named:
                return
            yield seq + 1, said(error).message
            seq += 1
            continue
        if found is not None and found[0] > seq:
            yield found[0], found
            seq = found[0]
        elif seq < named:
            seq += 1
        else:
            return


def _row(connection: sqlite3.Connection, where: str, seq: int) -> _Found | None:
    found: _Found | None = connection.execute(
        f"SELECT {', '.join(_FIELDS)} FROM rows WHERE {where}",  # noqa: S608
        (seq,),
    ).fetchone()
    return found


def _tree(found: _Found) -> dict[str, Any]:
    *values, digest = found
    shown = digest.hex() if isinstance(digest, bytes) else digest
    return dict(zip(_FIELDS, (*map(_shown, values), shown), strict=True))


def _shown(value: Any) -> Any:
    """Return a column as an export shows it, or in hexadecimal digits."""
    if not isinstance(value, bytes):
        return value
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return {"hex": value.hex()}
    return orjson.Fragment(value)
