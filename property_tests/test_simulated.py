"""The laws of the fleet, in a simulated world that breaks and heals.

A seed draws the faults and the world; Hypothesis draws the seed and the owner's
requests. Every step is checked against every invariant of the core.
"""

from __future__ import annotations

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.core.commands import StartContainer
from orchestrator.core.events import Booted
from orchestrator.core.invariants import Violation, violations
from orchestrator.core.phases import BackingOff, CrashLooping, phase_name
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
from orchestrator.core.specs import ContainerSpec, FleetSettings, FleetSpec
from orchestrator.core.state import empty_fleet
from orchestrator.core.steps import Step
from orchestrator.simulation.faults import Character, calm, draw_plan
from orchestrator.simulation.runs import Run, start_run

MINUTE = 60_000
HEAL = 15 * MINUTE
BOUND = 3 * 10 * MINUTE
"""Longer than the longest wait, start timeout, grace and three reconciles together."""

CHARACTERS = {
    "steady": Character.STEADY,
    "job": Character.JOB,
    "flaky": Character.FLAKY,
    "dead": Character.DEAD,
    "stubborn": Character.STUBBORN,
    "never-ready": Character.NEVER_READY,
}
PRESCRIBED = {
    "steady": {"running"},
    "stubborn": {"running"},
    "job": {"completed"},
    "flaky": {"running", "starting", "completed", "backing_off", "crash_looping"},
    "dead": {"backing_off", "crash_looping", "starting", "running"},
    "never-ready": {
        "backing_off",
        "crash_looping",
        "starting",
        "running",
        "stopping",
        "pending",
    },
}
NAMES = (*CHARACTERS, "ad-hoc-1", "ad-hoc-2")

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
    return run, found


@given(seed=st.integers(0, 2**32), asked=plans)
@example(seed=4, asked=[])
def test_every_invariant_holds_after_every_step(
    seed: int, asked: list[tuple[int, Request]]
) -> None:
    run, found = broken(seed)
    run.ask(Apply(spec=fleet_spec()))
    for wait, request in asked:
        run.run_until(run.now + wait)
        run.ask(request)
    run.run_until(HEAL)
    assert found == []


@given(seed=st.integers(0, 2**32), asked=plans)
def test_the_fold_of_the_journal_is_the_live_state(
    seed: int, asked: list[tuple[int, Request]]
) -> None:
    run, _ = broken(seed)
    run.ask(Apply(spec=fleet_spec()))
    for wait, request in asked:
        run.run_until(run.now + wait)
        run.ask(request)
    run.run_until(HEAL)
    assert fold(empty_fleet("simulated"), run.journal) == run.fleet


@given(seed=st.integers(0, 2**32), cut=st.integers(0, 400))
def test_a_snapshot_and_the_rest_are_the_whole(seed: int, cut: int) -> None:
    run, _ = broken(seed)
    run.ask(Apply(spec=fleet_spec()))
    run.run_until(5 * MINUTE)
    snapshot = fold(empty_fleet("simulated"), run.journal[:cut])
    stepwise = empty_fleet("simulated")
    for event in run.journal:
        stepwise = reduce(stepwise, event).fleet
    assert fold(snapshot, run.journal[cut:]) == stepwise == run.fleet


@given(seed=st.integers(0, 2**32), asked=plans)
@settings(max_examples=20)
def test_broken_and_healed_the_fleet_converges_and_stays(
    seed: int, asked: list[tuple[int, Request]]
) -> None:
    run, found = broken(seed)
    run.ask(Apply(spec=fleet_spec()))
    for wait, request in asked:
        run.run_until(run.now + wait)
        run.ask(request)
    run.run_until(max(run.now, HEAL))
    run.ask(Apply(spec=fleet_spec()))
    for name in CHARACTERS:
        run.ask(Start(name=name, force=True))
    run.run_until(run.now + BOUND)
    for _ in range(3):
        phases = {
            name: phase_name(container.phase)
            for name, container in run.fleet.containers.items()
            if name in CHARACTERS
        }
        assert all(phases[name] in PRESCRIBED[name] for name in CHARACTERS), phases
        run.run_until(run.now + 10 * MINUTE)
    assert found == []


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


@given(seed=st.integers(0, 2**32))
@settings(max_examples=20)
def test_every_boot_recovers_what_the_journal_says(seed: int) -> None:
    run, found = broken(seed)
    run.plan = attrs.evolve(run.plan, kill_operator_every_ms=3_000)
    run.boot()
    run.ask(Apply(spec=fleet_spec()))
    run.run_until(10 * MINUTE)
    boots = sum(isinstance(event, Booted) for event in run.journal)
    assert boots == run.boots > 1
    assert found == []
