"""A rollout of a run as one value: how it ended, and who was where meanwhile."""

from __future__ import annotations

from enum import StrEnum

import attrs

from orchestrator.core.lineages import RolloutStatus
from orchestrator.core.moments import Moment
from orchestrator.core.rollout_policies import RolloutPolicy

__all__ = ("Count", "Mark", "MarkKind", "RolloutTale", "allowed")


@attrs.frozen(kw_only=True)
class Count:
    """How many replicas are where, from a moment on until the next count.

    ``counted``: new, and ready for long enough; ``ready``: new, and ready for less;
    ``unready``: new and not ready; ``old``: not new, and available; ``old_down``: not
    new, and not. A new one that does not count yet is not available, either.
    """

    at: Moment
    counted: int = 0
    ready: int = 0
    unready: int = 0
    old: int = 0
    old_down: int = 0

    @property
    def available(self) -> int:
        """Return how many are available, new and old."""
        return self.counted + self.old

    @property
    def members(self) -> int:
        """Return how many there are."""
        return self.available + self.ready + self.unready + self.old_down


class MarkKind(StrEnum):
    """What a mark is about."""

    STEP = "step"
    SOAK = "soak"
    WAIT = "wait"
    GO_ON = "go_on"
    REVERT = "revert"
    END = "end"


@attrs.frozen(kw_only=True)
class Mark:
    """Something that befell a rollout; ``until`` is when a soak is to end."""

    at: Moment
    kind: MarkKind
    words: str
    until: Moment | None = None


@attrs.frozen(kw_only=True)
class RolloutTale:
    """One rollout of a run; ``ended_at`` None: it is under way, or waits.

    ``least_allowed`` is how few may be available by its bounds, ``most_allowed`` how
    many there may be; ``replicas`` how many were asked for.
    """

    service: str
    previous: int
    target: int
    strategy: str
    status: RolloutStatus
    reason: str
    began_at: Moment
    ended_at: Moment | None
    replicas: int
    least_allowed: int
    most_allowed: int
    least_available: int
    most_members: int
    counts: tuple[Count, ...]
    marks: tuple[Mark, ...]


def allowed(policy: RolloutPolicy, replicas: int) -> tuple[int, int]:
    """Return how few may be available by a policy, and how many there may be.

    >>> allowed(RolloutPolicy(), 8), allowed(RolloutPolicy(strategy="blue_green"), 8)
    ((6, 8), (8, 16))

    """
    if policy.strategy == "recreate":
        return 0, replicas
    if policy.strategy == "blue_green":
        return replicas, 2 * replicas
    fewest = replicas - policy.unavailable(replicas)
    return fewest, replicas + policy.surge(replicas)
