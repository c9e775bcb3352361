"""Which custom policies an event or a fleet needs, and which of them are missing.

So it is with strategies of rollouts: a version that the program has not is missing.

Asked before anything is decided with them: at the door (``core.admit``), and by
whoever folds a journal. The fold itself is total and would give up instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from orchestrator.core.custom import CustomPolicies, is_strategy
from orchestrator.core.errors import PolicyNotRegistered
from orchestrator.core.events import Event, SpecApplied, StartRequested
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.rollout_policies import RolloutPolicy
from orchestrator.core.service_events import AdoptRequested, ScaleRequested
from orchestrator.core.services import Service
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Fleet

__all__ = ("not_registered", "not_registered_of_fleet")

_DECLARING: Final = (SpecApplied, StartRequested, ScaleRequested, AdoptRequested)
"""Events that may declare a spec."""


def not_registered(
    event: Event, policies: CustomPolicies
) -> PolicyNotRegistered | None:
    """Return the first custom policy that an event declares and nobody registered."""
    if not isinstance(event, _DECLARING):  # asked of every event of a journal
        return None
    missing = _missing(_declared(event), policies)
    if missing is None and isinstance(event, SpecApplied):
        return _missing_strategy(_rolled(event.services), policies)
    return missing


def not_registered_of_fleet(
    fleet: Fleet, policies: CustomPolicies
) -> PolicyNotRegistered | None:
    """Return the first custom policy that a fleet needs and nobody registered."""
    specs = (container.spec for container in fleet.containers.values())
    missing = _missing((*specs, *_template(fleet.settings)), policies)
    if missing is not None:
        return missing
    under_way = (
        (name, lineage.rollout.policy)
        for name, lineage in fleet.lineages.items()
        if lineage.rollout is not None
    )
    return _missing_strategy((*_rolled(fleet.services.values()), *under_way), policies)


def _declared(event: Event) -> Iterator[ContainerSpec]:
    match event:
        case SpecApplied(settings=settings, declarations=declarations):
            yield from (declaration.spec for declaration in declarations)
            yield from _template(settings)
        case ScaleRequested(declarations=declarations):
            yield from (declaration.spec for declaration in declarations)
        case StartRequested(declaration=declaration) if declaration is not None:
            yield declaration.spec
        case AdoptRequested(declaration=declaration):
            yield declaration.spec
        case _:
            return


def _template(settings: FleetSettings) -> tuple[ContainerSpec, ...]:
    return () if settings.ad_hoc is None else (settings.ad_hoc,)


def _missing(
    specs: Iterable[ContainerSpec], policies: CustomPolicies
) -> PolicyNotRegistered | None:
    for spec in specs:
        ref = spec.restart.custom
        if ref is not None and (ref.name, ref.version) not in policies:
            return PolicyNotRegistered(
                name=spec.name, policy=ref.name, version=ref.version
            )
    return None


def _rolled(services: Iterable[Service]) -> Iterator[tuple[str, RolloutPolicy]]:
    for service in services:
        if service.rollout is not None:
            yield service.name, service.rollout


def _missing_strategy(
    rolled: Iterable[tuple[str, RolloutPolicy]], policies: CustomPolicies
) -> PolicyNotRegistered | None:
    for name, policy in rolled:
        if not is_strategy(policies, policy.strategy, policy.version):
            return PolicyNotRegistered(
                name=name, policy=policy.strategy, version=policy.version
            )
    return None
