"""Why a goal is missed: what the profile says, told on the page where it is missed.

A goal says so itself (``Goal.why``), at the time of the recording; what was found out
later, or holds for one machine, stands here, and goes before. After a change here,
``python -m tests.benchmarks page`` writes the page anew, and measures nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ("REASONS", "why")

SMALL: Final = (
    "A fleet of 100 fits the processor's caches, where a loop over dicts gains most; at"
    " 10 000, the size that the goals are meant for, this is reached."
)

REASONS: Final[Mapping[str, str]] = {
    "reduce: fold at 100 / mutable loop at 100": SMALL,
    "reduce: reduce at 100 / mutable loop at 100": SMALL,
    "reduce: fold at 100000 / mutable loop at 100000": (
        "By a hair, and within its spread: at 10 000 it is reached."
    ),
    "replay: reduce / mutable loop": (
        "Each step gives back a fleet of its own: a third of its steps are those of the"
        " persistent tables, which are written in Python."
    ),
    "replay: encode events / orjson.dumps of events": (
        "A tree of plain values is built for each event, for orjson to write; between"
        " runs on one machine the figure went from 0.30 to 0.37."
    ),
    "replay: replay JSON Lines / loads and mutable loop": (
        "The loop by hand neither computes the chain of digests nor checks a line; that"
        " and making each value new are what is left."
    ),
}
"""By ``area: case / limit``."""


def why(area: str, goal: Mapping[str, Any]) -> str:
    """Return what explains that a goal is missed, "" if nobody has said it.

    >>> why("replay", {"case": "fold", "limit": "loop", "why": "It is Python."})
    'It is Python.'

    """
    key = f"{area}: {goal['case']} / {goal['limit']}"
    return REASONS.get(key) or str(goal["why"])
