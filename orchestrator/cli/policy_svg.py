"""The drawing of ``policy explain``: when a policy starts again, and how long it waits.

For each container one line of time, with the crash window over it, and below it the
waits, one row each, with the band that the jitter spreads them over.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from orchestrator.cli.svg import (
    Anchor,
    Box,
    Scale,
    Tone,
    axis,
    bar,
    circle,
    document,
    group,
    legend,
    line,
    rect,
    text,
    text_width,
)
from orchestrator.core.moments import Millis, format_duration
from orchestrator.core.schedule import Restart, Schedule

__all__ = ("Drawn", "draw_schedules")

WIDTH: Final = 800
MARGIN: Final = 24
RIGHT: Final = WIDTH - MARGIN
BARS: Final = 64
BARS_END: Final = 420
ROW: Final = 24
LANE: Final = 26
WORDS_MAX: Final = 118
"""Letters of a sentence on one line."""

_NO_SCALE: Final = Scale(begin=0, end=1, left=BARS, right=BARS_END)
"""Where no wait is drawn."""

_TONES: Final = {
    "backing_off": Tone.WAIT,
    "pending": Tone.WAIT,
    "crash_looping": Tone.LOOP,
    "failed": Tone.BAD,
    "completed": Tone.REST,
    "asleep": Tone.REST,
}

_LEGEND: Final = (
    (Tone.GOOD, "runs"),
    (Tone.WAIT, "waits"),
    (Tone.LOOP, "crash loop"),
    (Tone.BAD, "given up"),
    (Tone.REST, "at rest"),
)


@attrs.frozen(kw_only=True)
class Drawn:
    """What is drawn of one container: its schedule, its window, and words about it."""

    name: str
    words: tuple[str, ...]
    schedule: Schedule
    window_ms: Millis
    allowed: int


def draw_schedules(drawn: Iterable[Drawn], *, file: str, fate: str) -> str:
    """Draw the schedules of containers that always meet the same *fate*."""
    title = f"Restarts of {file}"
    body = [text(MARGIN, 36, title, kind="title")]
    body.append(
        text(MARGIN, 58, f"If each run {fate}: what its policy does", kind="faint")
    )
    key, tall = legend(_LEGEND, MARGIN, 72, RIGHT - MARGIN)
    y = 72 + tall + 8
    told: list[str] = []
    body += key
    for one in drawn:
        pieces, y = _section(one, y)
        body.append(group(pieces, label=_spoken(one)))
        told.append(_spoken(one))
    return document(body, width=WIDTH, height=y, title=title, about=" ".join(told))


def _spoken(one: Drawn) -> str:
    """Tell a schedule as one would aloud."""
    steps = [
        f"failure {each.number} at {_d(each.ended_at)}, {_verdict(each)};"
        for each in one.schedule.restarts
    ]
    return f"{one.name}: {' '.join(steps)}".removesuffix(";") + "."


def _verdict(restart: Restart) -> str:
    if restart.start_at is None or restart.wait_ms is None:
        ends = "held" if restart.phase == "crash_looping" else restart.phase
        return f"{ends}: {restart.why}"
    what = "cools down" if restart.phase == "crash_looping" else "waits"
    return f"{what} {_d(restart.wait_ms)}"


def _section(one: Drawn, y: float) -> tuple[list[str], float]:
    """Draw one container from *y* on; return the pieces, and where it ends."""
    lines = [part for sentence in one.words for part in _wrapped(sentence)]
    pieces = [line((MARGIN, y), (RIGHT, y), kind="grid")]
    pieces.append(text(MARGIN, y + 26, one.name, kind="strong"))
    y += 46
    for words in lines:
        pieces.append(text(MARGIN, y, words, kind="faint"))
        y += 17
    restarts = one.schedule.restarts
    if restarts[0].start_at is None:
        return [*pieces, *_row(restarts[0], _NO_SCALE, y)], y + ROW + 20
    lane, y = _lane(one, y + 30)
    rows, y = _rows(restarts, y + 16)
    return [*pieces, *lane, *rows], y + 20


def _wrapped(sentence: str) -> list[str]:
    lines = [""]
    for word in sentence.split():
        if len(lines[-1]) + len(word) > WORDS_MAX:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


# The line of time


def _lane(one: Drawn, y: float) -> tuple[list[str], float]:
    """Draw what happens when: runs, waits, and the window of the first crash loop."""
    restarts = one.schedule.restarts
    last = restarts[-1]
    end = max(last.start_at or last.ended_at, 1)
    if last.start_at is None:
        end += max(1, end // 8)  # room for how it ends
    scale = Scale(begin=0, end=end, left=MARGIN, right=RIGHT)
    box = Box(MARGIN, y, RIGHT - MARGIN, LANE)
    pieces = [rect(box, kind="panel"), *_window(one, scale, y)]
    for each in restarts:
        if each.ended_at > each.began_at:
            about = f"run {each.number}: {_d(each.ended_at - each.began_at)}"
            pieces.append(
                _span(scale, (each.began_at, each.ended_at), y, Tone.GOOD, about)
            )
        until = end if each.start_at is None else each.start_at
        about = f"after failure {each.number} at {_d(each.ended_at)}: {_verdict(each)}"
        tone = _TONES.get(each.phase, Tone.UNKNOWN)
        pieces.append(_span(scale, (each.ended_at, until), y, tone, about))
    for each in restarts:
        about = f"failure {each.number} at {_d(each.ended_at)}"
        pieces.append(circle(scale.x(each.ended_at), y + LANE, 3.5, about=about))
    pieces += axis(scale, y + LANE + 8)
    return pieces, y + LANE + 34


def _span(scale: Scale, span: tuple[int, int], y: float, tone: Tone, about: str) -> str:
    left, right = scale.x(span[0]), scale.x(span[1])
    box = Box(left, y + 4, max(1.0, right - left), LANE - 8)
    return bar(box, tone, about=about, radius=1)


def _window(one: Drawn, scale: Scale, y: float) -> list[str]:
    """Draw the window in which the first crash loop was found, over the line."""
    loops = [each for each in one.schedule.loops if each.counted > one.allowed]
    if not loops:
        return []
    first = loops[0]
    oldest = one.schedule.restarts[first.number - first.counted].ended_at
    left, right = scale.x(oldest), scale.x(oldest + one.window_ms)
    window = f"window of {_d(one.window_ms)}"
    label = f"{window}: {first.counted} failures, {one.allowed} allowed"
    beyond = oldest + one.window_ms > scale.end
    pieces = [
        line((left, y - 8), (right, y - 8), kind="dashed"),
        line((left, y - 12), (left, y - 4), kind="mark"),
    ]
    if not beyond:
        pieces.append(line((right, y - 12), (right, y - 4), kind="mark"))
    place = min(left, RIGHT - text_width(label))
    pieces.append(text(max(MARGIN, place), y - 14, label, kind="faint"))
    return pieces


# The waits


def _rows(restarts: tuple[Restart, ...], y: float) -> tuple[list[str], float]:
    """Draw each wait as a row, with its band; a cooldown goes beyond the edge."""
    shown = [each for each in restarts if each.phase in {"backing_off", "pending"}]
    longest = max(each.most_ms or 0 for each in shown or restarts)
    scale = Scale(begin=0, end=max(1, longest), left=BARS, right=BARS_END)
    bottom = y + 20 + ROW * len(restarts)
    pieces = [
        text(MARGIN, y + 6, "Each wait, and what the jitter makes of it", kind="strong")
    ]
    pieces += axis(scale, bottom, top=y + 16)
    for index, each in enumerate(restarts):
        pieces += _row(each, scale, y + 20 + ROW * index)
    return pieces, bottom + 30


def _row(each: Restart, scale: Scale, y: float) -> list[str]:
    middle = y + ROW / 2
    pieces = [text(BARS - 10, middle + 4, f"{each.number}", anchor=Anchor.END)]
    tone = _TONES.get(each.phase, Tone.UNKNOWN)
    wait, least, most = each.wait_ms, each.least_ms, each.most_ms
    if wait is None or least is None or most is None:
        pieces.append(bar(Box(BARS, y + 5, 14, ROW - 10), tone, about=each.why))
        pieces.append(text(BARS + 22, middle + 4, _verdict(each), kind="strong"))
        return pieces
    width = max(1.0, scale.x(wait) - BARS)
    pieces.append(bar(Box(BARS, y + 5, width, ROW - 10), tone, about=_verdict(each)))
    if wait > scale.end:
        pieces.append(text(BARS_END + 2, middle + 4, "»", kind="strong"))
    elif least != most:
        low, high = scale.x(least), scale.x(most)
        pieces.append(line((low, middle), (high, middle), kind="strong"))
        pieces += [
            line((x, middle - 4), (x, middle + 4), kind="strong") for x in (low, high)
        ]
    band = f" ({_d(least)} to {_d(most)})" if least != most else ""
    rule = str(each.rule).replace("_", " ")
    words = f"{_d(wait)}{band}, {rule}"
    pieces.append(text(BARS_END + 16, middle + 4, words))
    return pieces


def _d(duration: Millis) -> str:
    return format_duration(duration)
