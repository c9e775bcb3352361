"""Who waits for whom: starts in the order of dependencies, stops in the reverse.

A container whose turn has come, and which depends on a service that is not yet as it
must be, steps out of the queue and *waits for* that service. When the condition comes
to hold it goes back to its old place. A dependency that goes down later concerns only
starts: who runs is left alone, and who is restarted meanwhile waits.

Members that are asleep are woken for who waits: it is what they are there for, and
nobody else might ever ask for them.

Of containers that leave together (``core.departures``) those that others depend on are
*held*: they run on until the last of these has ended.

Note [Once a step]. ``settle`` does what is due after a step has moved a service that
others depend on (``draft.stirred``). What it does itself never makes more due: to go
back to the queue, to be woken, or to be stopped, changes no condition that holds, and
ends nobody's life.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from orchestrator.core.awaiting import count_members, unmet
from orchestrator.core.belonging import belonging_to
from orchestrator.core.commands import Command
from orchestrator.core.dependencies import Awaited, Condition
from orchestrator.core.drafts import FleetDraft, place
from orchestrator.core.evolving import evolve, evolver
from orchestrator.core.exits import Stopped
from orchestrator.core.moves import in_phase, order_stop, start_anew
from orchestrator.core.phases import Pending, Rule
from orchestrator.core.state import Container

__all__ = ("hold_back", "let_go", "settle")


def hold_back(draft: FleetDraft, container: Container) -> bool:
    """Have a container whose turn it is wait, if it must; say whether it does."""
    service = unmet(draft.awaited, container.spec)
    if not service:
        return False
    waits = _waiting_for(container.phase, service)
    _ = place(draft, container, in_phase(container, waits, draft.at))
    _wake(draft, service)
    return True


_waiting_for: Final = evolver(Pending, "waits_for")


def settle(draft: FleetDraft) -> tuple[Command, ...]:
    """Do what is due where services have moved that others depend on."""
    stirred = dict(draft.stirred)
    fresh = [service for service, is_new in stirred.items() if is_new]
    if fresh:
        count_members(draft, fresh, _members_of(draft, fresh))
    commands: list[Command] = []
    for service in stirred:
        entry = draft.awaited[service]
        _call_back(draft, entry)
        _wake(draft, service)
        commands += _let_follow(draft, entry)
        if not entry.dependents:
            draft.awaited = draft.awaited.drop(service)
    draft.stirred.clear()
    return tuple(commands)


def _members_of(draft: FleetDraft, services: Iterable[str]) -> Iterator[Container]:
    """Yield the members of services: replicas, and who is a service of its own."""
    for service in services:
        own = draft.containers.get(service)
        if own is not None and own.spec.service == service:
            yield own
        yield from belonging_to(draft, service)


def _call_back(draft: FleetDraft, entry: Awaited) -> None:
    """Put those back into the queue for whom the condition has come to hold."""
    for condition, names in entry.waiting.items():
        if not entry.holds(Condition(condition)):
            continue
        for name in names:
            container = draft.containers[name]
            queued = _waiting_for(container.phase, "")
            _ = place(draft, container, in_phase(container, queued, draft.at))


def _wake(draft: FleetDraft, service: str) -> None:
    """Start the members of a service that are asleep, if somebody waits for it."""
    entry = draft.awaited.get(service)
    if entry is None or not (entry.asleep and entry.waiting):
        return
    for name in entry.asleep:
        container = draft.containers[name]
        woken = start_anew(container, draft.at, Rule.NEEDED)
        _ = place(draft, container, woken)


def _let_follow(draft: FleetDraft, entry: Awaited) -> list[Command]:
    """Stop the held members that nobody live depends on any more."""
    commands: list[Command] = []
    if not entry.ending:
        for name in entry.held:
            commands += let_go(draft, draft.containers[name])
    return commands


def let_go(draft: FleetDraft, container: Container) -> tuple[Command, ...]:
    """End the run of a container that leaves."""
    free = evolve(container, stops_after="")
    stopped, commands = order_stop(free, draft.at, Stopped())
    return commands + place(draft, container, stopped)
