"""Values written as the Python that makes them again, with the imports this needs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from enum import Enum
from types import FunctionType
from typing import Any, Final, cast

import attrs

from orchestrator.core.custom import CustomPolicy
from orchestrator.core.table import Table

__all__ = ("Spoken", "call", "imports_of", "place_of", "source_of")

WIDTH: Final = 84
STEP: Final = "    "
FACE: Final = "orchestrator.testing"


@attrs.frozen(kw_only=True)
class Spoken:
    """A call of one of the words of ``orchestrator.testing``, as it was written."""

    verb: str
    args: tuple[object, ...] = ()
    options: tuple[tuple[str, object], ...] = ()

    def source(self, indent: int = 0) -> str:
        """Write the call."""
        parts = [source_of(arg, indent + 1) for arg in self.args]
        parts += [f"{name}={source_of(v, indent + 1)}" for name, v in self.options]
        return call(self.verb, parts, indent)


def source_of(value: object, indent: int = 0) -> str:
    """Write a value as Python; it is broken into lines where it is long.

    >>> from orchestrator.core.exits import Exited
    >>> source_of((Exited(code=1), None))
    '(Exited(code=1), None)'

    """
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, Table):
        pairs = list(value.items())
        return f"Table.of({source_of(pairs, indent)})" if pairs else "Table()"
    if isinstance(value, list):
        items = [source_of(item, indent + 1) for item in cast("list[object]", value)]
        return _enclosed("[", items, "]", indent)
    if isinstance(value, tuple):
        row = cast("tuple[object, ...]", value)
        if len(row) == 1:
            return f"({source_of(row[0], indent)},)"
        return _enclosed(
            "(", [source_of(item, indent + 1) for item in row], ")", indent
        )
    if isinstance(value, CustomPolicy):
        return _policy(value)
    if isinstance(value, Spoken):
        return value.source(indent)
    if attrs.has(type(value)):
        return call(type(value).__name__, _said(value, indent + 1), indent)
    if isinstance(value, FunctionType):
        return value.__name__ if value.__name__.isidentifier() else "..."
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    """Write a text in double quotes, as the rest of a program has them."""
    plain = repr(text)
    if plain.startswith("'") and '"' not in plain:
        return f'"{plain[1:-1]}"'
    return plain


def call(name: str, parts: Iterable[str], indent: int = 0) -> str:
    """Write a call with its arguments.

    >>> call("run", ["1", "name='x'"])
    "run(1, name='x')"

    """
    return _enclosed(f"{name}(", list(parts), ")", indent)


def _enclosed(begin: str, parts: list[str], end: str, indent: int) -> str:
    line = f"{begin}{', '.join(parts)}{end}"
    if len(line) + indent * len(STEP) <= WIDTH and "\n" not in line:
        return line
    inner = STEP * (indent + 1)
    rows = "".join(f"{inner}{part},\n" for part in parts)
    return f"{begin}\n{rows}{STEP * indent}{end}"


def _fields(value: object) -> Iterable[tuple[str, object]]:
    """Yield the fields of a value that are not at their default."""
    for field in attrs.fields(cast("type[Any]", type(value))):
        found = getattr(value, field.name)
        default = field.default
        if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
            make: Callable[..., Any] = default.factory
            default = make(value) if default.takes_self else make()
        if default is attrs.NOTHING or found != default:
            yield field.name, found


def _said(value: object, indent: int) -> list[str]:
    return [f"{name}={source_of(found, indent)}" for name, found in _fields(value)]


def place_of(policy: CustomPolicy) -> tuple[str, str] | None:
    """Return the module and name under which a program holds a custom policy."""
    module = getattr(policy.decide, "__module__", None)
    held = vars(sys.modules[module]) if module in sys.modules else {}
    for name, found in held.items():
        if found is policy:
            return str(module), name
    for name, found in held.items():
        if found is policy.decide:
            return str(module), name
    return None


def _policy(policy: CustomPolicy) -> str:
    """Write a custom policy by its name in the program, or by one to be filled in."""
    place = place_of(policy)
    if place is not None and vars(sys.modules[place[0]])[place[1]] is policy:
        return place[1]
    text = "".join(c if c.isalnum() else "_" for c in policy.name)
    decide = text if place is None else place[1]
    named = (f'name="{policy.name}"', f"version={policy.version}", f"decide={decide}")
    return call("CustomPolicy", named)


def imports_of(*values: object) -> set[tuple[str, str]]:
    """Return the modules and names that the source of values needs."""
    found: set[tuple[str, str]] = set()
    for value in values:
        if isinstance(value, CustomPolicy):
            place = place_of(value)
            if place is not None and place[0] != "__main__":
                found.add(place)
            if _policy(value).startswith("CustomPolicy("):
                found.add((CustomPolicy.__module__, "CustomPolicy"))
        elif isinstance(value, FunctionType):
            if value.__module__ != "__main__" and value.__name__.isidentifier():
                found.add((value.__module__, value.__name__))
        elif isinstance(value, Spoken):
            found.add((FACE, value.verb))
            found |= imports_of(*value.args, *(v for _, v in value.options))
        elif isinstance(value, Enum) or attrs.has(type(value)):
            found.add((type(value).__module__, type(value).__name__))
            if not isinstance(value, Enum):
                found |= imports_of(*(each for _, each in _fields(value)))
        elif isinstance(value, Table):
            found.add((Table.__module__, "Table"))
            pairs = value.items()
            found |= imports_of(*(each for pair in pairs for each in pair))
        elif isinstance(value, tuple | list):
            found |= imports_of(*cast("tuple[object, ...]", value))
    return found
