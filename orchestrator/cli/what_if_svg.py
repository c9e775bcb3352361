"""The answer to "what if" as a drawing: two lanes a container, and the totals.

Above is what was recorded, below what would have been. A tick below a lane is the begin
of a run, a dot above it a crash, a dashed line where the two part. What stands close
together is drawn as one; a drawing of a month is as large as one of a minute.
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
    marks,
    marks_explained,
    not_drawn,
    shortened,
    tones_seen,
    words_of,
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
from orchestrator.cli.what_if_words import headline, parted_words, share
from orchestrator.core.moments import Millis, format_duration
from orchestrator.core.phases import phase_name
from orchestrator.core.state import Container
from orchestrator.core.steps import Step
from orchestrator.core.uptimes import begun, has_crashed, is_ready
from orchestrator.replay.imagined.beats import Beat
from orchestrator.replay.imagined.imagining import Compared, Side, WhatIf
from orchestrator.replay.timelines.strips import Strip

__all__ = ("Sketch", "drawing_of")

NUMBERS: Final = 76.0
"""Room for the availability, to the right of a lane."""

LANES_MOST: Final = 100
"""Containers of a drawing; more cannot be looked at."""

BAR: Final = 13.0
PITCH: Final = 56.0
MARKS: Final = Marks(tick=4, more=1, lift=2, radius=2)

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
    words, height = legend(
        tones_seen(_strips(sketch, shown)), MARGIN, 92, WIDTH - 2 * MARGIN
    )
    plan = _plan(answer, shown, 92 + height + 40)
    body = (
        *_title(answer, source),
        *words,
        *marks_explained(92 + height + 8, "here the two part"),
        *axis_of_day(plan.scale, plan.bottom, plan.top),
        *(_pair(each, sketch, plan, n) for n, each in enumerate(shown)),
        *not_drawn(len(chosen) - len(shown), plan.bottom + 54),
    )
    return document(
        body,
        width=WIDTH,
        height=plan.bottom + 66,
        title=f"What if, from {source}",
        about=_in_words(answer, shown),
    )


def _plan(answer: WhatIf, shown: list[Compared], top: float) -> _Plan:
    names = max((text_width(shortened(one.name)) for one in shown), default=0.0)
    left = MARGIN + max(60.0, 1.1 * names) + 70
    right = WIDTH - MARGIN - NUMBERS
    begin, end = answer.begins, max(answer.begins + 1, answer.ends)
    return _Plan(
        scale=Scale(begin=begin, end=end, left=left, right=right),
        top=top,
        grain=max(1, -(-(end - begin) // int(right - left))),
        bottom=top + PITCH * max(1, len(shown)) + 2,
    )


def _strips(sketch: Sketch, shown: list[Compared]) -> Iterator[Strip]:
    for one in shown:
        for strips in (sketch.recorded, sketch.imagined):
            yield strips.get(one.name, Strip())


def _title(answer: WhatIf, source: str) -> Iterator[str]:
    yield text(MARGIN, 30, f"What if, from {source}", kind="title")
    yield text(MARGIN, 52, headline(answer), kind="faint")
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


# Lanes


def _pair(one: Compared, sketch: Sketch, plan: _Plan, number: int) -> str:
    top = plan.top + PITCH * number + 8
    middle = top + BAR + 8
    pieces = [
        text(MARGIN, middle, shortened(one.name), kind="strong"),
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
    lane = Lane(
        about=f"{name}, {label}",
        scale=plan.scale,
        grain=plan.grain,
        top=top,
        height=BAR,
    )
    yield from bars(strip, lane, words_of)
    yield from marks(strip, lane, MARKS)
