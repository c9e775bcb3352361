"""Rollouts as a drawing: over time, how many replicas are new, ready, old, away.

For each rollout a panel. What is available stands below: new ones that count, then old
ones; what is not stands on top of that. A dashed line is how few may be available,
another one how many there may be. Above stands what befell the rollout: steps, soaks,
promotions, a turn back, its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from orchestrator.cli.rehearsed import clock
from orchestrator.cli.svg import (
    Anchor,
    Box,
    Scale,
    Tone,
    axis,
    bar,
    circle,
    group,
    legend,
    line,
    rect,
    text,
    text_width,
)
from orchestrator.core.moments import Moment, format_duration
from orchestrator.simulation.rollout_tales import Mark, MarkKind, RolloutTale

__all__ = ("panels", "rollouts_in_words")

WIDTH: Final = 1_000.0
MARGIN: Final = 20.0
LEFT: Final = MARGIN + 36
RIGHT: Final = WIDTH - MARGIN
END: Final = RIGHT - 128
"""Where time ends; beyond it the bounds are told."""

TALL: Final = 150.0
"""Height of what is counted."""

ROW: Final = 15.0
"""Height of a line of marks."""

ROWS_MAX: Final = 6
PANELS_MAX: Final = 40
"""Rollouts of a drawing; more cannot be looked at."""

WORDS_MAX: Final = 64
"""Letters of a mark."""

_LAYERS: Final = (
    ("counted", Tone.GOOD, "new, and counts"),
    ("old", Tone.REST, "old, available"),
    ("ready", Tone.BUSY, "new and ready, not for long enough"),
    ("unready", Tone.WAIT, "new, not ready"),
    ("old_down", Tone.BAD, "old, not available"),
)
"""What is drawn over one another, from below: first what is available."""


@attrs.frozen(kw_only=True)
class _Panel:
    """Where the counts of one rollout stand."""

    tale: RolloutTale
    scale: Scale
    top: float
    most: int

    def y(self, count: float) -> float:
        """Return how high a number of replicas stands."""
        return self.top + TALL * (1 - count / self.most)


def panels(
    tales: tuple[RolloutTale, ...], end: Moment, y: float
) -> tuple[list[str], float]:
    """Draw a panel for each rollout from *y* on; return them, and how high they are.

    *end* is the last moment there is.
    """
    if not tales:
        return [], 0
    names = [(tone, words) for _, tone, words in _LAYERS]
    body, tall = legend(names, MARGIN, y + 4, RIGHT - MARGIN)
    below = y + tall + 12
    for tale in tales[:PANELS_MAX]:
        pieces, below = _panel(tale, end, below)
        body.append(group(pieces, label=_told(tale)))
    more = len(tales) - PANELS_MAX
    if more > 0:
        body.append(text(MARGIN, below + 4, f"and {more} more rollouts", kind="faint"))
        below += 20
    return body, below - y


def rollouts_in_words(tales: tuple[RolloutTale, ...]) -> str:
    """Tell what the panels show."""
    return " ".join(map(_told, tales[:PANELS_MAX]))


def _told(tale: RolloutTale) -> str:
    """Tell a rollout as one would aloud.

    It says what the drawing shows: how it ended, how long it took, the extremes.
    """
    took = ""
    if tale.ended_at is not None:
        took = f" after {format_duration(tale.ended_at - tale.began_at)}"
    why = f", {tale.reason}" if tale.reason else ""
    status = str(tale.status).replace("_", " ")
    marks = "; ".join(
        f"{format_duration(mark.at - tale.began_at)}: {mark.words}"
        for mark in tale.marks[:ROWS_MAX]
    )
    return (
        f"{tale.service}, revision {tale.previous} to {tale.target} by {tale.strategy}:"
        f" {status}{took}{why}. Of {tale.replicas} replicas at least"
        f" {tale.least_available} were available, at most {tale.most_members} were"
        f" there. {marks}."
    )


def _panel(tale: RolloutTale, end: Moment, y: float) -> tuple[list[str], float]:
    """Draw one rollout from *y* on; return the pieces, and where it ends."""
    rows, marks = _rows(tale, _scale(tale, end))
    most = max(1, tale.most_allowed, tale.most_members)
    top = y + 48 + ROW * rows + 6
    panel = _Panel(tale=tale, scale=_scale(tale, end), top=top, most=most)
    status = str(tale.status).replace("_", " ")
    head = f"{tale.service}: revision {tale.previous} to {tale.target}, {tale.strategy}"
    why = f": {tale.reason}" if tale.reason else ""
    pieces = [
        line((MARGIN, y), (RIGHT, y), kind="grid"),
        text(MARGIN, y + 22, f"{head}, {status}", kind="strong"),
        text(MARGIN, y + 40, f"{_extremes(tale)}{_cut(why, 60)}", kind="faint"),
        rect(Box(LEFT, top, END - LEFT, TALL), kind="panel"),
        *_layers(panel),
        *_numbers(panel),
        *_bounds(panel),
        *_marks(panel, marks, y + 48),
        *axis(panel.scale, top + TALL + 4),
    ]
    return pieces, top + TALL + 42


def _extremes(tale: RolloutTale) -> str:
    took = "still under way"
    if tale.ended_at is not None:
        took = f"took {format_duration(tale.ended_at - tale.began_at)}"
    return (
        f"{took}; at least {tale.least_available} of {tale.replicas} available,"
        f" at most {tale.most_members} there"
    )


def _scale(tale: RolloutTale, end: Moment) -> Scale:
    """Return the time of a rollout, with some room after it."""
    until = end if tale.ended_at is None else tale.ended_at
    if tale.ended_at is None and tale.counts:
        until = min(end, max(tale.counts[-1].at, tale.began_at))
    span = max(1_000, until - tale.began_at)
    begin = tale.began_at
    return Scale(begin=begin, end=begin + span + span // 12, left=LEFT, right=END)


# Who is where


def _layers(panel: _Panel) -> Iterator[str]:
    """Draw each layer as bars: as wide as it lasts, as high as there are replicas."""
    below = [0.0] * len(panel.tale.counts)
    for name, tone, words in _LAYERS:
        highs = [int(getattr(count, name)) for count in panel.tale.counts]
        for begin, end in _runs(list(zip(below, highs, strict=True))):
            if highs[begin]:
                low = below[begin]
                yield _bar(panel, (begin, end), (low, highs[begin]), (tone, words))
        below = [low + high for low, high in zip(below, highs, strict=True)]


def _runs(values: list[tuple[float, int]]) -> Iterator[tuple[int, int]]:
    """Yield the stretches in which nothing changes: from, and up to."""
    begin = 0
    for place in range(1, len(values) + 1):
        if place == len(values) or values[place] != values[begin]:
            yield begin, place
            begin = place


def _bar(
    panel: _Panel,
    places: tuple[int, int],
    heights: tuple[float, int],
    looks: tuple[Tone, str],
) -> str:
    counts, (low, high), (tone, words) = panel.tale.counts, heights, looks
    since = counts[places[0]].at
    until = counts[places[1]].at if places[1] < len(counts) else panel.scale.end
    left, right = panel.scale.x(since), panel.scale.x(until)
    box = Box(
        left, panel.y(low + high), right - left, panel.y(low) - panel.y(low + high)
    )
    span = format_duration(until - since)
    about = f"{high} {words} from {clock(since)}, for {span}"
    return bar(box, tone, about=about, radius=0)


def _numbers(panel: _Panel) -> Iterator[str]:
    """Draw the numbers of replicas, at the left."""
    step = max(1, -(-panel.most // 5))
    for count in range(0, panel.most + 1, step):
        y = panel.y(count)
        yield line((LEFT - 4, y), (LEFT, y), kind="mark")
        yield text(LEFT - 8, y + 4, str(count), kind="faint", anchor=Anchor.END)


def _bounds(panel: _Panel) -> Iterator[str]:
    """Draw how few may be available and how many there may be, where that is said."""
    tale = panel.tale
    bounds = (
        (tale.least_allowed, f"{tale.least_allowed} available", tale.least_allowed > 0),
        (tale.most_allowed, f"{tale.most_allowed} there", True),
    )
    for (count, words, is_drawn), at in zip(bounds, ("least", "most"), strict=True):
        if is_drawn:
            y = panel.y(count)
            yield line((LEFT, y), (END + 6, y), kind="strong dashed")
            yield text(END + 10, y + 4, f"at {at} {words}", kind="faint")


# What befell it


def _rows(tale: RolloutTale, scale: Scale) -> tuple[int, list[tuple[int, float, Mark]]]:
    """Give each mark a row and a place in which its words do not touch another's."""
    ends: list[float] = []
    placed: list[tuple[int, float, Mark]] = []
    for mark in tale.marks:
        wide = text_width(_cut(mark.words, WORDS_MAX)) + 14
        x = scale.x(mark.at)
        left = x if x + wide <= RIGHT else x - wide
        row = next((n for n, end in enumerate(ends) if end <= left), len(ends))
        if row == len(ends):
            if row == ROWS_MAX:
                continue
            ends.append(0.0)
        ends[row] = left + wide + 8
        placed.append((row, left, mark))
    return len(ends), placed


def _marks(
    panel: _Panel, placed: Iterable[tuple[int, float, Mark]], top: float
) -> Iterator[str]:
    for row, left, mark in placed:
        x, y = panel.scale.x(mark.at), top + ROW * row
        heavy = mark.kind in {MarkKind.REVERT, MarkKind.END}
        if mark.kind is MarkKind.SOAK and mark.until is not None:
            right = panel.scale.x(mark.until)
            box = Box(x, panel.top - 5, max(2.0, right - x), 5)
            yield bar(box, Tone.UNKNOWN, about=mark.words)
        kind = "strong" if heavy else "grid"
        yield line((x, y + 4), (x, panel.top + TALL), kind=kind)
        yield circle(x, y + 6, 3, kind="" if heavy else "open", about=_about(mark))
        label = _cut(mark.words, WORDS_MAX)
        yield text(left + 7, y + 10, label, kind="strong" if heavy else "")


def _about(mark: Mark) -> str:
    return f"{clock(mark.at)} {mark.words}"


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 1]}…"
