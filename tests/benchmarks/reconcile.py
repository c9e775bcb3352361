"""What a look costs at each size of a fleet: settled, and with 1 % of it diverged.

The *core* takes in that a look is over, and does what is due for who is not where it
should be: nothing in it follows the size of the fleet. To *compare* what was seen with
what is believed follows what was seen, and is to be cheap for whoever is as believed.
The *whole* is the batch of the loop: to compare, to move the core, to write the row,
and to say of each container what was done about it.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from attrs import evolve

from orchestrator.core.admit import admit
from orchestrator.core.events import (
    Booted,
    ContainerEnded,
    ContainerReady,
    ContainerStarted,
    FleetObserved,
)
from orchestrator.core.exits import Exited
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.observations import Observation, SeenRunning, Sighting
from orchestrator.core.reduce import fold, reduce
from orchestrator.core.requests import Apply
from orchestrator.core.sights import differences
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import RULES, Fleet, empty_fleet
from orchestrator.runtime.reports import outcomes_of
from orchestrator.runtime.steps import Batch, looked
from tests.benchmarks.figures import Asked, Curve, Figures, Reached, costs, reached
from tests.benchmarks.harness import Case, Goal, Timing, interleaved, spread_of

__all__ = ("ABOUT", "figures", "look_at", "settled_fleet", "with_some_down")

ABOUT: Final = "A look at the platform, at each size of a fleet: settled, and 1 % not."

SIZES: Final = (100, 10_000, 100_000)
DIVERGED: Final = 100
"""One container of so many is not where it should be."""

REPEATS: Final = 100
"""A look of the core takes microseconds: so many are timed at once."""

COMPARED_NS: Final = 1_000.0
"""What a container that is as believed may cost to compare."""


def settled_fleet(count: int) -> Fleet:
    """Return a fleet that is declared, seen, and runs: all of it is as it should be."""
    booted = Booted(at=1, epoch=1, rules=RULES, fences=True)
    fleet = reduce(empty_fleet("bench"), booted).fleet
    spec = FleetSpec(
        name="bench",
        settings=FleetSettings(max_concurrent_starts=count),
        containers=tuple(
            ContainerSpec(name=f"c-{number:06}", command=("run",))
            for number in range(count)
        ),
    )
    applied = admit(fleet, Apply(spec=spec, by="bench"), 2).unwrap()
    over = FleetObserved(at=3, complete=True)
    lives = (
        kind(at=4, name=each.name, run=1, source_at=4)
        for each in spec.containers
        for kind in (ContainerStarted, ContainerReady)
    )
    running = fold(fleet, (applied, over, *lives))
    assert not running.diverged
    return evolve(running, at=10)


def look_at(fleet: Fleet, began: int) -> Observation:
    """Return a look that shows all that is alive, as it is believed to be."""
    sight = SeenRunning(ready=True)
    return Observation(
        began=began,
        complete=True,
        sightings=tuple(
            Sighting(name=name, run=each.run, sight=sight)
            for name, each in fleet.containers.items()
            if name not in fleet.diverged
        ),
    )


def with_some_down(fleet: Fleet) -> Fleet:
    """Return the fleet after one container of a hundred has crashed, and waits."""
    at = fleet.at + 1
    down = [
        ContainerEnded(at=at, name=name, run=each.run, exit=Exited(code=1))
        for place, (name, each) in enumerate(fleet.containers.items())
        if place % DIVERGED == 0
    ]
    return fold(fleet, down)


def _core(fleet: Fleet) -> None:
    """Take in that a look is over, and that nothing was seen which is not believed."""
    over = FleetObserved(at=fleet.at, complete=True)
    for _ in range(REPEATS):
        assert not reduce(fleet, over).commands


def _compare(fleet: Fleet, seen: Observation) -> None:
    assert len(differences(fleet, seen, fleet.at)) == 1


def _whole(fleet: Fleet, seen: Observation) -> None:
    batch = Batch(fleet=fleet)
    _ = batch.take_all([looked(seen, fleet.at)], fleet.at)
    assert len(outcomes_of(batch.fleet, ())) == len(fleet.containers)


def _cases(size: int) -> list[Case]:
    settled = settled_fleet(size)
    diverged = with_some_down(settled)
    down = len(diverged.diverged)
    assert down == max(1, size // DIVERGED), down
    seen, less = look_at(settled, settled.at), look_at(diverged, diverged.at)
    return [
        Case(name=f"core, settled, {size}", items=REPEATS, run=partial(_core, settled)),
        Case(
            name=f"core, each that diverged, {size}",
            items=REPEATS * down,
            run=partial(_core, diverged),
        ),
        Case(
            name=f"compare, each, {size}",
            items=size,
            run=partial(_compare, settled, seen),
        ),
        Case(
            name=f"whole, settled, each, {size}",
            items=size,
            run=partial(_whole, settled, seen),
        ),
        Case(
            name=f"whole, 1 % diverged, each, {size}",
            items=size,
            run=partial(_whole, diverged, less),
        ),
    ]


def _goals(small: int, large: int) -> tuple[Goal, ...]:
    return tuple(
        Goal(case=f"{what}, {large}", limit=f"{what}, {small}", least=least)
        for what, least in (
            ("core, settled", 0.5),
            ("core, each that diverged", 0.33),
            ("compare, each", 0.33),
        )
    )


def _compared(timing: Timing, size: int) -> Reached:
    """Hold the comparison to its limit; its cost is one of nanoseconds."""
    goal = Goal(case=f"compare, each, {size}", limit="1 us", least=1.0)
    speeds = [COMPARED_NS / cost for cost in timing.rounds[goal.case]]
    return Reached(goal=goal, speed=spread_of(speeds))


def figures(asked: Asked) -> Figures:
    """Look at fleets of all sizes, in turns."""
    sizes: tuple[int, ...] = (100, 200) if asked.smoke else SIZES
    if asked.containers is not None:
        sizes = (*(each for each in sizes if each < asked.containers), asked.containers)
    cases = [case for size in sizes for case in _cases(size)]
    timing = interleaved(cases, 1 if asked.smoke else asked.rounds)
    goals = reached(timing, _goals(sizes[0], sizes[-1]))
    points = [(s, timing.cost(f"core, settled, {s}").median) for s in sizes]
    return Figures(
        sheets=(costs("A look, at sizes of the fleet", timing),),
        reached=(*goals, _compared(timing, sizes[-1])),
        curves=(Curve(name="settled reconcile", unit="ns", points=tuple(points)),),
    )
