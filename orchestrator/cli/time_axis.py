"""An axis of time in a drawing that shows the time of day, and the day where it is new.

It is in this machine's zone, and its ticks stand at round times of that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.cli.svg import Anchor, Scale, line, text
from orchestrator.cli.times_of_day import clock_of, date_of, offset_of
from orchestrator.core.moments import Millis

__all__ = ("axis_of_day",)

TICKS_MOST: Final = 8

_STEPS: Final = (
    *(base * 10**power for power in range(3) for base in (1, 2, 5)),
    *(1_000 * count for count in (1, 2, 5, 10, 15, 30)),
    *(60_000 * count for count in (1, 2, 5, 10, 15, 30)),
    *(3_600_000 * count for count in (1, 2, 3, 6, 12)),
    *(86_400_000 * base * 10**power for power in range(6) for base in (1, 2, 5)),
)
_SECOND: Final = 1_000
_MINUTE: Final = 60_000
_DAY: Final = 86_400_000


def axis_of_day(scale: Scale, y: float, top: float) -> Iterator[str]:
    """Draw the time of day, in this machine's zone; the day where it is another."""
    span = scale.end - scale.begin
    step = next((each for each in _STEPS if span // each <= TICKS_MOST), _STEPS[-1])
    offset = offset_of(scale.begin)
    first = -(-(scale.begin + offset) // step) * step - offset
    day = ""
    for at in range(first, scale.end + 1, step):
        x = scale.x(at)
        yield line((x, top), (x, y), kind="grid")
        yield line((x, y), (x, y + 5), kind="mark")
        below = y + 18
        if step < _DAY:
            label = _cut(clock_of(at), step)
            yield text(x, below, label, kind="faint", anchor=Anchor.MIDDLE)
            below += 16
        if date_of(at) != day:
            day = date_of(at)
            yield text(x, below, day, kind="faint", anchor=Anchor.MIDDLE)
    yield line((scale.left, y), (scale.right, y), kind="mark")


def _cut(clock: str, step: Millis) -> str:
    """Write a time of day as exactly as the steps between two are."""
    if step < _SECOND or ":" not in clock:
        return clock
    return clock[:8] if step < _MINUTE else clock[:5]
