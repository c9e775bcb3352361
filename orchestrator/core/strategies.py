"""How a rollout goes from step to step: a pure function of what it has come to.

A *strategy* is asked each time its previous step is over, and answers with the next
one. It sees numbers alone, and names no container: which one moves, and when, is said
by the machine (``core.rollouts``), which holds the bounds of the policy whatever a
strategy says.

| strategy | its steps |
|---|---|
| ``recreate`` | stop all, then all anew |
| ``rolling`` | all anew, as fast as the bounds allow |
| ``canary`` | the policy's steps, one after another, then the rest |
| ``blue_green`` | all anew beside the old ones, which go when their time is over |

A program may register strategies of its own (``core.custom``). One that raises, answers
what is no step, or does not come to an end, holds its rollout.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs
from attrs.validators import ge, instance_of

from orchestrator.core.fields import Json, holds
from orchestrator.core.moments import DURATION_MAX, Millis
from orchestrator.core.names import is_name
from orchestrator.core.rollout_policies import (
    BUILT_IN,
    WHOLE,
    Promotion,
    RolloutPolicy,
    Share,
)
from orchestrator.core.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = (
    "STEPS_MAX",
    "STRATEGIES",
    "AskPromotion",
    "CustomStrategy",
    "Finish",
    "Move",
    "Retire",
    "Soak",
    "Step",
    "StopAll",
    "Strategy",
    "View",
    "read_step",
)

STEPS_MAX: Final = 1_000
"""Steps of one rollout; a strategy that wants more does not come to an end."""


@attrs.frozen(kw_only=True)
class View:
    """What a strategy is told: how far its rollout is, in numbers.

    Of ``replicas`` that are asked for, ``new`` ones are moved, ``counted`` of them are
    ready for long enough; ``old`` ones are not moved, ``old_available`` of them accept
    work. ``step`` steps are over, ``promoted`` of them by an owner's word. ``failures``
    are those of new replicas. ``elapsed_ms`` is the time since the rollout began.
    """

    service: str
    replicas: int
    new: int
    counted: int
    old: int
    old_available: int
    step: int
    promoted: int
    failures: int
    elapsed_ms: Millis
    policy: RolloutPolicy
    params: Table[str, Json]


@attrs.frozen
class Move:
    """So many replicas are to be new; over when they count.

    *beside*: each new one is made beside its old one, which stays. Once a move was so,
    all are until ``Retire``.
    """

    share: Share
    beside: bool = False


@attrs.frozen
class Soak:
    """All waits for a time; over when it has passed."""

    ms: Millis


@attrs.frozen
class AskPromotion:
    """All waits for the owner's word; over when it is given."""


@attrs.frozen
class Retire:
    """The old ones go whose successors run beside them; over when they have."""


@attrs.frozen
class StopAll:
    """All old ones are stopped; over when none of them lives. ``recreate``'s alone."""


@attrs.frozen
class Finish:
    """The rollout is done, where all replicas are new; else the rest is moved first."""


Step: TypeAlias = Move | Soak | AskPromotion | Retire | StopAll | Finish
Strategy: TypeAlias = Callable[[View], Step]


def _is_own_name(value: object) -> bool:
    return isinstance(value, str) and is_name(value) and value not in BUILT_IN


@attrs.frozen(kw_only=True)
class CustomStrategy:
    """A function under the name and version by which policies and journals call it."""

    name: str = attrs.field(
        validator=holds(_is_own_name, "a name that no built-in strategy has")
    )
    version: int = attrs.field(validator=[instance_of(int), ge(1)])
    step: Strategy


def read_step(answer: object) -> Step | None:
    """Return what a program's own strategy answered, if it is a step; None: it is not.

    >>> read_step(Soak(5)), read_step(Soak(-5)), read_step("finish")
    (Soak(ms=5), None, None)

    """
    match answer:
        case Move(share=Share() as share, beside=bool(beside)):
            return Move(share, beside)
        case Soak(ms=ms) if type(ms) is int and 0 <= ms <= DURATION_MAX:
            return Soak(ms)
        case AskPromotion():
            return AskPromotion()
        case Retire():
            return Retire()
        case Finish():
            return Finish()
        case _:
            return None


# Built in


def _recreate(view: View) -> Step:
    return _nth(iter((StopAll(), Move(WHOLE))), view.step)


def _rolling(view: View) -> Step:
    return _nth(iter((Move(WHOLE),)), view.step)


def _canary(view: View) -> Step:
    """Take the steps of the policy, then move the rest."""
    return _nth(_canary_steps(view.policy, view.replicas), view.step)


def _canary_steps(policy: RolloutPolicy, replicas: int) -> Iterator[Step]:
    """Yield the steps; while some are still old, an owner may be asked after each.

    How many steps there are does not hang on the number of replicas, which may change
    on the way: where all are new, the move that is over stands for the question.
    """
    for step in policy.steps:
        yield Move(step.share)
        if step.soak_ms:
            yield Soak(step.soak_ms)
        if policy.promote is Promotion.MANUAL:
            is_whole = step.share.up(replicas) >= replicas
            yield Move(step.share) if is_whole else AskPromotion()
    yield Move(WHOLE)


def _blue_green(view: View) -> Step:
    return _nth(_blue_green_steps(view.policy), view.step)


def _blue_green_steps(policy: RolloutPolicy) -> Iterator[Step]:
    yield Move(WHOLE, beside=True)
    if policy.promote is Promotion.MANUAL:
        yield AskPromotion()
    if policy.keep_old_ms:
        yield Soak(policy.keep_old_ms)
    yield Retire()


def _nth(steps: Iterator[Step], number: int) -> Step:
    """Return the step after so many; when none is left, the rollout is done."""
    return next(islice(steps, number, None), Finish())


STRATEGIES: Final[dict[tuple[str, int], Strategy]] = {
    ("recreate", 1): _recreate,
    ("rolling", 1): _rolling,
    ("canary", 1): _canary,
    ("blue_green", 1): _blue_green,
}
"""What every program has, by name and version. Another version is another function."""
