"""Fault profiles by name, and how a plan is drawn from one with a seed.

A *fault* turns on one or more rates of a plan; a *profile* names faults. A profile that
swarms leaves about half of its faults out, anew for each seed: a run with one fault off
finds what a run with all of them on hides (swarm testing; Groce et al., 2012).

Three profiles are the patterns of Sieve (Sun et al., OSDI 2022), which found most bugs
of Kubernetes controllers: ``intermediate_state`` (killed half-way through what belongs
together), ``unobserved_state`` (what happened is never told) and ``stale_state`` (what
is told was true before).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, TypeAlias

import attrs

from orchestrator.core.moments import Millis, Moment
from orchestrator.simulation.dice import Dice
from orchestrator.simulation.plans import FaultPlan, Stretch

__all__ = ("PROFILES", "Fault", "Profile", "draw_of", "draw_plan")


class Fault(StrEnum):
    """One kind of trouble."""

    START_FAILS = "start_fails"
    SLOW_START = "slow_start"
    OBSTACLES = "obstacles"
    CAPACITY_STORM = "capacity_storm"
    RATE_LIMIT = "rate_limit"
    UNREACHABLE = "unreachable"
    LOST_ACKNOWLEDGEMENT = "lost_acknowledgement"
    STOP_FAILS = "stop_fails"
    DUPLICATE_EVENTS = "duplicate_events"
    REORDERED_EVENTS = "reordered_events"
    LOST_EVENTS = "lost_events"
    LATE_EVENTS = "late_events"
    STALE_EVENTS = "stale_events"
    LOST_SIGHT = "lost_sight"
    INCOMPLETE_LOOKS = "incomplete_looks"
    STALE_LOOKS = "stale_looks"
    VANISHED = "vanished"
    ROLLOUTS = "rollouts"
    FLAPPING_HEALTH = "flapping_health"
    OPERATOR_KILLED = "operator_killed"
    KILLED_IN_STEP = "killed_in_step"
    JOURNAL_FAILS = "journal_fails"
    CLOCK_JUMPS = "clock_jumps"
    TWO_OPERATORS = "two_operators"
    OWNER_CHANGES = "owner_changes"


_Draw: TypeAlias = Callable[[Dice, Moment], dict[str, Any]]


def _rates(most: int, *names: str) -> _Draw:
    """Draw a rate for each of *names*, at most *most* in a thousand."""
    return lambda dice, _: {name: dice.between(1, most) for name in names}


def _every(name: str, least: Millis, most: Millis) -> _Draw:
    return lambda dice, _: {name: dice.between(least, most)}


def _stretches(name: str, most: int, longest: Millis) -> _Draw:
    """Draw up to *most* stretches a quarter of an hour, none longer than *longest*."""

    def draw(dice: Dice, until: Moment) -> dict[str, Any]:
        count = min(40, dice.between(1, most) * max(1, until // 900_000))
        begins = sorted(dice.between(0, max(0, until - 1)) for _ in range(count))
        drawn = (
            Stretch(begins=at, ends=min(until, at + dice.between(1_000, longest)))
            for at in begins
        )
        return {name: tuple(drawn)}

    return draw


_DRAWS: Final[dict[Fault, _Draw]] = {
    Fault.START_FAILS: _rates(200, "start_refused", "refused"),
    Fault.SLOW_START: _rates(300, "slow_start"),
    Fault.OBSTACLES: _rates(
        100,
        "no_capacity",
        "quota_exceeded",
        "unauthorized",
        "missing_secret",
        "env_vars_failed",
    ),
    Fault.CAPACITY_STORM: _stretches("capacity_storms", 2, 300_000),
    Fault.RATE_LIMIT: _rates(300, "rate_limited"),
    Fault.UNREACHABLE: _rates(200, "unreachable", "unanswered"),
    Fault.LOST_ACKNOWLEDGEMENT: _rates(300, "acknowledgement_lost"),
    Fault.STOP_FAILS: _rates(300, "stop_fails"),
    Fault.DUPLICATE_EVENTS: _rates(300, "event_repeated"),
    Fault.REORDERED_EVENTS: _rates(300, "event_reordered"),
    Fault.LOST_EVENTS: _rates(300, "event_lost"),
    Fault.LATE_EVENTS: _rates(300, "event_late"),
    Fault.STALE_EVENTS: _rates(300, "event_stale"),
    Fault.LOST_SIGHT: _rates(100, "lost_sight", "unreachable_look"),
    Fault.INCOMPLETE_LOOKS: _rates(300, "incomplete_look", "look_fails"),
    Fault.STALE_LOOKS: _rates(300, "stale_look"),
    Fault.VANISHED: _rates(50, "vanished"),
    Fault.ROLLOUTS: _every("rollout_every_ms", 120_000, 1_800_000),
    Fault.FLAPPING_HEALTH: _rates(300, "answer_unknown", "answer_wrong"),
    Fault.OPERATOR_KILLED: _every("kill_operator_every_ms", 5_000, 120_000),
    Fault.KILLED_IN_STEP: _rates(40, "killed_in_step"),
    Fault.JOURNAL_FAILS: _stretches("journal_down", 4, 60_000),
    Fault.CLOCK_JUMPS: _every("clock_jumps_every_ms", 60_000, 600_000),
    Fault.TWO_OPERATORS: _every("second_operator_every_ms", 60_000, 300_000),
    Fault.OWNER_CHANGES: _every("change_every_ms", 30_000, 300_000),
}

_NOT_ASKED_FOR: Final = tuple(
    fault for fault in Fault if fault is not Fault.OWNER_CHANGES
)
"""What goes wrong without anybody's will: all but what the owner does."""


@attrs.frozen(kw_only=True)
class Profile:
    """Faults under a name; ``swarms``: each is left out in about half of the seeds.

    ``gentle`` divides the rates, and makes rare what happens every so often.
    ``is_steady``: every container is well.
    """

    about: str
    faults: tuple[Fault, ...] = ()
    swarms: bool = False
    gentle: int = 1
    is_steady: bool = False


PROFILES: Final[dict[str, Profile]] = {
    "steady": Profile(about="nothing fails, every container is well", is_steady=True),
    "calm": Profile(about="nothing fails but what containers do by themselves"),
    "rough": Profile(
        about="a bad day: half of all faults, at a tenth of their rates",
        faults=_NOT_ASKED_FOR,
        swarms=True,
        gentle=10,
    ),
    "storm": Profile(
        about="no room: capacity storms, rate limits, rollouts, slow starts",
        faults=(
            Fault.CAPACITY_STORM,
            Fault.RATE_LIMIT,
            Fault.ROLLOUTS,
            Fault.SLOW_START,
        ),
    ),
    "intermediate_state": Profile(
        about="killed half-way through what belongs together",
        faults=(
            Fault.OPERATOR_KILLED,
            Fault.KILLED_IN_STEP,
            Fault.LOST_ACKNOWLEDGEMENT,
            Fault.JOURNAL_FAILS,
        ),
    ),
    "unobserved_state": Profile(
        about="what happened is never told",
        faults=(
            Fault.LOST_EVENTS,
            Fault.VANISHED,
            Fault.LOST_SIGHT,
            Fault.INCOMPLETE_LOOKS,
            Fault.OPERATOR_KILLED,
        ),
    ),
    "stale_state": Profile(
        about="what is told was true before",
        faults=(
            Fault.STALE_EVENTS,
            Fault.STALE_LOOKS,
            Fault.LATE_EVENTS,
            Fault.REORDERED_EVENTS,
            Fault.DUPLICATE_EVENTS,
            Fault.TWO_OPERATORS,
        ),
    ),
    "restless": Profile(
        about="its owner changes it over and over, on a bad day",
        faults=(
            Fault.OWNER_CHANGES,
            Fault.START_FAILS,
            Fault.SLOW_START,
            Fault.LOST_EVENTS,
            Fault.OPERATOR_KILLED,
            Fault.KILLED_IN_STEP,
        ),
    ),
    "all": Profile(
        about="all faults, each in half of the seeds",
        faults=_NOT_ASKED_FOR,
        swarms=True,
    ),
    **{
        str(fault): Profile(about="this fault alone", faults=(fault,))
        for fault in Fault
    },
}
"""Every profile by its name: the mixed ones first, then one for each fault."""


def draw_of(profile: Profile, seed: int, until: Moment) -> FaultPlan:
    """Draw a plan of a profile from a seed, in force until a moment.

    >>> draw_of(PROFILES["calm"], 1, 1_000) == FaultPlan(until=1_000)
    True

    """
    dice = Dice(seed)
    values: dict[str, Any] = {}
    for fault in profile.faults:
        own = dice.fork()
        if not profile.swarms or own.happens(500):
            values |= _DRAWS[fault](own, until)
    return FaultPlan(
        until=until,
        **{name: _softened(value, profile, name) for name, value in values.items()},
    )


def _softened(value: object, profile: Profile, name: str) -> Any:
    """Make trouble rarer where a profile is gentle: lower rates, longer spans."""
    if not isinstance(value, int):
        return value
    if name.endswith("_every_ms"):
        return value * profile.gentle**2
    return -(-value // profile.gentle)


def draw_plan(seed: int, until: Moment) -> FaultPlan:
    """Draw a plan of all faults from a seed; about half of them are off in each."""
    return draw_of(PROFILES["all"], seed, until)
