"""The converter: cattrs, made strict, with one tag for each member of a sum type.

Left to itself cattrs coerces (``"7"`` to 7) and guesses unions. Here a primitive is
what it is or refused; a member of a sum type carries ``"type"``, the snake case of its
class, first in the object; an unknown key or tag is refused with its place.

Fields at their default are left out of the members of sum types (events, phases,
exits), whose defaults are "nothing to say". Specs, policies and settings are written
whole: a default of theirs may change with a release, and a journal must not.
"""

# pyright: basic, reportUnusedCallResult=false
# Hooks of cattrs take and give Any by nature; mypy holds the rest.
from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import Enum
from types import UnionType
from typing import Any, Final, Union, cast, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from orchestrator.codec.json_values import freeze_json, thaw_json
from orchestrator.codec.problems import Wrong, suggestion
from orchestrator.core.fields import LATER, Json
from orchestrator.core.table import Table

__all__ = ("make_converter", "tag_of")


def tag_of(kind: type) -> str:
    """Return the tag of a class.

    >>> tag_of(Table), tag_of(UnionType)
    ('table', 'union_type')

    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()


def make_converter(tagged: Iterable[type]) -> Converter:
    """Return a converter in which the *tagged* classes carry their tag."""
    converter = Converter(forbid_extra_keys=True)
    members = frozenset(tagged)
    _strict_primitives(converter)
    converter.register_structure_hook_func(_is_json, lambda v, _: freeze_json(v))
    converter.register_unstructure_hook_func(_is_json, thaw_json)
    converter.register_structure_hook_factory(_is_table, _table_reader(converter))
    converter.register_unstructure_hook_factory(_is_table, _table_writer(converter))
    converter.register_structure_hook_factory(_is_tuple, _tuple_reader(converter))
    converter.register_structure_hook_factory(
        attrs.has, lambda kind: _class_reader(converter, kind)
    )
    converter.register_unstructure_hook_factory(
        attrs.has, lambda kind: _class_writer(converter, kind, kind in members)
    )
    converter.register_structure_hook_factory(
        _is_sum_type, lambda union: _sum_reader(converter, union)
    )
    return converter


def _strict_primitives(converter: Converter) -> None:
    for kind, expected in _PRIMITIVES.items():
        converter.register_structure_hook(kind, _exactly(kind, expected))
    converter.register_structure_hook(float, _read_float)


_PRIMITIVES: Final[dict[type, str]] = {
    int: "an integer",
    str: "a text",
    bool: "true or false",
}


def _exactly(kind: type, expected: str) -> Callable[[Any, Any], Any]:
    def read(value: Any, asked: Any) -> Any:
        if issubclass(asked, Enum):  # a StrEnum is dispatched as the str that it is
            return _read_enum(value, asked)
        if type(value) is not kind:
            raise Wrong(expected, value)
        return value

    return read


def _read_float(value: Any, _: Any) -> float:
    if type(value) not in {int, float}:
        expected = "a number"
        raise Wrong(expected, value)
    return float(value)


def _read_enum(value: Any, kind: type[Enum]) -> Enum:
    names = [str(member.value) for member in kind]
    if value not in names:
        hint = suggestion(value, names) if isinstance(value, str) else ""
        expected = f"one of {', '.join(names)}"
        raise Wrong(expected, value, hint)
    return kind(value)


def _is_json(kind: Any) -> bool:
    """Say whether a type is ``core.fields.Json``, a user's own JSON."""
    return kind is Json


def _is_table(kind: Any) -> bool:
    return get_origin(kind) is Table


def _table_reader(converter: Converter) -> Callable[[Any], Callable[..., Any]]:
    def factory(kind: Any) -> Callable[..., Any]:
        key_kind, value_kind = get_args(kind)
        if value_kind is type(None):
            return _index_reader(converter, key_kind)

        def read_at(step: str, value: Any) -> Any:
            try:
                return converter.structure(value, value_kind)
            except Wrong as wrong:
                raise wrong.under(step) from None

        def read(value: Any, _: Any) -> Table[str, Any]:
            if not isinstance(value, dict | Table):
                raise Wrong("a table", value)
            if _is_json(value_kind):
                return cast("Table[str, Any]", freeze_json(value))
            return Table.of(
                (key, read_at(f".{key}", inner)) for key, inner in value.items()
            )

        return read

    return factory


def _index_reader(converter: Converter, key_kind: Any) -> Callable[..., Any]:
    """Read an index, a table without values: an array of its keys."""

    def read(value: Any, _: Any) -> Table[Any, None]:
        keys = converter.structure(value, tuple[key_kind, ...])
        return Table.of((key, None) for key in keys)

    return read


def _table_writer(converter: Converter) -> Callable[[Any], Callable[..., Any]]:
    def factory(kind: Any) -> Callable[..., Any]:
        _, value_kind = get_args(kind)
        if value_kind is type(None):
            return list
        if _is_json(value_kind):
            return thaw_json
        if value_kind in _PRIMITIVES:
            return lambda table: dict(table.items())
        return lambda table: {
            key: converter.unstructure(value, unstructure_as=value_kind)
            for key, value in table.items()
        }

    return factory


def _is_tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _tuple_reader(converter: Converter) -> Callable[[Any], Callable[..., Any]]:
    """Read arrays only: cattrs would take a text or a table for a sequence."""

    def factory(kind: Any) -> Callable[..., Any]:
        kinds = get_args(kind)
        inner = list[kinds[0]] if kinds[-1] is Ellipsis else None  # type: ignore[valid-type]

        def read(value: Any, _: Any) -> tuple[Any, ...]:
            if not isinstance(value, list):
                raise Wrong("an array", value)
            if inner is not None:
                return tuple(converter.structure(value, inner))
            if len(value) != len(kinds):
                raise Wrong(f"an array of {len(kinds)}", value)
            pairs = zip(value, kinds, strict=True)
            return tuple(converter.structure(v, kind) for v, kind in pairs)

        return read

    return factory


def _class_reader(converter: Converter, kind: type) -> Callable[..., Any]:
    read: Callable[..., Any] = make_dict_structure_fn(
        kind,
        converter,
        _cattrs_forbid_extra_keys=True,
        _cattrs_detailed_validation=True,
    )

    def read_object(value: Any, as_kind: Any) -> Any:
        if not isinstance(value, dict):
            raise Wrong("a table", value)
        return read(value, as_kind)

    return read_object


def _class_writer(
    converter: Converter,
    kind: type,
    tagged: bool,  # noqa: FBT001 - a fact of the class
) -> Callable[[Any], dict[str, Any]]:
    later: dict[str, Any] = {
        field.name: override(omit_if_default=True)
        for field in attrs.fields(kind)
        if field.metadata == LATER
    }
    write: Callable[[Any], dict[str, Any]] = make_dict_unstructure_fn(
        kind, converter, _cattrs_omit_if_default=tagged, **later
    )
    if not tagged:
        return write
    tag = tag_of(kind)
    return lambda value: {"type": tag, **write(value)}


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType)


def _is_sum_type(kind: Any) -> bool:
    return _is_union(kind) and all(attrs.has(member) for member in get_args(kind))


def _sum_reader(converter: Converter, union: Any) -> Callable[..., Any]:
    """Read a member of a sum type by its tag; hooks are looked up once."""
    kinds = {tag_of(kind): kind for kind in get_args(union)}
    readers: dict[str, Callable[..., Any]] = {}

    def read(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            raise Wrong("a table", value)
        tag = value.get("type")
        if not isinstance(tag, str) or tag not in kinds:
            names = sorted(kinds)
            hint = suggestion(tag, names) if isinstance(tag, str) else ""
            raise Wrong(f'a "type" out of {", ".join(names)}', tag, hint)
        if tag not in readers:
            readers[tag] = converter.get_structure_hook(kinds[tag])
        rest = {key: inner for key, inner in value.items() if key != "type"}
        return readers[tag](rest, kinds[tag])

    return read
