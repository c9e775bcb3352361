"""What may go wrong in a simulated world, and how its containers behave.

A plan is drawn from a seed, each rate apart (swarm testing: a run with one fault off
finds what a run with all of them on hides). After ``until`` nothing fails any more:
break, heal, and demand that the fleet converges.
"""

from __future__ import annotations

from enum import StrEnum

import attrs

from orchestrator.core.moments import Millis, Moment
from orchestrator.simulation.dice import Dice

__all__ = ("Character", "FaultPlan", "calm", "draw_plan")


class Character(StrEnum):
    """How the runs of a container live and end."""

    STEADY = "steady"
    JOB = "job"
    FLAKY = "flaky"
    DEAD = "dead"
    STUBBORN = "stubborn"
    NEVER_READY = "never_ready"


@attrs.frozen(kw_only=True)
class FaultPlan:
    """Rates in a thousand, in force until ``until``.

    ``kill_operator_every_ms`` 0: the operator lives.
    """

    until: Moment
    start_refused: int = 0
    no_capacity: int = 0
    unanswered: int = 0
    unreachable: int = 0
    event_lost: int = 0
    event_repeated: int = 0
    event_late: int = 0
    vanished: int = 0
    incomplete_look: int = 0
    missing_secret: int = 0
    kill_operator_every_ms: Millis = 0


def calm() -> FaultPlan:
    """Return the plan in which nothing fails.

    >>> calm().unanswered
    0

    """
    return FaultPlan(until=0)


def draw_plan(seed: int, until: Moment) -> FaultPlan:
    """Draw a plan from a seed; about half of the faults are off in each."""
    dice = Dice(seed)

    def rate(most: int) -> int:
        return dice.between(1, most) if dice.happens(500) else 0

    return FaultPlan(
        until=until,
        start_refused=rate(200),
        no_capacity=rate(200),
        unanswered=rate(200),
        unreachable=rate(300),
        event_lost=rate(300),
        event_repeated=rate(300),
        event_late=rate(300),
        vanished=rate(50),
        incomplete_look=rate(300),
        missing_secret=rate(100),
        kill_operator_every_ms=rate(1) * dice.between(5_000, 120_000),
    )
