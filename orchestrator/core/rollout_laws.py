"""What must hold of rollouts after every step; ``core.invariants`` names them all.

Only what an event touched is looked at. That the index of a rollout is what a scan of
all containers makes it is a property of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from orchestrator.core.generations import with_handling
from orchestrator.core.lineages import ENDED, Rollout, RolloutStatus
from orchestrator.core.owner_events import SpecApplied
from orchestrator.core.rosters import found_in
from orchestrator.core.services import Service
from orchestrator.core.standings import UNMOVED, Spot, is_member, is_up, spot_of
from orchestrator.core.state import Container, Fleet
from orchestrator.core.steps import Step
from orchestrator.core.under_way import gauge_of

__all__ = (
    "finished",
    "nobody_is_taken_down_too_early",
    "rosters_are_true",
    "who_rolls_has_a_rollout",
)

_ALL_DOWN: Final = "recreate"
_TOLD: Final = frozenset(ENDED - {RolloutStatus.SUPERSEDED})


def _under_way(fleet: Fleet, service: str) -> Rollout | None:
    if service not in fleet.rolling:
        return None
    lineage = fleet.lineages.get(service)
    return None if lineage is None else lineage.rollout


def _rolling(step: Step) -> list[str]:
    """Return the services that roll and of which a step has touched somebody."""
    if not step.after.rolling:
        return []
    ends = (each for pair in step.pairs() for each in pair if each is not None)
    touched = {each.spec.service for each in ends}
    return sorted(service for service in touched if service in step.after.rolling)


def nobody_is_taken_down_too_early(step: Step) -> Iterable[str]:
    """Have a rollout leave as many available as its policy asks for.

    What it makes beside others are no more than its policy allows. ``recreate`` takes
    all down first: it is held to that on its way back alone.
    """
    for service in _rolling(step):
        rollout, known = _under_way(step.after, service), step.after.services[service]
        if rollout is None:
            continue
        policy, replicas = rollout.policy, known.replicas
        pairs = [
            (was, now)
            for was, now in step.pairs()
            if (is_member(was, service) or is_member(now, service))
            and not _may_have_ended(step, was)
        ]
        # Who was something else before a file made it a replica was none to keep up.
        taken = [
            pair
            for pair in pairs
            if is_member(pair[0], service) and not _by_a_file(step, known, pair[0])
        ]
        fewest = replicas - policy.unavailable(replicas)
        is_short = rollout.roster.available < fewest
        is_own = step.before.services is step.after.services
        extra = replicas if rollout.beside else policy.surge(replicas)
        stays = not (policy.strategy == _ALL_DOWN and rollout.back_to is None)
        if (
            is_short
            and stays
            and any(_was_taken(*pair, is_own=is_own) for pair in taken)
        ):
            yield service
        is_full = rollout.roster.present > replicas + extra
        if is_full and any(_was_made_beside(rollout, *pair) for pair in pairs):
            yield service


def _may_have_ended(step: Step, was: Container | None) -> bool:
    """Say whether the event itself may have ended it, alone or with its group."""
    if was is None:
        return False
    return was.spec.group is not None or was.name == getattr(step.event, "name", None)


def _by_a_file(step: Step, service: Service, was: Container | None) -> bool:
    """Say whether a file changes how a replica is handled, and so if it is ready."""
    if was is None or not isinstance(step.event, SpecApplied):
        return False
    return with_handling(was.spec, service.template) != was.spec


def _was_taken(was: Container | None, now: Container | None, *, is_own: bool) -> bool:
    """Say whether a rollout has taken down a replica that was available.

    *is_own*: nobody has asked for another number of replicas, so who leaves is sent.
    """
    if was is None or was.leaving or not is_up(was):
        return False
    if now is None or now.leaving:
        return is_own
    return not is_up(now) and now.generation != was.generation


def _was_made_beside(
    rollout: Rollout, was: Container | None, now: Container | None
) -> bool:
    if was is not None or now is None or now.generation != rollout.heading:
        return False
    return str(now.spec.replica) in rollout.roster.twins


def rosters_are_true(step: Step) -> Iterable[str]:
    """Have the index of a rollout know each replica as its record says."""
    fleet = step.after
    for was, now in step.pairs() if fleet.rolling else ():
        if now is not None:
            rollout = _under_way(fleet, now.spec.service)
            if rollout is not None and not _is_true(fleet, rollout, now):
                yield now.name
        elif was is not None:
            rollout = _under_way(fleet, was.spec.service)
            key = was.spec.replica, was.name
            if rollout and found_in(rollout.roster, key) is not Spot.NOWHERE:
                yield was.name


def _is_true(fleet: Fleet, rollout: Rollout, container: Container) -> bool:
    found = found_in(rollout.roster, (container.spec.replica, container.name))
    if not is_member(container, rollout.service):
        return found is Spot.NOWHERE
    spot = spot_of(container, gauge_of(rollout, fleet.at))
    if found is Spot.KEPT:
        return spot in UNMOVED
    return found is spot or (found, spot) == (Spot.MOVED, Spot.COUNTED)


def who_rolls_has_a_rollout(step: Step) -> Iterator[str]:
    """Have a service roll exactly as long as its rollout has not ended."""
    if step.before.lineages is step.after.lineages:
        return
    stays = step.before.rolling is step.after.rolling
    for name in _rolling(step) if stays else step.after.lineages:
        lineage = step.after.lineages[name]
        rollout = lineage.rollout
        if (rollout is not None) != (name in step.after.rolling):
            yield name
        if rollout is not None and rollout.status in ENDED:
            yield name
        if any(not over.reason for over in lineage.past[-1:]):
            yield name


def finished(step: Step) -> int:
    """Count the rollouts that have ended in a step, but for superseded ones."""
    if step.before.rolling is step.after.rolling:
        return 0
    count = 0
    for name, lineage in step.after.lineages.items():
        before = step.before.lineages.get(name)
        known = () if before is None else before.past
        fresh = (over for over in lineage.past if over not in known)
        count += sum(over.status in _TOLD for over in fresh)
    return count
