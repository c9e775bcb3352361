"""The rollouts that are under way: found, put back, and woken when one is due.

``keep`` is the only place that writes one. Beside it stands when time alone changes
something about it (``Fleet.rolls_at``): so neither an event nor a timer looks at all
that are under way, but only at those that are concerned, or due.
"""

from __future__ import annotations

from orchestrator.core.belonging import belonging_to
from orchestrator.core.drafts import FleetDraft
from orchestrator.core.evolving import evolve
from orchestrator.core.lineages import Lineage, Rollout, RolloutStatus
from orchestrator.core.moments import Moment
from orchestrator.core.standings import Gauge, is_member
from orchestrator.core.wake import rollout_due

__all__ = (
    "calm",
    "due_now",
    "forget",
    "gauge_of",
    "keep",
    "names_of",
    "stir",
    "under_way",
)


def gauge_of(rollout: Rollout, at: Moment) -> Gauge:
    """Return what the replicas of a rollout are judged by."""
    ready_ms = rollout.policy.min_ready_ms
    return Gauge(rollout.service, rollout.heading, at, ready_ms)


def under_way(draft: FleetDraft, service: str) -> tuple[Lineage, Rollout]:
    """Return the lineage and the rollout of a service that rolls."""
    lineage = draft.lineages[service]
    assert lineage.rollout is not None, service  # noqa: S101 - what `rolling` means
    return lineage, lineage.rollout


def keep(draft: FleetDraft, lineage: Lineage, rollout: Rollout) -> None:
    """Put a rollout that is under way back into its lineage."""
    _keep(draft, lineage, rollout, rollout_due(rollout))


def stir(draft: FleetDraft, service: str) -> None:
    """Have a rollout be looked at as soon as may be: others have moved its replicas."""
    lineage, rollout = under_way(draft, service)
    if rollout.status is not RolloutStatus.PAUSED:
        _keep(draft, lineage, rollout, draft.at)


def calm(draft: FleetDraft, service: str) -> None:
    """Have a rollout that was looked at wait again for what time brings."""
    lineage, rollout = under_way(draft, service)
    if rollout.wakes_at is not None and rollout.wakes_at <= draft.at:
        keep(draft, lineage, rollout)


def _keep(
    draft: FleetDraft, lineage: Lineage, rollout: Rollout, due: Moment | None
) -> None:
    service, known = rollout.service, rollout.wakes_at
    if due != known:
        if known is not None:
            draft.rolls_at = draft.rolls_at.drop((known, service))
        if due is not None:
            draft.rolls_at = draft.rolls_at.put((due, service), None)
        rollout = evolve(rollout, wakes_at=due)
    kept = evolve(lineage, rollout=rollout)
    draft.lineages = draft.lineages.put(service, kept)


def forget(draft: FleetDraft, rollout: Rollout) -> None:
    """Take a rollout out of those that are under way."""
    draft.rolling = draft.rolling.drop(rollout.service)
    if rollout.wakes_at is not None:
        key = rollout.wakes_at, rollout.service
        draft.rolls_at = draft.rolls_at.drop(key)


def due_now(draft: FleetDraft) -> list[str]:
    """Return the services with a rollout that time has something to do with now."""
    found: list[str] = []
    for moment, service in draft.rolls_at:
        if moment > draft.at:
            break
        found.append(service)
    return found


def names_of(draft: FleetDraft, service: str) -> tuple[str, ...]:
    """Return the replicas of a service, those on their way out included."""
    present = belonging_to(draft, service)
    return tuple(each.name for each in present if is_member(each, service))
