"""A fleet opened for change: the working copy that ``reduce`` and ``fold`` share.

``reduce`` opens a draft over persistent tables, takes one step and closes it; ``fold``
opens one over private mutable tables and takes them all. The steps are the same code:
two drivers, one rule book.

``place`` puts a container back and keeps every index true. It is the only place that
writes one.
"""

from __future__ import annotations

from bisect import insort
from typing import Final, TypeAlias, TypeVar, get_args

import attrs

from orchestrator.core.commands import Command, ForgetContainer
from orchestrator.core.custom import CustomPolicies
from orchestrator.core.events import Event, OwnerEvent
from orchestrator.core.evolving import evolver, quick
from orchestrator.core.groups import Membership
from orchestrator.core.moments import Moment
from orchestrator.core.mutable_table import MutableTable
from orchestrator.core.notices import Notices
from orchestrator.core.noticing import noticed, sent
from orchestrator.core.phases import (
    Asleep,
    Completed,
    CrashLooping,
    Failed,
    Pending,
    Running,
    Starting,
    Stopped,
    live_run,
)
from orchestrator.core.specs import FleetSettings
from orchestrator.core.state import Container, Fleet
from orchestrator.core.table import Table
from orchestrator.core.tickets import Ticket, Tickets, remembered, use_of

__all__ = (
    "TICKETED",
    "FleetDraft",
    "abandon",
    "close",
    "diverges",
    "is_removable",
    "is_repeated",
    "open_draft",
    "place",
    "remove",
    "take_note",
)

K = TypeVar("K")
V = TypeVar("V")
AnyTable: TypeAlias = Table[K, V] | MutableTable[K, V]


@quick
@attrs.define(kw_only=True, weakref_slot=False)
class FleetDraft:
    """A fleet with the same fields, to be changed in place, step after step."""

    name: str
    settings: FleetSettings
    containers: AnyTable[str, Container]
    revision: int
    at: Moment
    epoch: int
    rules: int
    fences: bool
    observed: bool
    observing: bool
    reconciled_at: Moment | None
    run_floor: int
    cursor: str
    ignored: int
    recent_starts: tuple[Moment, ...]
    waiting: AnyTable[tuple[Moment, str], None]
    starting: AnyTable[str, None]
    diverged: AnyTable[str, None]
    forgetting: AnyTable[str, int]
    strangers: AnyTable[str, int]
    groups: AnyTable[str, tuple[tuple[int, str], ...]]
    observed_at: Moment | None
    tickets: Tickets
    notices: Notices
    policies: CustomPolicies
    touched: dict[str, None]
    """Names whose record an event changed, in order: an ordered set."""
    moved: dict[str, Container | None]
    """What they were before it; kept only where somebody is to be told of trouble."""


TICKETED: Final[frozenset[type]] = frozenset(get_args(OwnerEvent))
"""Events that may carry a ticket."""

_TABLES: Final = [f.name for f in attrs.fields(Fleet) if isinstance(f.default, Table)]
_opened = evolver(FleetDraft, "policies", "touched", "moved")
_closed = evolver(Fleet)


def open_draft(
    fleet: Fleet, policies: CustomPolicies, *, mutable: bool = False
) -> FleetDraft:
    """Open a fleet for change; *mutable* copies its tables first."""
    draft = _opened(fleet, policies, {}, {})
    if mutable:
        for name in _TABLES:
            setattr(draft, name, MutableTable(getattr(fleet, name)))
    return draft


def close(draft: FleetDraft) -> Fleet:
    """Return the fleet that the draft has become; the draft is not used again."""
    if isinstance(draft.containers, MutableTable):
        for name in _TABLES:
            setattr(draft, name, getattr(draft, name).freeze())
    return _closed(draft)


def diverges(container: Container) -> bool:
    """Say whether anything is still to happen, for reconcile to look at it again."""
    return _stand(container)[2]


def place(
    draft: FleetDraft, before: Container | None, after: Container
) -> tuple[Command, ...]:
    """Put a container back in its new state; one that leaves goes when it rests."""
    if after.leaving and live_run(after.phase) is None:
        return remove(draft, before or after, run=after.run)
    name = after.name
    _index(draft, name, before, after)
    draft.containers = draft.containers.put(name, after)
    return ()


def remove(draft: FleetDraft, container: Container, *, run: int) -> tuple[Command, ...]:
    """Drop a container and have the platform forget it; its runs are never reused."""
    abandon(draft, container)
    draft.run_floor = max(draft.run_floor, run)
    draft.forgetting = draft.forgetting.put(container.name, run)
    return (ForgetContainer(name=container.name, run=run),)


def abandon(draft: FleetDraft, container: Container) -> None:
    """Drop a container from the fleet and do nothing about it."""
    _index(draft, container.name, container, None)
    draft.containers = draft.containers.drop(container.name)


def _index(
    draft: FleetDraft, name: str, before: Container | None, after: Container | None
) -> None:
    """Bring the indexes from what *before* asks of them to what *after* does."""
    draft.touched[name] = None
    if draft.settings.notify is not None:
        _ = draft.moved.setdefault(name, before)
    old = _NOWHERE if before is None else _stand(before)
    new = _NOWHERE if after is None else _stand(after)
    if old is not new:
        _restand(draft, name, old, new)
    if before is None or after is None or before.spec is not after.spec:
        old_group = None if before is None else before.spec.group
        new_group = None if after is None else after.spec.group
        if old_group != new_group:
            _regroup(draft, name, old_group, new_group)


_Stand: TypeAlias = tuple[Moment | None, bool, bool]
"""Since when it waits, whether it is starting, whether it diverges."""

_NOWHERE: Final[_Stand] = (None, False, False)
_STARTING: Final[_Stand] = (None, True, True)
_DIVERGED: Final[_Stand] = (None, False, True)


def _stand(container: Container) -> _Stand:
    """Say where among the indexes a container stands."""
    phase = container.phase
    if isinstance(phase, Running):
        is_settled = phase.ready_at is not None and container.desired.running
        return _NOWHERE if is_settled else _DIVERGED
    match phase:
        case Starting():
            return _STARTING
        case Pending(since=since):
            return since, False, True
        case Stopped() | Completed() | Failed() | Asleep() | CrashLooping(until=None):
            return _NOWHERE
        case _:
            return _DIVERGED


def _restand(draft: FleetDraft, name: str, old: _Stand, new: _Stand) -> None:
    (old_since, was_starting, diverged), (since, is_starting, wanders) = old, new
    if old_since != since:
        if old_since is not None:
            draft.waiting = draft.waiting.drop((old_since, name))
        if since is not None:
            draft.waiting = draft.waiting.put((since, name), None)
    if was_starting is not is_starting:
        index = draft.starting
        draft.starting = index.put(name, None) if is_starting else index.drop(name)
    if diverged is not wanders:
        index = draft.diverged
        draft.diverged = index.put(name, None) if wanders else index.drop(name)


def _regroup(
    draft: FleetDraft, name: str, old: Membership | None, new: Membership | None
) -> None:
    if old is not None:
        row = draft.groups.get(old.group) or ()
        rest = tuple(place for place in row if place[1] != name)
        draft.groups = (
            draft.groups.put(old.group, rest) if rest else draft.groups.drop(old.group)
        )
    if new is not None:
        row = draft.groups.get(new.group) or ()
        places = list(row)
        insort(places, (new.position, name))
        draft.groups = draft.groups.put(new.group, tuple(places))


def take_note(draft: FleetDraft) -> tuple[Command, ...]:
    """Notice what a step has come to, and send what is due."""
    notify, moved, at = draft.settings.notify, draft.moved, draft.at
    if moved and notify is not None:
        now = draft.containers
        changes = [(name, was, now.get(name)) for name, was in moved.items()]
        draft.notices = noticed(draft.notices, notify, changes, at, draft.epoch)
    moved.clear()
    draft.notices, commands = sent(draft.notices, at)
    return commands


def is_repeated(draft: FleetDraft, event: Event) -> bool:
    """Say whether the ticket of an event was used before; remember it if not."""
    ticket: Ticket | None = getattr(event, "ticket", None)
    if ticket is None:
        return False
    if use_of(draft.tickets, ticket.key, event.at) is not None:
        return True
    draft.tickets = remembered(draft.tickets, ticket, event.at)
    return False


def is_removable(container: Container) -> bool:
    """Say whether nothing of it runs, and nothing will by itself."""
    match container.phase:
        case Stopped() | Completed() | Failed() | CrashLooping(until=None):
            return True
        case _:
            return False
