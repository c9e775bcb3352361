"""Who moves next in a rollout, within the bounds of its policy.

| a replica that is not new | is made new |
|---|---|
| is unavailable | at once: that costs nothing |
| is out of sight | once it is seen: it may accept work |
| is available, and there may be one more | by a new one beside it |
| is available, and one less may be | in its place, under its name |
| was stopped by its owner | last, without a start |

*Available now* are all that accept work, new ones once they count. One that accepts
work is taken down only while, without it, as many do as the policy asks for. Those on
their way out count as being there, so that never more run at once than may.
"""

from __future__ import annotations

from itertools import chain, count

from orchestrator.core.commands import Command
from orchestrator.core.declare import declare
from orchestrator.core.drafts import FleetDraft, place
from orchestrator.core.evolving import evolve
from orchestrator.core.exits import Stopped
from orchestrator.core.generations import spec_for, template_of
from orchestrator.core.lineages import Doing, Rollout
from orchestrator.core.moves import order_stop
from orchestrator.core.names import is_name
from orchestrator.core.origins import Origin
from orchestrator.core.phases import Unknown
from orchestrator.core.renewals import clear_history, redeclare
from orchestrator.core.rollout_steps import goal_of
from orchestrator.core.rosters import paired, updated
from orchestrator.core.service_events import Declaration
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.standings import DRAINED, is_drained
from orchestrator.core.state import Container, Desired
from orchestrator.core.under_way import gauge_of, keep
from orchestrator.core.wishes import leave

__all__ = ("beside_name", "dismiss_one", "drain_one", "move_one")


def _put(
    draft: FleetDraft, rollout: Rollout, before: Container | None, after: Container
) -> tuple[Command, ...]:
    """Put a replica back, and write down where it is now; that is progress."""
    commands = place(draft, before, after)
    lineage = draft.lineages[rollout.service]
    now = draft.containers.get(after.name)
    roster = updated(rollout.roster, gauge_of(rollout, draft.at), before or after, now)
    keep(draft, lineage, evolve(rollout, roster=roster, progress_at=draft.at))
    return commands


def _spared(rollout: Rollout, replicas: int) -> bool:
    """Say whether one that is available may be taken down now."""
    fewest = replicas - rollout.policy.unavailable(replicas)
    return rollout.roster.available - 1 >= fewest


# Go


def dismiss_one(
    draft: FleetDraft, rollout: Rollout, replicas: int
) -> tuple[Command, ...] | None:
    """Have an old one go whose successor counts; None: nobody may go now."""
    roster = rollout.roster
    keeps = rollout.beside and rollout.doing is not Doing.RETIRING
    first = roster.surplus.first() or (None if keeps else roster.spent.first())
    if first is None:
        return None
    name = first[0][1]
    container = draft.containers[name]
    if isinstance(container.phase, Unknown):
        fewest = replicas - rollout.policy.unavailable(replicas)
        if first[0] in roster.surplus or roster.available < fewest:
            return None  # it may accept work, and be missed
    elif name in roster.kept_up and not _spared(rollout, replicas):
        return None
    why = f"a replica of revision {rollout.heading} has taken its place"
    asked = Desired(running=False, by=rollout.by, why=why, at=draft.at)
    left, commands = leave(container, asked)
    left = evolve(left, changed_at=draft.at)
    return commands + _put(draft, rollout, container, left)


def drain_one(draft: FleetDraft, rollout: Rollout) -> tuple[Command, ...] | None:
    """Stop an old one that is to run again as a new one; None: all are stopped."""
    up = rollout.roster.old.first()
    first = rollout.roster.first_down if up is None else up[0]
    if first is None:
        return None
    container = draft.containers[first[1]]
    left, commands = leave(container, evolve(DRAINED, at=draft.at))
    drained = evolve(left, leaving=container.leaving, changed_at=draft.at)
    return commands + _put(draft, rollout, container, drained)


# Move


def move_one(
    draft: FleetDraft, rollout: Rollout, replicas: int
) -> tuple[Command, ...] | None:
    """Make one replica new; None: none is to be, or none may be now."""
    roster = rollout.roster
    if rollout.doing not in {Doing.MOVING, Doing.FINISHING}:
        return None
    wants_all = rollout.doing is Doing.FINISHING
    if not wants_all and roster.new >= goal_of(rollout, replicas):
        return None
    drained, seen = roster.drained.first(), roster.old.first()
    free = roster.old_down.first() if drained is None else drained
    if free is not None and not (rollout.beside and drained is None):
        return _in_place(draft, rollout, free[0][1])
    first = roster.first_down or (None if seen is None else seen[0])
    if first is None:
        rests = roster.resting.first()
        return None if rests is None else _in_place(draft, rollout, rests[0][1])
    extra = replicas if rollout.beside else rollout.policy.surge(replicas)
    if roster.present < replicas + extra and not roster.surplus:
        moved = _beside(draft, rollout, first[1])
        if moved is not None:
            return moved
    if rollout.beside or seen is None or not _spared(rollout, replicas):
        return None
    return _in_place(draft, rollout, seen[0][1])


def _spec(draft: FleetDraft, rollout: Rollout, index: int, name: str) -> ContainerSpec:
    service = draft.services[rollout.service]
    lineage = draft.lineages[rollout.service]
    return spec_for(template_of(service, lineage, rollout.heading), index, name)


def _in_place(draft: FleetDraft, rollout: Rollout, name: str) -> tuple[Command, ...]:
    """Give a replica the new spec, under its name; who was stopped stays so."""
    before = draft.containers[name]
    spec = _spec(draft, rollout, before.spec.replica, name)
    moved = evolve(before, generation=rollout.heading, changed_at=draft.at)
    if is_drained(before):
        wish = Desired(running=True, by=rollout.by, why=rollout.why, at=draft.at)
        moved = evolve(moved, desired=wish)
    if moved.desired.running:
        after, commands = redeclare(moved, spec, draft.at)
        if not (commands or after.is_claimed):  # the same process: it begins anew
            after, commands = order_stop(after, draft.at, Stopped())
    else:
        renewed = evolve(moved, spec=spec, revision=before.revision + 1)
        after, commands = clear_history(renewed), ()
    return commands + _put(draft, rollout, before, after)


def _beside(
    draft: FleetDraft, rollout: Rollout, name: str
) -> tuple[Command, ...] | None:
    """Make a new replica beside an old one; None: there is no name for it now."""
    old, heading = draft.containers[name], rollout.heading
    index = old.spec.replica
    new = beside_name(draft, (rollout.service, index), heading)
    if new is None:
        return None
    spec = _spec(draft, rollout, index, new)
    asked = Desired(running=True, by=rollout.by, why=rollout.why, at=draft.at)
    declaration = Declaration(spec=spec, salt=old.salt)
    origin = Origin.MIN_REPLICA_SET
    commands = declare(draft, declaration, origin, asked, generation=heading)
    beside = evolve(rollout, roster=paired(rollout.roster, old))
    made = draft.containers[new]
    return commands + _put(draft, beside, None, made)


def beside_name(
    draft: FleetDraft, replica: tuple[str, int], revision: int
) -> str | None:
    """Return what a replica is called that is made beside another: plain, if free.

    Some name is free always: at worst with a number, as ``web-0.r2.1``. None: it would
    be too long.
    """
    service, index = replica
    plain = f"{service}-{index}"
    beside = f"{plain}.r{revision}"
    names = chain((plain, beside), (f"{beside}.{number}" for number in count(1)))
    free = next(name for name in names if name not in draft.containers)
    return free if is_name(free) else None
