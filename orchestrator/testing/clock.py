"""Virtual time: a clock that only its owner moves, for tests that must not wait."""

from __future__ import annotations

from typing import Final

from returns.result import Failure

from orchestrator.core.moments import MOMENT_MAX, Millis, Moment, parse_duration

__all__ = ("VirtualClock", "millis_of")

BACKWARDS: Final = "time never runs backwards"


def millis_of(duration: str | Millis) -> Millis:
    """Return a duration in milliseconds; text is read as in a fleet file.

    >>> millis_of("1m30s"), millis_of(250)
    (90000, 250)

    """
    if isinstance(duration, int):
        return duration
    read = parse_duration(duration)
    if isinstance(read, Failure):
        raise ValueError(f"{duration!r}: {read.failure()}")  # noqa: TRY004 - its text
    return read.unwrap()


class VirtualClock:
    """A clock that stands still until it is moved; it never runs backwards.

    ``now`` is what the operator's own clock offers, and fits wherever a program takes
    a function that returns the moment.

    >>> clock = VirtualClock()
    >>> clock.advance("3s"), clock.now()
    (3000, 3000)

    """

    def __init__(self, at: Moment = 0) -> None:
        """Begin at a moment, in milliseconds since the epoch."""
        self._at = at

    def now(self) -> Moment:
        """Return the moment, in milliseconds since the epoch."""
        return self._at

    def advance(self, by: str | Millis) -> Moment:
        """Let time pass, and return the moment that it is then."""
        return self.move_to(self._at + millis_of(by))

    def move_to(self, at: Moment) -> Moment:
        """Go on to a moment that has not passed; ``ValueError`` where it has."""
        if not self._at <= at <= MOMENT_MAX:
            raise ValueError(f"{BACKWARDS}: it is {self._at}, asked for {at}")
        self._at = at
        return at

    def __repr__(self) -> str:
        return f"VirtualClock({self._at})"
