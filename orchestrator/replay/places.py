"""Places in a history: after a row, or as things stood at a moment."""

from __future__ import annotations

from typing import TypeAlias, assert_never

import attrs

from orchestrator.core.moments import Moment

__all__ = ("AfterRow", "AtMoment", "Place", "is_within")


@attrs.frozen
class AfterRow:
    """After row *seq*; after the last one where there are not so many."""

    seq: int


@attrs.frozen
class AtMoment:
    """After the last row whose event came at *at* or before (ms since 1970)."""

    at: Moment


Place: TypeAlias = AfterRow | AtMoment


def is_within(place: Place | None, seq: int, at: Moment) -> bool:
    """Say whether a row belongs to what had happened by a place (None: the end).

    >>> is_within(AfterRow(3), 3, 99), is_within(AtMoment(98), 3, 99)
    (True, False)

    """
    match place:
        case None:
            return True
        case AfterRow(seq=last):
            return seq <= last
        case AtMoment(at=last):
            return at <= last
        case _:
            assert_never(place)
