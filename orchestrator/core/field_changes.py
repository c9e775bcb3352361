"""Which fields of a declaration change: each with its place, what was and what will be.

Two values of one class are compared field by field, two tables key by key; anything
else is one value. What is compared are the true values. What is told is what stands in
their place in two others, in which secrets are hidden: a secret that changes is told,
and neither of its values is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, cast

import attrs

from orchestrator.core.table import Table

__all__ = ("FieldChange", "field_changes")


@attrs.frozen(kw_only=True)
class FieldChange:
    """A field that changes; the values are JSON, None where there is none."""

    path: str
    before: str | None
    after: str | None


_ABSENT: Final = object()


def field_changes(
    values: tuple[Any, Any], shown: tuple[Any, Any], path: str = ""
) -> Iterator[FieldChange]:
    """Yield how the second of two *values* differs from the first, as *shown* tell it.

    >>> was, now = Table.of([("a", 1), ("b", 2)]), Table.of([("a", 1), ("b", 3)])
    >>> [change.path for change in field_changes((was, now), (was, now), "config")]
    ['config.b']

    """
    was, now = values
    if was is now or (type(was) is type(now) and was == now):
        return
    old, new = _parts(was, shown[0]), _parts(now, shown[1])
    if old is None or new is None or type(was) is not type(now):
        yield FieldChange(path=path, before=_text(shown[0]), after=_text(shown[1]))
        return
    nothing = (_ABSENT, _ABSENT)
    for key in {**old, **new}:
        (before, told), (after, said) = old.get(key, nothing), new.get(key, nothing)
        inner = f"{path}.{key}" if path else key
        yield from field_changes((before, after), (told, said), inner)


def _parts(value: Any, shown: Any) -> dict[str, tuple[Any, Any]] | None:
    """Return the parts of a value, each beside what is shown of it; None: it has none.

    Where a whole is hidden, nothing is told of its parts.
    """
    kind: type[Any] = value.__class__
    if type(shown) is not kind:
        return None
    if kind is Table:
        table = cast("Table[str, Any]", value)
        return {key: (inner, shown.get(key)) for key, inner in table.items()}
    if not attrs.has(kind):
        return None
    names = [field.name for field in attrs.fields(kind)]
    return {name: (getattr(value, name), getattr(shown, name)) for name in names}


def _text(value: Any) -> str | None:
    if value is _ABSENT:
        return None
    return json.dumps(_tree(value), ensure_ascii=False, separators=(",", ":"))


def _tree(value: Any) -> Any:
    kind: type[Any] = value.__class__
    if kind is Table:
        table = cast("Table[str, Any]", value)
        return {key: _tree(inner) for key, inner in table.items()}
    if kind is tuple:
        return [_tree(inner) for inner in cast("tuple[Any, ...]", value)]
    if attrs.has(kind):
        names = [field.name for field in attrs.fields(kind)]
        return {name: _tree(getattr(value, name)) for name in names}
    return value
