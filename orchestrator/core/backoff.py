"""How long to wait before a restart: growing waits, or a list, spread by a hash.

Waits grow from ``initial_ms`` by ``factor`` up to ``max_ms`` and are spread by
``jitter``. The spread is a hash of (salt, revision, attempt) in integers of our own,
so that it is the same on every machine and on every replay; ``hash()`` differs by
process.
"""

from __future__ import annotations

from typing import Final

import attrs
from attrs.validators import ge, gt, instance_of, le, max_len

from orchestrator.core.fields import LATER, are_numbers, holds
from orchestrator.core.moments import DURATION_MAX, Millis

__all__ = (
    "DELAYS_MAX",
    "Backoff",
    "backoff_wait",
    "base_wait",
    "longest_wait",
)

DELAYS_MAX: Final = 100
"""Delays of one list."""

_duration = [instance_of(int), ge(0), le(DURATION_MAX)]
_positive = [instance_of(int), gt(0), le(DURATION_MAX)]


@attrs.frozen(kw_only=True)
class Backoff:
    """How long to wait before restart n: ``min(max, initial * factor^(n-1))``.

    ``delays_ms``, where it is not empty, says it instead, one after the other; the
    last holds for all that follow. The spread is the same for both.
    """

    initial_ms: Millis = attrs.field(default=1_000, validator=_duration)
    factor: float = attrs.field(
        default=2.0, converter=float, validator=[ge(1.0), le(1_000.0)]
    )
    max_ms: Millis = attrs.field(default=60_000, validator=_duration)
    jitter: float = attrs.field(
        default=0.1, converter=float, validator=[ge(0.0), le(1.0)]
    )
    reset_after_ms: Millis = attrs.field(default=600_000, validator=_positive)
    delays_ms: tuple[Millis, ...] = attrs.field(
        default=(),
        validator=[
            max_len(DELAYS_MAX),
            holds(are_numbers(0, DURATION_MAX), "durations in milliseconds"),
        ],
        metadata=LATER,
    )

    def __attrs_post_init__(self) -> None:
        """Refuse a first wait that is longer than the longest."""
        if self.initial_ms > self.max_ms:
            msg = f"initial_ms {self.initial_ms} must not exceed max_ms {self.max_ms}"
            raise ValueError(msg)


def longest_wait(backoff: Backoff) -> Millis:
    """Return what no wait exceeds.

    >>> longest_wait(Backoff()), longest_wait(Backoff(delays_ms=(5, 90_000, 10)))
    (60000, 90000)

    """
    return max(backoff.delays_ms) if backoff.delays_ms else backoff.max_ms


def base_wait(backoff: Backoff, attempt: int) -> Millis:
    """Return the wait before restart number *attempt* (1, 2, ...), without jitter.

    Total for every attempt: the growth is by squaring in IEEE products, whose
    rounding is the same everywhere (``pow`` of the C library is not), and overflow
    is infinity, which the longest wait caps.

    >>> [base_wait(Backoff(), n) for n in (1, 2, 3, 7, 1_000_000)]
    [1000, 2000, 4000, 60000, 60000]

    """
    if backoff.delays_ms:
        return backoff.delays_ms[min(max(attempt, 1), len(backoff.delays_ms)) - 1]
    growth, square, rest = 1.0, backoff.factor, max(attempt, 1) - 1
    while rest:
        if rest & 1:
            growth *= square
        square *= square
        rest >>= 1
    if backoff.initial_ms == 0:
        return 0
    return int(min(float(backoff.max_ms), backoff.initial_ms * growth))


def backoff_wait(backoff: Backoff, attempt: int, salt: int, revision: int) -> Millis:
    """Return the wait before restart number *attempt*, spread by the jitter.

    It lies within ``jitter`` of the base wait and within [0, ``longest_wait``].

    >>> backoff_wait(Backoff(jitter=0), 2, salt=1, revision=1)
    2000

    """
    wait = base_wait(backoff, attempt)
    spread = int(wait * backoff.jitter)
    if not spread:
        return wait
    offset = _mix(salt, revision, attempt) % (2 * spread + 1) - spread
    return max(0, min(longest_wait(backoff), wait + offset))


_MASK: Final = (1 << 64) - 1


def _mix(*words: int) -> int:
    """Hash integers to 64 bits: the finalizer of SplitMix64 (Steele et al., 2014)."""
    state = 0
    for word in words:
        state = (state ^ word) + 0x9E3779B97F4A7C15 & _MASK
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        state = (state ^ state >> 27) * 0x94D049BB133111EB & _MASK
        state ^= state >> 31
    return state
