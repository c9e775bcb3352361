"""Where histories end: the same for every path to the same spec, and on either path.

*Differential*: whatever the owner asked for on the way, and whatever failed, a fleet
that ends under the same spec settles alike, up to what only counts (runs, revisions,
totals, times). *Two paths, one mind*: an end that the platform tells and one that a
look finds are decided alike.
"""

from __future__ import annotations

from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.events import (
    Booted,
    CommandAccepted,
    CommandKind,
    ContainerEnded,
    ContainerObserved,
    ContainerReady,
    ContainerStarted,
    Declaration,
    FleetObserved,
    SpecApplied,
)
from orchestrator.core.exits import (
    Exit,
    Exited,
    Lost,
    OutOfMemory,
    RolledOut,
    Signaled,
    Slept,
    StartFailed,
)
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.observations import SeenAbsent, SeenEnded
from orchestrator.core.origins import Origin, Prune
from orchestrator.core.phases import Phase
from orchestrator.core.reduce import fold, reduce
from orchestrator.core.requests import Apply, Request, Start
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import RULES, Container, Fleet, empty_fleet
from orchestrator.simulation.characters import Character
from orchestrator.simulation.dice import Dice
from orchestrator.simulation.profiles import PROFILES, draw_of
from orchestrator.simulation.runs import Run, start_run
from orchestrator.simulation.settling import bound_of, unsettled
from orchestrator.testing import strategies as drawn
from property_tests.trials import BREAK, CUSTOM_MS, POLICIES, draw_trial

SEEDS = st.integers(0, 2**32)


def ask(run: Run, request: Request) -> None:
    while run.ask(request) is not None:
        run.run_until(run.now + 1_000)


def settled(run: Run) -> Fleet:
    run.run_until(run.now + bound_of(run.fleet, custom_ms=CUSTOM_MS))
    assert unsettled(run.fleet, {}) == ()
    return run.fleet


def essence(fleet: Fleet) -> dict[str, object]:
    """Return what a settled fleet is, without what only counts."""
    return {
        name: (
            type(one.phase).__name__,
            one.spec,
            one.salt,
            one.origin,
            one.desired.running,
            one.leaving,
        )
        for name, one in fleet.containers.items()
    }


def straight(spec: FleetSpec, characters: dict[str, Character]) -> Fleet:
    steady = dict.fromkeys(characters, Character.STEADY)
    run = start_run(
        1,
        draw_of(PROFILES["calm"], 1, 0),
        steady,
        on_step=lambda _: None,
        policies=POLICIES,
    )
    ask(run, Apply(spec=spec))
    return settled(run)


@given(seed=SEEDS, profile=st.sampled_from(["calm", "all", "intermediate_state"]))
@settings(max_examples=20)
def test_any_path_to_a_spec_gives_the_same_settled_fleet(
    seed: int, profile: str
) -> None:
    """Go A, B, whatever else, and back to A: it is A, as if nothing else had been."""
    trial = draw_trial(seed, profile)
    kept = attrs.evolve(trial.fleet.settings, prune=Prune.STOP)
    spec = attrs.evolve(trial.fleet, settings=kept)
    plan = draw_of(PROFILES[profile], seed, BREAK)
    run = start_run(
        seed, plan, trial.characters, on_step=lambda _: None, policies=POLICIES
    )
    ask(run, Apply(spec=spec))
    for at, request in trial.requests:
        run.run_until(at)
        _ = run.ask(request)
    run.run_until(BREAK)
    run.heal({})
    run.run_until(run.now + 1)
    ask(run, Apply(spec=other_than(spec)))  # nothing is left as it was by chance
    ask(run, Apply(spec=spec))
    for one in spec.containers:
        ask(run, Start(name=one.name, force=True))
    fleet = settled(run)
    direct = essence(straight(spec, trial.characters))
    assert {name: essence(fleet)[name] for name in direct} == direct
    others = set(essence(fleet)) - set(direct)
    assert all(
        fleet.containers[name].origin is Origin.AD_HOC
        or not fleet.containers[name].desired.running
        for name in others
    )


def other_than(spec: FleetSpec) -> FleetSpec:
    changed = tuple(
        attrs.evolve(one, command=("run", "another")) for one in spec.containers[1:]
    )
    return attrs.evolve(spec, containers=changed)


def running(spec: ContainerSpec, *, ready: bool) -> Fleet:
    """Return a fleet of one container, in its first run."""
    events: list[Any] = [
        Booted(at=0, epoch=1, rules=RULES, fences=True),
        FleetObserved(at=0, complete=True),
        SpecApplied(
            at=0,
            fleet="one",
            settings=FleetSpec(name="one").settings,
            declarations=(Declaration(spec=spec, salt=7),),
        ),
        CommandAccepted(at=5, name=spec.name, run=1, kind=CommandKind.START),
        ContainerStarted(at=9, name=spec.name, run=1),
    ]
    if ready:
        events.append(ContainerReady(at=10, name=spec.name, run=1))
    return fold(empty_fleet("one"), events, POLICIES)


ENDS: st.SearchStrategy[Exit] = st.sampled_from(
    [
        Exited(code=0),
        Exited(code=1),
        Signaled(signal=11),
        OutOfMemory(),
        StartFailed(reason="no image"),
        RolledOut(),
        Slept(),
        Lost(),
    ]
)


def outcome(fleet: Fleet) -> tuple[Phase, Container]:
    (container,) = fleet.containers.values()
    return container.phase, container


@given(spec=drawn.container_specs(), end=ENDS, ready=st.booleans(), at=st.integers(11))
def test_an_end_that_is_told_and_one_that_is_seen_are_decided_alike(
    spec: ContainerSpec,
    end: Exit,
    ready: bool,  # noqa: FBT001 - drawn
    at: int,
) -> None:
    fleet = running(spec, ready=ready)
    at = min(at, 10**12)
    told = reduce(
        fleet, ContainerEnded(at=at, name=spec.name, run=1, exit=end), POLICIES
    )
    look = ContainerObserved(at=at, name=spec.name, run=1, sight=SeenEnded(exit=end))
    seen = reduce(fleet, look, POLICIES)
    assert outcome(told.fleet) == outcome(seen.fleet)
    assert told.commands == seen.commands


@given(spec=drawn.container_specs(), ready=st.booleans())
def test_absence_is_decided_as_a_lost_run_is(
    spec: ContainerSpec,
    ready: bool,  # noqa: FBT001 - drawn
) -> None:
    fleet = running(spec, ready=ready)
    told = reduce(
        fleet, ContainerEnded(at=99, name=spec.name, run=1, exit=Lost()), POLICIES
    )
    gone = ContainerObserved(at=99, name=spec.name, run=1, sight=SeenAbsent())
    assert outcome(told.fleet) == outcome(reduce(fleet, gone, POLICIES).fleet)


def test_the_trials_of_two_seeds_differ() -> None:
    assert draw_trial(1, "all") != draw_trial(2, "all")
    assert Dice(1).fork() != Dice(2).fork()
