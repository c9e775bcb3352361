"""Why a service has so many replicas, where it scales by itself."""

from __future__ import annotations

import attrs

from orchestrator.core.autoscale import Verdict, assess
from orchestrator.core.autoscaling import Metric
from orchestrator.core.loads import Loads
from orchestrator.core.moments import Moment
from orchestrator.core.services import Service
from orchestrator.core.state import Fleet

__all__ = ("ServiceLoad", "service_load")


@attrs.frozen(kw_only=True)
class ServiceLoad:
    """What a service that scales by itself is measured at, and what that comes to.

    ``load`` is the sum over all replicas on the average of the window, None where
    nothing was measured in it; ``target`` is for each. ``wanted`` are as many as bear
    it, within ``least`` and ``most``; where that is another number than there is, the
    change is made with the next load, not before ``until``. ``measured_at`` is when a
    load was last told, ``scaled_at`` when the number last changed, whoever changed it.
    """

    metric: Metric
    target: float
    least: int
    most: int
    load: float | None
    wanted: int
    verdict: Verdict
    why: str
    until: Moment | None = None
    measured_at: Moment | None = None
    scaled_at: Moment | None = None


def service_load(fleet: Fleet, service: Service, now: Moment) -> ServiceLoad | None:
    """Say how a service stands at a moment; None: it does not scale by itself."""
    policy = service.autoscaling
    if policy is None:
        return None
    loads = fleet.loads.get(service.name) or Loads()
    found = assess(policy, service.replicas, loads, now)
    return ServiceLoad(
        metric=policy.metric,
        target=policy.target_milli / 1_000,
        least=policy.least,
        most=policy.most,
        load=None if found.load_milli is None else found.load_milli / 1_000,
        wanted=found.wanted,
        verdict=found.verdict,
        why=found.why,
        until=found.until,
        measured_at=loads.samples[-1][0] if loads.samples else None,
        scaled_at=loads.scaled_at,
    )
