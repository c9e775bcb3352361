"""Versions of what is persisted, and the way up from the older ones.

``SCHEMA`` is raised when the shape of anything persisted changes; an upcaster then
says how an object of the version before becomes one of the next. A golden file of
each released version decodes for ever (``tests/golden``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from returns.result import Failure, Result, Success

from orchestrator.core.errors import InvalidSpec, Problem

__all__ = ("SCHEMA", "UPCASTERS", "Upcaster", "upcast")

SCHEMA: Final = 1

Upcaster: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTERS: Final[dict[int, Upcaster]] = {}
"""From a version to the next one; version 1 is the first."""


def upcast(
    version: int, tree: dict[str, Any], steps: dict[int, Upcaster] = UPCASTERS
) -> Result[dict[str, Any], InvalidSpec]:
    """Bring an object of an older version up to the present one.

    >>> upcast(1, {"type": "booted"})
    <Success: {'type': 'booted'}>
    >>> upcast(99, {}).failure().message
    'schema: expected at most 1, found 99; use a newer release'

    """
    newest = max(steps, default=0) + 1 if steps else SCHEMA
    if not 1 <= version <= newest:
        problem = Problem(
            place="schema",
            expected=f"at most {newest}",
            found=str(version),
            hint="use a newer release",
        )
        return Failure(InvalidSpec(problems=(problem,)))
    for step in range(version, newest):
        tree = steps[step](tree)
    return Success(tree)
