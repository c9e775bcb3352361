"""The tree of a fleet as Python: calls of ``orchestrator.fleet`` and ``container``.

Laid out as a formatter leaves it: what fits stands in a line of 88, the rest one item
a line, with a comma behind the last.
"""

# pyright: basic
# What a tree holds is Any by nature; mypy holds the rest.
from __future__ import annotations

from typing import Any, Final, TypeAlias, cast
from unicodedata import east_asian_width

import attrs

from orchestrator.codec.fleet_tables import Tree

__all__ = ("python_text",)

LINE_MAX: Final = 88
INDENT: Final = "    "

_CLOSING: Final = {"(": ")", "[": "]", "{": "}"}


@attrs.frozen
class _Group:
    """What stands between brackets, behind the text that opens them."""

    opening: str
    items: tuple[_Layout, ...]

    @property
    def closing(self) -> str:
        return _CLOSING[self.opening[-1]]


_Layout: TypeAlias = "str | _Group"


def python_text(tree: Tree) -> str:
    """Write a tree as a module in which ``fleet`` is the fleet.

    >>> print(python_text({"fleet": {"name": "demo", "prune": "keep"}}))
    import orchestrator
    <BLANKLINE>
    fleet = orchestrator.fleet("demo", prune="keep")
    <BLANKLINE>

    """
    head = tree["fleet"]
    sections = {key: table for key, table in tree.items() if table is not head}
    call = _call("fleet = orchestrator.fleet(", {**head, **sections})
    return f"import orchestrator\n\n{_laid(call)}\n"


def _call(opening: str, keys: Tree) -> _Group:
    """Return a call: the name stands for itself, the rest are keywords."""
    items: list[_Layout] = [_layout(keys["name"])]
    for key, value in keys.items():
        if key == "containers":
            calls = (_call("orchestrator.container(", entry) for entry in value)
            items.append(_Group("containers=[", tuple(calls)))
        elif key != "name":
            items.append(_layout(value, f"{key}="))
    return _Group(opening, tuple(items))


def _layout(value: Any, before: str = "") -> _Layout:
    """Return a value with what stands before it."""
    match value:
        case dict():
            table = cast("Tree", value)
            pairs = (_layout(table[key], f"{_text(key)}: ") for key in table)
            return _Group(f"{before}{{", tuple(pairs))
        case list():
            return _Group(f"{before}[", tuple(map(_layout, value)))
        case str():
            return before + _text(value)
        case float():
            return before + repr(value).replace("e+", "e")
        case _:
            return before + repr(value)


def _laid(layout: _Layout, depth: int = 0, comma: str = "") -> str:
    """Write a layout: in one line if that is short enough, or one item a line."""
    flat = _flat(layout) + comma
    if isinstance(layout, str) or not layout.items:
        return flat
    if len(INDENT) * depth + _width(flat) <= LINE_MAX:
        return flat
    inner = INDENT * (depth + 1)
    lines = (inner + _laid(item, depth + 1, ",") for item in layout.items)
    end = INDENT * depth + layout.closing + comma
    return "\n".join((layout.opening, *lines, end))


def _flat(layout: _Layout) -> str:
    if isinstance(layout, str):
        return layout
    return layout.opening + ", ".join(map(_flat, layout.items)) + layout.closing


def _width(text: str) -> int:
    """Return how many columns a text takes: wide letters take two."""
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(letter) in {"W", "F"} else 1 for letter in text)


def _text(text: str) -> str:
    r"""Write a text in double quotes, unless single ones spare a backslash.

    >>> print(_text("it's"), _text('say "x"'), _text("a\n"))
    "it's" 'say "x"' "a\n"

    """
    quote = "'" if text.count('"') > text.count("'") else '"'
    letters = (f"\\{each}" if each == quote else repr(each)[1:-1] for each in text)
    return f"{quote}{''.join(letters)}{quote}"
