"""Places of the past in a request: the number of a row, or a moment.

``at=812`` is after row 812. ``at=2026-01-31T12:30:00Z`` is a moment of ISO 8601; one
without an offset is UTC, for who asks may be in another zone than the operator.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, assert_never

from orchestrator.codec.problems import invalid
from orchestrator.core.errors import InvalidSpec
from orchestrator.core.moments import MOMENT_MAX
from orchestrator.replay.places import AfterRow, AtMoment, Place

__all__ = ("NUMBER_MAX", "place_of", "query_of")

NUMBER_MAX: Final = 2**62

_TEXT_MAX: Final = 40
"""Characters of a place; more are none."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def place_of(text: str, named: str = "query.at") -> Place | InvalidSpec:
    """Read a place; *named* is where it stands.

    >>> place_of("812"), place_of("1970-01-01T01:00:01+01:00")
    (AfterRow(seq=812), AtMoment(at=1000))

    """
    if len(text) <= _TEXT_MAX:
        if text.isascii() and text.isdigit() and int(text) <= NUMBER_MAX:
            return AfterRow(int(text))
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            pass
        else:
            aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return AtMoment((aware - _EPOCH) // timedelta(milliseconds=1))
    expected = "the number of a row, or a time such as 2026-01-31T12:30:00Z"
    hint = "in a query, + is written %2B" if " " in text else ""
    return invalid(named, expected, text, hint)


def query_of(place: Place) -> str:
    """Write a place as ``place_of`` reads it.

    >>> query_of(AtMoment(1_000))
    '1970-01-01T00:00:01.000+00:00'

    """
    match place:
        case AfterRow(seq=seq):
            return str(seq)
        case AtMoment(at=at):  # nothing has happened before 1970, or after year 9999
            since = timedelta(milliseconds=min(max(0, at), MOMENT_MAX))
            return (_EPOCH + since).isoformat(timespec="milliseconds")
        case _:
            assert_never(place)
