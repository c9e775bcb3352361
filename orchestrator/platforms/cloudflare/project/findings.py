"""One thing that a check found: how bad it is, and what to do about it."""

from __future__ import annotations

from enum import StrEnum

import attrs

__all__ = ("Cause", "Finding", "Level", "fine", "problem", "warning")


class Level(StrEnum):
    """How bad a finding is; a problem would refuse starts."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Cause(StrEnum):
    """Where a problem lies."""

    FILE = "file"
    REACH = "reach"
    RIGHTS = "rights"
    MISMATCH = "mismatch"


@attrs.frozen(kw_only=True)
class Finding:
    """What was looked at, what was found, and what to do."""

    level: Level
    what: str
    found: str
    todo: str = ""
    cause: Cause = Cause.MISMATCH


def fine(what: str, found: str) -> Finding:
    """Return a finding that is as it should be."""
    return Finding(level=Level.OK, what=what, found=found)


def warning(what: str, found: str, todo: str) -> Finding:
    """Return a finding that can surprise."""
    return Finding(level=Level.WARNING, what=what, found=found, todo=todo)


def problem(what: str, found: str, todo: str, cause: Cause = Cause.MISMATCH) -> Finding:
    """Return a finding that would refuse starts."""
    return Finding(level=Level.PROBLEM, what=what, found=found, todo=todo, cause=cause)
