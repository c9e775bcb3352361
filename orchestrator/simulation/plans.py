"""What may go wrong in a simulated world: rates, stretches of time, and who is doomed.

A plan is in force until its ``until``. After that nothing fails any more, except for
the doomed: break, heal, and demand that the rest of the fleet converges. Which plans
there are, and how they are drawn from a seed, is said in ``simulation.profiles``.
"""

from __future__ import annotations

from enum import StrEnum

import attrs

from orchestrator.core.moments import Millis, Moment

__all__ = ("Doom", "FaultPlan", "Stretch", "calm", "during")


class Doom(StrEnum):
    """What stays wrong with a container when all else has healed."""

    DEAD = "dead"
    UNREACHABLE = "unreachable"
    NO_CAPACITY = "no_capacity"


@attrs.frozen(kw_only=True)
class Stretch:
    """A span of time in which something does not work."""

    begins: Moment
    ends: Moment


@attrs.frozen(kw_only=True)
class FaultPlan:
    """What goes wrong until ``until``; rates in a thousand, 0: never.

    | of starts | |
    |---|---|
    | ``start_refused``, ``refused`` | the platform says no: a failed start |
    | ``no_capacity``, ``quota_exceeded`` | the platform has no room |
    | ``rate_limited``, ``unauthorized`` | the platform does not listen |
    | ``missing_secret``, ``env_vars_failed`` | it does not even reach the platform |
    | ``slow_start`` | it takes up to a minute and a half longer |
    | ``capacity_storms`` | while one lasts, every start finds no capacity |

    | of all commands | |
    |---|---|
    | ``unreachable``, ``unanswered`` | it takes no effect, and nobody knows; notices \
of trouble do not arrive |
    | ``acknowledgement_lost`` | it takes effect, and nobody knows |
    | ``stop_fails`` | the platform cannot stop it |

    | of news | |
    |---|---|
    | ``event_lost``, ``event_repeated`` | told never, or twice |
    | ``event_late``, ``event_reordered`` | up to half a minute later, or 3 seconds |
    | ``event_stale`` | an old one is told again after newer ones |
    | ``lost_sight`` | the platform loses sight of a run that goes on |

    | of looks | |
    |---|---|
    | ``look_fails``, ``incomplete_look`` | nothing is seen, or half of it |
    | ``unreachable_look`` | the platform cannot tell about a container |
    | ``stale_look`` | an older look is shown again |

    | of the world | |
    |---|---|
    | ``vanished`` | a container is gone without a word |
    | ``rollout_every_ms`` | the platform replaces a third of the containers |
    | ``answer_unknown``, ``answer_wrong`` | nobody hears the answer of a check, or it \
says no although all is well |

    | of the operator | |
    |---|---|
    | ``kill_operator_every_ms`` | killed, and another begins within half a minute |
    | ``killed_in_step`` | killed before a step is durable, or after that and before \
all of its commands are given |
    | ``journal_down`` | while it lasts nothing can be written |
    | ``clock_jumps_every_ms`` | its clock is set forward or back, by up to an hour |
    | ``second_operator_every_ms`` | another takes over, and the old one goes on |

    | of the owner | |
    |---|---|
    | ``change_every_ms`` | changes templates, numbers and rollouts |
    """

    until: Moment
    start_refused: int = 0
    refused: int = 0
    no_capacity: int = 0
    rate_limited: int = 0
    quota_exceeded: int = 0
    unauthorized: int = 0
    missing_secret: int = 0
    env_vars_failed: int = 0
    slow_start: int = 0
    capacity_storms: tuple[Stretch, ...] = ()
    unreachable: int = 0
    unanswered: int = 0
    acknowledgement_lost: int = 0
    stop_fails: int = 0
    event_lost: int = 0
    event_repeated: int = 0
    event_late: int = 0
    event_reordered: int = 0
    event_stale: int = 0
    lost_sight: int = 0
    look_fails: int = 0
    incomplete_look: int = 0
    unreachable_look: int = 0
    stale_look: int = 0
    vanished: int = 0
    rollout_every_ms: Millis = 0
    answer_unknown: int = 0
    answer_wrong: int = 0
    kill_operator_every_ms: Millis = 0
    killed_in_step: int = 0
    journal_down: tuple[Stretch, ...] = ()
    clock_jumps_every_ms: Millis = 0
    second_operator_every_ms: Millis = 0
    change_every_ms: Millis = 0


def calm() -> FaultPlan:
    """Return the plan in which nothing fails.

    >>> calm().unanswered
    0

    """
    return FaultPlan(until=0)


def during(stretches: tuple[Stretch, ...], at: Moment) -> bool:
    """Say whether a moment lies in one of the stretches.

    >>> during((Stretch(begins=5, ends=7),), 5), during((Stretch(begins=5, ends=7),), 7)
    (True, False)

    """
    if not stretches:  # mostly
        return False
    return any(stretch.begins <= at < stretch.ends for stretch in stretches)
