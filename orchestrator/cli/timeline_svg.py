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

from orchestrator.cli.strip_lanes import (
    MARGIN,
    WIDTH,
    Lane,
    Marks,
    bars,
    gathered,
    marks,
    marks_explained,
    not_drawn,
    shortened,
    tones_seen,
)
from orchestrator.cli.svg import (
    Anchor,
    Scale,
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
from orchestrator.core.moments import Millis, format_duration
from orchestrator.core.uptimes import sum_of
from orchestrator.replay.timelines.stretches import Course, Timeline
from orchestrator.replay.timelines.strips import Counts, Strip, Strips

__all__ = ("drawing_of",)

NUMBERS: Final = 66.0
"""Room for the availability, to the right of a lane."""

ROOMY: Final = 30
"""Up to so many containers lanes are high."""

LANES_MOST: Final = 500
"""Lanes of a drawing; more cannot be looked at."""

PIECES_MOST: Final = 24_000
"""Bars of a drawing, about: where lanes are many, they are drawn in coarser grains."""

ROOMY_MARKS: Final = Marks(tick=4, more=2, lift=4, radius=2.5)
LOW_MARKS: Final = Marks(tick=2, more=2, lift=2, radius=1.5)
LOW: Final = 10
"""A lane that is not as high as this is low."""


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
    entries = tones_seen(_strip(strips, each) for each in shown)
    words, legend_height = legend(entries, MARGIN, 70, WIDTH - 2 * MARGIN)
    top = 70 + legend_height + 34
    plan = _plan(told, shown, top + 8)
    bottom = plan.top + plan.pitch * max(1, len(shown)) + 2
    body = (
        *_title(told, source),
        *words,
        *marks_explained(70 + legend_height + 8, "an operator takes over"),
        *axis_of_day(plan.scale, bottom, top),
        *_boots(strips.boots, plan, top, bottom),
        *(_lane(each, strips, plan, n) for n, each in enumerate(shown)),
        *not_drawn(len(told.courses) - LANES_MOST, bottom + 54),
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
    names = max((text_width(shortened(each.name)) for each in shown), default=0.0)
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


# Lanes


def _lane(course: Course, strips: Strips, plan: _Plan, number: int) -> str:
    top = plan.top + plan.pitch * number + 6
    strip = _strip(strips, course)
    baseline = top + plan.height / 2 + 4
    share = _share(course.totals.availability)
    name = shortened(course.name)
    lane = Lane(
        about=course.name,
        scale=plan.scale,
        grain=plan.grain,
        top=top,
        height=plan.height,
    )
    pieces = [
        text(plan.scale.left - 10, baseline, name, anchor=Anchor.END),
        text(plan.scale.right + 8, baseline, share, kind="faint"),
        *bars(strip, lane, phase_words),
        *marks(strip, lane, LOW_MARKS if plan.height < LOW else ROOMY_MARKS),
    ]
    return group(pieces, label=_lane_in_words(course))


def _boots(boots: Counts, plan: _Plan, top: float, bottom: float) -> Iterator[str]:
    for x, at, count in gathered(boots, plan.scale):
        times = f"{count} operators take" if count > 1 else "an operator takes"
        yield group(
            (line((x, top - 4), (x, bottom), kind="dashed"),),
            label=f"{times} over at {clock_of(at)}",
        )
