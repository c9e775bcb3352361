"""What an area of the benchmarks is asked, and what it answers.

An area is one module of this package with two names: ``ABOUT``, a sentence that says
what is compared with what, and ``figures``, which runs it. ``areas`` knows them all::

    ABOUT: Final = "Our timers, beside call_later of the loop."

    def figures(asked: Asked) -> Figures:
        timing = interleaved(cases, 1 if asked.smoke else asked.rounds)
        return Figures(
            sheets=(costs("A timer", timing),),
            reached=reached(timing, GOALS),
            ratios={"insert / call_at": timing.speed(INSERT)},
        )

Whatever is compared is a *speed*, a part of that of its limit or peer: more is better,
always. A bound on a cost is turned around (at most three times the cost: at least a
third of the speed). Every goal that was reached is one of the ratios, too; a goal that
may be missed says what explains it (``Goal.why``), and the page does where it is.

A *curve* is a cost at several sizes of the fleet; the chart draws it. Use the names of
``CURVES``, so that there is one line for each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import attrs

from tests.benchmarks.harness import Goal, Spread, Timing

__all__ = (
    "CURVES",
    "Area",
    "Asked",
    "Curve",
    "Figures",
    "Reached",
    "Sheet",
    "costs",
    "markdown",
    "plain",
    "ratios_of",
    "reached",
    "told",
)

CURVES: Final = ("one event", "reduce", "settled reconcile", "read", "memory")
"""What the chart draws: nanoseconds of each, bytes of a container for memory."""


@attrs.frozen(kw_only=True)
class Asked:
    """How much is to be measured; None leaves it to the area.

    *smoke*: only that everything runs, within about five seconds. *directory*: where
    traces and journals are kept from one run to the next.
    """

    directory: Path
    rounds: int = 5
    smoke: bool = False
    containers: int | None = None
    events: int | None = None
    minutes: float | None = None


@attrs.frozen(kw_only=True)
class Sheet:
    """A table of words; each row has a cell for each column."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __attrs_post_init__(self) -> None:
        """Refuse a row of another length."""
        for row in self.rows:
            assert len(row) == len(self.columns), row


@attrs.frozen(kw_only=True)
class Reached:
    """A goal, and how fast its case was as a part of its limit."""

    goal: Goal
    speed: Spread

    @property
    def name(self) -> str:
        """Return under which name it stands among the ratios."""
        return f"{self.goal.case} / {self.goal.limit}"

    @property
    def is_met(self) -> bool:
        """Return whether the median is as fast as was wanted."""
        return self.speed.median >= self.goal.least


@attrs.frozen(kw_only=True)
class Curve:
    """How a cost grows: at each size of the fleet, in one unit."""

    name: str
    unit: str
    points: tuple[tuple[int, float], ...]


@attrs.frozen(kw_only=True)
class Figures:
    """What an area has found. *ratios* are what is recorded, and guarded."""

    sheets: tuple[Sheet, ...]
    reached: tuple[Reached, ...] = ()
    ratios: Mapping[str, Spread] = attrs.field(factory=dict)
    remarks: tuple[str, ...] = ()
    curves: tuple[Curve, ...] = ()


class Area(Protocol):
    """A module that measures something."""

    ABOUT: str
    figures: Callable[[Asked], Figures]


def reached(timing: Timing, goals: Iterable[Goal]) -> tuple[Reached, ...]:
    """Return how fast each case of a goal was; both must have been timed."""
    return tuple(Reached(goal=goal, speed=timing.speed(goal)) for goal in goals)


def costs(
    title: str,
    timing: Timing,
    names: Sequence[str] | None = None,
    unit: str = "ns",
    scale: float = 1.0,
) -> Sheet:
    """Return a sheet of what one item costs in each case.

    *scale*: how many nanoseconds a *unit* is.
    """
    return Sheet(
        title=title,
        columns=("case", f"{unit}: median", "least", "most"),
        rows=tuple(
            (name, *_cells(timing.cost(name), scale))
            for name in (timing.rounds if names is None else names)
        ),
    )


def _cells(spread: Spread, scale: float) -> tuple[str, str, str]:
    return (
        told(spread.median / scale),
        told(spread.least / scale),
        told(spread.most / scale),
    )


def told(number: float) -> str:
    """Write a number with three figures that count, as long as it has no more.

    >>> [told(each) for each in (0.03456, 1.5, 12.34, 123.4, 123456.7, 0.0)]
    ['0.0346', '1.50', '12.3', '123', '123 457', '0']

    """
    if number == 0:
        return "0"
    if abs(number) >= 100:
        return f"{number:,.0f}".replace(",", " ")
    digits = 2
    rest = abs(number)
    while rest >= 10:
        digits, rest = digits - 1, rest / 10
    while rest < 1:
        digits, rest = digits + 1, rest * 10
    return f"{number:.{digits}f}"


def ratios_of(found: Figures) -> dict[str, Spread]:
    """Return all ratios of an area: those of its goals, and the others."""
    return {each.name: each.speed for each in found.reached} | dict(found.ratios)


def plain(found: Figures) -> dict[str, Any]:
    """Return figures as plain JSON."""
    return {
        "sheets": [attrs.asdict(sheet) for sheet in found.sheets],
        "goals": [
            {
                "case": each.goal.case,
                "limit": each.goal.limit,
                "least": each.goal.least,
                "why": each.goal.why,
                "speed": attrs.asdict(each.speed),
                "met": each.is_met,
            }
            for each in found.reached
        ],
        "ratios": {
            name: attrs.asdict(speed) for name, speed in ratios_of(found).items()
        },
        "remarks": list(found.remarks),
        "curves": [attrs.asdict(curve) for curve in found.curves],
    }


def markdown(tree: Mapping[str, Any]) -> str:
    """Write what ``plain`` has made as tables of Markdown."""
    parts = [_table(each) for each in tree["sheets"]]
    if tree["goals"]:
        parts.append(_goals(tree["goals"]))
    goals = {f"{goal['case']} / {goal['limit']}" for goal in tree["goals"]}
    rest = {name: each for name, each in tree["ratios"].items() if name not in goals}
    if rest:
        parts.append(_ratios(rest))
    parts += tree["remarks"]
    return "\n\n".join(parts) + "\n"


def _table(sheet: Mapping[str, Any]) -> str:
    title = f"{sheet['title']}\n\n" if sheet["title"] else ""
    return title + _lines(sheet["columns"], sheet["rows"])


def _goals(goals: Iterable[Mapping[str, Any]]) -> str:
    columns = ("speed of", "as a part of", "wanted", "median (least-most)", "met")
    return _lines(
        columns,
        [
            (
                goal["case"],
                goal["limit"],
                told(goal["least"]),
                _spread(goal["speed"]),
                "yes" if goal["met"] else "no",
            )
            for goal in goals
        ],
    )


def _ratios(ratios: Mapping[str, Mapping[str, float]]) -> str:
    rows = [(name, _spread(speed)) for name, speed in ratios.items()]
    return _lines(("speed of / as a part of", "median (least-most)"), rows)


def _spread(speed: Mapping[str, float]) -> str:
    least, most = told(speed["least"]), told(speed["most"])
    return f"{told(speed['median'])} ({least}-{most})"


def _lines(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = (columns, ["---"] * len(columns))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (*head, *rows))
