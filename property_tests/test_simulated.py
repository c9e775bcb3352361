"""The laws of the fleet, in a simulated world that breaks and heals.

A seed draws the faults, the world, the fleet and the owner's requests (``trials``);
Hypothesis draws the seed, and the owner's requests to a plainer fleet. Every step is
checked against every invariant of the core.
"""

from __future__ import annotations

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.core.commands import StartContainer
from orchestrator.core.events import Booted
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.invariants import Violation, violations
from orchestrator.core.phases import BackingOff, CrashLooping
from orchestrator.core.policies import CrashLimit, RestartPolicy, When
from orchestrator.core.reduce import fold, reduce
from orchestrator.core.requests import (
    Apply,
    ClearCrashHistory,
    Reconcile,
    Remove,
    Request,
    Restart,
    Start,
    Stop,
)
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import empty_fleet
from orchestrator.core.steps import Step
from orchestrator.simulation.characters import Character
from orchestrator.simulation.faults import calm
from orchestrator.simulation.profiles import PROFILES, draw_plan
from orchestrator.simulation.runs import Run, start_run
from property_tests.trials import draw_trial, tried

MINUTE = 60_000
HEAL = 15 * MINUTE

CHARACTERS = {str(kind).replace("_", "-"): kind for kind in Character}
NAMES = (*CHARACTERS, "ad-hoc-1", "ad-hoc-2")
SEEDS = st.integers(0, 2**32)

policies = st.builds(
    RestartPolicy,
    when=st.sampled_from(When),
    crash=st.builds(CrashLimit, allowed_crashes=st.integers(0, 4)),
)
names = st.sampled_from(NAMES)


def spec(name: str, policy: RestartPolicy | None = None) -> ContainerSpec:
    return ContainerSpec(
        name=name,
        command=("run", name),
        start_timeout_ms=10_000,
        restart=policy or RestartPolicy(),
    )


def fleet_spec(*, limit: int = 3, policy: RestartPolicy | None = None) -> FleetSpec:
    return FleetSpec(
        name="simulated",
        settings=FleetSettings(max_concurrent_starts=limit, ad_hoc=spec("any")),
        containers=tuple(spec(name, policy) for name in CHARACTERS),
    )


requests: st.SearchStrategy[Request] = st.one_of(
    st.builds(Start, name=names, force=st.booleans()),
    st.builds(Stop, name=names),
    st.builds(Restart, name=names),
    st.builds(Remove, name=names),
    st.builds(ClearCrashHistory, name=names),
    st.builds(Reconcile),
    st.builds(
        Apply,
        spec=st.builds(
            fleet_spec, limit=st.integers(1, 8), policy=st.none() | policies
        ),
    ),
)
plans = st.lists(st.tuples(st.integers(0, 2 * MINUTE), requests), max_size=8)


def broken(seed: int) -> tuple[Run, list[tuple[Violation, Step]]]:
    found: list[tuple[Violation, Step]] = []

    def check(step: Step) -> None:
        found.extend((violation, step) for violation in violations(step))

    run = start_run(seed, draw_plan(seed, HEAL), CHARACTERS, on_step=check)
    run.on_stale_step = check
    return run, found


def asked_in_turn(run: Run, asked: list[tuple[int, Request]]) -> None:
    run.ask(Apply(spec=fleet_spec()))
    for wait, request in asked:
        run.run_until(run.now + wait)
        run.ask(request)


@given(seed=SEEDS, asked=plans)
@example(seed=4, asked=[])
@settings(max_examples=25)
def test_every_invariant_holds_after_every_step(
    seed: int, asked: list[tuple[int, Request]]
) -> None:
    run, found = broken(seed)
    asked_in_turn(run, asked)
    run.run_until(HEAL)
    assert found == []
    assert fold(empty_fleet("simulated"), run.journal) == run.fleet


@given(seed=SEEDS, profile=st.sampled_from(list(PROFILES)))
@settings(max_examples=25)
def test_broken_and_healed_any_fleet_converges_within_its_bound_and_stays(
    seed: int, profile: str
) -> None:
    assert tried(draw_trial(seed, profile)).wrong == []


@pytest.mark.parametrize(
    "profile", ["intermediate_state", "unobserved_state", "stale_state"]
)
@pytest.mark.parametrize("seed", range(3))
def test_the_patterns_that_break_operators_do_not_break_this_one(
    profile: str, seed: int
) -> None:
    """Sun et al., "Automatic Reliability Testing for Cluster Management" (OSDI 22)."""
    assert tried(draw_trial(seed, profile)).wrong == []


@pytest.mark.parametrize("seed", [221])
def test_what_once_failed_holds(seed: int) -> None:
    assert tried(draw_trial(seed, "all")).wrong == []


@given(seed=SEEDS, cut=st.integers(0, 400))
@settings(max_examples=15)
def test_a_snapshot_and_the_rest_are_the_whole(seed: int, cut: int) -> None:
    run, _ = broken(seed)
    asked_in_turn(run, [])
    run.run_until(5 * MINUTE)
    snapshot = fold(empty_fleet("simulated"), run.journal[:cut])
    stepwise = empty_fleet("simulated")
    for event in run.journal:
        stepwise = reduce(stepwise, event).fleet
    assert fold(snapshot, run.journal[cut:]) == stepwise == run.fleet


def test_at_the_fixed_point_reconcile_plans_nothing_but_a_look() -> None:
    commands: list[object] = []
    steady = {"a": Character.STEADY, "b": Character.STEADY}
    run = start_run(
        1, calm(), steady, on_step=lambda step: commands.extend(step.commands)
    )
    spec_ = FleetSpec(name="simulated", containers=(spec("a"), spec("b")))
    run.ask(Apply(spec=spec_))
    run.run_until(20 * MINUTE)
    settled = run.fleet
    commands.clear()
    run.run_until(25 * MINUTE)
    assert {type(command).__name__ for command in commands} == {"ObserveFleet"}
    assert run.fleet.containers == settled.containers


@pytest.mark.parametrize("seed", range(20))
def test_a_container_that_always_dies_is_bounded_by_its_budget(seed: int) -> None:
    starts: list[int] = []

    def count(step: Step) -> None:
        starts.extend(
            step.after.at
            for command in step.commands
            if isinstance(command, StartContainer)
        )

    dead = {"dead": Character.DEAD}
    run = start_run(seed, calm(), dead, on_step=count)
    run.ask(Apply(spec=FleetSpec(name="simulated", containers=(spec("dead"),))))
    run.run_until(4 * 60 * MINUTE)
    for place, start in enumerate(starts):
        within = [other for other in starts[place:] if other < start + 10 * MINUTE]
        assert len(within) <= 4 + 1  # allowed crashes, and the start that trips
    phase = run.fleet.containers.get("dead")
    assert phase is not None
    assert isinstance(phase.phase, CrashLooping | BackingOff)


@given(seed=SEEDS)
@settings(max_examples=15)
def test_every_boot_recovers_what_the_journal_says(seed: int) -> None:
    run, found = broken(seed)
    run.plan = attrs.evolve(run.plan, kill_operator_every_ms=3_000)
    run.boot()
    run.ask(Apply(spec=fleet_spec()))
    run.run_until(10 * MINUTE)
    boots = sum(isinstance(event, Booted) for event in run.journal)
    assert run.boots >= boots > 1
    assert found == []
