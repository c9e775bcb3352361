"""Histories that could happen: scenarios, their events, and plans of what fails."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs
from hypothesis import strategies as st

from orchestrator.core.custom import CustomPolicy
from orchestrator.core.events import Event
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.requests import Apply
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.simulation.faults import FaultPlan
from orchestrator.testing.chances import BRANCHES, Move, played
from orchestrator.testing.scenarios import Scenario
from orchestrator.testing.strategies.rollouts import rollout_policies
from orchestrator.testing.strategies.specs import fleet_specs, services
from orchestrator.testing.turns import asks, comes_up

__all__ = ("fault_plans", "histories", "moves", "rolled_histories", "scenarios")

WAITS = (0, -1, 0, -1, 1_000, -1, 60_000, 700_000)
PERMILLE_MAX = 300
_MOVES = st.builds(
    Move,
    branch=st.integers(0, BRANCHES - 1),
    pick=st.integers(0, 63),
    wait=st.sampled_from(WAITS),
)


@st.composite
def moves(draw: st.DrawFn, max_size: int = 30) -> list[Move]:
    """Draw moves, which ``chances.played`` makes a history of."""
    drawn: list[Move] = []
    goes_on = st.integers(0, max_size)
    while len(drawn) < max_size and draw(goes_on):
        drawn.append(draw(_MOVES))
    return drawn


def scenarios(
    *given: FleetSpec | ContainerSpec,
    policies: Iterable[CustomPolicy] = (),
    max_size: int = 30,
) -> st.SearchStrategy[Scenario]:
    """Draw what a platform and an owner could do to a fleet; each can be printed."""
    begun = Scenario.of(*given, policies=policies)
    return moves(max_size).map(lambda drawn: played(begun, drawn))


def histories(
    *given: FleetSpec | ContainerSpec,
    policies: Iterable[CustomPolicy] = (),
    max_size: int = 30,
) -> st.SearchStrategy[tuple[Event, ...]]:
    """Draw the events of a history that a platform could produce.

    Without a fleet, that is drawn, too.
    """
    if given:
        told = scenarios(*given, policies=policies, max_size=max_size)
        return told.map(lambda scenario: scenario.tale.events)
    return fleet_specs().flatmap(lambda spec: histories(spec, max_size=max_size))


def rolled_histories(max_size: int = 20) -> st.SearchStrategy[tuple[Event, ...]]:
    """Draw the events of a service that is up, and is rolled out to another template.

    So lineages are drawn, too: fold what comes.
    """
    served = st.builds(
        attrs.evolve,
        services(),
        replicas=st.integers(1, 3),
        rollout=rollout_policies(),
        autoscaling=st.none(),
    ).map(lambda drawn: attrs.evolve(drawn, declared=drawn.replicas))
    return st.builds(_rolled, served, moves(max_size))


def _rolled(service: Service, drawn: list[Move]) -> tuple[Event, ...]:
    template = attrs.evolve(service.template, depends_on=Table(), group=None)
    now = attrs.evolve(service, template=template)
    other = attrs.evolve(template, env=Table.of([("NEW", "1")]))
    scenario = Scenario.of(_fleet_of(now))
    for name in scenario.tale.fleet.containers:
        scenario = scenario.when(comes_up(name))
    then = attrs.evolve(now, template=other)
    scenario = scenario.when(asks(Apply(spec=_fleet_of(then))), after=1_000)
    return played(scenario, drawn).tale.events


def _fleet_of(service: Service) -> FleetSpec:
    replicas = (replica_of(service, index) for index in range(service.replicas))
    return FleetSpec(name="demo", containers=tuple(replicas), services=(service,))


def fault_plans(until: int = 600_000) -> st.SearchStrategy[FaultPlan]:
    """Draw what fails until a moment: each rate in a thousand, 0 where it shrinks.

    Fields that are spans of time (``..._ms``) are 0, or some seconds to minutes.
    """
    rates: dict[str, st.SearchStrategy[int]] = {
        field.name: (
            st.just(0) | st.integers(5_000, 120_000)
            if field.name.endswith("_ms")
            else st.just(0) | st.integers(0, PERMILLE_MAX)
        )
        for field in attrs.fields(FaultPlan)
        if field.default == 0 and type(field.default) is int
    }

    def plan(drawn: dict[str, Any]) -> FaultPlan:
        return attrs.evolve(FaultPlan(until=until), **drawn)

    return st.fixed_dictionaries(rates).map(plan)
