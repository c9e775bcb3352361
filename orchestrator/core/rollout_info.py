"""A rollout as its owner sees it, at one moment: derived, never stored.

| a replica is | |
|---|---|
| ``old``, ``unavailable`` | not moved yet; the second does not accept work |
| ``new`` | moved, and not ready for long enough yet |
| ``counted`` | moved, and ready for long enough |
| ``kept`` | an old one whose successor runs beside it |
| ``leaving`` | on its way out |
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

import attrs

from orchestrator.core.generations import is_same_process
from orchestrator.core.lineages import ENDED, Lineage, Rollout, RolloutStatus, Roster
from orchestrator.core.moments import Moment
from orchestrator.core.scaling import is_ready
from orchestrator.core.state import Container, Fleet
from orchestrator.core.wake import progress_due

__all__ = (
    "ReplicaState",
    "RolloutInfo",
    "RolloutMember",
    "newest_rollout",
    "rollout_info",
    "rollout_infos",
)


class ReplicaState(StrEnum):
    """Where a replica is in the rollout of its service."""

    OLD = "old"
    UNAVAILABLE = "unavailable"
    NEW = "new"
    COUNTED = "counted"
    KEPT = "kept"
    LEAVING = "leaving"


@attrs.frozen(kw_only=True)
class RolloutMember:
    """A replica, the revision that it was made with, and where it is."""

    index: int
    name: str
    revision: int
    state: ReplicaState


@attrs.frozen(kw_only=True)
class RolloutInfo:
    """The newest rollout of a service.

    ``revision`` is the one that is rolled out, ``previous`` the one before, ``back_to``
    the one that it goes back to. ``step`` counts the steps of the strategy that are
    over; ``goal`` of ``replicas`` are to be new now, ``moved`` were, ``counted`` of
    them are ready for long enough. ``old`` are not moved, ``old_available`` of them
    accept work. More than ``budget`` ``failures``, and it has failed. ``deadline`` is
    when something has to have come about, None: nothing has. ``declared``: what it
    rolls out is what the fleet file declares now.
    """

    service: str
    status: RolloutStatus
    revision: int
    declared: bool
    previous: int
    back_to: int | None
    strategy: str
    step: int
    goal: int
    replicas: int
    counted: int
    moved: int
    old: int
    old_available: int
    failures: int
    budget: int
    since: Moment
    began_at: Moment
    progress_at: Moment
    until: Moment | None
    deadline: Moment | None
    ended_at: Moment | None
    reason: str
    by: str
    why: str
    members: tuple[RolloutMember, ...]

    @property
    def has_ended(self) -> bool:
        """Say whether it stays where it is."""
        return self.status in ENDED


def newest_rollout(lineage: Lineage) -> Rollout | None:
    """Return the rollout under way, else the one that ended last."""
    if lineage.rollout is not None:
        return lineage.rollout
    return lineage.past[-1] if lineage.past else None


def rollout_info(
    fleet: Fleet, service: str, now: Moment, among: Iterable[Container] | None = None
) -> RolloutInfo | None:
    """Return the newest rollout of a service as it is seen at *now*; None: none was.

    Its replicas are looked for *among* some containers, None: among all.
    """
    del now  # what is told is what was decided; how long ago is for who shows it
    searched = fleet.containers.values() if among is None else among
    replicas = (each for each in searched if each.spec.service == service)
    return _info(fleet, service, tuple(replicas))


def rollout_infos(fleet: Fleet, now: Moment) -> tuple[RolloutInfo, ...]:
    """Return the newest rollout of each service that had one, in order of names."""
    del now
    if not fleet.lineages:
        return ()
    replicas: dict[str, list[Container]] = {}
    for container in fleet.containers.values():
        replicas.setdefault(container.spec.service, []).append(container)
    infos = (_info(fleet, name, replicas.get(name, ())) for name in fleet.lineages)
    return tuple(info for info in infos if info is not None)


def _info(fleet: Fleet, name: str, replicas: Iterable[Container]) -> RolloutInfo | None:
    service, lineage = fleet.services.get(name), fleet.lineages.get(name)
    rollout = None if lineage is None else newest_rollout(lineage)
    if lineage is None or rollout is None or service is None:
        return None
    target = lineage.revision(rollout.target)
    members = tuple(sorted(_members(rollout, replicas), key=_order))
    states = [member.state for member in members]
    counted = states.count(ReplicaState.COUNTED)
    available = states.count(ReplicaState.OLD)
    return RolloutInfo(
        service=name,
        status=rollout.status,
        revision=rollout.target,
        declared=target is not None
        and is_same_process(target.template, service.template),
        previous=rollout.previous,
        back_to=rollout.back_to,
        strategy=rollout.policy.strategy,
        step=rollout.step,
        goal=_goal(rollout, service.replicas),
        replicas=service.replicas,
        counted=counted,
        moved=counted + states.count(ReplicaState.NEW),
        old=available + states.count(ReplicaState.UNAVAILABLE),
        old_available=available,
        failures=rollout.failures,
        budget=rollout.policy.failure_budget.up(service.replicas),
        since=rollout.since,
        began_at=rollout.began_at,
        progress_at=rollout.progress_at,
        until=rollout.until,
        deadline=_deadline(rollout),
        ended_at=rollout.ended_at,
        reason=rollout.reason,
        by=rollout.by,
        why=rollout.why,
        members=members,
    )


def _goal(rollout: Rollout, replicas: int) -> int:
    """Return how many are to be new, of as many as are asked for by now."""
    if rollout.status in ENDED or not rollout.goal:
        return rollout.goal
    return min(rollout.share.up(replicas), replicas)


def _order(member: RolloutMember) -> tuple[int, str]:
    return member.index, member.name


def _members(
    rollout: Rollout, replicas: Iterable[Container]
) -> Iterator[RolloutMember]:
    states = {} if rollout.status in ENDED else dict(_states(rollout.roster))
    heading = rollout.heading
    for container in replicas:
        name = container.name
        if container.spec.service == name:
            continue
        yield RolloutMember(
            index=container.spec.replica,
            name=name,
            revision=container.generation,
            state=states.get(name) or _plain(container, heading),
        )


def _states(roster: Roster) -> Iterator[tuple[str, ReplicaState]]:
    """Yield where the replicas are that the index of a rollout knows."""
    for _, name in roster.old:
        yield name, ReplicaState.OLD
    for table in (roster.old_down, roster.lost, roster.resting, roster.drained):
        for _, name in table:
            yield name, ReplicaState.UNAVAILABLE
    for name in roster.moved:
        yield name, ReplicaState.NEW
    for name in roster.counted:
        yield name, ReplicaState.COUNTED
    for _, name in roster.kept:
        yield name, ReplicaState.KEPT
    for name in roster.going:
        yield name, ReplicaState.LEAVING


def _plain(container: Container, heading: int) -> ReplicaState:
    """Say where a replica is that the index of the rollout does not know (any more)."""
    if container.leaving:
        return ReplicaState.LEAVING
    if container.generation == heading:
        return ReplicaState.COUNTED if is_ready(container) else ReplicaState.NEW
    return ReplicaState.OLD if is_ready(container) else ReplicaState.UNAVAILABLE


def _deadline(rollout: Rollout) -> Moment | None:
    """Return when a rollout fails where nothing becomes better until then."""
    progress = progress_due(rollout)
    first = rollout.roster.due.first()
    if progress is None or first is None:
        return progress
    return min(progress, first[0][0] + rollout.policy.container_deadline_ms)
