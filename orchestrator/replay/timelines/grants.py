"""By which rule a run was started: what the record of a starting container lacks.

A container that is granted its start in the very step that queued it is never seen
pending. The rule is found by taking the step again in a fleet whose start rate is used
up: there it waits.
"""

from __future__ import annotations

from typing import Final

import attrs

from orchestrator.core.custom import CustomPolicies
from orchestrator.core.events import (
    CrashHistoryCleared,
    RestartRequested,
    SpecApplied,
    StartRequested,
)
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.phases import Asleep, Pending, Rule
from orchestrator.core.reduce import reduce
from orchestrator.core.service_events import ScaleRequested
from orchestrator.core.state import Container, Fleet
from orchestrator.core.steps import Step
from orchestrator.core.uptimes import begun

__all__ = ("rules_of_starts",)

_ASKS: Final = (
    SpecApplied,
    ScaleRequested,
    StartRequested,
    RestartRequested,
    CrashHistoryCleared,
)
"""Events that may queue a container anew which waits already."""


def rules_of_starts(step: Step, policies: CustomPolicies) -> dict[str, Rule]:
    """Return by which rule each run was started that a step begins, by name."""
    names = [command.name for command in begun(step)]
    if not names:
        return {}
    fleet = step.before
    if isinstance(step.event, _ASKS) or not all(
        _waits(fleet.containers.get(name)) for name in names
    ):
        fleet = _without_starts(step, policies)
    rules = {
        name: _waits(fleet.containers.get(name)) or _woken(step, name) for name in names
    }
    return {name: rule for name, rule in rules.items() if rule is not None}


def _waits(container: Container | None) -> Rule | None:
    """Return why a container waits for its turn, if it does."""
    if container is not None and isinstance(container.phase, Pending):
        return container.phase.rule
    return None


def _woken(step: Step, name: str) -> Rule | None:
    """Return why one that was asleep starts: another one waits, whose turn it was."""
    before = step.before.containers.get(name)
    is_asleep = before is not None and isinstance(before.phase, Asleep)
    return Rule.NEEDED if is_asleep else None


def _without_starts(step: Step, policies: CustomPolicies) -> Fleet:
    """Return the fleet after a step as it were if no start could be granted."""
    event = step.event
    if isinstance(event, SpecApplied):
        event = attrs.evolve(event, settings=_used_up(event.settings))
    before = attrs.evolve(
        step.before,
        settings=_used_up(step.before.settings),
        recent_starts=(step.event.at,),
    )
    return reduce(before, event, policies).fleet


def _used_up(settings: FleetSettings) -> FleetSettings:
    return attrs.evolve(settings, max_starts_per_minute=1)
