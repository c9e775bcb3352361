"""Faults are drawn from a seed: who gets which, and when."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.simulation.characters import Character, draw_characters
from orchestrator.simulation.plans import FaultPlan, Stretch, during
from orchestrator.simulation.profiles import PROFILES, Fault, draw_of, draw_plan

HOUR = 3_600_000


def on(plan: FaultPlan) -> set[str]:
    names = (field.name for field in attrs.fields(FaultPlan))
    return {name for name in names if name != "until" and getattr(plan, name)}


@pytest.mark.parametrize("name", PROFILES)
def test_the_same_seed_draws_the_same_plan(name: str) -> None:
    plan = draw_of(PROFILES[name], 7, HOUR)
    assert plan == draw_of(PROFILES[name], 7, HOUR)
    assert plan.until == HOUR


@pytest.mark.parametrize("name", ["calm", "steady"])
def test_in_a_calm_profile_nothing_fails(name: str) -> None:
    assert on(draw_of(PROFILES[name], 7, HOUR)) == set()


@pytest.mark.parametrize("fault", Fault)
def test_each_fault_has_a_profile_of_its_own(fault: Fault) -> None:
    plan = draw_of(PROFILES[fault], 3, HOUR)
    assert on(plan)
    others = (draw_of(PROFILES[other], 3, HOUR) for other in Fault if other != fault)
    assert all(not on(plan) & on(other) for other in others)


def test_all_faults_together_are_every_fault_apart() -> None:
    every = {name for fault in Fault for name in on(draw_of(PROFILES[fault], 3, HOUR))}
    assert every == {field.name for field in attrs.fields(FaultPlan)} - {"until"}


def test_a_profile_that_swarms_leaves_out_about_half() -> None:
    plans = [draw_plan(seed, HOUR) for seed in range(200)]
    share = sum(plan.event_lost > 0 for plan in plans) / len(plans)
    assert 0.35 < share < 0.65


def test_a_gentle_profile_is_gentler() -> None:
    rough = [draw_of(PROFILES["rough"], seed, HOUR) for seed in range(50)]
    assert max(plan.event_lost for plan in rough) <= 30
    often = [plan.rollout_every_ms for plan in rough if plan.rollout_every_ms]
    assert min(often) >= 100 * 120_000


def test_stretches_lie_within_the_time_of_the_faults() -> None:
    for seed in range(50):
        plan = draw_of(PROFILES["capacity_storm"], seed, HOUR)
        for stretch in plan.capacity_storms:
            assert 0 <= stretch.begins < stretch.ends <= HOUR
    assert draw_of(PROFILES["journal_fails"], 1, 0).journal_down[0].ends == 0


def test_a_stretch_holds_its_begin_and_not_its_end() -> None:
    stretch = (Stretch(begins=2, ends=4),)
    assert [during(stretch, at) for at in (1, 2, 3, 4)] == [False, True, True, False]


def test_most_containers_are_well() -> None:
    names = tuple(f"c{number}" for number in range(400))
    kinds = list(draw_characters(5, names).values())
    assert kinds.count(Character.STEADY) > len(names) / 3
    assert len(set(kinds)) > 10
