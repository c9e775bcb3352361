"""The chart: how costs grow with the size of the fleet, drawn from what was recorded.

One small picture below the other, all with the same scale: how many times the cost at
the smallest fleet. What was really measured stands at each point. It is as wide as the
screen of a phone, so that its words are read there as they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, Final

import attrs

from orchestrator.cli.svg import Anchor, circle, document, group, line, text, text_width
from tests.benchmarks.figures import CURVES, told

__all__ = ("chart_of", "curves_in")

WIDTH: Final = 360
LEFT: Final = 34
RIGHT: Final = 326
TOP: Final = 66
PANEL: Final = 92
PLOT: Final = 40
TIMES_LEAST: Final = 3.0
TITLE: Final = "How costs grow with the fleet"
NOTE: Final = "times the cost at the smallest fleet; all to one scale"
ABOUT: Final = {
    "one event": "one event, folded",
    "reduce": "one event, a fleet of its own",
    "settled reconcile": "reconcile, nothing to do",
    "read": "a read over HTTP",
    "memory": "memory of a container",
}


@attrs.frozen
class Drawn:
    """A curve: its name, its unit, and the points, smallest fleet first."""

    name: str
    unit: str
    points: tuple[tuple[int, float], ...]

    def times(self, value: float) -> float:
        """Return how many times the first one a value is."""
        return value / self.points[0][1]


def curves_in(areas: Mapping[str, Any]) -> tuple[Drawn, ...]:
    """Return the curves that the areas have recorded, in the order of ``CURVES``."""
    found = {
        curve["name"]: Drawn(
            curve["name"],
            curve["unit"],
            tuple(sorted((int(size), float(cost)) for size, cost in curve["points"])),
        )
        for entry in areas.values()
        for curve in entry["curves"]
        if curve["points"]
    }
    return tuple(found[name] for name in CURVES if name in found)


def chart_of(areas: Mapping[str, Any]) -> str:
    """Draw all curves that were recorded; the same record gives the same bytes."""
    curves = curves_in(areas)
    most = [curve.times(cost) for curve in curves for _, cost in curve.points]
    top = math.ceil(max([TIMES_LEAST, *most]))
    sizes = sorted({size for curve in curves for size, _ in curve.points})
    pieces = [text(16, 28, TITLE, kind="title"), text(16, 48, NOTE, kind="faint")]
    for number, curve in enumerate(curves):
        pieces.append(
            group(
                _panel(curve, sizes, top),
                label=_sentence(curve),
                down=TOP + number * PANEL,
            )
        )
    bottom = TOP + len(curves) * PANEL
    pieces += _axis(sizes, bottom)
    return document(
        pieces,
        width=WIDTH,
        height=bottom + 44,
        title=TITLE,
        about=" ".join(map(_sentence, curves)) or "Nothing has been recorded yet.",
    )


def _x(size: int, sizes: list[int]) -> float:
    """Return where a size stands: ten times as many are as far everywhere."""
    span = math.log10(sizes[-1] / sizes[0]) or 1.0
    return LEFT + (RIGHT - LEFT) * math.log10(size / sizes[0]) / span


def _panel(curve: Drawn, sizes: list[int], top: int) -> Iterable[str]:
    floor = PANEL - 14

    def y(times: float) -> float:
        return floor - PLOT * times / top

    yield text(16, 12, ABOUT.get(curve.name, curve.name), kind="strong")
    growth = f"x {told(curve.times(curve.points[-1][1]))}"
    yield text(WIDTH - 16, 12, growth, kind="faint", anchor=Anchor.END)
    yield line((LEFT, floor), (RIGHT, floor), kind="mark")
    yield line((LEFT, y(1)), (RIGHT, y(1)), kind="grid dashed")
    places = [
        (_x(size, sizes), y(curve.times(cost)), cost) for size, cost in curve.points
    ]
    for begin, end in pairwise(places):
        yield line(begin[:2], end[:2], kind="strong")
    for x, high, cost in places:
        label = _amount(cost, curve.unit)
        half = text_width(label) / 2
        middle = min(max(x, half + 4), WIDTH - half - 4)
        yield circle(x, high, 3.5)
        yield text(middle, high - 8, label, kind="faint", anchor=Anchor.MIDDLE)


def _axis(sizes: list[int], bottom: float) -> Iterable[str]:
    for size in sizes:
        label = f"{size:,}".replace(",", " ")
        yield text(_x(size, sizes), bottom + 6, label, anchor=Anchor.MIDDLE)
    if sizes:
        middle = (LEFT + RIGHT) / 2
        words = "containers of the fleet"
        yield text(middle, bottom + 26, words, kind="faint", anchor=Anchor.MIDDLE)


def _sentence(curve: Drawn) -> str:
    told_of = ", ".join(
        f"{_amount(cost, curve.unit)} at {size} containers"
        for size, cost in curve.points
    )
    return f"{ABOUT.get(curve.name, curve.name)}: {told_of}."


def _amount(value: float, unit: str) -> str:
    """Write a cost in the unit that reads best.

    >>> _amount(2_400.0, "ns"), _amount(31e6, "ns"), _amount(1_400.0, "bytes")
    ('2.40 µs', '31.0 ms', '1.37 KiB')

    """
    steps: tuple[tuple[float, str], ...] = ((1, unit),)
    if unit == "ns":
        steps = ((1, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s"))
    elif unit == "bytes":
        steps = ((1, "B"), (1024, "KiB"), (1024**2, "MiB"))
    scale, name = [steps[0], *(each for each in steps if value >= each[0])][-1]
    return f"{told(value / scale)} {name}"
