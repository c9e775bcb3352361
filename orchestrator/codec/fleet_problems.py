"""What is wrong with a fleet file, collected: each with its line, in their order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import attrs
from returns.result import Failure

from orchestrator.codec.fleet_tables import Tree
from orchestrator.codec.problems import shown, suggestion
from orchestrator.codec.toml_lines import Lines, line_of
from orchestrator.codec.wire import read_tree
from orchestrator.core.errors import Problem
from orchestrator.core.specs import ContainerSpec

__all__ = ("Problems",)

T = TypeVar("T")


def _line(wrong: tuple[int, Problem]) -> int:
    return wrong[0]


@attrs.define(kw_only=True)
class Problems:
    """The problems of one file; *renamed* leads from a field to its key in the file.

    *spoken* says a path as the file does. What is in no file has no ``file``.
    """

    file: str
    lines: Lines
    found: list[tuple[int, Problem]] = attrs.field(factory=list[tuple[int, Problem]])
    renamed: dict[str, str] = attrs.field(factory=dict[str, str])
    spoken: Callable[[str], str] = str

    def told(self) -> tuple[Problem, ...]:
        """Return what is wrong, in the order of the lines."""
        return tuple(problem for _, problem in sorted(self.found, key=_line))

    def wrong(self, path: str, expected: str, found: str, hint: str = "") -> None:
        """Take one problem, at the path of a key."""
        for field, key in self.renamed.items():
            if path == field or path.startswith((f"{field}.", f"{field}[")):
                path = key + path.removeprefix(field)
        line = line_of(self.lines, path)
        place = self.file if line is None else f"{self.file}:{line}"
        spoken = self.spoken(path)
        problem = Problem(
            place=f"{place}: {spoken}" if place else spoken,
            expected=expected,
            found=found,
            hint=hint,
        )
        self.found.append((line or 0, problem))

    def table(self, tree: Tree, key: str) -> Tree:
        """Return the table under a key, empty where there is none."""
        found = tree.get(key, {})
        if not isinstance(found, dict):
            self.wrong(key, "a table", shown(found))
            return {}
        return dict(cast("Tree", found))

    def only(self, tree: Tree, known: tuple[str, ...], path: str) -> Tree:
        """Return the *known* keys of a table; the others are problems."""
        for key in sorted(set(tree) - set(known)):
            where = f"{path}.{key}".lstrip(".")
            self.wrong(where, "a known key", shown(key), suggestion(key, list(known)))
        return {key: value for key, value in tree.items() if key in known}

    def not_given(
        self, tree: Any, keys: tuple[str, ...], path: str, hint: str = ""
    ) -> None:
        """Tell of keys that must not stand in this table."""
        for key in keys:
            if isinstance(tree, dict) and key in tree:
                value = shown(cast("Tree", tree)[key])
                self.wrong(f"{path}.{key}", "no such key here", value, hint)

    def read(
        self, tree: Tree, kind: type[T], path: str, stand_in: T | None = None
    ) -> T:
        """Read a table as a value of the core; its problems are told from *path*.

        Where a field is wrong the rest is read without it, for what else is wrong;
        nobody uses what comes of it. Where what is wrong is no field of the table,
        but how it fits with a default, *stand_in* is what comes of it.
        """
        read = read_tree(tree, kind)
        if not isinstance(read, Failure):
            return read.unwrap()
        fields: set[str] = set()
        for problem in read.failure().problems:
            inner = problem.place.removeprefix("$.")
            where = f"{path}.{inner}".strip(".$")
            self.wrong(where, problem.expected, problem.found, problem.hint)
            fields.add(inner.partition(".")[0].partition("[")[0])
        stand_ins = _STAND_INS if kind is ContainerSpec else {}
        if stand_in is not None and not fields <= {*tree}:
            return stand_in
        assert fields <= {*tree, *stand_ins}  # noqa: S101 - or it would never end
        kept = {key: value for key, value in tree.items() if key not in fields}
        tree = kept | {key: stand_ins[key] for key in stand_ins if key in fields}
        return self.read(tree, kind, path, stand_in)


_STAND_INS: Final[Tree] = {"name": "any", "command": ["any"]}
"""What must be there for the rest to be read."""
