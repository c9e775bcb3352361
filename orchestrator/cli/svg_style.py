"""The looks of a drawing: tones, each a colour and a pattern, in light and in dark."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

__all__ = ("PATTERNS", "STYLE", "Tone")


class Tone(StrEnum):
    """What a bar is about: each has a colour and a pattern of its own."""

    GOOD = "good"
    BUSY = "busy"
    WAIT = "wait"
    LOOP = "loop"
    BAD = "bad"
    REST = "rest"
    UNKNOWN = "unknown"


_LOOKS: Final = """\
:root { --paper: #ffffff; --ink: #1f2328; --faint: #57606a; --grid: #d8dee4;
  --panel: #f6f8fa; --good: #4fae68; --busy: #6ca9e8; --wait: #f0c65b; --loop: #ee9488;
  --bad: #c4453c; --rest: #c9d1d9; --unknown: #eaeef2; --over: #1f2328; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #0d1117; --ink: #e6edf3; --faint: #9aa4af; --grid: #2c333b;
    --panel: #161b22; --good: #2d7d46; --busy: #2f639c; --wait: #8f6d17;
    --loop: #93453b; --bad: #d1574d; --rest: #3d444d; --unknown: #21262d;
    --over: #e6edf3; } }
text { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif;
  fill: var(--ink); }
text.title { font-size: 16px; font-weight: 600; }
text.strong { font-weight: 600; }
text.faint { fill: var(--faint); }
line { stroke: var(--ink); stroke-width: 1; }
line.grid { stroke: var(--grid); }
line.mark { stroke: var(--faint); }
line.strong { stroke-width: 2; }
line.dashed { stroke-dasharray: 4 3; }
circle { fill: var(--ink); }
circle.open { fill: var(--paper); stroke: var(--ink); stroke-width: 1.5; }
rect.paper { fill: var(--paper); }
rect.panel { fill: var(--panel); stroke: var(--grid); }
rect.outline { fill: none; stroke: var(--ink); }
rect.tone { stroke: var(--faint); stroke-width: .75; }
rect.over { pointer-events: none; fill: none; }
pattern line { stroke: var(--over); stroke-opacity: .45; }
pattern circle { fill: var(--over); fill-opacity: .5; }
"""

_RISING: Final = '<line x1="0" y1="6" x2="6" y2="0"/>'
_FALLING: Final = '<line x1="0" y1="0" x2="6" y2="6"/>'
_FLAT: Final = '<line x1="0" y1="3" x2="6" y2="3"/>'
_UPRIGHT: Final = '<line x1="3" y1="0" x2="3" y2="6"/>'
_DOT: Final = '<circle cx="3" cy="3" r="0.9"/>'

_OVER: Final = {
    Tone.BUSY: _RISING,
    Tone.WAIT: _DOT,
    Tone.LOOP: _RISING + _FALLING,
    Tone.BAD: _FLAT + _UPRIGHT,
    Tone.REST: _FLAT,
    Tone.UNKNOWN: _UPRIGHT,
}
"""The pattern of each tone; good is plain."""

PATTERNS: Final = "<defs>{}</defs>".format(
    "".join(
        f'<pattern id="over-{tone}" width="6" height="6"'
        f' patternUnits="userSpaceOnUse">{inner}</pattern>'
        for tone, inner in _OVER.items()
    )
)
"""The patterns that the style refers to."""

STYLE: Final = _LOOKS + "".join(
    (
        *(f"rect.tone.{tone} {{ fill: var(--{tone}); }}\n" for tone in Tone),
        *(f"rect.over-{tone} {{ fill: url(#over-{tone}); }}\n" for tone in _OVER),
    )
)
"""The style sheet of a drawing."""
