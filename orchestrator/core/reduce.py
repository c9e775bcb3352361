"""One event moves the fleet: total, deterministic, and as cheap as what changes.

```
event of a container ─▶ find it ─▶ advance ─▶ put it back ─┐
event of the fleet ───▶ a step of its own ─────────────────┴▶ grant starts ─▶ commands
```

``reduce`` and ``fold`` drive the same ``step``; a property holds them equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from orchestrator.core.commands import Command
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.drafts import (
    TICKETED,
    FleetDraft,
    close,
    freeze,
    is_repeated,
    open_draft,
    take_note,
    thaw,
)
from orchestrator.core.events import (
    Event,
)
from orchestrator.core.evolving import maker, quick
from orchestrator.core.grants import grant
from orchestrator.core.looks import one_look
from orchestrator.core.ordering import settle
from orchestrator.core.rollout_sights import Seen, follow
from orchestrator.core.rollouts import roll, with_rolled
from orchestrator.core.state import Fleet
from orchestrator.core.steps import Step
from orchestrator.core.turns import TURNS, Orders

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
    draft = thaw(fleet, policies)
    for event in events:
        _ = _step(draft, event)
    return freeze(draft)


def _step(draft: FleetDraft, event: Event) -> tuple[Command, ...]:
    at = event.at
    draft.touched = {}
    if at < draft.at:
        draft.ignored += 1
        return ()
    draft.at = at
    if event.__class__ in TICKETED and is_repeated(draft, event):
        draft.ignored += 1
        return ()
    commands = TURNS[event.__class__](draft, event)
    if draft.watched:
        commands = _watch(draft, event, commands)
    else:
        if draft.stirred:
            commands += settle(draft)
        if draft.queued:
            commands += grant(draft, at)
    return one_look(draft, commands, at) if commands else commands


def _watch(draft: FleetDraft, event: Event, commands: Orders) -> Orders:
    """Do the same where a rollout is under way, or somebody is told of trouble."""
    seen: Seen = {}
    if draft.rolling:
        commands = with_rolled(commands, roll(draft, event, seen))
    if draft.stirred:
        commands += settle(draft)
    if draft.queued:
        commands += grant(draft, draft.at)
    if draft.rolling:
        follow(draft, seen)
    return commands + take_note(draft)
