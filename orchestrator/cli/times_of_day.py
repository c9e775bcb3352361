"""Moments as dates and times of day, in this machine's zone.

A journal may hold any number for a moment; what no calendar has is shown as a number.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from orchestrator.core.moments import Millis, Moment

__all__ = ("clock_of", "date_of", "day_of", "offset_of")


def _local(at: Moment) -> datetime | None:
    """Return a moment in this machine's zone; None where the calendar ends before."""
    try:
        return datetime.fromtimestamp(at // 1_000).astimezone()
    except (OverflowError, ValueError, OSError):
        return None


def date_of(at: Moment) -> str:
    """Write the date of a moment, in this machine's zone."""
    local = _local(at)
    return "no date" if local is None else f"{local:%Y-%m-%d}"


def day_of(at: Moment) -> str:
    """Write the date of a moment, with the zone."""
    local = _local(at)
    return "no date" if local is None else f"{local:%Y-%m-%d} (UTC{local:%z})"


def clock_of(at: Moment) -> str:
    """Write the time of day of a moment, in this machine's zone."""
    local = _local(at)
    return f"{at} ms" if local is None else f"{local:%H:%M:%S}.{at % 1_000:03}"


def offset_of(at: Moment) -> Millis:
    """Return how far this machine's zone is ahead at a moment."""
    local = _local(at)
    ahead = None if local is None else local.utcoffset()
    return 0 if ahead is None else ahead // timedelta(milliseconds=1)
