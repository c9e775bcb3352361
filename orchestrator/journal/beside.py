"""Files that are put beside a journal: never over one that is there already."""

from __future__ import annotations

from itertools import count
from pathlib import Path

__all__ = ("free_name",)


def free_name(path: Path, middle: str, ending: str) -> Path:
    """Return ``PATH.MIDDLE.ENDING``; with a number before the ending if it is taken."""
    names = (f".{number}" if number > 1 else "" for number in count(1))
    found = (path.with_name(f"{path.name}.{middle}{name}.{ending}") for name in names)
    return next(one for one in found if not one.exists())
