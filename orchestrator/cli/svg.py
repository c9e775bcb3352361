"""Pieces of a drawing as SVG text: pure functions, the same input gives the same bytes.

A drawing is readable in light and in dark, says with patterns and words what it says
with colour, keeps text as text, and tells a screen reader its title and what it shows.
Lengths are in pixels; moments and durations in milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from html import escape
from typing import Final

import attrs

from orchestrator.cli.svg_style import PATTERNS, STYLE, Tone
from orchestrator.core.moments import Moment, format_duration

__all__ = (
    "Anchor",
    "Box",
    "Scale",
    "Tone",
    "axis",
    "bar",
    "circle",
    "document",
    "group",
    "legend",
    "line",
    "rect",
    "text",
    "text_width",
    "ticks",
)


class Anchor(StrEnum):
    """Which end of a text stands at its place."""

    START = "start"
    MIDDLE = "middle"
    END = "end"


@attrs.frozen
class Box:
    """A place: left, top, width, height."""

    x: float
    y: float
    width: float
    height: float


@attrs.frozen(kw_only=True)
class Scale:
    """Time along a line: *begin* stands at *left*, *end* at *right*."""

    begin: Moment
    end: Moment
    left: float
    right: float

    def x(self, at: Moment) -> float:
        """Return where a moment stands; one beyond the ends stands at the end.

        >>> Scale(begin=0, end=1_000, left=0, right=500).x(200)
        100.0

        """
        inside = min(max(at, self.begin), self.end) - self.begin
        whole = max(1, self.end - self.begin)
        return self.left + (self.right - self.left) * inside / whole


# Words and numbers


def _number(value: float) -> str:
    """Write a length with one digit at most, so that no rounding shows.

    >>> _number(3.0), _number(2.25), _number(-0.01)
    ('3', '2.2', '0')

    """
    written = f"{value:.1f}".removesuffix(".0")
    return "0" if written == "-0" else written


def _safe(content: str) -> str:
    """Return a text as it may stand in XML, which cannot hold controls at all."""
    return escape(
        "".join(
            letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}"
            for letter in content
        )
    )


def _attributes(**given: str | float) -> str:
    pairs: list[str] = []
    for key, value in given.items():
        written = value if isinstance(value, str) else _number(value)
        if written:
            name = key.strip("_").replace("_", "-")
            pairs.append(f' {name}="{_safe(written)}"')
    return "".join(pairs)


def _with_title(tag: str, attributes: str, about: str) -> str:
    if not about:
        return f"<{tag}{attributes}/>"
    return f"<{tag}{attributes}><title>{_safe(about)}</title></{tag}>"


SIZE: Final = 12
"""Height of a letter."""

GAP: Final = 16
"""Least room between two labels."""

TICKS_MAX: Final = 12


def text_width(content: str, size: float = SIZE) -> float:
    """Estimate the width of a text, rather too wide than too narrow.

    >>> text_width("10s")
    21.6

    """
    return round(len(content) * size * 0.6, 1)


# Shapes


def text(
    x: float,
    y: float,
    content: str,
    *,
    kind: str = "",
    anchor: Anchor = Anchor.START,
) -> str:
    """Write a text on the line at *y*; *kind* is ``strong``, ``faint`` or ``title``.

    >>> text(1, 2, "a < b")
    '<text x="1" y="2">a &lt; b</text>'

    """
    end = "" if anchor is Anchor.START else str(anchor)
    attributes = _attributes(x=x, y=y, text_anchor=end, class_=kind)
    return f"<text{attributes}>{_safe(content)}</text>"


def rect(box: Box, *, kind: str = "", radius: float = 0, about: str = "") -> str:
    """Draw a rectangle; *about* is shown where the pointer rests on it.

    >>> rect(Box(0, 0, 2.5, 4), kind="panel")
    '<rect x="0" y="0" width="2.5" height="4" class="panel"/>'

    """
    attributes = _attributes(
        x=box.x, y=box.y, width=max(0.0, box.width), height=box.height
    )
    more = _attributes(rx=radius) if radius else ""
    return _with_title("rect", attributes + more + _attributes(class_=kind), about)


def bar(box: Box, tone: Tone, *, about: str = "", radius: float = 2) -> str:
    """Draw a rectangle in a tone: its colour, and its pattern over it."""
    below = rect(box, kind=f"tone {tone}", radius=radius, about=about)
    if tone is Tone.GOOD:
        return below
    return below + rect(box, kind=f"over over-{tone}", radius=radius)


def line(
    begin: tuple[float, float], end: tuple[float, float], *, kind: str = ""
) -> str:
    """Draw a line; *kind* is ``grid``, ``mark``, ``strong`` or ``dashed``.

    >>> line((0, 0), (10, 0))
    '<line x1="0" y1="0" x2="10" y2="0"/>'

    """
    places = _attributes(x1=begin[0], y1=begin[1], x2=end[0], y2=end[1])
    return f"<line{places}{_attributes(class_=kind)}/>"


def circle(
    x: float, y: float, radius: float, *, kind: str = "", about: str = ""
) -> str:
    """Draw a circle."""
    attributes = _attributes(cx=x, cy=y, r=radius, class_=kind)
    return _with_title("circle", attributes, about)


def group(children: Iterable[str], *, label: str = "", down: float = 0) -> str:
    """Hold pieces together, *down* so much, under a label for screen readers."""
    role = "img" if label else ""
    moved = f"translate(0 {_number(down)})" if down else ""
    inner = "".join(f"\n{child}" for child in children)
    given = _attributes(role=role, aria_label=label, transform=moved)
    return f"<g{given}>{inner}\n</g>"


# Time


_STEPS: Final = (
    *(base * 10**power for power in range(3) for base in (1, 2, 5)),
    *(1_000 * count for count in (1, 2, 5, 10, 15, 30)),
    *(60_000 * count for count in (1, 2, 5, 10, 15, 30)),
    *(3_600_000 * count for count in (1, 2, 3, 6, 12)),
    *(86_400_000 * base * 10**power for power in range(6) for base in (1, 2, 5)),
)


def ticks(begin: Moment, end: Moment, most: int) -> tuple[Moment, ...]:
    """Return round moments from *begin* on, at most *most* steps of them.

    >>> ticks(0, 95_000, 5)
    (0, 30000, 60000, 90000)

    """
    span = max(1, end - begin)
    step = next((each for each in _STEPS if span // each <= most), span)
    return tuple(range(begin, end + 1, step))


def _that_fit(scale: Scale) -> tuple[Moment, ...]:
    """Return as many ticks as have room for their labels."""
    for most in range(TICKS_MAX, 1, -1):
        found = ticks(scale.begin, scale.end, most)
        labels = [format_duration(at - scale.begin) for at in found]
        room = scale.x(found[1]) - scale.x(found[0]) if len(found) > 1 else 0
        if max(map(text_width, labels)) + GAP <= room:
            return found
    return ticks(scale.begin, scale.end, 1)


def axis(scale: Scale, y: float, *, top: float | None = None) -> list[str]:
    """Draw an axis of time at *y*, with lines up to *top*, as many ticks as fit."""
    pieces: list[str] = []
    for at in _that_fit(scale):
        x, label = scale.x(at), format_duration(at - scale.begin)
        if top is not None:
            pieces.append(line((x, top), (x, y), kind="grid"))
        pieces.append(line((x, y), (x, y + 5), kind="mark"))
        pieces.append(text(x, y + 18, label, kind="faint", anchor=Anchor.MIDDLE))
    pieces.append(line((scale.left, y), (scale.right, y), kind="mark"))
    return pieces


def legend(
    entries: Iterable[tuple[Tone, str]], x: float, y: float, width: float
) -> tuple[list[str], float]:
    """Explain tones in words, in rows of *width*; return them and their height."""
    pieces: list[str] = []
    left, top = x, y
    for tone, words in entries:
        wide = text_width(words) + 40
        if left > x and left + wide > x + width:
            left, top = x, top + 20
        pieces.append(bar(Box(left, top, 18, 12), tone))
        pieces.append(text(left + 24, top + 10, words))
        left += wide
    return pieces, top - y + 20


# The whole


def document(
    body: Iterable[str], *, width: float, height: float, title: str, about: str
) -> str:
    """Return a whole drawing; *about* tells in words what it shows."""
    size = _attributes(
        width=width,
        height=height,
        viewBox=f"0 0 {_number(width)} {_number(height)}",
    )
    names = ' role="img" aria-labelledby="title about"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg"{size}{names}>'
    parts = (
        head,
        f'<title id="title">{_safe(title)}</title>',
        f'<desc id="about">{_safe(about)}</desc>',
        f"<style>\n{STYLE}</style>",
        PATTERNS,
        rect(Box(0, 0, width, height), kind="paper"),
        *body,
        "</svg>",
    )
    return "\n".join(parts) + "\n"
