"""The lines of an export, exactly as they are written: what reads them compares bytes.

```
{"format":"orchestrator-journal","version":1,"schema":1}
{"seq":1,"at":0,"event":{},"commands":[],"changes":{},"digest":"..."}
{"end":{"seq":1,"digest":"..."}}
```

The last line says that nothing is missing. The export of a journal that was compacted
is of version 2: its second line is the base, with a checksum over all that it says.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from orchestrator.codec.digests import SIZE
from orchestrator.codec.schema import SCHEMA
from orchestrator.journal.port import Head, Row, Snapshot
from orchestrator.journal.provenance import Redacted
from orchestrator.journal.stored_snapshots import checksum_of

__all__ = (
    "BEGINNING",
    "FORMAT",
    "VERSION",
    "VERSION_WITH_BASE",
    "base_line",
    "base_of",
    "end_line",
    "header_line",
    "row_line",
    "row_of",
)

FORMAT: Final = "orchestrator-journal"
BEGINNING: Final = b'{"format":"%b"' % FORMAT.encode()
"""How the first line begins: a file that begins in another way was no export ever."""

VERSION: Final = 1
VERSION_WITH_BASE: Final = 2


def header_line(
    version: int, schema: int = SCHEMA, redacted: Redacted | None = None
) -> bytes:
    """Write the first line; *redacted* says what is not the journal's own words."""
    tree = {"format": FORMAT, "version": version, "schema": schema}
    more = {} if redacted is None else {"redacted": redacted.tree()}
    return _line({**tree, **more})


def base_line(base: Snapshot) -> bytes:
    """Write what the rows begin behind."""
    tree = {
        "seq": base.seq,
        "digest": base.digest.hex(),
        "rules": base.rules,
        "fleet": orjson.Fragment(base.body),
        "checksum": checksum_of(base, is_base=True).hex(),
    }
    return _line({"base": tree})


def base_of(line: bytes) -> Snapshot | None:
    """Read a base; None where the line is not exactly as it would be written."""
    try:
        tree: Any = orjson.loads(line)["base"]
        base = Snapshot(
            seq=tree["seq"],
            digest=bytes.fromhex(tree["digest"]),
            rules=tree["rules"],
            body=orjson.dumps(tree["fleet"]),
        )
        return base if base_line(base) == line else None
    except (AttributeError, LookupError, OverflowError, TypeError, ValueError):
        return None


def row_line(row: Row) -> bytes:
    """Write a row."""
    return _line(
        {
            "seq": row.seq,
            "at": row.at,
            "event": orjson.Fragment(row.event),
            "commands": orjson.Fragment(row.commands),
            "changes": _changes(row.changes),
            "digest": row.digest.hex(),
        }
    )


def row_of(tree: dict[str, Any], line: bytes) -> Row | None:
    """Read a row; None where the line is not exactly as it would be written."""
    try:
        row = Row(
            seq=tree["seq"],
            at=tree["at"],
            event=orjson.dumps(tree["event"]),
            commands=orjson.dumps(tree["commands"]),
            changes=_read_changes(tree["changes"]),
            digest=bytes.fromhex(tree["digest"]),
        )
        return row if row_line(row) == line else None
    except (AttributeError, LookupError, TypeError, ValueError):
        return None


def end_line(head: Head) -> bytes:
    """Write the last line."""
    return _line({"end": {"seq": head.seq, "digest": head.digest.hex()}})


def _line(tree: dict[str, Any]) -> bytes:
    return orjson.dumps(tree, option=orjson.OPT_APPEND_NEWLINE)


def _changes(changes: bytes) -> orjson.Fragment | str:
    """Return what changed as JSON; the digest of an old row in hexadecimal digits."""
    if len(changes) == SIZE and not _is_json(changes):
        return changes.hex()
    return orjson.Fragment(changes)


def _is_json(data: bytes) -> bool:
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return True


def _read_changes(written: Any) -> bytes:
    return bytes.fromhex(written) if type(written) is str else orjson.dumps(written)
