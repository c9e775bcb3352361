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

from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from types import NoneType, UnionType
from typing import Any, Final, TypeAlias, Union, get_args, get_origin, get_type_hints

import attrs
import orjson
from cattrs import Converter

from orchestrator.codec.alike import alike_reader
from orchestrator.codec.converter import tag_of
from orchestrator.codec.on_demand import OnDemand
from orchestrator.core.evolving import twin_of
from orchestrator.core.table import Table

__all__ = ("SHARED_MAX", "SMALL", "Odd", "SwiftReaders")

Reader: TypeAlias = Callable[[Any], Any]
"""Takes parsed JSON, gives the value."""

SHARED_MAX: Final = 1_000
"""Values of one class that are kept to be shared."""

SMALL: Final = 4
"""Entries of a table that is shared; greater ones are seldom the same."""

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
            {2}
        else:
            _rest -= 1
            {1}"""
"""Only looked for where there are more keys than those that must be there."""


class Odd(Exception):
    """A value is not what it should be; the converter says why."""


@attrs.frozen
class SwiftReaders:
    """Readers by type, each made once; the *tagged* classes carry their tag.

    A value of the *shared* classes that is read again is the one from before: a fleet
    has many containers with one policy, and they need no more than one in memory.
    Values of the *alike* classes differ in few fields, which are named, most often.
    """

    converter: Converter
    tagged: frozenset[type]
    shared: frozenset[type] = frozenset()
    alike: Mapping[Any, tuple[str, ...]] = attrs.field(factory=dict)
    made: dict[Any, Reader] = attrs.field(factory=dict)

    def of(self, kind: Any) -> Reader:
        """Return the reader of a type."""
        if kind not in self.made:
            read = self._make(kind)
            if kind in self.shared:
                read = _sharing(read)
            elif kind in self.alike:
                read = alike_reader(kind, self.alike[kind], read)
            self.made[kind] = read
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
        if origin is Table and args[1] in _PRIMITIVES:
            return _plain_table_reader(args[1])
        if origin is Table and isinstance(args[1], type) and args[1] is not NoneType:
            return partial(_read_table, self.of(args[1]))
        return self._of_class(kind) if attrs.has(kind) else self._of_converter(kind)

    def _of_converter(self, kind: Any) -> Reader:
        hook = self.converter.get_structure_hook(kind)
        return lambda tree: hook(tree, kind)

    def _of_union(self, members: tuple[Any, ...]) -> Reader:
        """Return the reader of something or nothing, or of what the tag says."""
        some = tuple(member for member in members if member is not NoneType)
        if some != members:
            first, *others = some
            inner = self._of_union(some) if others else self.of(first)
            return lambda tree: None if tree is None else inner(tree)
        by_tag = self.by_tag(members)
        return lambda tree: by_tag[tree["type"]](tree)

    def by_tag(self, members: tuple[Any, ...]) -> OnDemand[str, Reader]:
        """Return the readers of tagged classes by their tags."""
        assert self.tagged.issuperset(members)  # noqa: S101 - nothing else tells them
        kinds = {tag_of(member): member for member in members}
        return OnDemand(kinds, lambda tag: self.of(kinds[tag]))

    def _of_class(self, kind: Any) -> Reader:
        fields, hints = attrs.fields(kind), get_type_hints(kind)
        scope: dict[str, Any] = {"_kind": kind, "_Odd": Odd, "_missing": object()}
        always, seldom, absent = list[str](), list[str](), list[str]()
        for field in fields:
            name = field.name
            check = self._check(name, hints[name], scope)
            if field.default is attrs.NOTHING:
                always += [f"    {name} = _tree[{name!r}]", f"    {check}"]
                continue
            scope[f"_default_{name}"] = field.default
            is_made = isinstance(field.default, attrs.Factory)  # type: ignore[arg-type]
            default = "raise _Odd" if is_made else f"{name} = _default_{name}"
            seldom += [_OPTIONAL.format(name, check, default)]
            absent += [f"        {default}"]
        needed = len(fields) - len(absent) + (kind in self.tagged)
        lines = [
            "def read(_tree):",
            "    if _tree.__class__ is not dict: raise _Odd",
            f"    _rest = len(_tree) - {needed}",
            *always,
            "    if _rest:",
            *seldom,
            "        if _rest: raise _Odd",
            *(["    else:", *absent] if absent else ()),
            *_made(kind, [field.name for field in fields], scope),
        ]
        exec("\n".join(lines), scope)  # noqa: S102 - the names are those of our fields
        read: Reader = scope["read"]
        return read

    def _check(self, name: str, hint: Any, scope: dict[str, Any]) -> str:
        """Return the line that checks a field; what it needs is put in *scope*."""
        if hint in _CHECKS:
            return _CHECKS[hint].format(name)
        if isinstance(hint, type) and issubclass(hint, Enum):
            scope[f"_known_{name}"] = {member.value: member for member in hint}
            return f"{name} = _known_{name}[{name}]"
        scope[f"_read_{name}"] = self.of(hint)
        return f"{name} = _read_{name}({name})"


def _made(kind: type, names: list[str], scope: dict[str, Any]) -> list[str]:
    """Return the lines that make a value of a class of its fields, and return it."""
    scope["_twin"] = twin_of(kind)
    if scope["_twin"] is None:
        return [f"    return _kind({', '.join(f'{name}={name}' for name in names)})"]
    filled = [f"    _new.{name} = {name}" for name in names]
    return [
        "    _new = _twin()",
        *filled,
        "    _new.__class__ = _kind",
        "    return _new",
    ]


def _sharing(read: Reader) -> Reader:
    known: dict[bytes, Any] = {}

    def read_shared(tree: Any) -> Any:
        text = orjson.dumps(tree)
        if text not in known:
            if len(known) == SHARED_MAX:
                known.clear()
            known[b"%b" % text] = read(tree)  # a copy: the text is four kilobytes long
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


def _plain_table_reader(kind: type) -> Reader:
    """Return the reader of a table of primitives; small ones are shared.

    The addresses of a container are most often those of its last run.
    """

    def read(value: Any) -> Table[str, Any]:
        if any(each.__class__ is not kind for each in value.values()):
            raise Odd
        return Table.of(value.items())

    read_shared = _sharing(read)

    def read_table(value: Any) -> Any:
        if value.__class__ is not dict:
            raise Odd
        return read_shared(value) if len(value) <= SMALL else read(value)

    return read_table
