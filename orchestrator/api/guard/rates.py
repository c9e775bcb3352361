"""How often a client may ask: a bucket each, that fills at a steady rate."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, Generic, TypeVar

__all__ = ("CLIENTS_MAX", "Rates")

K = TypeVar("K")

CLIENTS_MAX: Final = 4_096
"""Buckets that are kept; of more clients, those asked longest ago are forgotten."""


class Rates(Generic[K]):
    """The buckets of all clients."""

    def __init__(self, per_second: float, burst: float) -> None:
        """Let each ask *burst* times at once, and *per_second* in the long run."""
        self._per_second = per_second
        self._burst = burst
        self._buckets: OrderedDict[K, tuple[float, float]] = OrderedDict()

    def wait_s(self, client: K, now: float) -> float:
        """Count one request at a moment in seconds; return how long it came too early.

        Zero means that it may pass. What may not pass is not counted.

        >>> rates = Rates(per_second=2, burst=2)
        >>> [rates.wait_s("a", 0.0) for _ in range(3)], rates.wait_s("a", 0.5)
        ([0.0, 0.0, 0.5], 0.0)

        """
        level, since = self._buckets.get(client, (self._burst, now))
        level = min(self._burst, level + max(0.0, now - since) * self._per_second)
        passes = level >= 1.0
        self._buckets[client] = (level - passes, now)
        self._buckets.move_to_end(client)
        if len(self._buckets) > CLIENTS_MAX:
            self._buckets.popitem(last=False)
        return 0.0 if passes else (1.0 - level) / self._per_second
