"""Dependencies of a fleet file: ``depends_on`` names services of the same file.

A name that is none, and a circle, is told where it stands.
"""

from __future__ import annotations

from typing import TypeAlias, cast

from orchestrator.codec.fleet_problems import Problems
from orchestrator.codec.problems import shown, suggestion
from orchestrator.core.dependencies import (
    CIRCLE,
    circle_text,
    circles,
    needs_of,
)

__all__ = ("Needs", "check_needs", "needed_by")

Needs: TypeAlias = tuple[str, str, tuple[str, ...]]
"""The path of an entry, its name, and the names that it depends on."""


def needed_by(given: object) -> tuple[str, ...]:
    """Return the names in a ``depends_on``, whatever else is wrong there."""
    return tuple(cast("dict[str, object]", given)) if isinstance(given, dict) else ()


def check_needs(needs: list[Needs], services: list[str], problems: Problems) -> None:
    """Tell of dependencies on nobody, and of circles."""
    paths: dict[str, str] = {}
    known = set(services)
    for path, name, others in needs:
        _ = paths.setdefault(name, path)
        for service in others:
            if service not in known:
                problems.wrong(
                    f"{path}.depends_on.{service}",
                    "the name of a container of this file",
                    shown(service),
                    suggestion(service, services),
                )
    named = ((name, others) for _, name, others in needs if name)
    for circle in circles(needs_of(named)):
        where = f"{paths[circle[0]]}.depends_on.{circle[1]}"
        problems.wrong(where, CIRCLE, circle_text(circle))
