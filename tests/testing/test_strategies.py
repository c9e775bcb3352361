"""``check_strategy`` finds what is wrong with a strategy, and lets pass what is not."""

from __future__ import annotations

from itertools import count

import attrs
import pytest

from orchestrator.core.custom import NO_POLICIES
from orchestrator.core.rollout_policies import (
    CanaryStep,
    Promotion,
    RolloutPolicy,
    Share,
)
from orchestrator.core.strategies import (
    STEPS_MAX,
    AskPromotion,
    CustomStrategy,
    Finish,
    Move,
    Retire,
    Soak,
    Step,
    View,
)
from orchestrator.testing import STRATEGY_LAWS, StrategyBroken, check_strategy
from orchestrator.testing.processes import CHILD
from orchestrator.testing.rollout_laws import COURSE_LAWS, course_of, shown
from orchestrator.testing.rollout_trials import tried

ALL = Share(100, True)  # noqa: FBT003 - a percentage
CANARY = RolloutPolicy(
    strategy="canary",
    steps=(CanaryStep(share=Share(1), soak_ms=20_000), CanaryStep(share=Share(3))),
    promote=Promotion.MANUAL,
)
BLUE_GREEN = RolloutPolicy(
    strategy="blue_green", promote=Promotion.MANUAL, keep_old_ms=30_000
)


def doubling(view: View) -> Step:
    """Move one, two, four, ... of them, with a soak between."""
    if view.new >= view.replicas:
        return Finish()
    return Soak(5_000) if view.step % 2 else Move(Share(max(1, 2 * view.new)))


def everything(view: View) -> Step:
    steps = (Move(Share(1), beside=True), AskPromotion(), Soak(1_000), Retire())
    return steps[view.step] if view.step < len(steps) else Finish()


@pytest.mark.parametrize(
    "policy",
    [
        RolloutPolicy(),
        RolloutPolicy(strategy="recreate"),
        RolloutPolicy(max_unavailable=Share(0), max_surge=Share(2)),
        CANARY,
        BLUE_GREEN,
    ],
    ids=["rolling", "recreate", "surge", "canary", "blue_green"],
)
def test_the_strategies_that_every_program_has_obey_the_laws(
    policy: RolloutPolicy,
) -> None:
    check_strategy(policy, examples=40)


@pytest.mark.parametrize("strategy", [doubling, everything])
def test_a_strategy_of_ones_own_that_is_right_passes(strategy: object) -> None:
    check_strategy(strategy, examples=40)  # type: ignore[arg-type]


def test_a_strategy_is_tried_with_the_policy_that_is_given() -> None:
    own = CustomStrategy(name="own", version=2, step=_by_params)
    policy = RolloutPolicy()
    with pytest.raises(StrategyBroken, match="KeyError"):
        check_strategy(own, policy=policy, examples=5)
    params = policy.params.put("share", 50)
    check_strategy(own, policy=attrs.evolve(policy, params=params), examples=20)


def _by_params(view: View) -> Step:
    share = view.params["share"]
    assert isinstance(share, int)
    return Finish() if view.step else Move(Share(share, True))  # noqa: FBT003


def test_a_policy_that_names_a_strategy_of_ones_own_needs_it() -> None:
    own = CustomStrategy(name="own", version=1, step=doubling)
    policy = RolloutPolicy(strategy="own")
    check_strategy(policy, strategies=[own], examples=10)
    with pytest.raises(ValueError, match="'own' version 1 is not given"):
        check_strategy(policy, examples=10)


_impure = count()


def _raises(view: View) -> Step:
    raise RuntimeError(view.service)


@pytest.mark.parametrize(
    ("strategy", "law", "about"),
    [
        (_raises, "a strategy always answers a step", "RuntimeError"),
        (lambda _: "finish", "a strategy always answers a step", "no step"),
        (lambda _: Soak(-1), "a strategy always answers a step", "no step"),
        (
            lambda _: Soak(next(_impure)),
            "a strategy answers the same to the same view",
            "and then",
        ),
        (lambda _: Move(Share(1)), "a strategy comes to an end", str(STEPS_MAX)),
        (
            lambda view: Finish() if view.step == 2 else Move(Share(2 - view.step)),
            "a strategy never wants fewer new ones",
            "1 of 2, where 2 are new",
        ),
    ],
    ids=["raises", "nonsense", "too short", "impure", "endless", "back"],
)
def test_a_strategy_that_breaks_a_law_is_told_with_what_it_was_asked(
    strategy: object, law: str, about: str
) -> None:
    with pytest.raises(StrategyBroken) as raised:
        check_strategy(strategy, examples=50)  # type: ignore[arg-type]
    broken = raised.value
    assert broken.law == law
    assert about in broken.about
    assert str(broken).startswith(f"broken: {law}\n")
    assert broken.asked
    assert broken.asked[-1] in str(broken)


def test_what_the_machine_finds_is_told_with_its_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def endless(view: View) -> Step:
        return Soak(1) if view.replicas else Finish()

    laws = ("a rollout ends with a reason in any history",)
    with pytest.raises(StrategyBroken, match="simulated with seed"):
        check_strategy(endless, laws=laws, examples=30)
    monkeypatch.setenv(CHILD, "1")
    check_strategy(endless, laws=laws)  # a child only answers


def test_only_the_laws_that_are_named_are_tried() -> None:
    names = tuple(COURSE_LAWS)[1:2]
    check_strategy(lambda _: Move(Share(1)), laws=names, examples=5)
    with pytest.raises(ValueError, match="there is no law 'luck'"):
        check_strategy(doubling, laws=["luck"])
    assert set(COURSE_LAWS) < set(STRATEGY_LAWS)


def test_a_course_is_asked_until_it_is_done() -> None:
    course = course_of(everything, RolloutPolicy(), 4)
    assert [type(one.answer).__name__ for one in course.asked] == [
        "Move",
        "AskPromotion",
        "Soak",
        "Retire",
        "Finish",
    ]
    assert shown(course.asked[-1].view) == (
        "step 4: 1 of 4 new, 1 counted, 3 old (3 available), promoted 1 times,"
        " 0 failures, after 1000 ms"
    )
    assert course.asked[0].view.params == RolloutPolicy().params
    assert ALL.up(4) == 4


def test_a_trial_follows_from_its_seed() -> None:
    one, other = (tried(3, RolloutPolicy(), NO_POLICIES) for _ in range(2))
    assert one == other
