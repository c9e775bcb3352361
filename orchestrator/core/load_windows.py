"""What a service was measured at on the average of a window, exactly, in whole numbers.

A window is ``SLOTS`` slots of equal length, which begin at whole multiples of it. A
slot counts the highest load that was told in it, or what was told last before it. So
it does not matter in which order loads of the same moment come, a load that is told
again changes nothing, and a load need not be told again while it stays the same, as
long as one is within the window. What is kept follows the slots, not how often
somebody measures.
"""

from __future__ import annotations

from typing import Final

import attrs

from orchestrator.core.moments import Millis, Moment

__all__ = ("LOAD_MAX_MILLI", "SLOTS", "Average", "Samples", "average", "with_sample")

SLOTS: Final = 12
"""Into how many slots a window is cut."""

LOAD_MAX_MILLI: Final = 10**15
"""The highest load that counts, in thousandths."""

Samples = tuple[tuple[Moment, int], ...]
"""Loads in thousandths and when they were told, the oldest first."""


@attrs.frozen(kw_only=True)
class Average:
    """A load on the average: *total_milli*, the sum of so many *slots*."""

    total_milli: int
    slots: int

    @property
    def load_milli(self) -> int:
        """Return the average in whole thousandths, rounded down."""
        return self.total_milli // self.slots


def with_sample(
    samples: Samples, window_ms: Millis, at: Moment, load_milli: int
) -> Samples:
    """Take a load in, and drop what is older than the window.

    >>> with_sample(((0, 7), (59_000, 5)), 60_000, 60_000, 3)
    ((59000, 5), (60000, 3))
    >>> with_sample(((60_000, 3),), 60_000, 61_000, 9)
    ((61000, 9),)

    """
    load_milli = min(max(load_milli, 0), LOAD_MAX_MILLI)
    return _slotted((*samples, (at, load_milli)), window_ms, at)


def average(samples: Samples, window_ms: Millis, at: Moment) -> Average | None:
    """Return the average of the window that ends at a moment; None: nothing is in it.

    Slots before the first load that is known do not count.

    >>> average(((0, 100), (50_000, 210)), 60_000, 50_000)
    Average(total_milli=1210, slots=11)

    """
    length = _slot_ms(window_ms)
    known = _slotted(samples, window_ms, at)
    if not known:
        return None
    slots = [moment // length for moment, _ in known]
    until = [*slots[1:], at // length + 1]
    total = sum(
        load * (end - begin)
        for (_, load), begin, end in zip(known, slots, until, strict=True)
    )
    return Average(total_milli=total, slots=until[-1] - slots[0])


def _slot_ms(window_ms: Millis) -> Millis:
    return -(-window_ms // SLOTS)


def _slotted(samples: Samples, window_ms: Millis, at: Moment) -> Samples:
    """Keep one sample of each slot of the window: the highest, in the older's place.

    Samples of another window (the policy was changed) are put into the slots of this.
    """
    length = _slot_ms(window_ms)
    oldest = at // length - SLOTS + 1
    kept: list[tuple[Moment, int]] = []
    for moment, load in samples:
        slot = moment // length
        if slot < oldest:
            continue
        if kept and kept[-1][0] // length == slot:
            kept[-1] = max(kept[-1], (moment, load), key=lambda each: each[1])
        else:
            kept.append((moment, load))
    return tuple(kept)
