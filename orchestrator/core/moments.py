"""Time as integers: moments since the epoch and durations, both in milliseconds.

Integers because they are exact on every machine: a replay that rounds another
way is another history. The text forms (``"10m"``, ``"1h30m"``) are for people.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from returns.result import Failure, Result, Success

__all__ = (
    "DURATION_MAX",
    "MOMENT_MAX",
    "Millis",
    "Moment",
    "earliest",
    "format_duration",
    "parse_duration",
)

Moment: TypeAlias = int
"""Milliseconds since the Unix epoch."""

Millis: TypeAlias = int
"""A duration in milliseconds."""

MOMENT_MAX: Moment = 253_402_300_799_999
"""The last millisecond of the year 9999, the last one ISO 8601 can write."""

DURATION_MAX: Millis = 10 * 365 * 86_400_000
"""Ten years: no sane timeout is longer, and sums stay far below MOMENT_MAX."""

_UNITS: tuple[tuple[str, Millis], ...] = (
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
)
_UNIT: dict[str, Millis] = dict(_UNITS)
_PART = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,6})?)(ms|[dhms])", re.ASCII)


def parse_duration(text: str) -> Result[Millis, str]:
    """Read a duration such as ``"10m"``, ``"1h30m"``, ``"1.5s"`` or ``"250ms"``.

    A failure says what was expected.

    >>> parse_duration("1h30m")
    <Success: 5400000>
    >>> parse_duration("soon").failure()
    'expected a duration such as "250ms", "10s", "5m" or "1h30m"'

    """
    total = 0
    place = 0
    for part in _PART.finditer(text):
        if part.start() != place:
            break
        whole, _, fraction = part[1].partition(".")
        unit = _UNIT[part[2]]
        scale = 10 ** len(fraction)
        numerator = int(whole + fraction) * unit
        if numerator % scale:
            return Failure("expected a whole number of milliseconds")
        total += numerator // scale
        place = part.end()
    if place == 0 or place != len(text):
        return Failure('expected a duration such as "250ms", "10s", "5m" or "1h30m"')
    if total > DURATION_MAX:
        return Failure(f"expected at most {format_duration(DURATION_MAX)}")
    return Success(total)


def format_duration(millis: Millis) -> str:
    """Write a duration with at most its two largest units that say something.

    >>> format_duration(5_400_000), format_duration(1_250), format_duration(0)
    ('1h30m', '1s250ms', '0s')

    """
    if millis < 0:
        return "-" + format_duration(-millis)
    words: list[str] = []
    rest = millis
    for name, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            words.append(f"{count}{name}")
        elif words:
            break
        if len(words) == 2:  # noqa: PLR2004 - two units are as much as one reads
            break
    return "".join(words) or "0s"


def earliest(*moments: Moment | None) -> Moment | None:
    """Return the earliest of the moments that are known.

    >>> earliest(None, 7, 3), earliest(None)
    (3, None)

    """
    known = [moment for moment in moments if moment is not None]
    return min(known) if known else None
