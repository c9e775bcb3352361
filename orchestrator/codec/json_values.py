"""The owner's JSON: frozen as the core holds it, thawed as the world wants it."""

# pyright: basic
# What comes in may be anything; mypy holds the rest.
from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from orchestrator.codec.problems import Wrong
from orchestrator.core.table import Table

__all__ = ("DEPTH_MAX", "INT_MAX", "INT_MIN", "freeze_json", "thaw_json")

DEPTH_MAX: Final = 16
"""How deep a user's config may be nested: recursion needs a bound."""

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**64 - 1


def freeze_json(value: Any, depth: int = 0) -> Any:
    """Turn parsed JSON or TOML into the frozen form of the core."""
    if depth > DEPTH_MAX:
        raise Wrong(f"at most {DEPTH_MAX} levels", value)
    if isinstance(value, Mapping | Table):
        return Table.of(
            (_read_text(key), _freeze_at(f".{key}", inner, depth + 1))
            for key, inner in value.items()
        )
    if isinstance(value, list | tuple):
        return tuple(
            _freeze_at(f"[{index}]", inner, depth + 1)
            for index, inner in enumerate(value)
        )
    if value is None or isinstance(value, bool):
        return value
    return _read_text(value) if isinstance(value, str) else _read_number(value)


def _freeze_at(step: str, value: Any, depth: int) -> Any:
    try:
        return freeze_json(value, depth)
    except Wrong as wrong:
        raise wrong.under(step) from None


def _read_text(value: Any) -> str:
    if type(value) is not str:
        raise Wrong("a text", value)
    if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise Wrong("text that UTF-8 can hold", ascii(value))
    return value


def _read_number(value: Any) -> int | float:
    """Read what JSON can hold and every reader of it gives back the same."""
    if type(value) is int and INT_MIN <= value <= INT_MAX:
        return value
    if type(value) is float and isfinite(value):
        return value
    if type(value) in {int, float}:
        raise Wrong(
            "a finite number of at most 64 bits",
            value if type(value) is float else "a longer one",
        )
    raise Wrong("text, number, true, false, array or table", value)


def thaw_json(value: Any) -> Any:
    """Turn the frozen form of the core into plain lists and dicts."""
    if isinstance(value, Table):
        return {key: thaw_json(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return [thaw_json(inner) for inner in value]
    return value
