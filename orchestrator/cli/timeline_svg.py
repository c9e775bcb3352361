"""A timeline as a drawing: a lane for each container, time from left to right.

A lane is bars in the tone of the phase. A tick below is the begin of a run, a dot above
a crash; a dashed line over all lanes is an operator that took over. What stands close
together is drawn as one, and the pointer tells how many. A drawing of a month is as
large as one of a minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs

from orchestrator.cli.svg import (
    Anchor,
    Box,
    Scale,
    Tone,
    bar,
    circle,
    document,
    group,
    legend,
    line,
    text,
    text_width,
)
from orchestrator.cli.time_axis import axis_of_day
from orchestrator.cli.timeline_words import phase_words
from orchestrator.cli.times_of_day import clock_of, day_of
from orchestrator.core.moments import Millis, Moment, format_duration
from orchestrator.core.uptimes import sum_of
from orchestrator.replay.timelines.stretches import Course, Timeline
from orchestrator.replay.timelines.strips import Counts, Strip, Strips, coarse

__all__ = ("drawing_of",)

WIDTH: Final = 1_000.0
MARGIN: Final = 20.0
NUMBERS: Final = 66.0
"""Room for the availability, to the right of a lane."""

NAME_MOST: Final = 26
"""Letters of a name that are shown."""

ROOMY: Final = 30
"""Up to so many containers lanes are high."""

LANES_MOST: Final = 500
"""Lanes of a drawing; more cannot be looked at."""

PIECES_MOST: Final = 24_000
"""Bars of a drawing, about: where lanes are many, they are drawn in coarser grains."""

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


@attrs.frozen(kw_only=True)
class _Plan:
    """Where things stand, and how fine time is drawn."""

    scale: Scale
    top: float
    pitch: float
    height: float
    grain: Millis


def drawing_of(told: Timeline, strips: Strips, source: str) -> str:
    """Draw a timeline as SVG, 1000 pixels wide; *source* names its journal."""
    shown = told.courses[:LANES_MOST]
    entries = _seen(strips, shown)
    words, legend_height = legend(entries, MARGIN, 70, WIDTH - 2 * MARGIN)
    top = 70 + legend_height + 34
    plan = _plan(told, shown, top + 8)
    bottom = plan.top + plan.pitch * max(1, len(shown)) + 2
    body = (
        *_title(told, source),
        *words,
        *_marks_explained(70 + legend_height + 8),
        *axis_of_day(plan.scale, bottom, top),
        *_boots(strips.boots, plan, top, bottom),
        *(_lane(each, strips, plan, n) for n, each in enumerate(shown)),
        *_left_out(told, bottom + 54),
    )
    return document(
        body,
        width=WIDTH,
        height=bottom + 66,
        title=f"Timeline of {source}",
        about=_in_words(told, shown),
    )


def _plan(told: Timeline, shown: tuple[Course, ...], top: float) -> _Plan:
    is_roomy = len(shown) <= ROOMY
    names = max((text_width(_shortened(each.name)) for each in shown), default=0.0)
    left = MARGIN + max(60.0, names) + 10
    right = WIDTH - MARGIN - NUMBERS
    columns = min(int(right - left), PIECES_MOST // max(1, len(shown)))
    return _Plan(
        scale=Scale(begin=told.begin, end=told.end, left=left, right=right),
        top=top,
        pitch=32.0 if is_roomy else 16.0,
        height=16.0 if is_roomy else 8.0,
        grain=max(1, -(-(told.end - told.begin) // columns)),
    )


def _shortened(name: str) -> str:
    return name if len(name) <= NAME_MOST else f"{name[: NAME_MOST - 1]}…"


def _seen(strips: Strips, shown: tuple[Course, ...]) -> list[tuple[Tone, str]]:
    """Return what the lanes show, for the legend."""
    there = {what for each in shown for _, what in _strip(strips, each).changes}
    return list(dict.fromkeys(_TONES[what] for what in _TONES if what in there))


def _strip(strips: Strips, course: Course) -> Strip:
    return strips.by_name.get(course.name) or Strip()


def _title(told: Timeline, source: str) -> Iterator[str]:
    yield text(MARGIN, 30, f"Timeline of {source}", kind="title")
    yield text(MARGIN, 50, _facts(told), kind="faint")


def _facts(told: Timeline) -> str:
    if not told.seq:
        return "nothing happened"
    begin = f"{day_of(told.begin)} {clock_of(told.begin)}"
    span = format_duration(told.end - told.begin)
    share = _share(sum_of(each.totals for each in told.courses).availability)
    rows = f"rows {told.after_seq + 1} to {told.seq}"
    return f"{rows}, from {begin} for {span}; ready {share} of the time wanted"


def _share(availability: float | None) -> str:
    return "-" if availability is None else f"{100 * availability:.1f} %"


def _in_words(told: Timeline, shown: tuple[Course, ...]) -> str:
    lanes = "; ".join(_lane_in_words(each) for each in shown[:ROOMY])
    more = len(told.courses) - len(shown[:ROOMY])
    rest = f"; and {more} more containers" if more else ""
    return f"{_facts(told)}. {lanes or 'No container'}{rest}."


def _lane_in_words(course: Course) -> str:
    totals = course.totals
    return (
        f"{course.name}: ready {_share(totals.availability)} of the time wanted,"
        f" {totals.starts} starts, {totals.restarts} restarts, {totals.crashes} crashes"
    )


def _marks_explained(y: float) -> Iterator[str]:
    left = MARGIN
    yield line((left + 9, y + 2), (left + 9, y + 9), kind="mark")
    yield text(left + 24, y + 10, "a run begins")
    left += 130
    yield circle(left + 9, y + 6, 3)
    yield text(left + 24, y + 10, "a crash")
    left += 130
    yield line((left + 9, y - 2), (left + 9, y + 14), kind="dashed")
    yield text(left + 24, y + 10, "an operator takes over")


def _left_out(told: Timeline, y: float) -> Iterator[str]:
    more = len(told.courses) - LANES_MOST
    if more > 0:
        yield text(MARGIN, y, f"{more} more containers are not drawn", kind="strong")


# Lanes


def _lane(course: Course, strips: Strips, plan: _Plan, number: int) -> str:
    top = plan.top + plan.pitch * number + 6
    strip = _strip(strips, course)
    baseline = top + plan.height / 2 + 4
    share = _share(course.totals.availability)
    name = _shortened(course.name)
    pieces = [
        text(plan.scale.left - 10, baseline, name, anchor=Anchor.END),
        text(plan.scale.right + 8, baseline, share, kind="faint"),
        *_bars(course.name, strip, plan, top),
        *_ticks(course.name, strip, plan, top),
    ]
    return group(pieces, label=_lane_in_words(course))


def _bars(name: str, strip: Strip, plan: _Plan, top: float) -> Iterator[str]:
    if not strip.changes:
        return
    end = plan.scale.end
    changes = coarse(strip.changes, end, plan.grain) or strip.changes[-1:]
    ends = [at for at, _ in changes[1:]]
    for (since, what), until in zip(changes, (*ends, end), strict=True):
        if not what:
            continue
        tone = _TONES[what][0]
        left, right = plan.scale.x(since), plan.scale.x(until)
        span = format_duration(until - since)
        about = f"{name}: {phase_words(what)} from {clock_of(since)}, for {span}"
        box = Box(left, top, max(1.0, right - left), plan.height)
        yield bar(box, tone, about=about, radius=0)


def _ticks(name: str, strip: Strip, plan: _Plan, top: float) -> Iterator[str]:
    below = top + plan.height
    small = plan.height < 10  # noqa: PLR2004 - a low lane
    for x, _, count in _gathered(strip.starts, plan.scale):
        long = 2 if small else 4
        yield line((x, below + 1), (x, below + long + 2 * (count > 1)), kind="mark")
    for x, at, count in _gathered(strip.crashes, plan.scale):
        times = f"{count} crashes" if count > 1 else "a crash"
        about = f"{name}: {times} at {clock_of(at)}"
        radius = (1.5 if small else 2.5) + (count > 1) * 0.7
        yield circle(x, top - (2 if small else 4), radius, about=about)


def _gathered(counts: Counts, scale: Scale) -> Iterator[tuple[float, Moment, int]]:
    """Put marks that would stand on one another into one, where the first stands."""
    places: dict[int, tuple[Moment, int]] = {}
    for at, count in counts.marks():
        place = round(scale.x(at) / NEAR)
        first, before = places.get(place, (at, 0))
        places[place] = (first, before + count)
    for at, count in places.values():
        yield scale.x(at), at, count


def _boots(boots: Counts, plan: _Plan, top: float, bottom: float) -> Iterator[str]:
    for x, at, count in _gathered(boots, plan.scale):
        times = f"{count} operators take" if count > 1 else "an operator takes"
        yield group(
            (line((x, top - 4), (x, bottom), kind="dashed"),),
            label=f"{times} over at {clock_of(at)}",
        )
