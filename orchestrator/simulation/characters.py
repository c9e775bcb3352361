"""How the runs of a container live and end: its character, and the fate of one run.

A character is drawn once for a container, a fate once for each of its runs. A fate is
data: when the run begins, listens, hangs and ends, and what its checks see meanwhile.

| character | each of its runs |
|---|---|
| steady | starts, becomes ready, runs on |
| job | ends with 0 after some seconds |
| flaky | ends after up to a quarter of an hour, with a code or a signal |
| dead | ends with 1 within a third of a second |
| stubborn | ignores the signal to stop, and is killed after the grace |
| never_ready | starts, and never listens |
| slow | takes up to a minute and a half to listen |
| hung | after a while: alive, its ports open, its checks fail, deaf to signals |
| wedged | hangs, and so does every run after it, until one is destroyed |
| flapping | its readiness comes and goes |
| image_missing | the platform accepts the start, and then says that it failed |
| refused | the platform refuses the start |
| leaky | ends for lack of memory |
| sleeper | is put to sleep by the platform when it was idle |
| scripted | ends as its script says, one end a run |

A *release* says it of whatever is made of a template: a bad image is bad in every
container, and stays so when all else has healed.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, assert_never

import attrs

from orchestrator.core.exits import (
    Exit,
    Exited,
    OutOfMemory,
    Signaled,
    Slept,
    StartFailed,
)
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.services import is_alike
from orchestrator.core.specs import ContainerSpec
from orchestrator.simulation.dice import Dice

__all__ = (
    "DEFAULT_SCRIPT",
    "Character",
    "Fate",
    "Release",
    "draw_characters",
    "draw_fate",
    "released",
)

DEFAULT_SCRIPT: Final[tuple[Exit, ...]] = (Exited(code=1), Exited(code=0))
"""What a scripted container does that nobody wrote a script for."""


class Character(StrEnum):
    """How the runs of a container live and end."""

    STEADY = "steady"
    JOB = "job"
    FLAKY = "flaky"
    DEAD = "dead"
    STUBBORN = "stubborn"
    NEVER_READY = "never_ready"
    SLOW = "slow"
    HUNG = "hung"
    WEDGED = "wedged"
    FLAPPING = "flapping"
    IMAGE_MISSING = "image_missing"
    REFUSED = "refused"
    LEAKY = "leaky"
    SLEEPER = "sleeper"
    SCRIPTED = "scripted"


@attrs.frozen(kw_only=True)
class Fate:
    """What a run will do by itself; ``None``: it never does.

    ``flaps_ms``: its readiness is gone for the second half of every such span.
    """

    started_at: Moment
    ready_at: Moment | None
    ends_at: Moment | None = None
    exit: Exit = Exited(code=0)
    hangs_at: Moment | None = None
    flaps_ms: Millis = 0
    stubborn: bool = False


@attrs.frozen(kw_only=True)
class Release:
    """What is made of a template behaves so, whatever its container is like."""

    template: ContainerSpec
    character: Character


def released(releases: Iterable[Release], spec: ContainerSpec) -> Character | None:
    """Return how what is made of *spec* behaves, the newest word on it; None: no word.

    >>> web = ContainerSpec(name="web", command=("run",))
    >>> bad = Release(template=web, character=Character.DEAD)
    >>> released([bad], attrs.evolve(web, name="web-0", service="web"))
    <Character.DEAD: 'dead'>

    """
    found = None
    for release in releases:
        of_its_service = release.template.service == spec.service
        if of_its_service and is_alike(spec, release.template):
            found = release.character
    return found


_LIKELY: Final = (
    *(Character.STEADY,) * 10,
    *(Character.FLAKY,) * 4,
    Character.JOB,
    Character.DEAD,
    Character.STUBBORN,
    Character.NEVER_READY,
    Character.SLOW,
    Character.HUNG,
    Character.WEDGED,
    Character.FLAPPING,
    Character.IMAGE_MISSING,
    Character.LEAKY,
    Character.SLEEPER,
)
"""What a container is, where nobody says: most are well."""


def draw_characters(seed: int, names: tuple[str, ...]) -> dict[str, Character]:
    """Draw what each container is like, from a seed; most are well.

    >>> draw_characters(1, ("a", "b")) == draw_characters(1, ("a", "b"))
    True

    """
    dice = Dice(seed)
    return {name: dice.pick(_LIKELY) for name in names}


def draw_fate(character: Character, dice: Dice, at: Moment, end: Exit) -> Fate:
    """Draw the fate of a run that begins at *at*; *end* is what a script says."""
    roll = dice.between
    started_at = at + roll(5, 400)
    well = Fate(started_at=started_at, ready_at=started_at + roll(0, 2_000))
    match character:
        case Character.STEADY | Character.REFUSED:
            return well
        case Character.STUBBORN:
            return attrs.evolve(well, stubborn=True)
        case Character.JOB:
            return attrs.evolve(well, ends_at=started_at + roll(100, 20_000))
        case Character.FLAKY:
            exit_ = Exited(code=roll(0, 2)) if roll(0, 1) else Signaled(signal=11)
            ends_at = started_at + roll(500, 900_000)
            return attrs.evolve(well, ends_at=ends_at, exit=exit_)
        case Character.DEAD:
            ends_at, dead = started_at + roll(1, 300), Exited(code=1)
            return attrs.evolve(well, ready_at=None, ends_at=ends_at, exit=dead)
        case Character.NEVER_READY:
            return attrs.evolve(well, ready_at=None)
        case Character.SLOW:
            return attrs.evolve(well, ready_at=started_at + roll(5_000, 90_000))
        case Character.HUNG | Character.WEDGED:
            return attrs.evolve(well, hangs_at=started_at + roll(10_000, 7_200_000))
        case Character.FLAPPING:
            return attrs.evolve(well, flaps_ms=roll(60_000, 900_000))
        case Character.IMAGE_MISSING:
            missing = StartFailed(reason="its image is missing")
            return attrs.evolve(well, ready_at=None, ends_at=started_at, exit=missing)
        case Character.LEAKY:
            ends_at = started_at + roll(60_000, 3_600_000)
            return attrs.evolve(well, ends_at=ends_at, exit=OutOfMemory())
        case Character.SLEEPER:
            ends_at = started_at + roll(60_000, 3_600_000)
            return attrs.evolve(well, ends_at=ends_at, exit=Slept())
        case Character.SCRIPTED:
            ends_at = started_at + roll(1_000, 60_000)
            return attrs.evolve(well, ends_at=ends_at, exit=end)
        case _:
            assert_never(character)
