"""Journals of simulated fleets, as entries: with what fails, and what is asked when."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.policies import RestartPolicy
from orchestrator.core.requests import Apply, Request
from orchestrator.core.specs import ContainerSpec, FleetSettings, FleetSpec
from orchestrator.core.steps import Step
from orchestrator.replay.history import Entry
from orchestrator.simulation.characters import Character
from orchestrator.simulation.faults import FaultPlan, calm
from orchestrator.simulation.runs import start_run

MINUTE = 60_000

CHARACTERS = {str(kind).replace("_", "-"): kind for kind in Character}
"""A container of each character, called like it."""


def spec_of(name: str, policy: RestartPolicy | None = None) -> ContainerSpec:
    return ContainerSpec(
        name=name, command=("run", name), restart=policy or RestartPolicy()
    )


def fleet_of(*specs: ContainerSpec, limit: int = 8) -> FleetSpec:
    settings = FleetSettings(max_concurrent_starts=limit)
    return FleetSpec(name="simulated", settings=settings, containers=specs)


def recorded(
    fleet: FleetSpec,
    *,
    seed: int = 1,
    plan: FaultPlan | None = None,
    until: int = 10 * MINUTE,
    asked: Iterable[tuple[int, Request]] = (),
) -> list[Entry]:
    """Simulate a fleet whose containers behave as they are called."""
    steps = steps_of(fleet, seed=seed, plan=plan, until=until, asked=asked)
    return entries_of(steps)


def steps_of(
    fleet: FleetSpec,
    *,
    seed: int = 1,
    plan: FaultPlan | None = None,
    until: int = 10 * MINUTE,
    asked: Iterable[tuple[int, Request]] = (),
    policies: CustomPolicies = NO_POLICIES,
) -> list[Step]:
    """Simulate, and return every step of the operator."""
    steps: list[Step] = []
    characters = {spec.name: CHARACTERS[spec.name] for spec in fleet.containers}
    run = start_run(
        seed,
        plan or calm(),
        characters,
        on_step=steps.append,
        policies=policies,
    )
    run.ask(Apply(spec=fleet))
    for at, request in asked:
        run.run_until(at)
        run.ask(request)
    run.run_until(until)
    return steps


def entries_of(steps: Iterable[Step]) -> list[Entry]:
    return [
        Entry(seq=seq, event=step.event, commands=step.commands, changes=b"")
        for seq, step in enumerate(steps, 1)
    ]
