"""The tree of a fleet as TOML: short tables in their line, others under a header."""

# pyright: basic
# What tomlkit takes is Any by nature; mypy holds the rest.
from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, cast

import tomlkit
from returns.result import Failure, Result, Success
from tomlkit.items import Array, InlineTable, Item, Table

from orchestrator.codec.fleet_tables import Tree
from orchestrator.core.errors import InvalidSpec, Problem

__all__ = ("toml_text",)

LINE_MAX: Final = 88
"""Letters of a line, where it can be broken."""

_HEADER: Final = re.compile(r"(?m)(?<=[^\n])\n(?=\[)")
"""Before a line that begins a table; no other line of ours begins with a bracket."""


def toml_text(tree: Tree) -> Result[str, InvalidSpec]:
    """Write a tree as the text of a fleet file; TOML has no word for nothing.

    >>> print(toml_text({"fleet": {"name": "demo"}, "api": {"hosts": []}}).unwrap())
    [fleet]
    name = "demo"
    <BLANKLINE>
    [api]
    hosts = []
    <BLANKLINE>

    """
    missing = tuple(
        Problem(
            place=path,
            expected="a value that TOML can hold",
            found="null",
            hint="--to python can hold it",
        )
        for path in _nothings(tree, "")
    )
    if missing:
        return Failure(InvalidSpec(problems=missing))
    document = tomlkit.document()
    for key, value in tree.items():
        _ = document.add(key, _section(key, value))
    return Success(_HEADER.sub("\n\n", tomlkit.dumps(document)))


def _nothings(value: Any, path: str) -> Iterator[str]:
    """Yield the paths of what is None."""
    if value is None:
        yield path
    if isinstance(value, dict):
        for key, inner in cast("Tree", value).items():
            yield from _nothings(inner, f"{path}.{key}".lstrip("."))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _nothings(inner, f"{path}[{index}]")


def _section(key: str, value: Any) -> Item:
    """Return a section: a table, a table of tables, or an array of tables."""
    if isinstance(value, list):
        tables = tomlkit.aot()
        for entry in cast("list[Tree]", value):
            tables.append(_table(entry))
        return tables
    if key == "groups":
        groups = tomlkit.table(is_super_table=True)
        for name, group in cast("Tree", value).items():
            _ = groups.add(name, _table(group))
        return groups
    return _table(cast("Tree", value))


def _table(tree: Tree) -> Table:
    """Return a table: what fits its line first, then those that need a header."""
    table = tomlkit.table()
    below: Tree = {}
    for key, value in tree.items():
        if isinstance(value, dict) and not _fits(key, cast("Tree", value)):
            below[key] = value
        else:
            _ = table.add(key, _inline(value, key))
    for key, value in below.items():
        _ = table.add(key, _table(value))
    return table


def _fits(key: str, tree: Tree) -> bool:
    return len(f"{key} = {_inline(tree).as_string()}") <= LINE_MAX


def _inline(value: Any, key: str = "") -> Item:
    """Return a value that stands in its line; a long array under a key over more."""
    if isinstance(value, dict):
        return _inline_table(cast("Tree", value))
    if not isinstance(value, list):
        item: Item = tomlkit.item(value)
        return item
    array: Array = tomlkit.array()
    for inner in value:
        array.append(_inline(inner))
    too_long = len(f"{key} = {array.as_string()}") > LINE_MAX
    return array.multiline(multiline=True) if key and too_long else array


def _inline_table(tree: Tree) -> InlineTable:
    table = tomlkit.inline_table()
    for key, value in tree.items():
        _ = table.append(key, _inline(value))
    return table
