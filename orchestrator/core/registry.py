"""Which custom policies an event or a fleet needs, and which of them are missing.

Asked before anything is decided with them: at the door (``core.admit``), and by
whoever folds a journal. The fold itself is total and would give up instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from orchestrator.core.custom import CustomPolicies
from orchestrator.core.errors import PolicyNotRegistered
from orchestrator.core.events import Event, SpecApplied, StartRequested
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.service_events import AdoptRequested, ScaleRequested
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
    return _missing(_declared(event), policies)


def not_registered_of_fleet(
    fleet: Fleet, policies: CustomPolicies
) -> PolicyNotRegistered | None:
    """Return the first custom policy that a fleet needs and nobody registered."""
    specs = (container.spec for container in fleet.containers.values())
    return _missing((*specs, *_template(fleet.settings)), policies)


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
