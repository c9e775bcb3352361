"""How a service is scaled by what it is measured at, as its owner says it.

The policy only *says*; ``core.autoscale`` decides with it. Off unless asked for.
"""

from __future__ import annotations

from enum import StrEnum

import attrs
from attrs.validators import ge, gt, instance_of, le

from orchestrator.core.moments import DURATION_MAX, Millis

__all__ = ("Autoscaling", "Metric")


class Metric(StrEnum):
    """What is measured, of each replica on the average.

    ``in_flight``: requests being served; ``cpu``: percent of what it may use;
    ``pushed``: a number that somebody else measures and tells.
    """

    IN_FLIGHT = "in_flight"
    CPU = "cpu"
    PUSHED = "pushed"


_duration = [instance_of(int), ge(0), le(DURATION_MAX)]
_positive = [instance_of(int), gt(0), le(DURATION_MAX)]
_replicas = [instance_of(int), ge(0), le(10_000)]


@attrs.frozen(kw_only=True)
class Autoscaling:
    """How many replicas a service has: what it is measured at over *target* for each.

    What was measured is averaged over ``window_ms``. Nothing changes while the average
    is within ``tolerance_percent`` of the target, nor before ``up_after_ms`` (more) or
    ``down_after_ms`` (fewer) have passed since the last change. Loads and targets are
    in thousandths.
    """

    metric: Metric = attrs.field(validator=instance_of(Metric))
    target_milli: int = attrs.field(validator=[instance_of(int), ge(1), le(10**12)])
    least: int = attrs.field(default=1, validator=_replicas)
    most: int = attrs.field(validator=_replicas)
    window_ms: Millis = attrs.field(default=60_000, validator=_positive)
    tolerance_percent: int = attrs.field(
        default=10, validator=[instance_of(int), ge(0), le(100)]
    )
    up_after_ms: Millis = attrs.field(default=30_000, validator=_duration)
    down_after_ms: Millis = attrs.field(default=300_000, validator=_duration)

    def __attrs_post_init__(self) -> None:
        """Refuse fewer at most than at least."""
        if self.most < max(1, self.least):
            msg = f"most: expected at least {max(1, self.least)}, found {self.most}"
            raise ValueError(msg)
