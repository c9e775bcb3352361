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

from orchestrator.core.awaiting import reckon
from orchestrator.core.belonging import reassign
from orchestrator.core.commands import Command, ForgetContainer
from orchestrator.core.custom import CustomPolicies
from orchestrator.core.dependencies import Awaited
from orchestrator.core.events import Event, OwnerEvent
from orchestrator.core.evolving import closer, opener
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.groups import Membership
from orchestrator.core.lineages import Lineage
from orchestrator.core.loads import Loads
from orchestrator.core.moments import Moment
from orchestrator.core.mutable_table import MutableTable
from orchestrator.core.notices import Notices
from orchestrator.core.noticing import noticed, sent
from orchestrator.core.phases import (
    Completed,
    CrashLooping,
    Failed,
    Stopped,
    live_run,
)
from orchestrator.core.services import Service
from orchestrator.core.stands import NOWHERE, STANDS, STARTING, Stand, stand_of
from orchestrator.core.state import Container, Fleet
from orchestrator.core.table import Table
from orchestrator.core.tickets import Ticket, Tickets, remembered, use_of

__all__ = (
    "TICKETED",
    "FleetDraft",
    "abandon",
    "close",
    "freeze",
    "is_removable",
    "is_repeated",
    "is_watched",
    "open_draft",
    "place",
    "remove",
    "take_note",
    "thaw",
)

K = TypeVar("K")
V = TypeVar("V")
AnyTable: TypeAlias = Table[K, V] | MutableTable[K, V]


class _Margin:
    """What a draft has beside the fields of a fleet."""

    __slots__ = ("heeded", "policies", "queued", "stirred", "touched", "watched")

    heeded: bool
    """Whether anybody may be awaited by others; to ask the table would be a call."""
    policies: CustomPolicies
    queued: bool
    """Whether anybody may wait for a start."""
    stirred: dict[str, bool]
    """Services that others depend on, and that have moved (``core.awaiting``)."""
    touched: dict[str, Container | None]
    """Names whose record an event changed, in order, and what they were before it."""
    watched: bool
    """Whether somebody watches every step: a rollout, or who is told of trouble."""


@attrs.define(kw_only=True, slots=False, init=False, eq=False)
class FleetDraft(_Margin):
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
    services: AnyTable[str, Service]
    evicting: AnyTable[str, int]
    awaited: AnyTable[str, Awaited]
    lineages: AnyTable[str, Lineage]
    rolling: AnyTable[str, None]
    loads: AnyTable[str, Loads]
    rolls: bool
    rolls_at: AnyTable[tuple[Moment, str], None]


TICKETED: Final[frozenset[type]] = frozenset(get_args(OwnerEvent))
"""Events that may carry a ticket."""

_TABLES: Final = [f.name for f in attrs.fields(Fleet) if isinstance(f.default, Table)]
_opened: Final = opener(FleetDraft, Fleet)


def open_draft(fleet: Fleet, policies: CustomPolicies) -> FleetDraft:
    """Open a fleet for change."""
    draft = _opened(fleet)
    draft.policies, draft.touched, draft.stirred = policies, {}, {}
    draft.queued, draft.heeded = fleet.waiting.size > 0, fleet.awaited.size > 0
    draft.watched = is_watched(draft)
    return draft


close: Final = closer(Fleet, FleetDraft)
"""Return the fleet that a draft has become; the draft is not used again."""


def thaw(fleet: Fleet, policies: CustomPolicies) -> FleetDraft:
    """Open a fleet over tables that are changed in place, which are copied first."""
    draft = open_draft(fleet, policies)
    for name in _TABLES:
        setattr(draft, name, MutableTable(getattr(fleet, name)))
    return draft


def freeze(draft: FleetDraft) -> Fleet:
    """Return the fleet that such a draft has become; it is not used again either."""
    for name in _TABLES:
        setattr(draft, name, getattr(draft, name).freeze())
    return close(draft)


def is_watched(draft: FleetDraft) -> bool:
    """Say whether somebody watches every step of a fleet, whatever it is about."""
    is_told = draft.settings.notify is not None
    return is_told or draft.notices.count > 0 or draft.rolling.size > 0


def place(
    draft: FleetDraft, before: Container | None, after: Container
) -> tuple[Command, ...]:
    """Put a container back in its new state; one that leaves goes when it rests."""
    if after.leaving and live_run(after.phase) is None:
        return remove(draft, before or after, run=after.run)
    name = after.name
    _ = draft.touched.setdefault(name, before)
    new = STANDS[after.phase.__class__] or stand_of(after)
    if before is None:
        _restand(draft, name, NOWHERE, new)
        _relate(draft, name, None, after)
    else:
        # Mostly the class of a phase says it: no call is needed.
        old = STANDS[before.phase.__class__] or stand_of(before)
        if old is not new:
            _restand(draft, name, old, new)
        if before.spec is not after.spec or draft.heeded:
            _relate(draft, name, before, after)
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
    name = container.name
    _ = draft.touched.setdefault(name, container)
    _restand(draft, name, stand_of(container), NOWHERE)
    _relate(draft, name, container, None)
    draft.containers = draft.containers.drop(name)


def _restand(draft: FleetDraft, name: str, old: Stand, new: Stand) -> None:
    """Take a container out of the indexes where it stood, and put it into the others.

    Whoever stands somewhere is in the one of the diverged, too.
    """
    if old is STARTING:
        draft.starting = draft.starting.drop(name)
    elif isinstance(old, int):
        draft.waiting = draft.waiting.drop((old, name))
    if new is NOWHERE:
        draft.diverged = draft.diverged.drop(name)
        return
    if new is STARTING:
        draft.starting = draft.starting.put(name, None)
    elif isinstance(new, int):
        draft.waiting = draft.waiting.put((new, name), None)
        draft.queued = True
    if old is NOWHERE:
        draft.diverged = draft.diverged.put(name, None)


def _relate(
    draft: FleetDraft, name: str, before: Container | None, after: Container | None
) -> None:
    """Keep true what its spec says of others: its service, its group, whom it needs."""
    old = None if before is None else before.spec
    new = None if after is None else after.spec
    if old is not new:
        reassign(draft, name, old, new)
    old_group = None if old is None else old.group
    new_group = None if new is None else new.group
    if old_group != new_group:
        _regroup(draft, name, old_group, new_group)
    if draft.awaited or (new is not None and new.depends_on):
        draft.heeded = True
        reckon(draft, before, after)


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
    notify, at = draft.settings.notify, draft.at
    if draft.touched and notify is not None:
        now = draft.containers
        changes = [(name, was, now.get(name)) for name, was in draft.touched.items()]
        draft.notices = noticed(draft.notices, notify, changes, at, draft.epoch)
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
