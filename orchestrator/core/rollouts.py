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
from orchestrator.core.events import Event
from orchestrator.core.evolving import evolve
from orchestrator.core.exits import exit_text
from orchestrator.core.lineages import Doing, Rollout, RolloutStatus
from orchestrator.core.loads import ServiceRolled
from orchestrator.core.platform_rollouts import (
    awaits_platform,
    rolls_again,
    take_rolled,
)
from orchestrator.core.rollout_moves import dismiss_one, drain_one, move_one
from orchestrator.core.rollout_steps import (
    asked,
    failure_of,
    forgiven_time,
    is_over,
    late,
    over,
)
from orchestrator.core.rollout_turns import (
    end,
    fail,
    gauge_of,
    keep,
    under_way,
)
from orchestrator.core.rosters import ripened, updated
from orchestrator.core.standings import is_member, is_up
from orchestrator.core.state import Container

__all__ = ("roll", "seen_again", "service_rolled", "take_in", "with_rolled")


def roll(draft: FleetDraft, event: Event) -> tuple[Command, ...]:
    """Do what an event makes due in the rollouts under way."""
    concerned = take_in(draft, counting=True)
    if getattr(event, "name", None) is None:
        concerned = list(draft.rolling)
    commands: list[Command] = []
    is_changed = False
    for service in concerned:
        while service in draft.rolling:
            orders = _once(draft, service)
            if orders is None:
                break
            commands += orders
            is_changed = True
    if is_changed and draft.groups:
        release_orphans(draft)  # who waits for one that was moved, waits no more
    return tuple(commands)


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
    """Take in what the platform tells of its own part of a rollout."""
    commands, reason = take_rolled(draft, event)
    return commands + (fail(draft, event.service, reason) if reason else ())


def seen_again(draft: FleetDraft) -> tuple[Command, ...]:
    """Take up the rollouts at the first look after a boot: nobody saw them before."""
    for service in list(draft.rolling):
        _change(draft, service, forgiven_time(_rollout(draft, service), draft.at))
    return rolls_again(draft)


# Taken in


def take_in(draft: FleetDraft, *, counting: bool = False) -> list[str]:
    """Write down where the replicas are that a step has touched; return of whom.

    *counting*: failed runs of new ones are counted.
    """
    concerned: dict[str, None] = {}
    for name, before in draft.touched.items():
        after = draft.containers.get(name)
        for service in _services(before, after):
            if service in draft.rolling:
                concerned[service] = None
                _take_in_one(draft, service, (before, after), counting=counting)
    return list(concerned)


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
    *,
    counting: bool,
) -> None:
    before, after = change
    rollout = _rollout(draft, service)
    roster = updated(rollout.roster, gauge_of(rollout, draft.at), before, after)
    failed = _failed(rollout, before, after) if counting else 0
    if failed and after is not None and after.last is not None:
        trouble = f"{after.name}: {exit_text(after.last.exit)}"
        failures = rollout.failures + failed
        rollout = evolve(rollout, failures=failures, trouble=trouble)
    elif roster is rollout.roster:
        return
    _change(draft, service, evolve(rollout, roster=roster))


def _failed(rollout: Rollout, before: Container | None, after: Container | None) -> int:
    """Count the runs of a new replica that have failed in a step."""
    if before is None or after is None or not is_member(after, rollout.service):
        return 0
    is_new = before.generation == after.generation == rollout.heading
    if not is_new and rollout.status is not RolloutStatus.PREPARING:
        return 0  # while the platform brings the image any run may be of it
    return max(0, after.history.crashes_total - before.history.crashes_total)


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
