"""Why a goal is missed: what the profile says, told on the page where it is missed.

A goal says so itself (``Goal.why``), at the time of the recording; what was found out
later, or holds for one machine, stands here, and goes before. After a change here,
``python -m tests.benchmarks page`` writes the page anew, and measures nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ("REASONS", "why")

REASONS: Final[Mapping[str, str]] = {}
"""By ``area: case / limit``."""


def why(area: str, goal: Mapping[str, Any]) -> str:
    """Return what explains that a goal is missed, "" if nobody has said it.

    >>> why("replay", {"case": "fold", "limit": "loop", "why": "It is Python."})
    'It is Python.'

    """
    key = f"{area}: {goal['case']} / {goal['limit']}"
    return REASONS.get(key) or str(goal["why"])
