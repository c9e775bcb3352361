"""Values that are alike: what they have in common is read and checked once.

A fleet has many containers whose specs differ in their names and in nothing else. A
spec has two dozen fields, each with its checks; they are most of what reading a fleet
costs. So a spec that says the same as one before, but for its name, is made of that
one: only what is its own is checked.
"""

# pyright: basic, reportUnusedCallResult=false
# Readers take and give Any by nature; mypy holds the rest.
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import attrs
import orjson

__all__ = ("KNOWN_MAX", "alike_reader")

Reader: TypeAlias = Callable[[Any], Any]
"""Takes parsed JSON, gives the value."""

KNOWN_MAX: Final = 1_000
"""Values of one class that others may be made of."""

_new: Final = object.__new__
_put: Final = object.__setattr__


def alike_reader(kind: Any, own: Sequence[str], read: Reader) -> Reader:
    """Return a reader of a frozen class that makes values of one that *read* has read.

    *own*: the fields in which values may differ, that are always written. No check of
    another field, or of the whole, looks at them: they alone are checked anew, by their
    validators, and are of the very class that *read* has let pass. ``ValueError``,
    ``TypeError`` or ``KeyError`` where they are something else.
    """
    fields = [field for field in attrs.fields(kind) if field.name in own]
    shared = [field.name for field in attrs.fields(kind) if field.name not in own]
    known: dict[bytes, Any] = {}

    def read_alike(tree: Any) -> Any:
        rest = {**tree}
        values = [rest.pop(field.name) for field in fields]
        text = orjson.dumps(rest)
        like = known.get(text)
        if like is None:
            if len(known) == KNOWN_MAX:
                known.clear()
            # A copy, for what is written by orjson occupies four kilobytes at least.
            like = known[b"%b" % text] = read(tree)
            return like
        made, own_values = _new(kind), dict[Any, Any]()
        for name in shared:
            _put(made, name, getattr(like, name))
        for field, value in zip(fields, values, strict=True):
            if value.__class__ is not getattr(like, field.name).__class__:
                raise TypeError(field.name)
            field.validator(made, field, value)
            # A text that stands in two fields, as most names do, is one in memory.
            _put(made, field.name, own_values.setdefault(value, value))
        return made

    return read_alike
