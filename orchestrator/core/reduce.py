"""One event moves the fleet: total, deterministic, and as cheap as what changes.

```
event of a container ─▶ find it ─▶ advance ─▶ put it back ─┐
event of the fleet ───▶ a step of its own ─────────────────┴▶ grant starts ─▶ commands
```

Starts are granted here and nowhere else: never before the first complete observation
after boot, never more at once or a minute than the fleet allows, first come first
served. ``reduce`` and ``fold`` drive the same ``step``; a property holds them equal.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from orchestrator.core.advance import advance
from orchestrator.core.commands import Command, ForgetContainer, ObserveFleet
from orchestrator.core.companions import involve_group, release_orphans
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.declare import apply_spec, declare
from orchestrator.core.drafts import (
    FleetDraft,
    close,
    is_removable,
    open_draft,
    place,
    remove,
)
from orchestrator.core.events import (
    Booted,
    CommandAccepted,
    CommandKind,
    ContainerEnded,
    ContainerErrored,
    ContainerEvent,
    ContainerReady,
    ContainerStarted,
    Event,
    FleetObserved,
    ReconcileRequested,
    RemoveRequested,
    SpecApplied,
    StartRequested,
    TimeReached,
)
from orchestrator.core.moments import Moment
from orchestrator.core.moves import launch
from orchestrator.core.outstanding import outstanding_of
from orchestrator.core.phases import Starting
from orchestrator.core.specs import Origin
from orchestrator.core.state import Container, Desired, Fleet
from orchestrator.core.steps import Step
from orchestrator.core.wake import MINUTE, observe_due

__all__ = ("Transition", "fold", "reduce", "step_of")


@attrs.frozen(kw_only=True)
class Transition:
    """The fleet after an event, what is to be done, and whose record was touched."""

    fleet: Fleet
    commands: tuple[Command, ...]
    touched: tuple[str, ...]


def reduce(
    fleet: Fleet, event: Event, policies: CustomPolicies = NO_POLICIES
) -> Transition:
    """Move the fleet by one event; one that does not apply is counted, no more.

    *policies* are the custom ones that specs of the fleet may name.
    """
    draft = open_draft(fleet, policies)
    commands = _step(draft, event)
    return Transition(
        fleet=close(draft), commands=commands, touched=tuple(draft.touched)
    )


def step_of(fleet: Fleet, event: Event, policies: CustomPolicies = NO_POLICIES) -> Step:
    """Move the fleet by one event, as ``reduce`` does; return all of it as a value."""
    moved = reduce(fleet, event, policies)
    return Step(
        before=fleet,
        event=event,
        after=moved.fleet,
        commands=moved.commands,
        touched=moved.touched,
    )


def fold(
    fleet: Fleet, events: Iterable[Event], policies: CustomPolicies = NO_POLICIES
) -> Fleet:
    """Move the fleet by many events, as ``reduce`` would one by one, only faster."""
    draft = open_draft(fleet, policies, mutable=True)
    for event in events:
        _ = _step(draft, event)
        draft.touched.clear()  # nobody asks; it would grow with every name there was
    return close(draft)


def _step(draft: FleetDraft, event: Event) -> tuple[Command, ...]:
    if event.at < draft.at:
        draft.ignored += 1
        return ()
    draft.at = event.at
    commands = _moved(draft, event)
    if draft.waiting:
        commands += _grant(draft, event.at)
    return _one_look(draft, commands, event.at) if commands else commands


def _moved(draft: FleetDraft, event: Event) -> tuple[Command, ...]:
    match event:
        case (
            ContainerStarted()
            | ContainerReady()
            | ContainerEnded()
            | ContainerErrored()
        ):
            draft.cursor = event.cursor or draft.cursor
            return _advance_one(draft, event)
        case Booted():
            return _boot(draft, event)
        case SpecApplied():
            return apply_spec(draft, event)
        case FleetObserved():
            return _observed(draft, event)
        case ReconcileRequested() | TimeReached(name=None):
            return _look(draft, event)
        case RemoveRequested():
            return _remove(draft, event)
        case CommandAccepted(kind=CommandKind.FORGET):
            return _forgotten(draft, event)
        case StartRequested() if event.name not in draft.containers:
            return _start_new(draft, event)
        case _:
            return _advance_one(draft, event)


def _advance_one(
    draft: FleetDraft, event: ContainerEvent | TimeReached
) -> tuple[Command, ...]:
    before = None if event.name is None else draft.containers.get(event.name)
    if before is None or (_is_early(draft, before) and isinstance(event, TimeReached)):
        draft.ignored += 1
        return ()
    after, commands = advance(before, event, draft)
    if after is not before:
        commands += place(draft, before, after)
        return commands + involve_group(draft, before, after)
    draft.ignored += not commands
    return commands


def _is_early(draft: FleetDraft, container: Container) -> bool:
    """Say whether a start would be given again before the first look after boot.

    The look may show it running; the reconcile that follows does what is due then.
    """
    return not draft.observed and isinstance(container.phase, Starting)


def _boot(draft: FleetDraft, event: Booted) -> tuple[Command, ...]:
    """Take over: nothing starts before the platform was seen."""
    draft.epoch = max(draft.epoch, event.epoch)
    draft.rules = event.rules
    draft.fences = event.fences
    draft.observed = False
    draft.observing = False
    return (ObserveFleet(),)


def _look(
    draft: FleetDraft, event: ReconcileRequested | TimeReached
) -> tuple[Command, ...]:
    if isinstance(event, TimeReached) and not observe_due(draft, event.at):
        return ()
    return (ObserveFleet(),)


def _one_look(
    draft: FleetDraft, commands: tuple[Command, ...], at: Moment
) -> tuple[Command, ...]:
    """Let one look at the platform do for all who want one."""
    looks = [command for command in commands if isinstance(command, ObserveFleet)]
    if not looks:
        return commands
    others = tuple(
        command for command in commands if not isinstance(command, ObserveFleet)
    )
    if draft.observing:
        return others
    draft.observing = True
    draft.reconciled_at = at
    return (*others, ObserveFleet())


def _observed(draft: FleetDraft, event: FleetObserved) -> tuple[Command, ...]:
    """Reconcile: do what is due for each container that is not where it should be.

    The first complete look after boot also gives again what was never confirmed.
    """
    draft.observing = False
    if not event.complete:
        return ()
    first = not draft.observed
    draft.observed = True
    commands: list[Command] = []
    for name in list(draft.diverged):
        before = draft.containers[name]
        due = TimeReached(at=event.at, name=name)
        after, orders = advance(before, due, draft)
        if after is not before:
            orders += place(draft, before, after)
            orders += involve_group(draft, before, after)
        elif first:
            orders += outstanding_of(after)
        commands += orders
    commands = _last_of_each(commands)
    commands += (
        ForgetContainer(name=name, run=run) for name, run in draft.forgetting.items()
    )
    _meet_strangers(draft, event)
    return tuple(commands)


def _last_of_each(commands: list[Command]) -> list[Command]:
    """Keep the last command of each container: its group may have had another word."""
    latest = {getattr(command, "name", None): command for command in commands}
    return list(latest.values())


def _meet_strangers(draft: FleetDraft, event: FleetObserved) -> None:
    for name in list(draft.strangers):
        if name not in event.strangers:
            draft.strangers = draft.strangers.drop(name)
    for name, run in event.strangers.items():
        draft.strangers = draft.strangers.put(name, run)


def _remove(draft: FleetDraft, event: RemoveRequested) -> tuple[Command, ...]:
    container = draft.containers.get(event.name)
    if container is None or not is_removable(container):
        draft.ignored += 1
        return ()
    commands = remove(draft, container, run=container.run)
    release_orphans(draft)
    return commands


def _forgotten(draft: FleetDraft, event: CommandAccepted) -> tuple[Command, ...]:
    if draft.forgetting.get(event.name) == event.run:
        draft.forgetting = draft.forgetting.drop(event.name)
    else:
        draft.ignored += 1
    return ()


def _start_new(draft: FleetDraft, event: StartRequested) -> tuple[Command, ...]:
    if event.declaration is None:
        draft.ignored += 1
        return ()
    desired = Desired(running=True, by=event.by, why=event.why, at=event.at)
    return declare(draft, event.declaration, Origin.AD_HOC, desired)


def _grant(draft: FleetDraft, at: Moment) -> tuple[Command, ...]:
    """Start those who wait, as many as the fleet's limits let go now."""
    commands: tuple[Command, ...] = ()
    while draft.observed and _has_slot(draft, at):
        first = draft.waiting.first()
        if first is None:
            break
        before = draft.containers[first[0][1]]
        after, started = launch(before, at, run_floor=draft.run_floor)
        commands += started
        _ = place(draft, before, after)
        _count_start(draft, at)
    return commands


def _has_slot(draft: FleetDraft, at: Moment) -> bool:
    if len(draft.starting) >= draft.settings.max_concurrent_starts:
        return False
    limit = draft.settings.max_starts_per_minute
    if limit is None or len(draft.recent_starts) < limit:
        return True
    return draft.recent_starts[-limit] + MINUTE <= at


def _count_start(draft: FleetDraft, at: Moment) -> None:
    limit = draft.settings.max_starts_per_minute
    if limit is not None:
        draft.recent_starts = (*draft.recent_starts, at)[-limit:]
