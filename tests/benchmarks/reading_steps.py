"""How many steps the interpreter takes to read a row and decode its event.

As ``steps`` does for the core: a count, not a time, told beside that of the loop by
hand, which folds the same rows in the same interpreter.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs
import orjson

from tests.benchmarks.loop import Loop
from tests.benchmarks.replay import opened_at
from tests.benchmarks.steps import counted
from tests.benchmarks.trace import written

__all__ = ("RECORDED", "Reading", "steps_of_reading")

RECORDED: Final = {(3, 11): 1.95}
"""Steps of reading for each of the loop's, by the version of Python (343 and 176)."""


@attrs.frozen(kw_only=True)
class Reading:
    """Steps for a row: to read and decode it, and to fold its event by hand."""

    row: float
    loop: float

    @property
    def ratio(self) -> float:
        """Return how many times as many the reading takes."""
        return self.row / self.loop


def steps_of_reading(directory: Path, events: int, containers: int) -> Reading:
    """Count the steps that a row of JSON Lines takes, of those behind the first half.

    So what is large and comes once, the row that declares the fleet, is left out.
    """
    half = written(directory, events // 2, containers)
    whole = written(directory, events, containers)
    _read(whole)  # what is made once is made now
    trees = [orjson.loads(line) for line in whole.read_bytes().splitlines()[1:-1]]
    rows = len(trees) - events // 2

    def more(first: Callable[[], object], second: Callable[[], object]) -> float:
        return (counted(second).steps - counted(first).steps) / rows

    return Reading(
        row=more(lambda: _read(half), lambda: _read(whole)),
        loop=more(lambda: _folded(trees[: events // 2]), lambda: _folded(trees)),
    )


def _read(place: Path) -> None:
    reading = opened_at(place)
    for _ in reading.entries():
        pass
    assert reading.error is None, reading.error
    reading.close()


def _folded(trees: list[dict[str, dict[str, object]]]) -> None:
    _ = Loop().fold(tree["event"] for tree in trees)
