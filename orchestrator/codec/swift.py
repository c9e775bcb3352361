"""Readers for what is read a million times: as strict as the converter, and mute.

A reader of this module takes parsed JSON and gives the value, or raises *something*:
what is wrong, and where, is the converter's to say, which then reads the same again.
So the two never need to agree about an error, only about what is right; a property
holds them to that.

For each class one function is written, as attrs writes constructors: a look-up and a
check for each field, a count of the keys so that none is unknown. Types that are not
known here (a user's JSON, an index) are left to the hooks of the converter.
"""

# pyright: basic, reportUnusedCallResult=false
# Readers take and give Any by nature; mypy holds the rest.
from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import partial
from types import NoneType, UnionType
from typing import Any, Final, TypeAlias, Union, get_args, get_origin, get_type_hints

import attrs
import orjson
from cattrs import Converter

from orchestrator.codec.converter import tag_of
from orchestrator.core.evolving import twin_of
from orchestrator.core.table import Table

__all__ = ("SHARED_MAX", "Odd", "SwiftReaders", "swift_writer")

Reader: TypeAlias = Callable[[Any], Any]
"""Takes parsed JSON, gives the value."""

SHARED_MAX: Final = 1_000
"""Values of one class that are kept to be shared."""

_PRIMITIVES: Final = (int, str, bool, float)
_CHECKS: Final = {
    kind | none: f"if {{0}}.__class__ is not {kind.__name__}{also}: raise _Odd"
    for kind in _PRIMITIVES
    for none, also in ((kind, ""), (None, " and {0} is not None"))
}
"""Checks that stand in the reader of a class itself, and need no call."""

_OPTIONAL: Final = """
    {0} = _tree.get({0!r}, _missing)
    if {0} is _missing:
        if _default_{0}.__class__ is _Factory: raise _Odd
        {0} = _default_{0}
    else:
        _rest -= 1
        {1}"""


class Odd(Exception):
    """A value is not what it should be; the converter says why."""


@attrs.frozen
class SwiftReaders:
    """Readers by type, each made once; the *tagged* classes carry their tag.

    A value of the *shared* classes that is read again is the one from before: a fleet
    has many containers with one policy, and they need no more than one in memory.
    """

    converter: Converter
    tagged: frozenset[type]
    shared: frozenset[type] = frozenset()
    made: dict[Any, Reader] = attrs.field(factory=dict)

    def of(self, kind: Any) -> Reader:
        """Return the reader of a type."""
        if kind not in self.made:
            read = self._make(kind)
            self.made[kind] = _sharing(read) if kind in self.shared else read
        return self.made[kind]

    def _make(self, kind: Any) -> Reader:
        origin, args = get_origin(kind), get_args(kind)
        if kind in _PRIMITIVES:
            return partial(_read_exactly, kind)
        if isinstance(kind, type) and issubclass(kind, Enum):
            return {member.value: member for member in kind}.__getitem__
        if origin in (Union, UnionType):
            return self._of_union(args)
        if origin is tuple and args[-1] is Ellipsis:
            return partial(_read_array, self.of(args[0]))
        if origin is Table and isinstance(args[1], type) and args[1] is not NoneType:
            return partial(_read_table, self.of(args[1]))
        return self._of_class(kind) if attrs.has(kind) else self._of_converter(kind)

    def _of_converter(self, kind: Any) -> Reader:
        hook = self.converter.get_structure_hook(kind)
        return lambda tree: hook(tree, kind)

    def _of_union(self, members: tuple[Any, ...]) -> Reader:
        """Return the reader of something or nothing, or of what the tag says."""
        if self.tagged.issuperset(members):
            by_tag = {tag_of(member): self.of(member) for member in members}
            return lambda tree: by_tag[tree["type"]](tree)
        (some,) = (member for member in members if member is not NoneType)
        inner = self.of(some)
        return lambda tree: None if tree is None else inner(tree)

    def _of_class(self, kind: Any) -> Reader:
        fields, hints = attrs.fields(kind), get_type_hints(kind)
        needed = sum(field.default is attrs.NOTHING for field in fields)
        scope: dict[str, Any] = {"_kind": kind, "_Odd": Odd, "_missing": object()}
        scope["_Factory"] = attrs.Factory
        lines = [
            "def read(_tree):",
            "    if _tree.__class__ is not dict: raise _Odd",
            f"    _rest = len(_tree) - {needed + (kind in self.tagged)}",
        ]
        for field in fields:
            name, hint = field.name, hints[field.name]
            if hint not in _CHECKS:
                scope[f"_read_{name}"] = self.of(hint)
            check = _CHECKS.get(hint, "{0} = _read_{0}({0})").format(name)
            if field.default is attrs.NOTHING:
                lines += [f"    {name} = _tree[{name!r}]", f"    {check}"]
            else:
                scope[f"_default_{name}"] = field.default
                lines += [_OPTIONAL.format(name, check)]
        lines += ["    if _rest: raise _Odd"]
        twin = twin_of(kind)
        if twin is None:
            given = ", ".join(f"{field.name}={field.name}" for field in fields)
            lines += [f"    return _kind({given})"]
        else:
            scope["_twin"] = twin
            lines += ["    _new = _twin()"]
            lines += [f"    _new.{field.name} = {field.name}" for field in fields]
            lines += ["    _new.__class__ = _kind", "    return _new"]
        exec("\n".join(lines), scope)  # noqa: S102 - the names are those of our fields
        read: Reader = scope["read"]
        return read


def _sharing(read: Reader) -> Reader:
    known: dict[bytes, Any] = {}

    def read_shared(tree: Any) -> Any:
        text = orjson.dumps(tree)
        if text not in known:
            if len(known) == SHARED_MAX:
                known.clear()
            known[text] = read(tree)
        return known[text]

    return read_shared


def _read_exactly(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise Odd
    return value


def _read_array(inner: Reader, value: Any) -> tuple[Any, ...]:
    if type(value) is not list:
        raise Odd
    return tuple([inner(each) for each in value])


def _read_table(inner: Reader, value: Any) -> Table[str, Any]:
    if type(value) is not dict:
        raise Odd
    return Table.of([(key, inner(each)) for key, each in value.items()])


def swift_writer(kind: Any, converter: Converter, writers: dict[type, Any]) -> Reader:
    """Return what writes a tagged class as plain JSON, as the converter does.

    First the tag and what always stands there, then what is not at its default.
    *writers* are those of the tagged classes, complete by the time one is needed.
    """

    def write_tagged(value: Any) -> Any:
        return writers[value.__class__](value)

    hints = get_type_hints(kind)
    scope: dict[str, Any] = {}
    always, seldom = [f"'type': {tag_of(kind)!r}"], list[str]()
    for field in attrs.fields(kind):
        name, hint = field.name, hints[field.name]
        value = f"value.{name}"
        if isinstance(hint, type) and issubclass(hint, Enum):
            value += "._value_"
        elif hint not in _CHECKS:
            is_tagged = writers.keys() >= set(get_args(hint) or [None])
            hook = converter.get_unstructure_hook(hint)
            scope[f"_write_{name}"] = write_tagged if is_tagged else hook
            value = f"_write_{name}({value})"
        if field.default is attrs.NOTHING:
            always.append(f"{name!r}: {value}")
        else:
            scope[f"_default_{name}"] = field.default
            test = f"    if value.{name} != _default_{name}: "
            seldom.append(f"{test}tree[{name!r}] = {value}")
    lines = [f"    tree = {{{', '.join(always)}}}", *seldom, "    return tree"]
    exec("\n".join(["def write(value):", *lines]), scope)  # noqa: S102 - as above
    write: Reader = scope["write"]
    return write
