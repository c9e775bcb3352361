"""The machine of rollouts: after each event it does what is due, and no more.

```
event ─▶ containers move (core.advance) ─▶ their places in the rosters (take_in)
      ─▶ of each rollout that may be concerned, one thing after another:
           who is ready for long enough counts ─▶ failed? ─▶ an old one goes
           ─▶ one is moved ─▶ the step is over, the strategy is asked for the next
```

A strategy says how many are to be new; who, and when, is said here, within the bounds
of the policy. It is total: whatever happens, a rollout ends, or waits for its owner,
with a reason. Nothing moves, and nothing is judged, before the platform was seen;
nothing moves while the platform itself brings the image.
"""

from __future__ import annotations

from orchestrator.core.commands import (
    Command,
    DestroyContainer,
    StartContainer,
    StopContainer,
)
from orchestrator.core.companions import release_orphans
from orchestrator.core.drafts import FleetDraft
from orchestrator.core.events import Event, FleetObserved, SpecApplied
from orchestrator.core.evolving import evolve
from orchestrator.core.lineages import Doing, Rollout, RolloutStatus
from orchestrator.core.loads import ServiceRolled
from orchestrator.core.platform_rollouts import (
    awaits_platform,
    rolls_again,
    take_rolled,
)
from orchestrator.core.rollout_moves import dismiss_one, drain_one, move_one
from orchestrator.core.rollout_sights import Seen, take_in
from orchestrator.core.rollout_steps import (
    asked,
    failure_of,
    forgiven_time,
    is_over,
    late,
    over,
)
from orchestrator.core.rollout_turns import end, fail
from orchestrator.core.rosters import ripened
from orchestrator.core.standings import is_up
from orchestrator.core.under_way import calm, due_now, gauge_of, keep, under_way

__all__ = (
    "roll",
    "seen_again",
    "service_rolled",
    "with_rolled",
)


def roll(draft: FleetDraft, event: Event, seen: Seen) -> tuple[Command, ...]:
    """Do what an event makes due in the rollouts under way.

    *seen* comes to hold the replicas as they are known now (``follow``).
    """
    concerned = take_in(draft, seen, counting=True)
    if getattr(event, "name", None) is None:
        concerned = _concerned(draft, event, concerned)
    commands: list[Command] = []
    is_changed = False
    for service in concerned:
        while service in draft.rolling:
            orders = _once(draft, service)
            if orders is None:
                calm(draft, service)
                break
            commands += orders
            is_changed = True
    if is_changed and draft.groups:
        release_orphans(draft)  # who waits for one that was moved, waits no more
    if is_changed:
        seen.update((name, draft.containers.get(name)) for name in draft.touched)
    return tuple(commands)


def _concerned(draft: FleetDraft, event: Event, touched: list[str]) -> list[str]:
    """Return the services whose rollout an event of no container may concern.

    A file, and a look, may concern all.
    """
    if isinstance(event, SpecApplied | FleetObserved):
        return list(draft.rolling)
    own = getattr(event, "service", None)
    also = [own] if own is not None and own in draft.rolling else []
    return sorted({*touched, *due_now(draft), *also})


def with_rolled(
    commands: tuple[Command, ...], rolled: tuple[Command, ...]
) -> tuple[Command, ...]:
    """Return the commands of a step with those of its rollouts.

    These have the last word on a container.
    """
    told = {each.name for each in rolled if isinstance(each, _ONE_AT_A_TIME)}
    kept = (
        each
        for each in commands
        if not (isinstance(each, _ONE_AT_A_TIME) and each.name in told)
    )
    return (*kept, *rolled) if rolled else commands


_ONE_AT_A_TIME = StartContainer | StopContainer | DestroyContainer


def service_rolled(draft: FleetDraft, event: ServiceRolled) -> tuple[Command, ...]:
    """Take in what the platform tells of its own part of a rollout.

    One that is paused stays so when the platform fails: that is asked anew when it is
    resumed.
    """
    commands, reason = take_rolled(draft, event)
    if not reason:
        return commands
    rollout = _rollout(draft, event.service)
    if rollout.status is not RolloutStatus.PAUSED:
        return commands + fail(draft, event.service, reason)
    if not rollout.reason.endswith(reason):
        told = evolve(rollout, reason=f"{rollout.reason}; meanwhile: {reason}")
        _change(draft, event.service, told)
    return commands


def seen_again(draft: FleetDraft) -> tuple[Command, ...]:
    """Take up the rollouts at the first look after a boot: nobody saw them before."""
    for service in list(draft.rolling):
        _change(draft, service, forgiven_time(_rollout(draft, service), draft.at))
    return rolls_again(draft)


def _rollout(draft: FleetDraft, service: str) -> Rollout:
    return under_way(draft, service)[1]


def _change(draft: FleetDraft, service: str, rollout: Rollout) -> None:
    keep(draft, draft.lineages[service], rollout)


# Done


def _once(draft: FleetDraft, service: str) -> tuple[Command, ...] | None:
    """Do one thing that is due in a rollout; None: nothing is."""
    rollout, known = _rollout(draft, service), draft.services[service]
    replicas, at = known.replicas, draft.at
    if rollout.status is RolloutStatus.PAUSED:
        return None
    if not replicas:
        _end(draft, rollout, "it has no replicas")
        return ()
    if not draft.observed:
        return None  # what is not seen is not judged, either
    judged = _judged(draft, rollout)
    if judged is not rollout:
        _change(draft, service, judged)
        return ()
    reason = failure_of(rollout, replicas, at)
    if reason:
        return fail(draft, service, reason)
    if awaits_platform(rollout):
        return None
    orders = dismiss_one(draft, rollout, replicas)
    if orders is None and rollout.doing is Doing.STOPPING:
        orders = drain_one(draft, rollout)
    if orders is None:
        orders = move_one(draft, rollout, replicas)
    return _next_step(draft, rollout, replicas) if orders is None else orders


def _judged(draft: FleetDraft, rollout: Rollout) -> Rollout:
    """Let those count that are ready for long enough; note who is late."""
    at, ready_ms = draft.at, rollout.policy.min_ready_ms
    roster, gauge = rollout.roster, gauge_of(rollout, at)
    while (first := roster.ripening.first()) is not None and first[0][
        0
    ] + ready_ms <= at:
        roster = ripened(roster, gauge, draft.containers[first[0][1]])
    if roster is not rollout.roster:
        rollout = evolve(rollout, roster=roster)
    counted = len(roster.counted)
    if counted > rollout.best:
        rollout = evolve(rollout, best=counted, progress_at=at)
    return late(rollout, at)


def _next_step(
    draft: FleetDraft, rollout: Rollout, replicas: int
) -> tuple[Command, ...] | None:
    """End the step that is over, or take the next one; None: it goes on."""
    service, at = rollout.service, draft.at
    if rollout.doing is Doing.ASKING:
        further = asked(draft.policies, rollout, replicas, at)
        if isinstance(further, str):
            end(draft, service, RolloutStatus.HELD, further)
        else:
            _change(draft, service, further)
        return ()
    if not is_over(rollout, replicas, at):
        return None
    if rollout.doing is Doing.FINISHING:
        _end(draft, rollout, _found(draft, rollout, replicas))
    else:
        _change(draft, service, over(rollout, at))
    return ()


def _found(draft: FleetDraft, rollout: Rollout, replicas: int) -> str:
    """Say what a rollout has come to; who counts and is not up was stopped."""
    of = f"{replicas} replicas are" if replicas > 1 else "its replica is"
    found = f"{of} of revision {rollout.heading}, and"
    counted = rollout.roster.counted
    up = sum(is_up(draft.containers[name]) for name in counted)
    if not up:
        return f"{found} stopped"
    stopped = len(counted) - up
    return f"{found} ready, but for {stopped} stopped" if stopped else f"{found} ready"


def _end(draft: FleetDraft, rollout: Rollout, found: str) -> None:
    """End a rollout that has come to where it was headed for."""
    if rollout.status is RolloutStatus.REVERTING:
        reason = f"{rollout.reason}; {found}"
        end(draft, rollout.service, RolloutStatus.REVERTED, reason)
    else:
        end(draft, rollout.service, RolloutStatus.DONE, found)
