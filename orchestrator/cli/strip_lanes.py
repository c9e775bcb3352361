"""Strips drawn as lanes: bars in the tone of the phase, marks above and below them.

A tick below a lane is the begin of a run, a dot above it a crash. What stands close
together is drawn as one, so that a drawing of a month is as large as one of a minute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import attrs

from orchestrator.cli.svg import Box, Scale, Tone, bar, circle, line, text
from orchestrator.cli.times_of_day import clock_of
from orchestrator.core.moments import Millis, Moment, format_duration
from orchestrator.replay.timelines.strips import Counts, Strip, coarse

__all__ = (
    "MARGIN",
    "WIDTH",
    "Lane",
    "Marks",
    "bars",
    "gathered",
    "marks",
    "marks_explained",
    "not_drawn",
    "shortened",
    "tones_seen",
    "words_of",
)

WIDTH: Final = 1_000.0
MARGIN: Final = 20.0

NAME_MOST: Final = 26
"""Letters of a name that are shown."""

NEAR: Final = 5
"""Pixels within which marks are drawn as one."""

_UNDER_WAY: Final = (Tone.BUSY, "starting, stopping, not ready")
_AT_REST: Final = (Tone.REST, "at rest, completed, asleep")
_TONES: Final[dict[str, tuple[Tone, str]]] = {
    "ready": (Tone.GOOD, "ready"),
    "pending": _UNDER_WAY,
    "starting": _UNDER_WAY,
    "running": _UNDER_WAY,
    "stopping": _UNDER_WAY,
    "backing_off": (Tone.WAIT, "backing off"),
    "crash_looping": (Tone.LOOP, "crash-looping"),
    "failed": (Tone.BAD, "failed"),
    "stopped": _AT_REST,
    "completed": _AT_REST,
    "asleep": _AT_REST,
    "unknown": (Tone.UNKNOWN, "out of sight"),
}
"""What a strip may show, with its tone and the words of the legend."""


@attrs.frozen(kw_only=True)
class Marks:
    """How large the marks of a lane are, in pixels.

    ``tick`` is the length of one below, ``lift`` how far a dot of ``radius`` stands
    above; a mark that stands for several is longer by ``more``.
    """

    tick: float
    more: float
    lift: float
    radius: float


@attrs.frozen(kw_only=True)
class Lane:
    """Where a lane stands, and how fine time is drawn in it; *about*: whose it is."""

    about: str
    scale: Scale
    grain: Millis
    top: float
    height: float


def words_of(what: str) -> str:
    """Return the words of the legend for what a strip shows.

    >>> words_of("crash_looping")
    'crash-looping'

    """
    return _TONES[what][1]


def tones_seen(strips: Iterable[Strip]) -> list[tuple[Tone, str]]:
    """Return the entries of the legend that the strips need."""
    there = {what for strip in strips for _, what in strip.changes}
    return list(dict.fromkeys(_TONES[what] for what in _TONES if what in there))


def shortened(name: str) -> str:
    """Return a name as it fits beside a lane."""
    return name if len(name) <= NAME_MOST else f"{name[: NAME_MOST - 1]}…"


def bars(strip: Strip, lane: Lane, words: Callable[[str], str]) -> Iterator[str]:
    """Yield the bars of a lane; *words* tells the pointer what a bar shows."""
    if not strip.changes:
        return
    scale = lane.scale
    changes = coarse(strip.changes, scale.end, lane.grain) or strip.changes[-1:]
    ends = [at for at, _ in changes[1:]]
    for (since, what), until in zip(changes, (*ends, scale.end), strict=True):
        if not what:
            continue
        left, right = scale.x(since), scale.x(until)
        span = format_duration(max(0, until - since))
        told = f"{lane.about}: {words(what)} from {clock_of(since)}, for {span}"
        box = Box(left, lane.top, max(1.0, right - left), lane.height)
        yield bar(box, _TONES[what][0], about=told, radius=0)


def marks(strip: Strip, lane: Lane, sizes: Marks) -> Iterator[str]:
    """Yield the ticks where runs begin, and the dots where they crash."""
    below = lane.top + lane.height
    for x, _, count in gathered(strip.starts, lane.scale):
        length = sizes.tick + sizes.more * (count > 1)
        yield line((x, below + 1), (x, below + length), kind="mark")
    for x, at, count in gathered(strip.crashes, lane.scale):
        times = f"{count} crashes" if count > 1 else "a crash"
        about = f"{lane.about}: {times} at {clock_of(at)}"
        radius = sizes.radius + (count > 1) * 0.7
        yield circle(x, lane.top - sizes.lift, radius, about=about)


def gathered(counts: Counts, scale: Scale) -> Iterator[tuple[float, Moment, int]]:
    """Put marks that would stand on one another into one, where the first stands."""
    places: dict[int, tuple[Moment, int]] = {}
    for at, count in counts.marks():
        place = round(scale.x(at) / NEAR)
        first, before = places.get(place, (at, 0))
        places[place] = (first, before + count)
    for at, count in places.values():
        yield scale.x(at), at, count


def marks_explained(y: float, dashed: str) -> Iterator[str]:
    """Yield the legend of the marks; *dashed* says what a dashed line is."""
    left = MARGIN
    yield line((left + 9, y + 2), (left + 9, y + 9), kind="mark")
    yield text(left + 24, y + 10, "a run begins")
    left += 130
    yield circle(left + 9, y + 6, 3)
    yield text(left + 24, y + 10, "a crash")
    left += 130
    yield line((left + 9, y - 2), (left + 9, y + 14), kind="dashed")
    yield text(left + 24, y + 10, dashed)


def not_drawn(more: int, y: float) -> Iterator[str]:
    """Say how many containers there is no lane for."""
    if more > 0:
        yield text(MARGIN, y, f"{more} more containers are not drawn", kind="strong")
