"""A fleet opened for change: the working copy that ``reduce`` and ``fold`` share.

``reduce`` opens a draft over persistent tables, takes one step and closes it; ``fold``
opens one over private mutable tables and takes them all. The steps are the same code:
two drivers, one rule book.

``place`` puts a container back and keeps every index true. It is the only place that
writes one.
"""

from __future__ import annotations

from bisect import insort
from typing import TypeAlias, TypeVar

import attrs

from orchestrator.core.commands import Command, ForgetContainer
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.groups import Membership
from orchestrator.core.moments import Moment
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
from orchestrator.core.table import MutableTable, Table

__all__ = (
    "FleetDraft",
    "abandon",
    "close",
    "diverges",
    "is_removable",
    "open_draft",
    "place",
    "remove",
)

K = TypeVar("K")
V = TypeVar("V")
AnyTable: TypeAlias = Table[K, V] | MutableTable[K, V]


@attrs.define(kw_only=True)
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
    policies: CustomPolicies = NO_POLICIES
    touched: dict[str, None] = attrs.field(factory=dict[str, None])
    """Names whose record an event changed, in order: an ordered set."""


_FIELDS = tuple(field.name for field in attrs.fields(Fleet))
_TABLES = (
    "containers",
    "waiting",
    "starting",
    "diverged",
    "forgetting",
    "strangers",
    "groups",
)


def open_draft(
    fleet: Fleet, policies: CustomPolicies, *, mutable: bool = False
) -> FleetDraft:
    """Open a fleet for change; *mutable* copies its tables first."""
    values = {name: getattr(fleet, name) for name in _FIELDS}
    if mutable:
        values |= {name: MutableTable(values[name]) for name in _TABLES}
    return FleetDraft(**values, policies=policies)


def close(draft: FleetDraft) -> Fleet:
    """Return the fleet that the draft has become; the draft is not used again."""
    values = {name: getattr(draft, name) for name in _FIELDS}
    for name in _TABLES:
        if isinstance(values[name], MutableTable):
            values[name] = values[name].freeze()
    return Fleet(**values)


def diverges(container: Container) -> bool:
    """Say whether anything is still to happen, for reconcile to look at it again."""
    match container.phase:
        case Running(ready_at=ready_at):
            return ready_at is None or not container.desired.running
        case Stopped() | Completed() | Failed() | Asleep() | CrashLooping(until=None):
            return False
        case _:
            return True


def place(
    draft: FleetDraft, before: Container | None, after: Container
) -> tuple[Command, ...]:
    """Put a container back in its new state; one that leaves goes when it rests."""
    if after.leaving and live_run(after.phase) is None:
        return remove(draft, before or after, run=after.run)
    _index(draft, after.name, before, after)
    draft.containers = draft.containers.put(after.name, after)
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
    old, new = _waits(before), _waits(after)
    if old != new:
        if old is not None:
            draft.waiting = draft.waiting.drop(old)
        if new is not None:
            draft.waiting = draft.waiting.put(new, None)
    if _is_starting(before) != _is_starting(after):
        draft.starting = _toggled(draft.starting, name)
    if _wanders(before) != _wanders(after):
        draft.diverged = _toggled(draft.diverged, name)
    old_place, new_place = _group_of(before), _group_of(after)
    if old_place != new_place:
        _regroup(draft, name, old_place, new_place)


def _group_of(container: Container | None) -> Membership | None:
    return None if container is None else container.spec.group


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


def _waits(container: Container | None) -> tuple[Moment, str] | None:
    if container is not None and isinstance(container.phase, Pending):
        return container.phase.since, container.name
    return None


def _is_starting(container: Container | None) -> bool:
    return container is not None and isinstance(container.phase, Starting)


def _wanders(container: Container | None) -> bool:
    return container is not None and diverges(container)


def _toggled(index: AnyTable[str, None], name: str) -> AnyTable[str, None]:
    return index.drop(name) if name in index else index.put(name, None)


def is_removable(container: Container) -> bool:
    """Say whether nothing of it runs, and nothing will by itself."""
    match container.phase:
        case Stopped() | Completed() | Failed() | CrashLooping(until=None):
            return True
        case _:
            return False
