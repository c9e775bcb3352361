"""What an event costs in a rollout follows what changes: counted, never timed.

What is counted are steps of the interpreter, the same on every machine.
"""

from __future__ import annotations

import attrs

from orchestrator.core.admit import admit
from orchestrator.core.events import ContainerErrored, Event, FleetObserved
from orchestrator.core.lineages import Rollout
from orchestrator.core.reduce import reduce, step_of
from orchestrator.core.requests import Apply
from orchestrator.core.rollout_laws import (
    finished,
    nobody_is_taken_down_too_early,
    rosters_are_true,
    who_rolls_has_a_rollout,
)
from orchestrator.core.state import Fleet
from orchestrator.core.steps import Step
from orchestrator.core.wake import wake_at_fleet
from tests.benchmarks.rolling import begun, of_services
from tests.benchmarks.steps import counted

EVENTS = 40


def cost(replicas: int, services: int) -> tuple[int, int]:
    """Return what some events of a start, and of a change, take."""
    start, change = begun(replicas, services, EVENTS)
    assert len(change.events) == EVENTS
    return counted(start.again).steps, counted(change.again).steps


def test_an_event_costs_the_same_in_a_service_of_ten_times_as_many_replicas() -> None:
    _, few = cost(50, 1)
    _, many = cost(500, 1)
    assert many < 1.4 * few  # tables have a level more, and bounds a larger share


def test_an_event_costs_the_same_with_ten_times_as_many_rollouts() -> None:
    _, few = cost(50, 2)
    _, many = cost(500, 20)
    assert many < 1.4 * few


def test_an_event_of_a_rollout_costs_a_few_of_a_start() -> None:
    start, change = cost(100, 2)
    # A start became cheaper by a quarter, and a change by a tenth: 7 of today's starts
    # are fewer steps than the 6 of before (167 000 beside 186 000 of 40 events).
    assert change < 7 * start


def test_the_next_moment_costs_the_same_however_many_rollouts_there_are() -> None:
    def steps(services: int) -> int:
        fleet = begun(services * 2, services, EVENTS)[1].fleet
        assert len(fleet.rolling) > 1
        return counted(lambda: wake_at_fleet(fleet)).steps

    assert steps(20) == steps(2)


def test_the_laws_look_at_those_alone_that_were_touched() -> None:
    def check(step: Step) -> None:
        _ = [*nobody_is_taken_down_too_early(step), *rosters_are_true(step)]
        _ = [*who_rolls_has_a_rollout(step)], finished(step)

    def steps(services: int) -> int:
        change = begun(services * 3, services, EVENTS)[1]
        step = step_of(change.fleet, change.events[0])
        return counted(lambda: check(step)).steps

    assert steps(20) < 1.4 * steps(2)


def lost(fleet: Fleet, count: int) -> Fleet:
    """Return a fleet that has lost sight of so many old replicas."""
    old = [name for _, name in rollout_of(fleet).roster.old][:count]
    assert len(old) == count
    for name in old:
        run = fleet.containers[name].run
        gone: Event = ContainerErrored(at=fleet.at, name=name, run=run, cause="gone")
        fleet = reduce(fleet, gone).fleet
    assert len(rollout_of(fleet).roster.lost) == count
    return fleet


def rollout_of(fleet: Fleet) -> Rollout:
    rollout = fleet.lineages["web000"].rollout
    assert rollout is not None
    return rollout


def test_who_is_out_of_sight_is_not_looked_at_again_and_again() -> None:
    def steps(count: int) -> int:
        change = begun(260, 1, EVENTS)[1]
        blind = attrs.evolve(change, fleet=lost(change.fleet, count))
        return counted(blind.again).steps

    assert steps(200) < 1.4 * steps(20)


def test_a_look_follows_what_moves_and_not_what_there_is() -> None:
    def steps(replicas: int) -> int:
        fleet = begun(replicas, 2, EVENTS)[1].fleet
        look = FleetObserved(at=fleet.at, complete=True)
        return counted(lambda: reduce(fleet, look)).steps

    assert steps(400) < 2 * steps(100)  # more of them move at a time


def test_a_file_that_rolls_ten_times_as_many_looks_ten_times_as_long() -> None:
    """And not a hundred times: all services look at the containers together."""

    def steps(services: int) -> int:
        fleet = begun(services * 2, services, 1)[0].fleet
        wish = Apply(spec=of_services(services * 2, services, "two"))
        event = admit(fleet, wish, fleet.at).unwrap()
        return counted(lambda: reduce(fleet, event)).steps

    assert steps(30) < 15 * steps(3)
