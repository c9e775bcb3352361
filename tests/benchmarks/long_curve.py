"""How a long run went, drawn with letters: memory, and rows that the journal kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

__all__ = ("drawn",)

WIDTH: Final = 72
HEIGHT: Final = 8
_CURVES: Final = (
    ("rss_kb", "memory, MB", 1 / 1_024),
    ("rows", "rows kept", 1.0),
    ("db_bytes", "journal, kB", 1 / 1_024),
)


def drawn(samples: Sequence[Mapping[str, Any]]) -> str:
    """Draw the curves of some samples, one below the other, each from zero on."""
    if not samples:
        return "nothing was seen"
    parts = [
        _curve(name, [each[key] * scale for each in samples])
        for key, name, scale in _CURVES
    ]
    end = f"0 to {samples[-1]['s']:,.0f} s"
    return "```text\n" + "\n\n".join(parts) + f"\n{end:>{WIDTH + 8}}\n```"


def _curve(name: str, values: Sequence[float]) -> str:
    """Draw one curve.

    >>> print(_curve("things", [0.0, 4.0, 8.0]).splitlines()[1].rstrip())
          8 |                                                ************************

    """
    most = max(values) or 1.0
    count = len(values)
    columns = [values[place * count // WIDTH] for place in range(WIDTH)]
    lines = [name]
    for level in range(HEIGHT, 0, -1):
        least = most * (level - 0.5) / HEIGHT
        marks = "".join("*" if value >= least else " " for value in columns)
        label = f"{most:,.0f}" if level == HEIGHT else ""
        lines.append(f"{label:>7} |{marks}".rstrip())
    lines.append(f"{'0':>7} +{'-' * WIDTH}")
    return "\n".join(lines)
