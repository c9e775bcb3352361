"""What the owner does to the fleet as a whole: declare, renew, prune, remove.

A container whose spec has left the file is never left undeletable: it is stopped and
forgotten (``stop``), goes on as an ad-hoc container (``keep``), or is let go at once,
running (``forget``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

import attrs

from orchestrator.core.commands import Command
from orchestrator.core.companions import release_orphans
from orchestrator.core.departures import depart
from orchestrator.core.drafts import FleetDraft, abandon, is_removable, place, remove
from orchestrator.core.events import (
    Declaration,
    RemoveRequested,
    SpecApplied,
    StartRequested,
)
from orchestrator.core.notices import Notices
from orchestrator.core.noticing import silenced
from orchestrator.core.origins import Origin, Prune
from orchestrator.core.phases import Pending, Rule, live_run
from orchestrator.core.renewals import redeclare
from orchestrator.core.rollout_turns import woken
from orchestrator.core.services import Service
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.standings import is_drained
from orchestrator.core.state import Container, Desired
from orchestrator.core.succession import Line, lines_of, succeed
from orchestrator.core.wishes import leave

__all__ = ("apply_spec", "declare", "dismiss", "enlist", "remove_one", "start_new")


def declare(
    draft: FleetDraft,
    declaration: Declaration,
    origin: Origin,
    desired: Desired,
    *,
    generation: int = 1,
) -> tuple[Command, ...]:
    """Add a container that shall run; a stranger of its name lends it the run."""
    spec, at = declaration.spec, desired.at
    container = Container(
        name=spec.name,
        spec=spec,
        salt=declaration.salt,
        revision=1,
        origin=origin,
        desired=desired,
        phase=Pending(since=at, rule=Rule.DECLARED),
        run=draft.strangers.get(spec.name) or 0,
        changed_at=at,
        generation=generation,
    )
    draft.strangers = draft.strangers.drop(spec.name)
    draft.evicting = draft.evicting.drop(spec.name)
    return place(draft, None, container)


def start_new(draft: FleetDraft, event: StartRequested) -> tuple[Command, ...]:
    """Add an ad-hoc container that was asked for by a new name."""
    if event.declaration is None:
        draft.ignored += 1
        return ()
    desired = Desired(running=True, by=event.by, why=event.why, at=event.at)
    return declare(draft, event.declaration, Origin.AD_HOC, desired)


def remove_one(draft: FleetDraft, event: RemoveRequested) -> tuple[Command, ...]:
    """Drop an ad-hoc container that is at rest."""
    container = draft.containers.get(event.name)
    if container is None or not is_removable(container):
        draft.ignored += 1
        return ()
    commands = remove(draft, container, run=container.run)
    release_orphans(draft)
    return commands


def apply_spec(draft: FleetDraft, event: SpecApplied) -> tuple[Command, ...]:
    """Make the fleet what its owner declares; unchanged specs change nothing."""
    asked = Desired(running=True, by=event.by, why=event.why, at=event.at)
    changed = draft.settings != event.settings
    draft.name, draft.settings = event.fleet, event.settings
    if event.settings.notify is None and draft.notices != Notices():
        draft.notices = silenced(draft.notices)
    lines = lines_of(draft, event)
    declared = {declaration.spec.name for declaration in event.declarations}
    if lines:
        declared = set(_declared(lines, event))
    pruned = [
        container
        for name, container in draft.containers.items()
        if container.origin is Origin.MIN_REPLICA_SET
        and not container.leaving
        and name not in declared
    ]
    changed |= bool(pruned)
    prune = event.prune or draft.settings.prune
    commands = list(_prune(draft, pruned, prune, asked))
    for declaration in event.declarations:
        for own, generation in _each(lines, declaration):
            known = draft.containers.get(own.spec.name)
            commands += enlist(draft, own, asked, generation=generation)
            changed |= draft.containers.get(own.spec.name) is not known
    changed |= _serve(draft, event.services)
    if draft.lineages or lines:
        commands += succeed(draft, lines, asked)
    release_orphans(draft)
    draft.revision += changed
    return tuple(commands)


def _line_of(lines: dict[str, Line], spec: ContainerSpec) -> Line | None:
    return lines.get(spec.service) if spec.service != spec.name else None


def _declared(lines: dict[str, Line], event: SpecApplied) -> Iterator[str]:
    """Yield the names of all that a file declares, and of those that are it already."""
    for declaration in event.declarations:
        spec = declaration.spec
        line = _line_of(lines, spec)
        present = () if line is None else line.names(spec)
        yield from present or (spec.name,)


def _each(
    lines: dict[str, Line], declaration: Declaration
) -> Iterable[tuple[Declaration, int]]:
    """Return what a declaration means: of a service with revisions, by its index."""
    line = _line_of(lines, declaration.spec)
    return ((declaration, 1),) if line is None else line.declared(declaration)


def enlist(
    draft: FleetDraft, declaration: Declaration, asked: Desired, *, generation: int = 1
) -> tuple[Command, ...]:
    """Make a container one of the min replica set, under the spec it has there.

    *generation* is the revision of its service that the spec is of.
    """
    known = draft.containers.get(declaration.spec.name)
    if known is None:
        origin = Origin.MIN_REPLICA_SET
        return declare(draft, declaration, origin, asked, generation=generation)
    renewed, commands = _renew(known, declaration, asked)
    if renewed.generation != generation:
        renewed = attrs.evolve(renewed, generation=generation)
    if renewed == known:
        return commands
    renewed = attrs.evolve(renewed, changed_at=asked.at)
    return commands + place(draft, known, renewed)


def _serve(draft: FleetDraft, services: tuple[Service, ...]) -> bool:
    """Take down what services there are; say whether that is another list."""
    asked = {service.name: service for service in services}
    gone = [name for name in draft.services if name not in asked]
    for name in gone:
        draft.services = draft.services.drop(name)
    new = [each for name, each in asked.items() if draft.services.get(name) != each]
    for service in new:
        draft.services = draft.services.put(service.name, service)
    return bool(gone or new)


def _renew(
    container: Container, declaration: Declaration, asked: Desired
) -> tuple[Container, tuple[Command, ...]]:
    """Bring a known container under the spec it has in the file now.

    A new revision, or coming back to the file, is the owner's wish that it runs;
    the same spec applied again leaves alone what was stopped by request.
    """
    returns = container.leaving
    renewed = attrs.evolve(
        container, origin=Origin.MIN_REPLICA_SET, leaving=False, stops_after=""
    )
    changed = declaration.spec != container.spec
    if (returns or changed) and not container.desired.running:
        renewed = attrs.evolve(renewed, desired=asked)
    if changed:
        return redeclare(renewed, declaration.spec, asked.at)
    return renewed, ()


def _prune(
    draft: FleetDraft, pruned: list[Container], prune: Prune, asked: Desired
) -> tuple[Command, ...]:
    commands: list[Command] = []
    match prune:
        case Prune.KEEP:
            for container in pruned:
                kept = attrs.evolve(
                    woken(container, asked.at) if is_drained(container) else container,
                    origin=Origin.AD_HOC,
                    changed_at=asked.at,
                )
                commands += place(draft, container, kept)
        case Prune.FORGET:
            for container in pruned:
                commands += _forget(draft, container)
        case Prune.STOP:
            why = "its spec has left the fleet"
            commands += depart(draft, pruned, attrs.evolve(asked, why=why))
        case _:
            assert_never(prune)
    return tuple(commands)


def _forget(draft: FleetDraft, container: Container) -> tuple[Command, ...]:
    run = live_run(container.phase)
    if run is None:
        return remove(draft, container, run=container.run)
    abandon(draft, container)
    draft.run_floor = max(draft.run_floor, container.run)
    draft.strangers = draft.strangers.put(container.name, run)
    return ()


def dismiss(
    draft: FleetDraft, container: Container, asked: Desired
) -> tuple[Command, ...]:
    """Stop a container for good, and forget it then."""
    left, commands = leave(container, asked)
    left = attrs.evolve(left, changed_at=asked.at)
    return commands + place(draft, container, left)
