"""What a group does when a member ends: the others end with it, and come back with it.

A member that ends by itself and is not done takes along those that its strategy names
(``core.groups``): the live ones are stopped and will have ended as ``GroupEnded``,
those that wait for a start wait as long as it does, if that is longer. They start
again when it does. Is it given up or held, they are held with it. When it is started,
stopped, cleared or gone, they start, but not before their own wait is over.

An end that is not the member's own doing (a requested stop, a rollout, sleep, a lack
of capacity) concerns nobody else, and neither does work that is done; nor is a member
held back that its owner starts by name, or declares into a group that is down.

Its cost follows the size of the group, at each end and at each return of a member.
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
    if not _has_ended_by_itself(after):
        return ()
    joined = _joined(draft, after, group)
    return _put(draft, after, joined) + _take_along(draft, joined, group)


def _comes_back(before: Container, after: Container, at: Moment) -> bool:
    """Say whether a member that others may wait for is not down any more."""
    was_down = isinstance(before.phase, BackingOff | CrashLooping | Failed)
    return was_down and not _is_down(after.phase, at)


def _has_ended_by_itself(container: Container) -> bool:
    if container.last is None:
        return False
    given_up = isinstance(container.phase, Failed)
    return given_up or outcome(container.last.exit) is not Outcome.NEITHER


def _take_along(
    draft: FleetDraft, ended: Container, group: Membership
) -> tuple[Command, ...]:
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
        if name == ended.name or not group.takes(position):
            continue
        other = draft.containers[name]
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
        case Stopping(verdict=GroupEnded(restart_at=sooner)) as phase:
            if _is_longer(verdict.restart_at, sooner):
                phase = attrs.evolve(phase, verdict=verdict)
            return attrs.evolve(other, phase=phase), ()
        case _:
            return _waiting(other, verdict.by, verdict.restart_at, at), ()


def _is_longer(wait: Moment | None, than: Moment | None) -> bool:
    return than is not None and (wait is None or wait > than)


def _waiting(
    other: Container, by: str, restart_at: Moment | None, at: Moment
) -> Container:
    """Make one that waits for a start wait for *by*, if that takes longer."""
    match other.phase:
        case Pending():
            since, until, own = at, at, at
        case (
            BackingOff(since=since, until=int(until))
            | CrashLooping(since=since, until=int(until))
        ) as phase:
            own = phase.not_before if phase.waits_for else until
        case _:
            return other
    if restart_at is None:
        held = CrashLooping(
            since=since,
            until=None,
            rule=Rule.GROUP_HELD,
            waits_for=by,
            not_before=own,
        )
        return attrs.evolve(other, phase=held)
    if restart_at <= until:
        return other
    longer = BackingOff(
        since=since,
        until=restart_at,
        rule=Rule.GROUP_RESTART,
        waits_for=by,
        not_before=own,
    )
    return attrs.evolve(other, phase=longer)


def _joined(draft: FleetDraft, ended: Container, group: Membership) -> Container:
    """Make a member that has ended wait for those who are down and would take it."""
    for _, name in draft.groups.get(group.group) or ():
        other = draft.containers[name]
        theirs = other.spec.group
        takes = theirs is not None and theirs.takes(group.position)
        if name == ended.name or not takes or _waits_for(other):
            continue
        if _is_down(other.phase, draft.at):
            until: Moment | None = getattr(other.phase, "until", None)
            ended = _waiting(ended, name, until, draft.at)
    return ended


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
    members = [draft.containers[name] for _, name in draft.groups.get(group) or ()]
    held = _held(members, draft.at)
    for member in members:
        if _waits_for(member) and member.name not in held:
            _ = _put(draft, member, _released(member, draft.at))


def _held(members: list[Container], at: Moment) -> set[str]:
    """Return who is down, and who waits for one of them, or for one who does."""
    held = {
        member.name
        for member in members
        if _is_down(member.phase, at) and not _waits_for(member)
    }
    while True:
        more = {
            member.name
            for member in members
            if member.name not in held and _waits_for(member) in held
        }
        if not more:
            return held
        held |= more


def _released(other: Container, at: Moment) -> Container:
    """Let a member start, as soon as its own wait allows."""
    match other.phase:
        case Stopping(verdict=GroupEnded() as verdict):
            soon = attrs.evolve(verdict, restart_at=at)
            return attrs.evolve(other, phase=attrs.evolve(other.phase, verdict=soon))
        case (
            BackingOff(since=since, not_before=own)
            | CrashLooping(since=since, not_before=own)
        ) if own > at:
            alone = BackingOff(since=since, until=own, rule=Rule.GROUP_RESTART)
            return attrs.evolve(other, phase=alone)
        case _:
            return start_anew(other, at, Rule.GROUP_RESTART)


def _waits_for(member: Container) -> str:
    """Return for whom of its group a member waits; "" for nobody."""
    match member.phase:
        case Stopping(verdict=GroupEnded(by=by)):
            return by
        case BackingOff(waits_for=by) | CrashLooping(waits_for=by):
            return by
        case _:
            return ""


def _put(draft: FleetDraft, before: Container, after: Container) -> tuple[Command, ...]:
    if after == before:
        return ()
    return place(draft, before, attrs.evolve(after, changed_at=draft.at))
