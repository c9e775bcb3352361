"""Events as they are shown to others: without what looks secret.

A fleet file may hold literal values under telling keys. They are in the journal, for
the containers need them; they are in no answer.
"""

from __future__ import annotations

import attrs

from orchestrator.core.events import (
    Declaration,
    Event,
    SpecApplied,
    StartRequested,
)
from orchestrator.core.service_events import AdoptRequested, ScaleRequested
from orchestrator.runtime.masks import masked_service, masked_settings, masked_spec

__all__ = ("shown_event",)


def shown_event(event: Event) -> Event:
    """Return an event without literal values of keys that look secret."""
    match event:
        case SpecApplied(settings=settings, declarations=declarations):
            return attrs.evolve(
                event,
                settings=masked_settings(settings),
                declarations=tuple(map(_shown, declarations)),
                services=tuple(map(masked_service, event.services)),
            )
        case ScaleRequested(declarations=declarations):
            return attrs.evolve(event, declarations=tuple(map(_shown, declarations)))
        case StartRequested(declaration=Declaration() as declaration):
            return attrs.evolve(event, declaration=_shown(declaration))
        case AdoptRequested(declaration=declaration):
            return attrs.evolve(event, declaration=_shown(declaration))
        case _:
            return event


def _shown(declaration: Declaration) -> Declaration:
    return attrs.evolve(declaration, spec=masked_spec(declaration.spec))
