"""What an event changed, as a row of the journal holds it: fields, not whole records.

A table from the names that the event touched to the fields of the record that are new,
in the order of the class; a container that was not there has all of them, one that is
gone has none but null. So a replay that decides otherwise can say what was recorded
beside what it makes of it, field by field, and the spec is not written with each event.

Rows that rules 1 wrote hold a digest there, of 32 bytes; nobody compares it any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, cast

import attrs
import orjson

from orchestrator.codec.wire import tree_of
from orchestrator.core.state import Container, Fleet

__all__ = ("NO_CHANGES", "encode_changes", "read_changes")

NO_CHANGES: Final = b"{}"
"""What an event that touched no container has changed."""

_FIELDS: Final = tuple(field.name for field in attrs.fields(Container))


def encode_changes(before: Fleet, after: Fleet, touched: Iterable[str]) -> bytes:
    """Write what became of the containers that an event touched.

    >>> from orchestrator.core.state import empty_fleet
    >>> encode_changes(empty_fleet("demo"), empty_fleet("demo"), ())
    b'{}'

    """
    tree = {
        name: _written(before.containers.get(name), after.containers.get(name))
        for name in touched
    }
    return orjson.dumps(tree) if tree else NO_CHANGES


def _written(was: Container | None, now: Container | None) -> Any:
    if now is None or was is None:
        return None if now is None else tree_of(now)
    return {
        field: tree_of(value)
        for field in _FIELDS
        if (value := getattr(now, field)) is not (old := getattr(was, field))
        and value != old
    }


def read_changes(data: bytes) -> dict[str, Any] | None:
    """Read the changes of a row as plain JSON; None where it holds but a digest.

    A digest may look like the beginning of a table; none is one to its end.

    >>> read_changes(b'{"web":{"run":2}}'), read_changes(b'{"' + bytes(30))
    ({'web': {'run': 2}}, None)

    """
    try:
        tree: Any = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return cast("dict[str, Any]", tree) if isinstance(tree, dict) else None
