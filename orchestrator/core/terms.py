"""What holds for every container of a fleet while an event is taken in.

A fleet's draft has all of it, and so has ``FixedTerms``, for whoever moves one
container alone.
"""

from __future__ import annotations

from typing import Protocol

import attrs

from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.fleet_specs import FleetSettings

__all__ = ("FixedTerms", "Terms")


class Terms(Protocol):
    """The fleet's settings, what its platform can do, and the program's policies.

    ``fences``: the platform refuses older runs, so that a lost one may be replaced.
    """

    @property
    def settings(self) -> FleetSettings:
        """What holds for the whole fleet."""
        ...

    @property
    def fences(self) -> bool:
        """Whether a lost run may be replaced without running twice."""
        ...

    @property
    def policies(self) -> CustomPolicies:
        """The custom restart policies that are registered."""
        ...


@attrs.frozen(kw_only=True)
class FixedTerms:
    """Terms as a value."""

    settings: FleetSettings = FleetSettings()
    fences: bool = False
    policies: CustomPolicies = NO_POLICIES
