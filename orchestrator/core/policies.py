"""Restart policies as values: when to restart, how long to wait, when to give up.

A policy only *says*; ``core.decide`` reads it. Waits grow from ``initial_ms`` by
``factor`` up to ``max_ms`` and are spread by ``jitter``; more than
``allowed_crashes`` failures within ``window_ms`` is a crash loop.

The spread is a hash of (salt, revision, attempt) in integers of our own, so that it
is the same on every machine and on every replay; ``hash()`` differs by process.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import attrs
from attrs.validators import ge, gt, instance_of, le, optional

from orchestrator.core.moments import DURATION_MAX, Millis

__all__ = (
    "Backoff",
    "CrashLimit",
    "OnLoop",
    "OnLost",
    "RestartPolicy",
    "When",
    "always_restart_policy",
    "backoff_wait",
    "base_wait",
    "default_restart_policy",
    "never_restart_policy",
)


class When(StrEnum):
    """After which ends a container is started again."""

    ALWAYS = "always"
    ON_FAILURE = "on_failure"
    NEVER = "never"


class OnLoop(StrEnum):
    """What a crash loop leads to."""

    COOLDOWN = "cooldown"
    HOLD = "hold"


class OnLost(StrEnum):
    """What to do with a container that has been unknown for too long."""

    REPLACE = "replace"
    WAIT = "wait"


_duration = [instance_of(int), ge(0), le(DURATION_MAX)]
_positive = [instance_of(int), gt(0), le(DURATION_MAX)]


@attrs.frozen(kw_only=True)
class CrashLimit:
    """How many failures within a window are still no crash loop.

    0 allowed means that the first failure is one. ``on_loop=None``: cooldown for the
    min replica set, hold for ad-hoc containers.
    """

    window_ms: Millis = attrs.field(default=600_000, validator=_positive)
    allowed_crashes: int = attrs.field(
        default=3, validator=[instance_of(int), ge(0), le(1_000)]
    )
    on_loop: OnLoop | None = attrs.field(
        default=None, validator=optional(instance_of(OnLoop))
    )


@attrs.frozen(kw_only=True)
class Backoff:
    """How long to wait before restart n: ``min(max, initial * factor^(n-1))``."""

    initial_ms: Millis = attrs.field(default=1_000, validator=_duration)
    factor: float = attrs.field(
        default=2.0, converter=float, validator=[ge(1.0), le(1_000.0)]
    )
    max_ms: Millis = attrs.field(default=60_000, validator=_duration)
    jitter: float = attrs.field(
        default=0.1, converter=float, validator=[ge(0.0), le(1.0)]
    )
    reset_after_ms: Millis = attrs.field(default=600_000, validator=_positive)

    def __attrs_post_init__(self) -> None:
        """Refuse a first wait that is longer than the longest."""
        if self.initial_ms > self.max_ms:
            msg = f"initial_ms {self.initial_ms} must not exceed max_ms {self.max_ms}"
            raise ValueError(msg)


@attrs.frozen(kw_only=True)
class RestartPolicy:
    """When a container is started again, how fast, and when not any more.

    ``min_interval_ms`` is the least time between starts after clean exits under
    ``always``; ``lost_after_ms`` how long a container may be unknown before
    ``on_lost`` applies (None: replace where the platform fences by run, else wait).
    """

    when: When = attrs.field(default=When.ON_FAILURE, validator=instance_of(When))
    crash: CrashLimit = CrashLimit()
    backoff: Backoff = Backoff()
    min_interval_ms: Millis = attrs.field(default=1_000, validator=_duration)
    lost_after_ms: Millis = attrs.field(default=60_000, validator=_positive)
    on_lost: OnLost | None = attrs.field(
        default=None, validator=optional(instance_of(OnLost))
    )


def default_restart_policy() -> RestartPolicy:
    """Restart failures, with the default limits.

    >>> default_restart_policy().crash.allowed_crashes
    3

    """
    return RestartPolicy()


def always_restart_policy() -> RestartPolicy:
    """Restart whatever the exit was.

    >>> always_restart_policy().when
    <When.ALWAYS: 'always'>

    """
    return RestartPolicy(when=When.ALWAYS)


def never_restart_policy() -> RestartPolicy:
    """Never restart.

    >>> never_restart_policy().when
    <When.NEVER: 'never'>

    """
    return RestartPolicy(when=When.NEVER)


def base_wait(backoff: Backoff, attempt: int) -> Millis:
    """Return the wait before restart number *attempt* (1, 2, ...), without jitter.

    Total for every attempt: the growth is by squaring in IEEE products, whose
    rounding is the same everywhere (``pow`` of the C library is not), and overflow
    is infinity, which the longest wait caps.

    >>> [base_wait(Backoff(), n) for n in (1, 2, 3, 7, 1_000_000)]
    [1000, 2000, 4000, 60000, 60000]

    """
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

    It lies within ``jitter`` of the base wait and within [0, ``max_ms``].

    >>> backoff_wait(Backoff(jitter=0), 2, salt=1, revision=1)
    2000

    """
    wait = base_wait(backoff, attempt)
    spread = int(wait * backoff.jitter)
    if not spread:
        return wait
    offset = _mix(salt, revision, attempt) % (2 * spread + 1) - spread
    return max(0, min(backoff.max_ms, wait + offset))


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
