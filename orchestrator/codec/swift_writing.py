"""Writers for what is written with every row: as the converter writes, for less.

For each tagged class one function is written: a table with the tag and what always
stands there, then what is not at its default. A property holds it to the converter.
"""

# pyright: basic, reportUnusedCallResult=false
# Writers take and give Any by nature; mypy holds the rest.
from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Final, TypeAlias, get_args, get_origin, get_type_hints

import attrs
from cattrs import Converter

from orchestrator.codec.converter import tag_of
from orchestrator.codec.on_demand import OnDemand
from orchestrator.core.table import Table

__all__ = ("swift_writer",)

Writer: TypeAlias = Callable[[Any], Any]
"""Takes a value, gives plain JSON."""

_PRIMITIVES: Final = (int, str, bool, float)
_AS_THEY_ARE: Final = frozenset({*_PRIMITIVES, *(kind | None for kind in _PRIMITIVES)})


def swift_writer(
    kind: Any, converter: Converter, writers: OnDemand[type, Any]
) -> Writer:
    """Return what writes a tagged class as plain JSON, as the converter does.

    First the tag and what always stands there, then what is not at its default.
    *writers* are those of the tagged classes.
    """
    hints = get_type_hints(kind)
    scope: dict[str, Any] = {"_writers": writers}
    always, seldom = [f"'type': {tag_of(kind)!r}"], list[str]()
    for field in attrs.fields(kind):
        name, hint = field.name, hints[field.name]
        value, default = f"value.{name}", field.default
        is_other = _question(value, name, hint, default)
        if isinstance(hint, type) and issubclass(hint, Enum):
            value += "._value_"
        elif writers.known >= set(get_args(hint) or [None]):
            value = f"_writers[{value}.__class__]({value})"
        elif get_origin(hint) is Table and get_args(hint)[1] in _PRIMITIVES:
            value = f"dict({value}.items())"
        elif hint not in _AS_THEY_ARE:
            scope[f"_write_{name}"] = converter.get_unstructure_hook(hint)
            value = f"_write_{name}({value})"
        if default is attrs.NOTHING:
            always.append(f"{name!r}: {value}")
        else:
            scope[f"_default_{name}"] = default
            seldom.append(f"    if {is_other}: tree[{name!r}] = {value}")
    lines = [f"    tree = {{{', '.join(always)}}}", *seldom, "    return tree"]
    exec("\n".join(["def write(value):", *lines]), scope)  # noqa: S102 - as above
    write: Writer = scope["write"]
    return write


def _question(value: str, name: str, hint: Any, default: Any) -> str:
    """Return what asks whether a field is not at its default.

    It is asked for each of them at each event: where the default is the one that is
    false among the values of its type, or the only one of its kind, no two values need
    to be compared.
    """
    if default is None:
        return f"{value} is not None"
    if default == Table():
        return f"len({value})"
    if (hint in _PRIMITIVES or get_origin(hint) is tuple) and not default:
        return value
    return f"{value} != _default_{name}"
