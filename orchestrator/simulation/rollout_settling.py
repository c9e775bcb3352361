"""By when rollouts must be over, and how a fleet then stands: the rest of ``settling``.

Once nothing fails and nobody changes anything any more, each rollout ends, or waits for
its owner; and the replicas of a service are of the revision that it serves, unless a
rollout that was held has left them as they were.

The bound follows from the deadline: as long as a rollout makes progress it may go on,
and there is only so much of it to be made. A rollout that fails turns back, once.
"""

from __future__ import annotations

from typing import Final

from orchestrator.core.lineages import Lineage, Rollout, RolloutStatus
from orchestrator.core.moments import Millis
from orchestrator.core.rollout_policies import RolloutPolicy
from orchestrator.core.scaling import members
from orchestrator.core.state import Fleet

__all__ = ("astray", "rollouts_bound", "under_way", "waits_for_its_owner")

OWN_STEPS: Final = 50
"""Steps that a strategy of the program's own may take: nobody knows them before."""

_WAITING: Final = frozenset({RolloutStatus.PAUSED, RolloutStatus.AWAITING_PROMOTION})
_UNFINISHED: Final = frozenset({RolloutStatus.HELD, RolloutStatus.SUPERSEDED})


def rollouts_bound(fleet: Fleet) -> Millis:
    """Return within how long the rollouts under way must be over, as deadlines say."""
    rolling = (lineage.rollout for lineage in fleet.lineages.values())
    spans = (_longest(fleet, rollout) for rollout in rolling if rollout is not None)
    return max(spans, default=0)


def _longest(fleet: Fleet, rollout: Rollout) -> Millis:
    policy = rollout.policy
    count = len(members(fleet.containers.values(), rollout.service))
    steps = len(policy.steps) if policy.steps else OWN_STEPS
    once = (count + steps) * (policy.progress_deadline_ms + policy.min_ready_ms)
    return 2 * once + _soaks(policy)


def _soaks(policy: RolloutPolicy) -> Millis:
    return policy.keep_old_ms + sum(step.soak_ms for step in policy.steps)


def waits_for_its_owner(rollout: Rollout) -> bool:
    """Say whether a rollout goes on only when somebody says so."""
    return rollout.status in _WAITING


def under_way(fleet: Fleet) -> tuple[str, ...]:
    """Return the services whose rollout is not over, and waits for nobody."""
    if not fleet.rolling:
        return ()
    return tuple(
        service
        for service, lineage in fleet.lineages.items()
        if lineage.rollout is not None and not waits_for_its_owner(lineage.rollout)
    )


def astray(fleet: Fleet) -> tuple[str, ...]:
    """Return the replicas that are not of the revision that their service serves.

    Not those of a service whose rollout waits, or was held: they are left as they were.
    """
    found: list[str] = []
    for service, lineage in fleet.lineages.items():
        if service in fleet.services and not _is_left(lineage):
            found += (
                one.name
                for one in members(fleet.containers.values(), service)
                if one.generation != lineage.serving
            )
    return tuple(found)


def _is_left(lineage: Lineage) -> bool:
    """Say whether the newest rollout has left replicas of several revisions."""
    if lineage.rollout is not None:
        return True
    return bool(lineage.past) and lineage.past[-1].status in _UNFINISHED
