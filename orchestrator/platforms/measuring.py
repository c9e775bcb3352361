"""What a platform may offer beside its port: to measure what services bear.

An adapter that can measure has ``loads``; one that has not is not asked. A service that
is missing in the answer was not measured: nothing is decided about it then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import attrs
from returns.future import FutureResult

from orchestrator.core.autoscaling import Metric
from orchestrator.core.errors import PlatformError
from orchestrator.core.specs import ContainerSpec

__all__ = ("MeasuredService", "Measuring")


@attrs.frozen(kw_only=True)
class MeasuredService:
    """A service that is to be measured: its name, what its replicas are, and which."""

    name: str
    template: ContainerSpec
    containers: tuple[str, ...]


@runtime_checkable
class Measuring(Protocol):
    """A platform that measures."""

    def loads(
        self, metric: Metric, services: tuple[MeasuredService, ...]
    ) -> FutureResult[Mapping[str, float], PlatformError]:
        """Return the load of each service that could be measured: a sum over all.

        Requests being served where the metric is ``in_flight``, percent of what one
        replica may use where it is ``cpu``.
        """
        ...
