"""What a look costs follows what diverges, not what exists: counted, never timed.

What is counted are the steps of Python's interpreter ("opcodes"), which are the same on
every machine, however busy it is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import attrs
import pytest

from orchestrator.core.events import FleetObserved
from orchestrator.core.observations import Observation
from orchestrator.core.reduce import reduce
from orchestrator.core.sights import differences
from orchestrator.core.state import Fleet
from orchestrator.core.table import Table
from tests.benchmarks.reconcile import look_at, settled_fleet, with_some_down
from tests.benchmarks.steps import counted

SMALL, LARGE = 200, 2_000


@pytest.fixture(name="of_core")
def fixture_of_core() -> Callable[[int, bool], int]:
    """Say what it costs to take in that a look is over, at a size of the fleet."""

    def cost(size: int, diverged: bool) -> int:  # noqa: FBT001 - positional
        fleet = settled_fleet(size)
        fleet = with_some_down(fleet) if diverged else fleet
        over = FleetObserved(at=fleet.at, complete=True)
        return counted(lambda: reduce(fleet, over)).steps

    return cost


def test_a_look_at_a_settled_fleet_costs_the_core_the_same_at_every_size(
    of_core: Callable[[int, bool], int],
) -> None:
    assert of_core(LARGE, False) == of_core(SMALL, False)  # noqa: FBT003


def test_what_has_diverged_costs_the_core_in_proportion(
    of_core: Callable[[int, bool], int],
) -> None:
    """Ten times the fleet, ten times as many down: at most ten times, and a level."""
    none = of_core(SMALL, False)  # noqa: FBT003
    few, many = of_core(SMALL, True) - none, of_core(LARGE, True) - none  # noqa: FBT003
    assert 0 < many < 1.5 * few * LARGE / SMALL


def placed(fleet: Fleet, place: str) -> tuple[Fleet, Observation]:
    """Return a fleet that runs in a place, and a look that shows it there."""
    containers = Table.of(
        (name, attrs.evolve(each, place=place))
        for name, each in fleet.containers.items()
    )
    seen = look_at(fleet, fleet.at)
    shown = tuple(attrs.evolve(each, place=place) for each in seen.sightings)
    return (
        attrs.evolve(fleet, containers=containers),
        attrs.evolve(seen, sightings=shown),
    )


@pytest.mark.parametrize("place", ["", "WEUR/fra01"])
def test_to_compare_who_is_as_believed_takes_few_steps(place: str) -> None:
    """A hundred of them are less than a microsecond."""
    costs: list[int] = []
    for size in (SMALL, LARGE):
        fleet, seen = placed(settled_fleet(size), place)
        compare = partial(differences, fleet, seen, fleet.at)
        costs.append(counted(compare).steps)
    assert (costs[1] - costs[0]) / (LARGE - SMALL) < 100
