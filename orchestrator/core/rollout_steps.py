"""How far a rollout is: what its strategy wants next, and whether that has come about.

All of it is about one rollout as a value. Who is moved for it is said in
``core.rollout_moves``, what a failure comes to in ``core.rollout_turns``.
"""

from __future__ import annotations

from typing import assert_never

from orchestrator.core.custom import CustomPolicies, ask_strategy
from orchestrator.core.evolving import evolve
from orchestrator.core.lineages import Doing, Rollout, RolloutStatus
from orchestrator.core.moments import Moment, format_duration
from orchestrator.core.platform_rollouts import awaits_platform, stuck_words
from orchestrator.core.rollout_policies import WHOLE
from orchestrator.core.rosters import rearmed
from orchestrator.core.strategies import (
    STEPS_MAX,
    AskPromotion,
    Finish,
    Move,
    Retire,
    Soak,
    Step,
    StopAll,
    View,
)
from orchestrator.core.wake import progress_due

__all__ = (
    "asked",
    "failure_of",
    "forgiven_time",
    "goal_of",
    "is_over",
    "late",
    "over",
)


def goal_of(rollout: Rollout, replicas: int) -> int:
    """Return how many are to be new now, of those there are."""
    there = rollout.roster.new + rollout.roster.unmoved
    return min(rollout.share.up(replicas), there)


# Failing


def late(rollout: Rollout, at: Moment) -> Rollout:
    """Count those as failures that were not ready in time, and wait for them anew."""
    limit = rollout.policy.container_deadline_ms
    failures, trouble, roster = rollout.failures, rollout.trouble, rollout.roster
    while (first := roster.due.first()) is not None and first[0][0] + limit <= at:
        name = first[0][1]
        roster = rearmed(roster, (name,), at)
        failures += 1
        trouble = f"{name} was not ready for long enough in {format_duration(limit)}"
    if failures == rollout.failures:
        return rollout
    return evolve(rollout, failures=failures, trouble=trouble, roster=roster)


def failure_of(rollout: Rollout, replicas: int, at: Moment) -> str:
    """Say why a rollout has failed; "" where it has not."""
    budget = rollout.policy.failure_budget.up(replicas)
    failures = rollout.failures
    if failures > budget:
        of = "failure" if failures == 1 else "failures"
        found = f"{failures} {of} of new replicas, more than {budget}"
        return f"{found}: {rollout.trouble}" if rollout.trouble else found
    due = progress_due(rollout)
    if due is None or at < due:
        return ""
    limit = rollout.policy.progress_deadline_ms
    counted = len(rollout.roster.counted)
    found = f"no progress for {format_duration(limit)}"
    if awaits_platform(rollout):
        return f"{found}: {stuck_words(rollout)}"
    return f"{found}: {counted} of {replicas} replicas are new and ready"


def forgiven_time(rollout: Rollout, at: Moment) -> Rollout:
    """Begin all deadlines anew: nobody looked meanwhile, or nothing was to move."""
    roster = rearmed(rollout.roster, tuple(rollout.roster.moved), at)
    return evolve(rollout, progress_at=at, roster=roster)


# Step by step


def is_over(rollout: Rollout, replicas: int, at: Moment) -> bool:
    """Say whether what the present step wants has come about."""
    roster = rollout.roster
    match rollout.doing:
        case Doing.ASKING:
            return False
        case Doing.WAITING:
            is_due = rollout.until is not None and rollout.until <= at
            return is_due and not roster.moved  # all that is new is to be well then
        case Doing.STOPPING:
            return not (roster.living or roster.kept or roster.going)
        case Doing.MOVING:
            return len(roster.counted) >= goal_of(rollout, replicas)
        case Doing.RETIRING:
            return not roster.kept
        case Doing.FINISHING:
            return not (roster.unmoved or roster.moved or roster.kept)
        case _:
            assert_never(rollout.doing)


def over(rollout: Rollout, at: Moment, *, promoted: bool = False) -> Rollout:
    """End the present step: the strategy is asked for the next one."""
    ended = evolve(
        rollout,
        step=rollout.step + 1,
        promoted=rollout.promoted + promoted,
        doing=Doing.ASKING,
        beside=rollout.beside and rollout.doing is not Doing.RETIRING,
        until=None,
        progress_at=at,
    )
    return _in(ended, RolloutStatus.PROGRESSING, at)


def _in(rollout: Rollout, status: RolloutStatus, at: Moment) -> Rollout:
    """Return a rollout in a status; since when, where it was in another."""
    if rollout.status is status:
        return rollout
    return evolve(rollout, status=status, since=at)


def asked(
    policies: CustomPolicies, rollout: Rollout, replicas: int, at: Moment
) -> Rollout | str:
    """Return a rollout that takes its next step, or say why there is none."""
    policy = rollout.policy
    known = f"its strategy {policy.strategy!r} version {policy.version}"
    if rollout.step >= STEPS_MAX:
        return f"{known} has not come to an end in {STEPS_MAX} steps"
    step = ask_strategy(policies, policy, _view(rollout, replicas, at))
    if step is None:
        return f"{known} has failed, or answered what is no step"
    return _taken(rollout, step, replicas, at)


def _view(rollout: Rollout, replicas: int, at: Moment) -> View:
    roster, policy = rollout.roster, rollout.policy
    return View(
        service=rollout.service,
        replicas=replicas,
        new=roster.new,
        counted=len(roster.counted),
        old=roster.unmoved,
        old_available=len(roster.old),
        step=rollout.step,
        promoted=rollout.promoted,
        failures=rollout.failures,
        elapsed_ms=at - rollout.began_at,
        policy=policy,
        params=policy.params,
    )


def _taken(rollout: Rollout, step: Step, replicas: int, at: Moment) -> Rollout:
    match step:
        case Move(share=share, beside=beside):
            goal = share.up(replicas)
            return evolve(
                rollout,
                doing=Doing.MOVING,
                share=share,
                beside=beside or rollout.beside,
                goal=goal,
            )
        case Soak(ms=ms):
            soaks = evolve(rollout, doing=Doing.WAITING, until=at + ms)
            return _in(soaks, RolloutStatus.SOAKING, at)
        case AskPromotion():
            waits = evolve(rollout, doing=Doing.WAITING, until=None)
            return _in(waits, RolloutStatus.AWAITING_PROMOTION, at)
        case Retire():
            return evolve(rollout, doing=Doing.RETIRING)
        case StopAll():
            return evolve(rollout, doing=Doing.STOPPING, share=WHOLE, goal=replicas)
        case Finish():
            return evolve(
                rollout,
                doing=Doing.FINISHING,
                share=WHOLE,
                goal=replicas,
                beside=False,
            )
        case _:
            assert_never(step)
