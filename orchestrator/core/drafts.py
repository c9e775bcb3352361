"""A fleet opened for change: the working copy that ``reduce`` and ``fold`` share.

``reduce`` opens a draft over persistent tables, takes one step and closes it; ``fold``
opens one over private mutable tables and takes them all. The steps are the same code:
two drivers, one rule book.

``place`` puts a container back and keeps every index true. It is the only place that
writes one.
"""

from __future__ import annotations

from bisect import insort
from typing import Final, TypeAlias, TypeVar

import attrs

from orchestrator.core.commands import Command, ForgetContainer
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.evolving import remade
from orchestrator.core.groups import Membership
from orchestrator.core.moments import Moment
from orchestrator.core.mutable_table import MutableTable
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
    draft = FleetDraft(
        name=fleet.name,
        settings=fleet.settings,
        containers=fleet.containers,
        revision=fleet.revision,
        at=fleet.at,
        epoch=fleet.epoch,
        rules=fleet.rules,
        fences=fleet.fences,
        observed=fleet.observed,
        observing=fleet.observing,
        reconciled_at=fleet.reconciled_at,
        run_floor=fleet.run_floor,
        cursor=fleet.cursor,
        ignored=fleet.ignored,
        recent_starts=fleet.recent_starts,
        waiting=fleet.waiting,
        starting=fleet.starting,
        diverged=fleet.diverged,
        forgetting=fleet.forgetting,
        strangers=fleet.strangers,
        groups=fleet.groups,
        policies=policies,
    )
    if mutable:
        for name in _TABLES:
            setattr(draft, name, MutableTable(getattr(fleet, name)))
    return draft


def close(draft: FleetDraft) -> Fleet:
    """Return the fleet that the draft has become; the draft is not used again."""
    if isinstance(draft.containers, Table):
        return remade(Fleet, draft)
    frozen = {name: getattr(draft, name).freeze() for name in _TABLES}
    return remade(Fleet, draft, **frozen)


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
    old, new = _NOWHERE, _NOWHERE
    old_group: Membership | None = None
    new_group: Membership | None = None
    if before is not None:
        old, old_group = _stand(before), before.spec.group
    if after is not None:
        new, new_group = _stand(after), after.spec.group
    if old != new:
        _restand(draft, name, old, new)
    if old_group is not new_group and old_group != new_group:
        _regroup(draft, name, old_group, new_group)


_Stand: TypeAlias = tuple[Moment | None, bool, bool]
"""Since when it waits, whether it is starting, whether it diverges."""

_NOWHERE: Final[_Stand] = (None, False, False)


def _stand(container: Container) -> _Stand:
    """Say where among the indexes a container stands."""
    match container.phase:
        case Pending(since=since):
            return since, False, True
        case Starting():
            return None, True, True
        case _:
            return None, False, diverges(container)


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


def is_removable(container: Container) -> bool:
    """Say whether nothing of it runs, and nothing will by itself."""
    match container.phase:
        case Stopped() | Completed() | Failed() | CrashLooping(until=None):
            return True
        case _:
            return False
