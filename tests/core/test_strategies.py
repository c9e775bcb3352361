"""What a strategy wants next, and what becomes of one that does not know."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from orchestrator.core.custom import (
    NO_POLICIES,
    CustomPolicy,
    ask_strategy,
    is_strategy,
    registered,
)
from orchestrator.core.decisions import Complete
from orchestrator.core.errors import PolicyNotRegistered
from orchestrator.core.lineages import RolloutStatus
from orchestrator.core.policies import CustomPolicyRef, RestartPolicy
from orchestrator.core.registry import not_registered, not_registered_of_fleet
from orchestrator.core.rollout_policies import (
    WHOLE,
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
    StopAll,
    View,
    read_step,
)
from orchestrator.core.table import Table

from .rolling import Rolling, policy, served

TENTH, HALF = Share(10, is_percent=True), Share(50, is_percent=True)


def view(rollout: RolloutPolicy, step: int = 0) -> View:
    return View(
        service="web",
        replicas=4,
        new=0,
        counted=0,
        old=4,
        old_available=4,
        step=step,
        promoted=0,
        failures=0,
        elapsed_ms=0,
        policy=rollout,
        params=rollout.params,
    )


def steps(rollout: RolloutPolicy) -> list[Step | None]:
    found = [
        ask_strategy(NO_POLICIES, rollout, view(rollout, step)) for step in range(9)
    ]
    return found[: found.index(Finish())]


def own(step: Any, name: str = "own", version: int = 1) -> CustomStrategy:
    return CustomStrategy(name=name, version=version, step=step)


def rolled(step: Any) -> Rolling:
    """Return a service that was rolled out by a strategy of the program's own."""
    mine = policy(strategy="own")
    story = Rolling(registered([own(step)])).told(served(2, rollout=mine)).goes_on()
    return story.told(served(2, "two", mine)).goes_on()


def test_recreate_stops_all_then_moves_all() -> None:
    assert steps(policy(strategy="recreate")) == [StopAll(), Move(WHOLE)]


def test_rolling_moves_all_at_once_within_the_bounds() -> None:
    assert steps(policy()) == [Move(WHOLE)]


def test_a_canary_soaks_after_its_steps_and_moves_the_rest() -> None:
    some = (CanaryStep(share=TENTH, soak_ms=5), CanaryStep(share=HALF))
    canary = policy(strategy="canary", steps=some)
    assert steps(canary) == [Move(TENTH), Soak(5), Move(HALF), Move(WHOLE)]


def test_a_canary_that_is_promoted_by_hand_asks_after_each_step() -> None:
    some = (CanaryStep(share=TENTH), CanaryStep(share=HALF, soak_ms=5))
    canary = policy(strategy="canary", steps=some, promote=Promotion.MANUAL)
    ask = AskPromotion()
    assert steps(canary) == [
        *(Move(TENTH), ask),
        *(Move(HALF), Soak(5), ask),
        Move(WHOLE),
    ]


@pytest.mark.parametrize("share", [WHOLE, Share(4), Share(9)])
def test_a_canary_asks_nobody_where_none_is_old(share: Share) -> None:
    some = (CanaryStep(share=share),)
    canary = policy(strategy="canary", steps=some, promote=Promotion.MANUAL)
    assert steps(canary) == [Move(share), Move(share), Move(WHOLE)]
    more = attrs.evolve(view(canary, 1), replicas=10)
    asked = share != WHOLE
    found = ask_strategy(NO_POLICIES, canary, more)
    assert found == (AskPromotion() if asked else Move(WHOLE)), "as many steps"


def test_one_replica_and_then_the_owner_is_asked() -> None:
    one = (CanaryStep(share=Share(1)),)
    mine = policy(strategy="canary", steps=one, promote=Promotion.MANUAL)
    story = Rolling().told(served(3, rollout=mine)).goes_on()
    story.told(served(3, "two", mine)).goes_on()
    assert story.status() is RolloutStatus.AWAITING_PROMOTION
    assert [image for _, image in story.images()].count("two") == 1
    story.roll("promote").goes_on()
    assert story.status() is RolloutStatus.DONE
    assert {image for _, image in story.images()} == {"two"}


def test_blue_green_asks_keeps_the_old_ones_and_retires_them() -> None:
    both = policy(strategy="blue_green", keep_old_ms=7, promote=Promotion.MANUAL)
    beside = Move(WHOLE, beside=True)
    assert steps(both) == [beside, AskPromotion(), Soak(7), Retire()]
    assert steps(policy(strategy="blue_green")) == [beside, Retire()]


@pytest.mark.parametrize(
    "step", [Move(TENTH), Soak(0), AskPromotion(), Retire(), Finish()]
)
def test_what_is_a_step_is_read_as_it_is(step: Step) -> None:
    assert read_step(step) == step


@pytest.mark.parametrize(
    "answer",
    [None, "finish", Soak(-1), Soak(ms=True), Move(1), StopAll(), 7],  # type: ignore[arg-type]
)
def test_what_is_no_step_is_refused(answer: object) -> None:
    assert read_step(answer) is None


def test_a_built_in_name_is_nobody_elses() -> None:
    for name in ("rolling", "", 7):
        with pytest.raises(ValueError, match="no built-in strategy has"):
            own(lambda _: Finish(), name=name)  # type: ignore[arg-type]


def test_policies_and_strategies_share_a_register() -> None:
    one = own(lambda _: Finish())
    other = CustomPolicy(name="own", version=1, decide=lambda _: Complete())
    with pytest.raises(ValueError, match="given twice"):
        registered([one, other])
    assert is_strategy(registered([one]), "own", 1)
    assert not is_strategy(registered([other]), "own", 1)
    assert ask_strategy(
        registered([other]), policy(strategy="own"), view(policy())
    ) is (None)


def test_a_strategy_that_is_no_restart_policy_gives_up_as_one() -> None:
    ref = CustomPolicyRef(name="own", version=1)
    story = Rolling(registered([own(lambda _: Finish())]))
    story.told(served(1, restart=RestartPolicy(custom=ref))).goes_on()
    story.ended(name="web-0")
    assert story.phase("web-0") == "Failed"


def test_a_strategy_of_the_programs_own_is_asked_with_numbers() -> None:
    seen: list[View] = []

    def step(found: View) -> Step:
        seen.append(found)
        return Move(HALF) if found.step == 0 else Finish()

    story = rolled(step)
    assert story.status() is RolloutStatus.DONE
    assert [(it.step, it.new, it.counted, it.old) for it in seen] == [
        (0, 0, 0, 2),
        (1, 1, 1, 1),
    ]
    assert seen[0].params == Table()
    assert seen[1].elapsed_ms > 0


def test_one_that_raises_is_held_with_a_reason() -> None:
    def step(_: View) -> Step:
        raise SystemExit

    story = rolled(step)
    assert story.status() is RolloutStatus.HELD
    assert story.rollout.reason == (
        "its strategy 'own' version 1 has failed, or answered what is no step"
    )
    assert story.images() == [("web-0", "one"), ("web-1", "one")]


def test_one_that_is_interrupted_is_not_held() -> None:
    def step(_: View) -> Step:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rolled(step)


def test_one_that_never_comes_to_an_end_is_held() -> None:
    story = rolled(lambda _: Soak(0))
    assert story.status() is RolloutStatus.HELD
    assert f"in {STEPS_MAX} steps" in story.rollout.reason


def test_one_that_nobody_registered_is_refused_at_the_door() -> None:
    mine = policy(strategy="own")
    story = Rolling()
    refusal = story.refused(story.applied(served(1, rollout=mine)))
    assert refusal == PolicyNotRegistered(name="web", policy="own", version=1)
    newer = policy(version=9)
    refusal = story.refused(story.applied(served(1, rollout=newer)))
    assert refusal == PolicyNotRegistered(name="web", policy="rolling", version=9)


def test_a_fleet_that_needs_one_says_so() -> None:
    mine = policy(strategy="own")
    known = registered([own(lambda _: AskPromotion())])
    story = Rolling(known).told(served(2, rollout=mine)).goes_on()
    assert not_registered_of_fleet(story.fleet, known) is None
    missing = PolicyNotRegistered(name="web", policy="own", version=1)
    assert not_registered_of_fleet(story.fleet, NO_POLICIES) == missing
    story.told(served(2, "two", mine)).told(served(2, "two"))
    assert story.fleet.services["web"].rollout is None
    assert not_registered_of_fleet(story.fleet, NO_POLICIES) == missing
    apply = story.applied(served(2, "two", mine))
    event = story.admitted(apply)
    assert not_registered(event, known) is None


def test_a_canary_has_no_more_than_a_hundred_steps_and_each_is_one() -> None:
    step = CanaryStep(share=Share(1))
    for steps in ((step,) * 101, [step], (1,)):
        with pytest.raises(ValueError, match="at most 100 steps of a canary"):
            _ = RolloutPolicy(strategy="canary", steps=steps)  # type: ignore[arg-type]
