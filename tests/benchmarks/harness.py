"""Cases that are timed side by side, and what one costs beside another.

All cases of a run take turns: each round runs every case once, in another order, so
that whatever else the machine does is spread over all of them. The time is that of the
processor, not of the wall, unless another clock is given. Ratios are taken within a
round and told with their spread; milliseconds of one machine say nothing about another.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence

import attrs

from orchestrator.simulation.dice import Dice

__all__ = ("Case", "Goal", "Spread", "Timing", "interleaved", "spread_of")


@attrs.frozen(kw_only=True)
class Case:
    """Something that is timed: *run* takes *items* of whatever it counts.

    *before* makes what it works on, each time anew, and is not timed.
    """

    name: str
    items: int
    run: Callable[[], object]
    before: Callable[[], object] = tuple


@attrs.frozen(kw_only=True)
class Goal:
    """How fast *case* shall be, as a part of the speed of *limit*.

    *why*: where it stays short of that, what explains it; the page says so then.
    """

    case: str
    limit: str
    least: float
    why: str = ""


@attrs.frozen(kw_only=True)
class Spread:
    """A median, and the least and the most of the rounds."""

    median: float
    least: float
    most: float


@attrs.frozen(kw_only=True)
class Timing:
    """What every case took in every round, in nanoseconds for one item."""

    rounds: dict[str, tuple[float, ...]]

    def cost(self, name: str) -> Spread:
        """Return nanoseconds for one item."""
        return spread_of(self.rounds[name])

    def speed(self, goal: Goal) -> Spread:
        """Return the speed of a case as a part of that of its limit."""
        pairs = zip(self.rounds[goal.limit], self.rounds[goal.case], strict=True)
        return spread_of([limit / case for limit, case in pairs])


def spread_of(values: Sequence[float]) -> Spread:
    """Return the median and the ends of some values.

    >>> spread_of([3.0, 1.0, 2.0])
    Spread(median=2.0, least=1.0, most=3.0)

    """
    return Spread(median=statistics.median(values), least=min(values), most=max(values))


def interleaved(
    cases: Sequence[Case],
    rounds: int,
    seed: int = 1,
    clock: Callable[[], int] = time.process_time_ns,
) -> Timing:
    """Run every case once a round, in an order that the seed draws.

    What lives before the first one, for others to work on, is none of the collector's
    business then: no case pays for what another one needs.
    """
    gc.collect()
    gc.freeze()
    dice = Dice(seed)
    taken: dict[str, list[float]] = {case.name: [] for case in cases}
    for _ in range(rounds):
        rest = list(cases)
        while rest:
            case = rest.pop(dice.between(0, len(rest) - 1))
            taken[case.name].append(_timed(case, clock))
    gc.unfreeze()
    return Timing(rounds={name: tuple(each) for name, each in taken.items()})


def _timed(case: Case, clock: Callable[[], int]) -> float:
    _ = case.before()
    gc.collect()
    begun = clock()
    case.run()
    return (clock() - begun) / case.items
