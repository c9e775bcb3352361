"""How a service goes from one revision to the next, as its owner says it.

A policy only *says*; ``core.strategies`` turns it into steps, and ``core.rollouts``
takes them, within the bounds that stand here. A share of replicas is a number or a
percentage; of what may be unavailable it is rounded down, of everything else it is
rounded up, as Kubernetes does. Where both bounds come to nothing one replica may be
unavailable, for nothing could move otherwise.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, cast

import attrs
from attrs.validators import ge, gt, instance_of, le

from orchestrator.core.fields import Json, are_all, holds, is_json_table
from orchestrator.core.moments import DURATION_MAX, Millis
from orchestrator.core.names import is_name
from orchestrator.core.table import Table

__all__ = (
    "BUILT_IN",
    "CANARY_STEPS_MAX",
    "WHOLE",
    "CanaryStep",
    "OnFailure",
    "Promotion",
    "RolloutPolicy",
    "Share",
)

COUNT_MAX: Final = 10_000
CANARY_STEPS_MAX: Final = 100
BUILT_IN: Final = ("recreate", "rolling", "canary", "blue_green")
"""The strategies that every program has; others are named and registered by it."""


@attrs.frozen
class Share:
    """So many replicas, or so many percent of them.

    >>> Share(25, is_percent=True).down(6), Share(25, is_percent=True).up(6)
    (1, 2)
    >>> Share(3).down(6), str(Share(3)), str(Share(25, is_percent=True))
    (3, '3', '25%')

    """

    value: int = attrs.field(validator=[instance_of(int), ge(0), le(COUNT_MAX)])
    is_percent: bool = attrs.field(default=False, validator=instance_of(bool))

    def __attrs_post_init__(self) -> None:
        """Refuse more than all."""
        whole = 100
        if self.is_percent and self.value > whole:
            msg = f"expected at most 100%, found {self.value}%"
            raise ValueError(msg)

    def down(self, replicas: int) -> int:
        """Return how many of *replicas* that are, rounded down."""
        return replicas * self.value // 100 if self.is_percent else self.value

    def up(self, replicas: int) -> int:
        """Return how many of *replicas* that are, rounded up."""
        return -(-replicas * self.value // 100) if self.is_percent else self.value

    def __str__(self) -> str:
        """Write it as a fleet file does."""
        return f"{self.value}%" if self.is_percent else str(self.value)


WHOLE: Final = Share(100, is_percent=True)
"""All replicas."""


class Promotion(StrEnum):
    """Who says that a rollout goes on after its first steps."""

    AUTO = "auto"
    MANUAL = "manual"


class OnFailure(StrEnum):
    """What becomes of a rollout that has failed.

    ``revert``: back to the last revision that was wholly healthy, once, then hold.
    ``hold``: it ends, and all stays as it is. ``pause``: it waits for its owner.
    """

    REVERT = "revert"
    HOLD = "hold"
    PAUSE = "pause"


_duration = [instance_of(int), ge(0), le(DURATION_MAX)]
_positive = [instance_of(int), gt(0), le(DURATION_MAX)]


@attrs.frozen(kw_only=True)
class CanaryStep:
    """So many replicas are to be new; then all waits for *soak_ms*."""

    share: Share = attrs.field(validator=instance_of(Share))
    soak_ms: Millis = attrs.field(default=0, validator=_duration)


def _are_steps(value: object) -> bool:
    steps = cast("tuple[object, ...]", value) if isinstance(value, tuple) else None
    if steps is None or len(steps) > CANARY_STEPS_MAX:
        return False
    return are_all(CanaryStep)(steps)


@attrs.frozen(kw_only=True)
class RolloutPolicy:
    """How a service is rolled out; the strategy is named, its bounds are everybody's.

    ``max_unavailable`` (rounded down) may be missing from the replicas asked for,
    ``max_surge`` (rounded up) may run beside them. A new replica counts once it has
    been ready for ``min_ready_ms``; one that is not within ``container_deadline_ms`` of
    its move is a failure, and so is each of its failed runs. More failures than
    ``failure_budget`` (rounded up), or no progress for ``progress_deadline_ms``, and
    the rollout has failed: ``on_failure``. ``steps`` and ``promote`` are canary's,
    ``promote`` and ``keep_old_ms`` are blue-green's, ``version`` and ``params`` those
    of a strategy of the program's own.
    """

    strategy: str = attrs.field(
        default="rolling", validator=holds(is_name, "the name of a strategy")
    )
    version: int = attrs.field(default=1, validator=[instance_of(int), ge(1)])
    max_unavailable: Share = attrs.field(
        default=Share(25, True),  # noqa: FBT003 - a percentage
        validator=instance_of(Share),
    )
    max_surge: Share = attrs.field(default=Share(0), validator=instance_of(Share))
    steps: tuple[CanaryStep, ...] = attrs.field(
        default=(), validator=holds(_are_steps, "at most 100 steps of a canary")
    )
    promote: Promotion = attrs.field(
        default=Promotion.AUTO, validator=instance_of(Promotion)
    )
    keep_old_ms: Millis = attrs.field(default=0, validator=_duration)
    min_ready_ms: Millis = attrs.field(default=10_000, validator=_duration)
    container_deadline_ms: Millis = attrs.field(default=300_000, validator=_positive)
    progress_deadline_ms: Millis = attrs.field(default=600_000, validator=_positive)
    failure_budget: Share = attrs.field(default=Share(3), validator=instance_of(Share))
    on_failure: OnFailure = attrs.field(
        default=OnFailure.REVERT, validator=instance_of(OnFailure)
    )
    params: Table[str, Json] = attrs.field(
        default=Table[str, Json](),
        validator=holds(is_json_table, "a table of frozen JSON"),
    )

    def __attrs_post_init__(self) -> None:
        """Refuse bounds that let nothing move, and deadlines that nobody can meet."""
        if self.max_unavailable == self.max_surge == Share(0):
            msg = "max_unavailable: expected more than 0 where max_surge is 0, found 0"
            raise ValueError(msg)
        for field in ("container_deadline_ms", "progress_deadline_ms"):
            if getattr(self, field) <= self.min_ready_ms:
                msg = f"{field}: expected more than min_ready_ms, found less"
                raise ValueError(msg)

    def unavailable(self, replicas: int) -> int:
        """Return how many of so many replicas may be unavailable.

        >>> RolloutPolicy().unavailable(8), RolloutPolicy().unavailable(1)
        (2, 1)

        """
        down = min(self.max_unavailable.down(replicas), replicas)
        return down if down or self.surge(replicas) else min(1, replicas)

    def surge(self, replicas: int) -> int:
        """Return how many may run beside so many replicas."""
        return self.max_surge.up(replicas)
