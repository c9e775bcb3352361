"""What a group does when a member ends: the others end with it, and come back with it.

A member that ends by itself and is not done takes along those that its strategy names
(``core.groups``): the live ones are stopped and will have ended as ``GroupEnded``,
those that wait for a start wait as long as it does. They start again when it does. Is
it given up or held, they are held with it, until it is started, cleared or gone.

An end that is not the member's own doing (a requested stop, a rollout, sleep, a lack
of capacity) concerns nobody else, and neither does work that is done.
"""

from __future__ import annotations

import attrs

from orchestrator.core.commands import Command
from orchestrator.core.drafts import FleetDraft, place
from orchestrator.core.exits import GroupEnded, Outcome, outcome
from orchestrator.core.groups import Membership
from orchestrator.core.moments import Moment
from orchestrator.core.moves import order_stop, start_anew
from orchestrator.core.phases import (
    BackingOff,
    CrashLooping,
    Failed,
    Pending,
    Phase,
    Rule,
    Running,
    Starting,
    Stopping,
    Unknown,
)
from orchestrator.core.state import Container

__all__ = ("involve_group", "release_orphans")


def involve_group(
    draft: FleetDraft, before: Container, after: Container
) -> tuple[Command, ...]:
    """Do to the others of its group what a member's step means for them."""
    group = after.spec.group
    if before.spec.group is not None and _comes_back(before, after, draft.at):
        _release(draft, before.spec.group.group)
    if group is None or after.leaving or after.last == before.last:
        return ()
    return _take_along(draft, after, group)


def _comes_back(before: Container, after: Container, at: Moment) -> bool:
    """Say whether a member that others may wait for is not down any more."""
    moves_away = before.spec.group != after.spec.group
    return _is_down(before.phase, at) and (moves_away or not _is_down(after.phase, at))


def _take_along(
    draft: FleetDraft, ended: Container, group: Membership
) -> tuple[Command, ...]:
    if ended.last is None or outcome(ended.last.exit) is Outcome.NEITHER:
        return ()
    match ended.phase:
        case Pending():
            restart_at: Moment | None = draft.at
        case BackingOff(until=until) | CrashLooping(until=until):
            restart_at = until
        case Failed():
            restart_at = None
        case _:
            return ()
    verdict = GroupEnded(group=group.group, by=ended.name, restart_at=restart_at)
    commands: tuple[Command, ...] = ()
    for position, name in draft.groups.get(group.group) or ():
        other = draft.containers.get(name)
        if other is None or name == ended.name or not group.takes(position):
            continue
        moved, orders = _taken(other, verdict, draft.at)
        commands += orders + _put(draft, other, moved)
    return commands


def _taken(
    other: Container, verdict: GroupEnded, at: Moment
) -> tuple[Container, tuple[Command, ...]]:
    """End a live member, and make one that is about to start wait."""
    match other.phase:
        case Starting() | Running() | Unknown() if other.desired.running:
            return order_stop(other, at, verdict)
        case Stopping(verdict=GroupEnded()):
            phase = attrs.evolve(other.phase, verdict=verdict)
            return attrs.evolve(other, phase=phase), ()
        case Pending():
            return _waiting(other, verdict.restart_at, at, at), ()
        case BackingOff(since=since, until=until):
            return _waiting(other, verdict.restart_at, since, until), ()
        case _:
            return other, ()


def _waiting(
    other: Container, restart_at: Moment | None, since: Moment, until: Moment
) -> Container:
    """Make one that would start at *until* wait as long as the member that ended."""
    if restart_at is None:
        held = CrashLooping(since=since, until=None, rule=Rule.GROUP_HELD)
        return attrs.evolve(other, phase=held)
    if restart_at <= until:
        return other
    longer = BackingOff(since=since, until=restart_at, rule=Rule.GROUP_RESTART)
    return attrs.evolve(other, phase=longer)


def _is_down(phase: Phase, at: Moment) -> bool:
    """Say whether a member is kept from starting by what its policy said."""
    match phase:
        case BackingOff(until=until):
            return until > at
        case CrashLooping(until=until):
            return until is None or until > at
        case Failed():
            return True
        case _:
            return False


def release_orphans(draft: FleetDraft) -> None:
    """Let those start that wait for a member which holds nobody any more.

    The owner has changed the fleet: it may be gone, elsewhere, or started anew.
    """
    for group in list(draft.groups):
        _release(draft, group)


def _release(draft: FleetDraft, group: str) -> None:
    """Let the members of a group start that wait for nobody who is still down."""
    members = [
        draft.containers[name]
        for _, name in draft.groups.get(group) or ()
        if name in draft.containers
    ]
    held = _held(members, draft.at)
    for member in members:
        if _waits_for(member) is not None and member.name not in held:
            _ = _put(draft, member, _released(member, draft.at))


def _held(members: list[Container], at: Moment) -> set[str]:
    """Return who is down, and who waits for one of them, or for one who does."""
    down = {
        member.name
        for member in members
        if _is_down(member.phase, at) and _waits_for(member) is None
    }
    held = set(down)
    while True:
        more = {
            member.name
            for member in members
            if member.name not in held
            and ((by := _waits_for(member)) in held or (by == "" and down))
        }
        if not more:
            return held
        held |= more


def _released(other: Container, at: Moment) -> Container:
    match other.phase:
        case Stopping(verdict=GroupEnded() as verdict):
            soon = attrs.evolve(verdict, restart_at=at)
            return attrs.evolve(other, phase=attrs.evolve(other.phase, verdict=soon))
        case _:
            return start_anew(other, at, Rule.GROUP_RESTART)


def _waits_for(other: Container) -> str | None:
    """Return for whom of its group a member waits; "" where nobody wrote it down."""
    match other.phase:
        case Stopping(verdict=GroupEnded(by=by)):
            return by
        case BackingOff(rule=Rule.GROUP_RESTART) | CrashLooping(rule=Rule.GROUP_HELD):
            ended = None if other.last is None else other.last.exit
            return ended.by if isinstance(ended, GroupEnded) else ""
        case _:
            return None


def _put(draft: FleetDraft, before: Container, after: Container) -> tuple[Command, ...]:
    if after == before:
        return ()
    return place(draft, before, attrs.evolve(after, changed_at=draft.at))
