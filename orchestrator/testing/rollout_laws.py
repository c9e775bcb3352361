"""The laws that every strategy of rollouts obeys, each over one course of a rollout.

A *course* is a rollout of a service that does what its strategy says, in numbers: what
the strategy was asked, one view after another, and what it answered. No machine and no
platform is in it, so that a law looks at the strategy alone; that the machine holds its
bounds whatever a strategy says is tried in a simulated world
(``testing.rollout_trials``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

import attrs

from orchestrator.core.moments import Millis
from orchestrator.core.rollout_policies import RolloutPolicy, Share
from orchestrator.core.strategies import (
    STEPS_MAX,
    STRATEGIES,
    AskPromotion,
    CustomStrategy,
    Finish,
    Move,
    Retire,
    Soak,
    Step,
    StopAll,
    Strategy,
    View,
    read_step,
)

__all__ = ("COURSE_LAWS", "Asked", "Course", "Luck", "course_of", "shown", "step_of")


@attrs.frozen(kw_only=True)
class Luck:
    """What befalls a rollout during one step of it.

    ``failures`` new replicas fail, ``down`` of them are not ready when it is over, and
    ``ms`` pass.
    """

    failures: int = 0
    down: int = 0
    ms: Millis = 0


@attrs.frozen(kw_only=True)
class Asked:
    """One question to a strategy; ``answer`` is whatever came back."""

    view: View
    answer: object
    raised: Exception | None = None

    @property
    def step(self) -> Step | None:
        """Return the answer, where it is a step that a strategy may want."""
        own = isinstance(self.answer, StopAll)
        builtin = (self.view.policy.strategy, self.view.policy.version) in STRATEGIES
        return StopAll() if own and builtin else read_step(self.answer)


@attrs.frozen(kw_only=True)
class Course:
    """A rollout in numbers: what its strategy was asked, and what it answered."""

    strategy: Strategy
    asked: tuple[Asked, ...]


def step_of(strategies: Sequence[CustomStrategy], policy: RolloutPolicy) -> Strategy:
    """Return the function that a policy names; ``ValueError``: there is none."""
    key = (policy.strategy, policy.version)
    for one in strategies:
        if (one.name, one.version) == key:
            return one.step
    if key not in STRATEGIES:
        msg = f"strategy {policy.strategy!r} version {policy.version} is not given"
        raise ValueError(msg)
    return STRATEGIES[key]


def course_of(
    strategy: Strategy, policy: RolloutPolicy, replicas: int, luck: Sequence[Luck] = ()
) -> Course:
    """Ask a strategy again and again, as long as it answers steps and is not done.

    *luck* befalls its first steps; behind that all goes well.
    """
    view = View(
        service="web",
        replicas=replicas,
        new=0,
        counted=0,
        old=replicas,
        old_available=replicas,
        step=0,
        promoted=0,
        failures=0,
        elapsed_ms=0,
        policy=policy,
        params=policy.params,
    )
    asked: list[Asked] = []
    while len(asked) <= STEPS_MAX:
        one = _ask(strategy, view)
        asked.append(one)
        if one.step is None or isinstance(one.step, Finish):
            break
        befalls = luck[view.step] if view.step < len(luck) else Luck()
        view = _after(view, one.step, befalls)
    return Course(strategy=strategy, asked=tuple(asked))


def _ask(strategy: Strategy, view: View) -> Asked:
    try:
        answer = strategy(view)
    except Exception as error:  # noqa: BLE001 - it is what we look for
        return Asked(view=view, answer=None, raised=error)
    return Asked(view=view, answer=answer)


def _after(view: View, step: Step, luck: Luck) -> View:
    """Return what a strategy sees when a step is over."""
    new, ms = view.new, luck.ms
    if isinstance(step, Move):
        new = max(new, min(view.replicas, step.share.up(view.replicas)))
    if isinstance(step, Soak):
        ms += step.ms
    old = view.replicas - new
    down = 0 if isinstance(step, Move) else min(luck.down, new)
    return attrs.evolve(
        view,
        new=new,
        counted=new - down,
        old=old,
        old_available=0 if isinstance(step, StopAll) else min(old, view.old_available),
        step=view.step + 1,
        promoted=view.promoted + isinstance(step, AskPromotion),
        failures=view.failures + luck.failures,
        elapsed_ms=view.elapsed_ms + ms,
    )


# Laws


Law: TypeAlias = Callable[[Course], Iterator[str]]
"""What in a course breaks the law, in words."""


def answers_are_steps(course: Course) -> Iterator[str]:
    """Demand that a strategy never raises, and always answers a step."""
    for one in course.asked:
        if one.raised is not None:
            yield f"asked {shown(one.view)} it raises {one.raised!r}"
        elif one.step is None:
            yield f"asked {shown(one.view)} it answers {one.answer!r}: no step"


def same_view_same_answer(course: Course) -> Iterator[str]:
    """Demand that a strategy is pure: the same view, the same answer."""
    for one in (*course.asked, *reversed(course.asked)):
        if one.raised is None:
            again = _ask(course.strategy, one.view)
            if again.raised is not None or again.answer != one.answer:
                found = again.raised or again.answer
                yield (
                    f"asked {shown(one.view)} it answers {_step(one.answer)}, and then"
                    f" {_step(found)}"
                )


def comes_to_an_end(course: Course) -> Iterator[str]:
    """Demand that a rollout that nothing stops is done after so many steps."""
    if len(course.asked) > STEPS_MAX:
        last = course.asked[-1]
        yield (
            f"after {STEPS_MAX} steps it wants another one: asked {shown(last.view)} it"
            f" answers {_step(last.answer)}"
        )


def never_wants_fewer(course: Course) -> Iterator[str]:
    """Demand that what is new stays new: going back is not a strategy's."""
    for one in course.asked:
        if isinstance(one.step, Move):
            goal = one.step.share.up(one.view.replicas)
            if goal < one.view.new:
                yield (
                    f"asked {shown(one.view)} it answers {_step(one.answer)}: {goal} of"
                    f" {one.view.replicas}, where {one.view.new} are new"
                )


COURSE_LAWS: Final[dict[str, Law]] = {
    "a strategy always answers a step": answers_are_steps,
    "a strategy answers the same to the same view": same_view_same_answer,
    "a strategy comes to an end": comes_to_an_end,
    "a strategy never wants fewer new ones": never_wants_fewer,
}
"""The laws of courses, by name."""


# Words


def shown(view: View) -> str:
    """Write a view in short: what differs from one question to the next.

    >>> shown(course_of(lambda _: Finish(), RolloutPolicy(), 3).asked[0].view)
    'step 0: 0 of 3 new, 0 counted, 3 old (3 available), 0 failures, after 0 ms'

    """
    promoted = f", promoted {view.promoted} times" if view.promoted else ""
    return (
        f"step {view.step}: {view.new} of {view.replicas} new, {view.counted} counted,"
        f" {view.old} old ({view.old_available} available){promoted},"
        f" {view.failures} failures, after {view.elapsed_ms} ms"
    )


def _step(answer: object) -> str:
    """Write an answer as a program does.

    >>> _step(Move(Share(25, is_percent=True), beside=True))
    "Move('25%', beside=True)"

    """
    match answer:
        case Move(share=Share() as share, beside=beside):
            return f"Move({str(share)!r}{', beside=True' if beside else ''})"
        case Soak(ms=ms):
            return f"Soak({ms})"
        case AskPromotion() | Retire() | Finish() | StopAll():
            return f"{type(answer).__name__}()"
        case _:
            return repr(answer)
