"""The index of who is awaited: kept true as containers move, without a look at others.

A service has an entry as long as somebody depends on it. What a container adds to the
entries (as a member of its own service, as a dependent of others) follows from its
record; where that changes, the entries do, and the service is *stirred*: there may be
something to do about it (``core.ordering``). So the cost follows what changes. Only
where a service is depended on for the first time its members are looked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol, TypeAlias, TypeVar

import attrs

from orchestrator.core.dependencies import Awaited, Condition
from orchestrator.core.mutable_table import MutableTable
from orchestrator.core.phases import (
    Asleep,
    Completed,
    Pending,
    Phase,
    Running,
    Starting,
    Unknown,
    live_run,
)
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container
from orchestrator.core.table import Table

__all__ = ("Dependent", "Member", "as_member", "count_members", "reckon", "unmet")

V = TypeVar("V")
_Rows: TypeAlias = Table[str, Table[str, None]]


class Dependent(Protocol):
    """What is kept of who is awaited: part of a fleet that is open for change."""

    awaited: Table[str, Awaited] | MutableTable[str, Awaited]
    stirred: dict[str, bool]
    """Services whose entry has changed; true: its members are still to be counted."""


class Member(NamedTuple):
    """What a container adds to the entry of its own service."""

    wanted: bool
    lacks: tuple[Condition, ...]
    is_asleep: bool
    is_held: bool


_ALL: Final = tuple(Condition)
_LISTENS: Final = (Condition.COMPLETED,)
_RUNS: Final = (Condition.READY, Condition.COMPLETED)
_IS_DONE: Final = (Condition.READY,)


def _lacks(phase: Phase) -> tuple[Condition, ...]:
    """Return which conditions do not hold for a container in a phase."""
    match phase:
        case Running(ready_at=None):
            return _RUNS
        case Running():
            return _LISTENS
        case Completed():
            return _IS_DONE
        case _:
            return _ALL


def as_member(container: Container) -> Member:
    """Return what a container adds to the entry of its own service."""
    wanted, phase = container.desired.running, container.phase
    may_wait = isinstance(phase, Starting | Running | Unknown)
    return Member(
        wanted,
        _lacks(phase) if wanted else (),
        wanted and isinstance(phase, Asleep),
        bool(container.stops_after) and may_wait,
    )


_NOBODY: Final = Member(wanted=False, lacks=(), is_asleep=False, is_held=False)


def unmet(
    awaited: Table[str, Awaited] | MutableTable[str, Awaited], spec: ContainerSpec
) -> str:
    """Return the first service that a spec must wait for; "" where there is none."""
    for service, condition in spec.depends_on.items():
        entry = awaited.get(service)
        if entry is None or not entry.holds(condition):
            return service
    return ""


def reckon(draft: Dependent, before: Container | None, after: Container | None) -> None:
    """Bring the entries from what *before* adds to them to what *after* does."""
    if before is not None and after is not None and before.spec is after.spec:
        entry = draft.awaited.get(after.spec.service)
        if entry is not None:
            old, new = as_member(before), as_member(after)
            if old != new:
                moved = _with_member(entry, after.name, old, new)
                _put(draft, after.spec.service, moved)
        if after.spec.depends_on:
            _redepend(draft, before, after)
        return
    if before is not None:
        _join(draft, before, -1)
    if after is not None:
        _join(draft, after, 1)


def _join(draft: Dependent, container: Container, more: int) -> None:
    """Add all that a container adds, or take it away: it is new, or another one."""
    name, service = container.name, container.spec.service
    own = draft.awaited.get(service)
    if own is not None:
        member = as_member(container)
        old, new = (_NOBODY, member) if more > 0 else (member, _NOBODY)
        _put(draft, service, _with_member(own, name, old, new, more=more))
    waits = _waits_for(container)
    ending = more * _is_ending(container)
    for other, condition in container.spec.depends_on.items():
        entry = draft.awaited.get(other)
        is_new = entry is None
        entry = entry or Awaited()
        waiting = entry.waiting
        if waits == other:
            waiting = _entered(waiting, condition, name, present=more > 0)
        _put(
            draft,
            other,
            attrs.evolve(
                entry,
                dependents=entry.dependents + more,
                waiting=waiting,
                ending=_added(entry.ending, service, ending),
            ),
            is_new=is_new,
        )


def _redepend(draft: Dependent, before: Container, after: Container) -> None:
    """Take note for whom a dependent waits now, and whether it is being stopped."""
    ending = _is_ending(after) - _is_ending(before)
    was, waits = _waits_for(before), _waits_for(after)
    if not ending and was == waits:
        return
    for other, condition in after.spec.depends_on.items():
        entry = draft.awaited.get(other)
        if entry is None or not (ending or other in (was, waits)):
            continue
        waiting = entry.waiting
        if was != waits and other in (was, waits):
            waiting = _entered(waiting, condition, after.name, present=other == waits)
        row = _added(entry.ending, after.spec.service, ending)
        _put(draft, other, attrs.evolve(entry, waiting=waiting, ending=row))


def _waits_for(container: Container) -> str:
    phase = container.phase
    return phase.waits_for if isinstance(phase, Pending) else ""


def _is_ending(container: Container) -> bool:
    return not container.desired.running and live_run(container.phase) is not None


def _with_member(
    entry: Awaited, name: str, old: Member, new: Member, more: int = 0
) -> Awaited:
    """Return an entry with what a member has become; *more* members than before."""
    lacking = entry.lacking
    for condition in _ALL:
        lacks = condition in new.lacks
        if (condition in old.lacks) is not lacks:
            lacking = _entered(lacking, condition, name, present=lacks)
    return attrs.evolve(
        entry,
        members=entry.members + more,
        wanted=entry.wanted + new.wanted - old.wanted,
        lacking=lacking,
        asleep=_named(entry.asleep, name, present=new.is_asleep),
        held=_named(entry.held, name, present=new.is_held),
    )


def _put(
    draft: Dependent, service: str, entry: Awaited, *, is_new: bool = False
) -> None:
    draft.awaited = draft.awaited.put(service, entry)
    draft.stirred[service] = is_new or draft.stirred.get(service, False)


def _named(row: Table[str, None], name: str, *, present: bool) -> Table[str, None]:
    return row.put(name, None) if present else row.drop(name)


def _entered(rows: _Rows, condition: str, name: str, *, present: bool) -> _Rows:
    """Write a name under a condition, or strike it; a row without names goes."""
    row = _named(rows.get(condition) or Table(), name, present=present)
    return rows.put(str(condition), row) if row else rows.drop(condition)


def _added(row: Table[str, int], service: str, more: int) -> Table[str, int]:
    if not more:
        return row
    count = (row.get(service) or 0) + more
    return row.put(service, count) if count else row.drop(service)


def count_members(
    draft: Dependent, services: Iterable[str], members: Iterable[Container]
) -> None:
    """Count the members of services that nobody depended on until now."""
    fresh = {
        service: attrs.evolve(
            entry, members=0, wanted=0, lacking=Table(), asleep=Table(), held=Table()
        )
        for service in services
        if (entry := draft.awaited.get(service)) is not None
    }
    for container in members:
        entry, member = fresh[container.spec.service], as_member(container)
        counted = _with_member(entry, container.name, _NOBODY, member, more=1)
        fresh[container.spec.service] = counted
    for service, entry in fresh.items():
        draft.awaited = draft.awaited.put(service, entry)
