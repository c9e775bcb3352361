"""The answer to "what if" as a drawing: two lanes a container, and the totals.

Above is what was recorded, below what would have been. A tick below a lane is the begin
of a run, a dot above it a crash, a dashed line where the two part. What stands close
together is drawn as one; a drawing of a month is as large as one of a minute.
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
from orchestrator.cli.times_of_day import clock_of, day_of
from orchestrator.cli.what_if_words import parted_words, share
from orchestrator.core.moments import Millis, Moment, format_duration
from orchestrator.core.phases import phase_name
from orchestrator.core.state import Container
from orchestrator.core.steps import Step
from orchestrator.core.uptimes import begun, has_crashed, is_ready
from orchestrator.replay.imagined.beats import Beat
from orchestrator.replay.imagined.imagining import Compared, Side, WhatIf
from orchestrator.replay.timelines.strips import Counts, Strip, coarse

__all__ = ("Sketch", "drawing_of")

WIDTH: Final = 1_000.0
MARGIN: Final = 20.0
NUMBERS: Final = 76.0
"""Room for the availability, to the right of a lane."""

NAME_MOST: Final = 26
"""Letters of a name that are shown."""

LANES_MOST: Final = 100
"""Containers of a drawing; more cannot be looked at."""

BAR: Final = 13.0
PITCH: Final = 56.0
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

Strips = dict[str, Strip]


@attrs.define(kw_only=True, eq=False)
class Sketch:
    """What is needed to draw both sides, taken in step by step, in bounded space."""

    recorded: Strips = attrs.field(factory=dict[str, Strip])
    imagined: Strips = attrs.field(factory=dict[str, Strip])

    def take(self, beat: Beat) -> None:
        """Take in a step of either side, or of both."""
        if beat.recorded is not None:
            _follow(self.recorded, beat.recorded)
        if beat.imagined is not None:
            _follow(self.imagined, beat.imagined)


def _follow(strips: Strips, step: Step) -> None:
    at = step.after.at
    for command in begun(step):
        strips.setdefault(command.name, Strip()).starts.add(at)
    for name in step.touched:
        strip = strips.setdefault(name, Strip())
        before, after = (
            step.before.containers.get(name),
            step.after.containers.get(name),
        )
        if before is not None and after is not None and has_crashed(before, after):
            strip.crashes.add(at)
        strip.change(at, _look(after))


def _look(container: Container | None) -> str:
    if container is None:
        return ""
    return "ready" if is_ready(container) else phase_name(container.phase)


# The drawing


@attrs.frozen(kw_only=True)
class _Plan:
    """Where things stand, and how fine time is drawn."""

    scale: Scale
    top: float
    grain: Millis
    bottom: float


def drawing_of(
    answer: WhatIf, sketch: Sketch, *, source: str, names: tuple[str, ...] = ()
) -> str:
    """Draw an answer as SVG, 1000 pixels wide; who parts from the record comes first.

    Only those *named* are drawn, if any are.
    """
    chosen = [one for one in answer.containers if not names or one.name in names]
    chosen.sort(key=lambda one: one.parted is None)
    shown = chosen[:LANES_MOST]
    words, height = legend(_seen(sketch, shown), MARGIN, 92, WIDTH - 2 * MARGIN)
    plan = _plan(answer, shown, 92 + height + 40)
    body = (
        *_title(answer, source),
        *words,
        *_marks_explained(92 + height + 8),
        *axis_of_day(plan.scale, plan.bottom, plan.top),
        *(_pair(each, sketch, plan, n) for n, each in enumerate(shown)),
        *_left_out(len(chosen) - len(shown), plan.bottom + 54),
    )
    return document(
        body,
        width=WIDTH,
        height=plan.bottom + 66,
        title=f"What if, from {source}",
        about=_in_words(answer, shown),
    )


def _plan(answer: WhatIf, shown: list[Compared], top: float) -> _Plan:
    names = max((text_width(_shortened(one.name)) for one in shown), default=0.0)
    left = MARGIN + max(60.0, 1.1 * names) + 70
    right = WIDTH - MARGIN - NUMBERS
    begin, end = answer.begins, max(answer.begins + 1, answer.ends)
    return _Plan(
        scale=Scale(begin=begin, end=end, left=left, right=right),
        top=top,
        grain=max(1, -(-(end - begin) // int(right - left))),
        bottom=top + PITCH * max(1, len(shown)) + 2,
    )


def _shortened(name: str) -> str:
    return name if len(name) <= NAME_MOST else f"{name[: NAME_MOST - 1]}…"


def _seen(sketch: Sketch, shown: list[Compared]) -> list[tuple[Tone, str]]:
    there = {
        what
        for one in shown
        for strips in (sketch.recorded, sketch.imagined)
        for _, what in strips.get(one.name, Strip()).changes
    }
    return list(dict.fromkeys(_TONES[what] for what in _TONES if what in there))


def _title(answer: WhatIf, source: str) -> Iterator[str]:
    begins = f"{day_of(answer.begins)} {clock_of(answer.begins)}"
    span = format_duration(max(0, answer.ends - answer.begins))
    yield text(MARGIN, 30, f"What if, from {source}", kind="title")
    yield text(
        MARGIN, 52, f"{answer.rows} rows, from {begins} for {span}", kind="faint"
    )
    yield text(MARGIN, 74, _totals_in_words(answer), kind="strong")


def _totals_in_words(answer: WhatIf) -> str:
    was, would = answer.recorded, answer.imagined
    parts = [
        f"ready {share(was.availability)} → {share(would.availability)}",
        f"down {format_duration(was.down_ms)} → {format_duration(would.down_ms)}",
        f"{was.restarts} → {would.restarts} restarts",
        f"{was.crashes} → {would.crashes} crashes",
    ]
    return f"recorded → what if: {'; '.join(parts)}"


def _in_words(answer: WhatIf, shown: list[Compared]) -> str:
    lanes = "; ".join(
        f"{one.name}, {parted_words(one.parted)}: recorded"
        f" {_side_in_words(one.recorded)}, what if {_side_in_words(one.imagined)}"
        for one in shown
    )
    return f"{_totals_in_words(answer)}. {lanes or 'No container'}."


def _side_in_words(side: Side) -> str:
    totals = side.totals
    return (
        f"ready {share(totals.availability)}, {totals.starts} starts,"
        f" {totals.crashes} crashes"
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
    yield text(left + 24, y + 10, "here the two part")


def _left_out(more: int, y: float) -> Iterator[str]:
    if more > 0:
        yield text(MARGIN, y, f"{more} more containers are not drawn", kind="strong")


# Lanes


def _pair(one: Compared, sketch: Sketch, plan: _Plan, number: int) -> str:
    top = plan.top + PITCH * number + 8
    middle = top + BAR + 8
    pieces = [
        text(MARGIN, middle, _shortened(one.name), kind="strong"),
        *_lane(one.name, "recorded", one.recorded, sketch.recorded, plan, top),
        *_lane(one.name, "what if", one.imagined, sketch.imagined, plan, top + 23),
    ]
    if one.parted is not None:
        x = plan.scale.x(one.parted.at)
        pieces.append(line((x, top - 6), (x, top + 23 + BAR + 6), kind="dashed"))
    return group(pieces, label=f"{one.name}: {parted_words(one.parted)}")


def _lane(
    name: str, label: str, side: Side, strips: Strips, plan: _Plan, top: float
) -> Iterator[str]:
    baseline = top + BAR / 2 + 4
    strip = strips.get(name, Strip())
    ready = share(side.totals.availability)
    left = plan.scale.left - 8
    yield text(left, baseline, label, kind="faint", anchor=Anchor.END)
    yield text(plan.scale.right + 8, baseline, ready, kind="faint")
    yield from _bars(f"{name}, {label}", strip, plan, top)
    for x, _, count in _gathered(strip.starts, plan.scale):
        below = top + BAR
        yield line((x, below + 1), (x, below + 4 + (count > 1)), kind="mark")
    for x, at, count in _gathered(strip.crashes, plan.scale):
        times = f"{count} crashes" if count > 1 else "a crash"
        about = f"{name}, {label}: {times} at {clock_of(at)}"
        yield circle(x, top - 2, 2 + (count > 1) * 0.7, about=about)


def _bars(about: str, strip: Strip, plan: _Plan, top: float) -> Iterator[str]:
    if not strip.changes:
        return
    end = plan.scale.end
    changes = coarse(strip.changes, end, plan.grain) or strip.changes[-1:]
    ends = [at for at, _ in changes[1:]]
    for (since, what), until in zip(changes, (*ends, end), strict=True):
        if not what:
            continue
        tone, words = _TONES[what]
        left, right = plan.scale.x(since), plan.scale.x(until)
        span = format_duration(max(0, until - since))
        told = f"{about}: {words} from {clock_of(since)}, for {span}"
        box = Box(left, top, max(1.0, right - left), BAR)
        yield bar(box, tone, about=told, radius=0)


def _gathered(counts: Counts, scale: Scale) -> Iterator[tuple[float, Moment, int]]:
    """Put marks that would stand on one another into one, where the first stands."""
    places: dict[int, tuple[Moment, int]] = {}
    for at, count in counts.marks():
        place = round(scale.x(at) / NEAR)
        first, before = places.get(place, (at, 0))
        places[place] = (first, before + count)
    for at, count in places.values():
        yield scale.x(at), at, count
