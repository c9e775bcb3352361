"""Randomness as a value: the same seed rolls the same numbers on every machine.

SplitMix64 (Steele, Lea, Flood, 2014): a counter and a finalizer, in integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

import attrs

__all__ = ("Dice",)

_MASK: Final = (1 << 64) - 1

T = TypeVar("T")


@attrs.define
class Dice:
    """A stream of numbers that depends on its seed alone.

    >>> Dice(1).between(0, 99) == Dice(1).between(0, 99)
    True

    """

    state: int

    def between(self, low: int, high: int) -> int:
        """Roll a number from *low* to *high*, both included."""
        self.state = (self.state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self.state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        mixed ^= mixed >> 31
        return low + mixed % (high - low + 1)

    def happens(self, permille: int) -> bool:
        """Say yes *permille* times in a thousand."""
        return self.between(0, 999) < permille

    def pick(self, options: Sequence[T]) -> T:
        """Choose one of *options*, which must not be empty."""
        return options[self.between(0, len(options) - 1)]

    def fork(self) -> Dice:
        """Return dice of their own, so that two users do not disturb each other."""
        return Dice(self.between(0, _MASK))
