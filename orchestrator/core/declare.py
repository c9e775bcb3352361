"""What the owner does to the fleet as a whole: declare, renew, prune, remove.

A container whose spec has left the file is never left undeletable: it is stopped and
forgotten (``stop``), goes on as an ad-hoc container (``keep``), or is let go at once,
running (``forget``).
"""

from __future__ import annotations

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
from orchestrator.core.services import Service
from orchestrator.core.state import Container, Desired
from orchestrator.core.wishes import leave

__all__ = ("apply_spec", "declare", "dismiss", "enlist", "remove_one", "start_new")


def declare(
    draft: FleetDraft, declaration: Declaration, origin: Origin, desired: Desired
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
    declared = {declaration.spec.name for declaration in event.declarations}
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
        known = draft.containers.get(declaration.spec.name)
        commands += enlist(draft, declaration, asked)
        changed |= draft.containers.get(declaration.spec.name) is not known
    changed |= _serve(draft, event.services)
    release_orphans(draft)
    draft.revision += changed
    return tuple(commands)


def enlist(
    draft: FleetDraft, declaration: Declaration, asked: Desired
) -> tuple[Command, ...]:
    """Make a container one of the min replica set, under the spec it has there."""
    known = draft.containers.get(declaration.spec.name)
    if known is None:
        return declare(draft, declaration, Origin.MIN_REPLICA_SET, asked)
    renewed, commands = _renew(known, declaration, asked)
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
                ad_hoc = attrs.evolve(container, origin=Origin.AD_HOC)
                kept = attrs.evolve(ad_hoc, changed_at=asked.at)
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
