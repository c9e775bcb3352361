"""Where the replicas are that a step has touched: written down for their rollouts.

Most events of a start change nothing for a rollout; they are passed over here, and cost
next to nothing. Whose roster has changed, or for whom time has come, is *concerned*.
"""

from __future__ import annotations

from operator import attrgetter, is_
from typing import Final, TypeAlias

import attrs

from orchestrator.core.drafts import FleetDraft
from orchestrator.core.evolving import evolve
from orchestrator.core.exits import exit_text
from orchestrator.core.lineages import Rollout, RolloutStatus, Roster
from orchestrator.core.rosters import updated
from orchestrator.core.standings import is_as_before, is_member
from orchestrator.core.state import Container
from orchestrator.core.under_way import gauge_of, keep, stir, under_way

__all__ = ("Seen", "follow", "take_in")

Seen: TypeAlias = dict[str, Container | None]
"""What the containers that a step has touched were when a rollout last saw them."""


def follow(draft: FleetDraft, seen: Seen) -> None:
    """Write down what became of replicas since they were *seen*, at a step's end.

    Who was asleep may have been woken: his rollout is looked at as soon as may be.
    """
    for service in take_in(draft, seen):
        stir(draft, service)


def take_in(draft: FleetDraft, seen: Seen, *, counting: bool = False) -> list[str]:
    """Write down where the replicas are that a step has touched; return of whom.

    Those services are returned that it may have given something to do. *counting*:
    failed runs of new ones are counted.
    """
    concerned: dict[str, None] = {}
    soonest = draft.rolls_at.first() if counting else None
    is_any_due = soonest is not None and soonest[0][0] <= draft.at
    for name, first in draft.touched.items():
        before, after = seen.get(name, first), draft.containers.get(name)
        if before is after:
            continue
        seen[name] = after
        is_same = is_as_before(before, after)
        for service in () if is_same and not is_any_due else _services(before, after):
            if service not in draft.rolling:
                continue
            change = before, after
            if (not is_same and _take_in_one(draft, service, change, counting)) or (
                is_any_due and _is_due(draft, service)
            ):
                concerned[service] = None
    return list(concerned)


def _is_due(draft: FleetDraft, service: str) -> bool:
    wakes_at = under_way(draft, service)[1].wakes_at
    return wakes_at is not None and wakes_at <= draft.at


def _services(before: Container | None, after: Container | None) -> tuple[str, ...]:
    was = None if before is None else before.spec.service
    now = None if after is None else after.spec.service
    if was == now or now is None:
        return () if was is None else (was,)
    return (now,) if was is None else (was, now)


def _take_in_one(
    draft: FleetDraft,
    service: str,
    change: tuple[Container | None, Container | None],
    counting: bool,  # noqa: FBT001 - as in take_in
) -> bool:
    """Write down where one is now; say whether that may give something to do."""
    before, after = change
    lineage, rollout = under_way(draft, service)
    roster = updated(rollout.roster, gauge_of(rollout, draft.at), before, after)
    failed = _failed(rollout, before, after) if counting else 0
    if failed and after is not None and after.last is not None:
        trouble = f"{after.name}: {exit_text(after.last.exit)}"
        failures = rollout.failures + failed
        rollout = evolve(rollout, failures=failures, trouble=trouble)
    elif roster is rollout.roster:
        is_new = after is not None and after.generation == rollout.heading
        return counting and not is_new  # who is out of sight may be seen again
    keep(draft, lineage, evolve(rollout, roster=roster))
    return counting or not _differ_in_runs(rollout.roster, roster)


_but_runs: Final = attrgetter(
    *(field.name for field in attrs.fields(Roster) if field.name != "living")
)


def _differ_in_runs(before: Roster, after: Roster) -> bool:
    """Say whether two indexes differ at most in who has a run: nobody waits for one."""
    return all(map(is_, _but_runs(before), _but_runs(after)))


def _failed(rollout: Rollout, before: Container | None, after: Container | None) -> int:
    """Count the runs of a new replica that have failed in a step."""
    if before is None or after is None or not is_member(after, rollout.service):
        return 0
    is_new = before.generation == after.generation == rollout.heading
    if not is_new and rollout.status is not RolloutStatus.PREPARING:
        return 0  # while the platform brings the image any run may be of it
    return max(0, after.history.crashes_total - before.history.crashes_total)
