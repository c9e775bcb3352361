"""One event moves the fleet: total, deterministic, and as cheap as what changes.

```
event of a container ─▶ find it ─▶ advance ─▶ put it back ─┐
event of the fleet ───▶ a step of its own ─────────────────┴▶ grant starts ─▶ commands
```

``reduce`` and ``fold`` drive the same ``step``; a property holds them equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, get_args

import attrs

from orchestrator.core.advance import advance
from orchestrator.core.autoscale import minding, observe_load
from orchestrator.core.commands import Command, ForgetContainer, ObserveFleet
from orchestrator.core.companions import involve_group
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.declare import apply_spec, remove_one, start_new
from orchestrator.core.drafts import (
    TICKETED,
    FleetDraft,
    close,
    is_repeated,
    open_draft,
    place,
    take_note,
)
from orchestrator.core.events import (
    Booted,
    CommandAccepted,
    CommandKind,
    ContainerEvent,
    Event,
    FleetObserved,
    LifecycleEvent,
    ReconcileRequested,
    RemoveRequested,
    SpecApplied,
    StartRequested,
    TimeReached,
)
from orchestrator.core.evolving import maker, quick
from orchestrator.core.grants import grant
from orchestrator.core.loads import LoadObserved, ServiceRolled
from orchestrator.core.looks import look, one_look
from orchestrator.core.notices import NoticeDelivered, NoticeFailed
from orchestrator.core.noticing import delivered, failed, given_again
from orchestrator.core.ordering import settle
from orchestrator.core.outstanding import outstanding_of
from orchestrator.core.phases import Starting
from orchestrator.core.rollout_requests import request_rollout
from orchestrator.core.rollouts import (
    roll,
    seen_again,
    service_rolled,
    take_in,
    with_rolled,
)
from orchestrator.core.scaling import scale
from orchestrator.core.service_events import (
    AdoptRequested,
    OrphanStopRequested,
    RolloutRequested,
    ScaleRequested,
)
from orchestrator.core.state import Container, Fleet
from orchestrator.core.steps import Step
from orchestrator.core.strangers import adopt, evict, meet, stranger_ended

__all__ = ("Transition", "fold", "reduce", "step_of")


@quick
@attrs.frozen(kw_only=True, weakref_slot=False)
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
    touched = tuple(draft.touched)
    return _transition(fleet=close(draft), commands=commands, touched=touched)


_transition: Final = maker(Transition)
_taken: Final = maker(Step)


def step_of(fleet: Fleet, event: Event, policies: CustomPolicies = NO_POLICIES) -> Step:
    """Move the fleet by one event, as ``reduce`` does; return all of it as a value."""
    moved = reduce(fleet, event, policies)
    return _taken(
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
    at = event.at
    if at < draft.at:
        draft.ignored += 1
        return ()
    draft.at = at
    if event.__class__ in TICKETED and is_repeated(draft, event):
        draft.ignored += 1
        return ()
    commands = _MOVES[event.__class__](draft, event)
    if draft.rolling:
        commands = with_rolled(commands, roll(draft, event))
    if draft.stirred:
        commands += settle(draft)
    if draft.waiting:
        commands += grant(draft, at)
    if draft.rolling:
        _ = take_in(draft)  # who was asleep may have been woken
    if draft.notices.count or draft.settings.notify is not None:
        commands += take_note(draft)
    return one_look(draft, commands, at) if commands else commands


def _told(draft: FleetDraft, event: LifecycleEvent) -> tuple[Command, ...]:
    """Take in what the platform's stream tells, and how far it was heard."""
    if event.cursor:
        draft.cursor = event.cursor
    return _advance_one(draft, event)


def _accepted(draft: FleetDraft, event: CommandAccepted) -> tuple[Command, ...]:
    is_forgotten = event.kind is CommandKind.FORGET
    return _forgotten(draft, event) if is_forgotten else _advance_one(draft, event)


def _timed(draft: FleetDraft, event: TimeReached) -> tuple[Command, ...]:
    return look(draft, event) if event.name is None else _advance_one(draft, event)


def _started(draft: FleetDraft, event: StartRequested) -> tuple[Command, ...]:
    known = event.name in draft.containers
    return _advance_one(draft, event) if known else start_new(draft, event)


def _advance_one(
    draft: FleetDraft, event: ContainerEvent | TimeReached
) -> tuple[Command, ...]:
    before = None if event.name is None else draft.containers.get(event.name)
    if before is None:
        return stranger_ended(draft, event)
    if not (draft.observed or _is_in_time(before, event)):
        draft.ignored += 1
        return ()
    after, commands = advance(before, event, draft)
    if after is not before:
        commands += place(draft, before, after)
        if after.spec.group or before.spec.group:
            commands += involve_group(draft, before, after)
        return commands
    draft.ignored += not commands
    return commands


def _is_in_time(container: Container, event: ContainerEvent | TimeReached) -> bool:
    """Say whether no start would be given again before the first look after boot.

    The look may show it running; the reconcile that follows does what is due then.
    """
    return not (
        isinstance(event, TimeReached) and isinstance(container.phase, Starting)
    )


def _boot(draft: FleetDraft, event: Booted) -> tuple[Command, ...]:
    """Take over: nothing starts before the platform was seen.

    What was on its way to whoever is told of trouble may have been lost: it is sent
    once more.
    """
    draft.epoch = max(draft.epoch, event.epoch)
    draft.rules = event.rules
    draft.fences = event.fences
    draft.rolls = event.rolls
    draft.observed = False
    draft.observing = False
    return (*given_again(draft.notices), ObserveFleet())


def _observed(draft: FleetDraft, event: FleetObserved) -> tuple[Command, ...]:
    """Reconcile: do what is due for each container that is not where it should be.

    The first complete look after boot also gives again what was never confirmed.
    """
    draft.observing = False
    if not event.complete:
        return ()
    first = not draft.observed
    draft.observed = True
    draft.observed_at = draft.reconciled_at
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
    again = seen_again(draft) if first else ()
    return (*commands, *again, *meet(draft, event))


def _last_of_each(commands: list[Command]) -> list[Command]:
    """Keep the last command of each container: its group may have had another word."""
    latest = {getattr(command, "name", None): command for command in commands}
    return list(latest.values())


def _forgotten(draft: FleetDraft, event: CommandAccepted) -> tuple[Command, ...]:
    """Let go of a name that the platform has forgotten.

    A look under way may have begun before and still show it, as a stranger that nobody
    ends: the name is kept until that look is over, and forgotten once more.
    """
    if draft.forgetting.get(event.name) != event.run:
        draft.ignored += 1
    elif not draft.observing:
        draft.forgetting = draft.forgetting.drop(event.name)
    return ()


def _answered(
    draft: FleetDraft, event: NoticeDelivered | NoticeFailed
) -> tuple[Command, ...]:
    """Take in what came of a notice; one that nobody waits for is ignored."""
    before, notify = draft.notices, draft.settings.notify
    if isinstance(event, NoticeDelivered) or notify is None:
        draft.notices = delivered(before, event.number)
    else:
        draft.notices = failed(before, notify, event.number, event.at)
    draft.ignored += draft.notices is before
    return ()


_MOVES: Final[dict[type, Callable[[FleetDraft, Any], tuple[Command, ...]]]] = {
    **dict.fromkeys(get_args(ContainerEvent), _advance_one),
    **dict.fromkeys(get_args(LifecycleEvent), _told),
    CommandAccepted: _accepted,
    TimeReached: _timed,
    StartRequested: _started,
    RemoveRequested: remove_one,
    ReconcileRequested: look,
    SpecApplied: minding(apply_spec),
    ScaleRequested: minding(scale),
    AdoptRequested: minding(adopt),
    LoadObserved: observe_load,
    RolloutRequested: request_rollout,
    ServiceRolled: service_rolled,
    OrphanStopRequested: evict,
    FleetObserved: _observed,
    Booted: _boot,
    NoticeDelivered: _answered,
    NoticeFailed: _answered,
}
"""What moves the fleet, by the class of the event: looked up, not matched, for a chain
of classes is walked anew for each event. A test holds it to all there are."""
