"""The condition of ``--when``, read; or each of its mistakes, shown under its place."""

from __future__ import annotations

from typing import Final

import click
from returns.result import Failure
from rich.cells import cell_len

from orchestrator.cli.failing import Failed
from orchestrator.core.errors import InvalidSpec, Problem
from orchestrator.replay.conditions.conditions import Condition
from orchestrator.replay.conditions.parsing import parse_condition

__all__ = ("condition_of",)

AROUND: Final = 70
"""Characters of a condition that are shown on either side of a mistake."""


def condition_of(text: str) -> Condition:
    """Read a condition, or show each of its mistakes under its place."""
    read = parse_condition(text)
    if not isinstance(read, Failure):
        return read.unwrap()
    error: InvalidSpec = read.failure()
    for problem in error.problems:
        _point_at(text, problem)
    lines = [f"--when, {problem.message}" for problem in error.problems]
    raise Failed("\n".join(lines), 2)


def _point_at(text: str, problem: Problem) -> None:
    column = int(problem.place.rpartition(" ")[2]) - 1
    start = max(0, column - AROUND)
    part = "".join(
        letter if letter.isprintable() else "?"
        for letter in text[start : column + AROUND]
    )
    click.echo(f"  {part}", err=True)
    click.echo(f"  {' ' * cell_len(part[: column - start])}^", err=True)
