"""Follows the rollouts of a run, step by step, and tells of them (``rollout_tales``).

Nothing here grows with the length of a run: of a rollout so many moments are kept, of a
run so many rollouts. The least that were available and the most there were are of all
moments, also of those that are not kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs

from orchestrator.core.lineages import ENDED, Rollout, RolloutStatus
from orchestrator.core.moments import Moment, format_duration
from orchestrator.core.scaling import members
from orchestrator.core.standings import is_up
from orchestrator.core.state import Fleet
from orchestrator.core.steps import Step
from orchestrator.simulation.rollout_tales import (
    Count,
    Mark,
    MarkKind,
    RolloutTale,
    allowed,
)

__all__ = ("RolloutTales",)

MOMENTS_MAX: Final = 2_000
"""Moments that are kept of one rollout."""

TALES_MAX: Final = 500
"""Rollouts that are kept of a run: the first ones."""


@attrs.define(kw_only=True, eq=False)
class _Open:
    """A rollout that is being written down."""

    rollout: Rollout
    replicas: int
    began_at: Moment
    counts: list[Count] = attrs.field(factory=list[Count])
    marks: list[Mark] = attrs.field(factory=list[Mark])
    least: int | None = None
    most: int = 0
    ended_at: Moment | None = None

    def count(self, count: Count) -> None:
        least = count.available if self.least is None else self.least
        self.least = min(count.available, least)
        self.most = max(self.most, count.members)
        same = attrs.evolve(self.counts[-1], at=count.at) if self.counts else None
        if count != same and len(self.counts) < MOMENTS_MAX:
            self.counts.append(count)

    def mark(self, mark: Mark) -> None:
        if len(self.marks) < MOMENTS_MAX:
            self.marks.append(mark)

    def become(self, now: Rollout, at: Moment) -> None:
        for mark in _marks(self.rollout, now, self.replicas, at):
            self.mark(mark)
        self.rollout = now
        self.count(_count(now, at))

    def told(self) -> RolloutTale:
        rollout, n = self.rollout, self.replicas
        policy = rollout.policy
        fewest, most = allowed(policy, n)
        return RolloutTale(
            service=rollout.service,
            previous=rollout.previous,
            target=rollout.target,
            strategy=policy.strategy,
            status=rollout.status,
            reason=rollout.reason,
            began_at=self.began_at,
            ended_at=self.ended_at,
            replicas=n,
            least_allowed=fewest,
            most_allowed=most,
            least_available=self.least or 0,
            most_members=self.most,
            counts=tuple(self.counts),
            marks=tuple(self.marks),
        )


@attrs.define(kw_only=True, eq=False)
class RolloutTales:
    """Takes in every step of a run, and tells of its rollouts."""

    _open: dict[str, _Open] = attrs.field(factory=dict[str, _Open])
    _all: list[_Open] = attrs.field(factory=list[_Open])

    def take(self, step: Step, at: Moment) -> None:
        """Take in one step that ended at *at*."""
        before, after = step.before, step.after
        if before.lineages is not after.lineages:
            for service in {
                **dict(before.rolling.items()),
                **dict(after.rolling.items()),
            }:
                self._follow(service, step, at)

    def told(self) -> tuple[RolloutTale, ...]:
        """Return the rollouts of the run, the first one first."""
        return tuple(one.told() for one in self._all)

    def _follow(self, service: str, step: Step, at: Moment) -> None:
        lineage = step.after.lineages.get(service)
        now = None if lineage is None else lineage.rollout
        past = () if lineage is None else lineage.past
        known = self._open.get(service)
        if known is not None and not _is_same(known.rollout, now):
            self._end(known, past, step.after, at)
            known = None
        if now is not None and now.status not in ENDED:
            if known is None:
                known = self._begin(service, now, step.after, at)
            known.become(now, at)

    def _begin(self, service: str, rollout: Rollout, fleet: Fleet, at: Moment) -> _Open:
        asked = fleet.services.get(service)
        replicas = 0 if asked is None else asked.replicas
        begun = attrs.evolve(rollout, goal=0, status=RolloutStatus.PROGRESSING)
        known = _Open(rollout=begun, replicas=replicas, began_at=at)
        self._open[service] = known
        if len(self._all) < TALES_MAX:
            self._all.append(known)
        return known

    def _end(
        self, known: _Open, past: tuple[Rollout, ...], fleet: Fleet, at: Moment
    ) -> None:
        """Write down how a rollout ended, and where it left everybody."""
        del self._open[known.rollout.service]
        over = next(
            (one for one in reversed(past) if _is_same(one, known.rollout)), None
        )
        if over is not None:
            known.rollout = over
        known.ended_at = at
        known.count(_left(known.rollout, fleet, at))
        words = str(known.rollout.status)
        known.mark(Mark(at=at, kind=MarkKind.END, words=words))


def _is_same(one: Rollout, other: Rollout | None) -> bool:
    return other is not None and (one.target, one.began_at) == (
        other.target,
        other.began_at,
    )


def _count(rollout: Rollout, at: Moment) -> Count:
    """Count who is where by the rollout's own index.

    On the way back it is the old ones that are moved, and count.
    """
    roster = rollout.roster
    up = len(roster.old) + len(roster.kept_up)
    down = len(roster.old_down) + len(roster.lost)
    down += len(roster.resting) + len(roster.drained)
    down += len(roster.kept) - len(roster.kept_up)
    counted, moved = len(roster.counted), len(roster.moved)
    ready = len(roster.ripening)
    if rollout.back_to is not None:
        return Count(at=at, counted=up, unready=down, old=counted, old_down=moved)
    return Count(
        at=at,
        counted=counted,
        ready=ready,
        unready=moved - ready,
        old=up,
        old_down=down,
    )


def _left(rollout: Rollout, fleet: Fleet, at: Moment) -> Count:
    """Count who is where when all is over: what is ready now has been so for long."""
    left = members(fleet.containers.values(), rollout.service)
    new = [one for one in left if one.generation == rollout.target]
    up = sum(map(is_up, new))
    old_up = sum(map(is_up, left)) - up
    return Count(
        at=at,
        counted=up,
        unready=len(new) - up,
        old=old_up,
        old_down=len(left) - len(new) - old_up,
    )


def _marks(before: Rollout, now: Rollout, replicas: int, at: Moment) -> Iterator[Mark]:
    """Yield what is worth a mark between two moments of a rollout."""
    if now.promoted > before.promoted:
        yield Mark(at=at, kind=MarkKind.GO_ON, words="promoted")
    if now.status is not before.status:
        yield from _of_status(before, now, at)
    if now.goal != before.goal and now.goal and now.back_to is None:
        words = f"{now.goal} of {replicas} to be new"
        yield Mark(at=at, kind=MarkKind.STEP, words=words)


def _of_status(before: Rollout, now: Rollout, at: Moment) -> Iterator[Mark]:
    match now.status:
        case RolloutStatus.SOAKING:
            until = None if now.until is None else at + now.until - now.since
            span = format_duration(0 if until is None else until - at)
            yield Mark(at=at, kind=MarkKind.SOAK, words=f"soaks {span}", until=until)
        case RolloutStatus.AWAITING_PROMOTION:
            yield Mark(at=at, kind=MarkKind.WAIT, words="waits to be promoted")
        case RolloutStatus.PAUSED:
            words = f"paused: {now.reason}".removesuffix(": ")
            yield Mark(at=at, kind=MarkKind.WAIT, words=words)
        case RolloutStatus.REVERTING:
            words = f"reverts: {now.reason}".removesuffix(": ")
            yield Mark(at=at, kind=MarkKind.REVERT, words=words)
        case RolloutStatus.PREPARING:
            yield Mark(at=at, kind=MarkKind.WAIT, words="the platform prepares it")
        case _ if before.status is RolloutStatus.PAUSED:
            yield Mark(at=at, kind=MarkKind.GO_ON, words="resumed")
        case _:
            pass
