"""How containers leave together: those that others depend on go last.

Who leaves is wanted stopped at once. One on whom somebody depends who is being stopped
as well, and still lives, is *held*: it runs on until that has ended. Where dependencies
run in a circle (no spec says so that was admitted) nobody is first, and none is held.

A single container that is stopped by request is not held: its owner means now.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from orchestrator.core.commands import Command
from orchestrator.core.dependencies import circles
from orchestrator.core.drafts import FleetDraft, place
from orchestrator.core.moves import want
from orchestrator.core.ordering import let_go
from orchestrator.core.phases import Running, Starting, Unknown
from orchestrator.core.state import Container, Desired
from orchestrator.core.wishes import leave

__all__ = ("depart",)


def depart(
    draft: FleetDraft, leaving: Iterable[Container], asked: Desired
) -> tuple[Command, ...]:
    """Stop containers for good, dependents first."""
    commands: list[Command] = []
    needed: list[str] = []
    for container in leaving:
        if _may_be_held(draft, container):
            going = want(
                attrs.evolve(container, leaving=True), running=False, asked=asked
            )
            going = attrs.evolve(going, changed_at=asked.at)
            commands += place(draft, container, going)
            needed.append(container.name)
        else:
            left, orders = leave(container, asked)
            left = attrs.evolve(left, changed_at=asked.at)
            commands += orders + place(draft, container, left)
    if needed:
        commands += _in_order(draft, needed)
    return tuple(commands)


def _may_be_held(draft: FleetDraft, container: Container) -> bool:
    is_live = isinstance(container.phase, Starting | Running | Unknown)
    return is_live and container.spec.service in draft.awaited


def _in_order(draft: FleetDraft, needed: list[str]) -> list[Command]:
    """Hold those who have to wait for others, and stop the rest."""
    circled = _circled(draft)
    commands: list[Command] = []
    for service in circled:
        entry = draft.awaited.get(service)
        for name in () if entry is None else entry.held:
            commands += let_go(draft, draft.containers[name])
    for name in needed:
        container = draft.containers[name]
        entry = draft.awaited.get(container.spec.service)
        first = None if entry is None else entry.ending.first()
        if first is None or container.spec.service in circled:
            commands += let_go(draft, container)
        else:
            held = attrs.evolve(container, stops_after=first[0])
            commands += place(draft, container, held)
    return commands


def _circled(draft: FleetDraft) -> dict[str, None]:
    """Return the services that would wait for themselves to stop."""
    after = {
        service: tuple(entry.ending)
        for service, entry in draft.awaited.items()
        if entry.ending
    }
    return {service: None for circle in circles(after) for service in circle}
