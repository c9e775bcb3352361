"""JSON Schemas of what is read and written, derived from the classes themselves.

They say what the codec does. Written: a member of a sum type carries ``type`` and
leaves out what is at its default; all other classes are written whole, but for fields
that came later. Read: what has a default may be left out, and nothing unknown is taken.
So a class has two schemas: that of its ``...Input`` is what may be sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from types import NoneType, UnionType
from typing import (
    Any,
    Final,
    Literal,
    TypeAlias,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import attrs

from orchestrator.api.route import Form
from orchestrator.codec.converter import tag_of
from orchestrator.codec.wire import TAGGED
from orchestrator.core.fields import LATER, Json
from orchestrator.core.table import Table

__all__ = ("Schemas", "Tree", "summary_of")

Tree: TypeAlias = dict[str, Any]

_TAGGED: Final = frozenset(TAGGED)

_PLAIN: Final[dict[Any, Tree]] = {
    int: {"type": "integer", "format": "int64"},
    float: {"type": "number"},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    NoneType: {"type": "null"},
    None: {"type": "null"},
    Json: {"description": "Any JSON."},
}

_UNITS: Final = (
    ("_at", "Milliseconds since 1970."),
    ("_ms", "Milliseconds."),
)


class Schemas:
    """Makes schemas, and keeps those of classes to be referred to."""

    def __init__(self, forms: list[Form]) -> None:
        """Name all classes that *forms* lead to: two of one name get longer ones."""
        self.components: dict[str, Tree] = {}
        self._names: dict[type, str] = {}
        classes = list(_classes(forms))
        plain = [kind.__name__ for kind in classes]
        for kind in classes:
            name = kind.__name__
            module = kind.__module__.rpartition(".")[2].title().replace("_", "")
            self._names[kind] = name if plain.count(name) == 1 else f"{module}{name}"

    def of(self, form: Form, *, given: bool = False) -> Tree:
        """Return the schema of a type; *given*: as it may be sent, not as answered."""
        if form in _PLAIN:
            return dict(_PLAIN[form])
        origin: Any = get_origin(form)
        inner = get_args(form)
        if origin is Literal:
            return {"type": "string", "enum": list(inner)}
        if origin in (Union, UnionType):
            return self._union(inner, given=given)
        if origin is tuple:
            return self._tuple(inner, given=given)
        if origin is Table:
            return self._table(*inner, given=given)
        return self._component(form, given=given)

    def _union(self, kinds: tuple[Form, ...], *, given: bool) -> Tree:
        """Return the schema of a choice: of classes by their tag, or none of them."""
        some = [kind for kind in kinds if kind is not NoneType]
        if len(some) == 1:
            found = self.of(some[0], given=given)
        else:
            found = {"oneOf": [self.of(kind, given=given) for kind in some]}
        if len(some) > 1 and all(kind in _TAGGED for kind in some):
            mapping = {
                tag_of(kind): one["$ref"]
                for kind, one in zip(some, found["oneOf"], strict=True)
            }
            found["discriminator"] = {"propertyName": "type", "mapping": mapping}
        if len(some) == len(kinds):
            return found
        if isinstance(found.get("type"), str) and "enum" not in found:
            return {**found, "type": [found["type"], "null"]}
        return {"anyOf": [found, {"type": "null"}]}

    def _tuple(self, kinds: tuple[Form, ...], *, given: bool) -> Tree:
        if kinds[-1] is Ellipsis:
            return {"type": "array", "items": self.of(kinds[0], given=given)}
        items = [self.of(kind, given=given) for kind in kinds]
        return {
            "type": "array",
            "prefixItems": items,
            "minItems": len(items),
            "maxItems": len(items),
        }

    def _table(self, key: Form, value: Form, *, given: bool) -> Tree:
        if value is NoneType:  # an index: its keys
            return {"type": "array", "items": self.of(key, given=given)}
        inner = self.of(value, given=given)
        return {"type": "object", "additionalProperties": inner}

    def _component(self, kind: type, *, given: bool) -> Tree:
        """Return a reference to the schema of a class."""
        is_enum = issubclass(kind, StrEnum)
        name = self._names[kind]
        if given and not is_enum:
            name = f"{name}Input"
        if name not in self.components:
            self.components[name] = {}  # in the making: it may lead to itself
            made = _words(kind) if is_enum else self._object(kind, given=given)
            self.components[name] = made
        return {"$ref": f"#/components/schemas/{name}"}

    def _object(self, kind: type, *, given: bool) -> Tree:
        hints = get_type_hints(kind)
        is_tagged = kind in _TAGGED
        properties: dict[str, Tree] = {}
        required: list[str] = []
        if is_tagged:
            properties["type"] = {"const": tag_of(kind)}
            required.append("type")
        for field in attrs.fields(kind):
            found = self.of(hints[field.name], given=given)
            if given:
                _bound(found, field.validator)
            _describe(found, field.name)
            properties[field.name] = found
            has_default = field.default is not attrs.NOTHING
            if given or is_tagged:
                is_needed = not has_default
            else:
                is_needed = field.metadata != LATER
            if is_needed:
                required.append(field.name)
        tree: Tree = {"type": "object", "description": summary_of(kind)}
        tree["properties"] = properties
        if required:
            tree["required"] = required
        if given:
            tree["additionalProperties"] = False
        return tree


def summary_of(kind: type) -> str:
    """Return the first paragraph of what a class says of itself, on one line."""
    about = (kind.__doc__ or "").strip().partition("\n\n")[0]
    return " ".join(about.split())


def _words(kind: type[StrEnum]) -> Tree:
    words = [str(member.value) for member in kind]
    return {"type": "string", "description": summary_of(kind), "enum": words}


def _describe(schema: Tree, name: str) -> None:
    """Say in which unit a number is."""
    if "integer" not in str(schema.get("type")):
        return
    for ending, unit in _UNITS:
        if f"_{name}".endswith(ending):
            schema["description"] = unit


def _bound(schema: Tree, validator: Any) -> None:
    """Note the bounds that a field's validator sets, where a schema can say them."""
    for one in _validators(validator):
        words = _BOUNDS.get(type(one).__name__)
        if words is not None:
            words(schema, one)


def _validators(validator: Any) -> Iterator[Any]:
    inner = getattr(validator, "_validators", None) or getattr(
        validator, "validator", None
    )
    if inner is None:
        yield validator
    else:
        for one in inner if isinstance(inner, list | tuple) else (inner,):
            yield from _validators(one)


def _compare(schema: Tree, one: Any) -> None:
    key = {
        ">=": "minimum",
        ">": "exclusiveMinimum",
        "<=": "maximum",
        "<": "exclusiveMaximum",
    }[one.compare_op]
    schema[key] = one.bound


def _options(schema: Tree, one: Any) -> None:
    schema["enum"] = list(one.options)


def _length(schema: Tree, one: Any) -> None:
    is_text = "string" in str(schema.get("type"))
    schema["maxLength" if is_text else "maxItems"] = one.max_length


_BOUNDS: Final[dict[str, Callable[[Tree, Any], None]]] = {
    "_NumberValidator": _compare,
    "_InValidator": _options,
    "_MaxLengthValidator": _length,
}
"""Validators of attrs by their class; they have no public names."""


def _classes(forms: list[Form]) -> Iterator[type]:
    """Yield every class that types lead to, once, in the order in which they do."""
    rest = list(reversed(forms))
    seen: set[Any] = set()
    while rest:
        form = rest.pop()
        if form in _PLAIN or form in seen or form is Ellipsis:
            continue
        seen.add(form)
        if get_origin(form) is Literal:
            continue
        if get_origin(form) is not None:
            rest += reversed(get_args(form))
        elif isinstance(form, type):
            yield form
            if attrs.has(form):
                rest += reversed(list(get_type_hints(form).values()))
