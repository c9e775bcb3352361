"""What would come of a request, and what is not as it was asked for: reads of memory.

Values are shown as ``get_config`` shows them: what looks secret is not.
"""

from __future__ import annotations

from typing import Final

from returns.result import Result

from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import RequestError
from orchestrator.core.moments import Moment
from orchestrator.core.planning import Masks, Plan, plan
from orchestrator.core.requests import Apply
from orchestrator.core.state import Fleet
from orchestrator.runtime.masks import masked_settings, masked_spec

__all__ = ("foreseen",)

_MASKS: Final = Masks(spec=masked_spec, settings=masked_settings)


def foreseen(
    fleet: Fleet, request: Apply, at: Moment, policies: CustomPolicies = NO_POLICIES
) -> Result[Plan, RequestError]:
    """Say what an apply would do to a fleet, without what looks secret."""
    return plan(fleet, request, at, policies, masks=_MASKS)
