"""Whatever is scaled, in whatever order: the number holds, nothing is started twice.

*Up and down*: who is ready stays. *Any path*: the same number settles alike. *Files*:
an apply makes the number of the file hold, a boot keeps what was scaled to.
*Strangers*: whatever they are called, to adopt one is answered, and its run goes on.
"""

# mypy: disable-error-code="mutable-override"
from __future__ import annotations

import attrs
from hypothesis import example, given, settings
from hypothesis import strategies as st
from returns.result import Success

from orchestrator.codec.wire import decode_event, encode_event
from orchestrator.core.admit import admit
from orchestrator.core.commands import ObserveFleet, StartContainer
from orchestrator.core.events import ContainerReady, FleetObserved
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.invariants import violations
from orchestrator.core.lineages import RolloutAction
from orchestrator.core.observations import (
    Observation,
    SeenRunning,
    SeenUnreachable,
    Sighting,
)
from orchestrator.core.reduce import reduce, step_of
from orchestrator.core.requests import (
    Adopt,
    Apply,
    Reconcile,
    Request,
    Restart,
    Roll,
    Scale,
)
from orchestrator.core.scaling import departing, is_ready, members
from orchestrator.core.services import Service, replica_of
from orchestrator.core.sights import differences
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container, Fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.core.wake import wake_at
from orchestrator.simulation.characters import Character
from orchestrator.simulation.profiles import PROFILES, draw_of
from orchestrator.simulation.runs import Run, start_run
from orchestrator.simulation.settling import bound_of, unsettled
from orchestrator.testing import FleetMachine, asks, is_seen
from orchestrator.testing.chances import played
from orchestrator.testing.scenarios import Scenario
from orchestrator.testing.strategies import moves

SEEDS = st.integers(0, 2**32)
NUMBERS = st.integers(0, 6)
PATHS = st.lists(NUMBERS, max_size=5)


def served(replicas: int, **more: object) -> FleetSpec:
    template = ContainerSpec(name="web", command=("run", "${replica.index}"))
    template = attrs.evolve(template, **more)  # type: ignore[arg-type]
    service = Service(template=template, replicas=replicas)
    own = tuple(replica_of(service, index) for index in range(replicas))
    solo = ContainerSpec(name="web-4", command=("run",))
    return FleetSpec(
        name="demo",
        settings=FleetSettings(max_concurrent_starts=3),
        containers=own if replicas > 4 else (*own, solo),
        services=(service,),
    )


def web(fleet: Fleet) -> tuple[Container, ...]:
    return members(fleet.containers.values(), "web")


def after(fleet: Fleet, request: Request) -> Fleet:
    event = admit(fleet, request, fleet.at)
    assert isinstance(event, Success)
    step = step_of(fleet, event.unwrap())
    assert violations(step) == ()
    return step.after


def scaled(fleet: Fleet, replicas: int) -> Fleet:
    return after(fleet, Scale(service="web", replicas=replicas))


PLAYED = st.tuples(st.integers(0, 4), moves(40)).map(
    lambda drawn: played(Scenario.of(served(drawn[0])), drawn[1]).fleet
)


@given(fleet=PLAYED, replicas=NUMBERS)
def test_a_scale_makes_its_number_hold(fleet: Fleet, replicas: int) -> None:
    now = scaled(fleet, replicas)
    names = [each.name for each in web(now)]
    assert len(names) == now.services["web"].replicas == replicas
    assert names == [f"web-{each.spec.replica}" for each in web(now)]
    assert scaled(now, replicas) == now


@given(fleet=PLAYED)
def test_there_are_as_many_members_as_were_asked_for(fleet: Fleet) -> None:
    assert len(web(fleet)) == fleet.services["web"].replicas


@given(fleet=PLAYED, more=st.integers(1, 4))
def test_up_and_down_again_leaves_who_is_ready_as_he_was(
    fleet: Fleet, more: int
) -> None:
    present = web(fleet)
    up = scaled(fleet, len(present) + more)
    came = {each.name for each in web(up)} - {each.name for each in present}
    assert len(came) == more
    down = scaled(up, len(present))
    assert len(web(down)) == len(present)
    ready = [each for each in present if is_ready(each)]
    assert [down.containers.get(each.name) for each in ready] == ready
    if len(ready) == len(present):
        assert web(down) == present


@given(fleet=PLAYED, replicas=NUMBERS)
def test_unready_ones_go_first_then_the_newest(fleet: Fleet, replicas: int) -> None:
    present = web(fleet)
    gone = departing(present, replicas)
    stay = [each for each in present if each not in gone]
    assert len(stay) == min(replicas, len(present))
    for one in gone:
        for other in stay:
            assert is_ready(other) or not is_ready(one)
            if is_ready(other) == is_ready(one):
                assert other.spec.replica < one.spec.replica


@given(fleet=PLAYED, path=PATHS, replicas=NUMBERS)
def test_any_path_to_a_number_has_the_same_number(
    fleet: Fleet, path: list[int], replicas: int
) -> None:
    winding = fleet
    for number in path:
        winding = scaled(winding, number)
    straight, winding = scaled(fleet, replicas), scaled(winding, replicas)
    assert len(web(straight)) == len(web(winding)) == replicas
    ready = sum(map(is_ready, web(straight)))
    assert ready >= sum(map(is_ready, web(winding)))


@given(fleet=PLAYED, path=PATHS, replicas=st.integers(0, 4))
def test_an_apply_makes_the_number_of_the_file_hold(
    fleet: Fleet, path: list[int], replicas: int
) -> None:
    for number in path:
        fleet = scaled(fleet, number)
    now = after(fleet, Apply(spec=served(replicas)))
    names = [each.name for each in web(now)]
    assert names == [f"web-{index}" for index in range(replicas)]
    assert after(now, Apply(spec=served(replicas))) == now


@given(fleet=PLAYED, path=PATHS, replicas=st.integers(0, 4), grace=st.integers(0, 2))
def test_a_boot_keeps_what_was_scaled_unless_the_file_has_another_number(
    fleet: Fleet, path: list[int], replicas: int, grace: int
) -> None:
    for number in path:
        fleet = scaled(fleet, number)
    declared = fleet.services["web"].declared
    file = served(replicas, stop_grace_ms=10_000 + grace)
    now = after(fleet, Apply(spec=file, keep_scale=True))
    kept = [each.name for each in web(fleet)]
    says = [f"web-{index}" for index in range(replicas)]
    assert [each.name for each in web(now)] == (kept if replicas == declared else says)
    assert {each.spec.stop_grace_ms for each in web(now)} <= {10_000 + grace}
    assert after(now, Apply(spec=file, keep_scale=True)) == now


@given(fleet=PLAYED, replicas=NUMBERS)
def test_a_restart_that_is_let_in_has_a_container_that_stays(
    fleet: Fleet, replicas: int
) -> None:
    now = scaled(fleet, replicas)
    for name, container in now.containers.items():
        event = admit(now, Restart(name=name), now.at)
        if isinstance(event, Success):
            then = step_of(now, event.unwrap()).after.containers[name]
            assert (then.leaving, then.desired.running) == (False, True)
        assert not (container.leaving and isinstance(event, Success))


STRANGERS = st.dictionaries(
    st.one_of(
        st.integers(0, 10**25).map(lambda index: f"web-{index}"),
        st.sampled_from(["web", "web-", "web-07", "WEB-1", "solo", f"web-{'1' * 60}"]),
        st.text("web-019", max_size=70),
    ),
    st.integers(1, 9),
    max_size=5,
)


@given(
    fleet=PLAYED,
    strangers=STRANGERS,
    service=st.sampled_from([None, "", "web", "nobody"]),
    template=st.booleans(),
)
@example(
    fleet=Scenario.of(served(1)).fleet,
    strangers={"web-99999999999999999999": 1},
    service="web",
    template=True,
)
def test_to_adopt_is_answered_whatever_strangers_are_called(
    fleet: Fleet, strangers: dict[str, int], service: str | None, *, template: bool
) -> None:
    any_ = ContainerSpec(name="any", command=("run",)) if template else None
    habits = attrs.evolve(fleet.settings, ad_hoc=any_)
    fleet = attrs.evolve(fleet, settings=habits)
    met = Table.of((n, r) for n, r in strangers.items() if n not in fleet.containers)
    seen = FleetObserved(at=fleet.at, complete=True, strangers=met)
    fleet = step_of(fleet, seen).after
    for name, run in met.items():
        event = admit(fleet, Adopt(name=name, service=service), fleet.at)
        if not isinstance(event, Success):
            continue
        assert decode_event(encode_event(event.unwrap())).unwrap() == event.unwrap()
        step = step_of(fleet, event.unwrap())
        assert violations(step) == ()
        fleet = step.after
        adopted = fleet.containers[name]
        assert (adopted.run, adopted.is_claimed) == (run, True)
        assert wake_at(adopted, fences=True) is None
        assert len(web(fleet)) == fleet.services["web"].replicas


@given(
    fleet=PLAYED,
    adopted=st.lists(st.sampled_from(["web-7", "web-8", "web-9"]), unique=True),
    ready=st.sets(st.sampled_from(["web-7", "web-8", "web-9"])),
    waits=st.lists(st.integers(1, 9), min_size=3, max_size=3),
)
def test_whoever_is_adopted_while_the_platform_is_looked_at_is_compared_after_all(
    fleet: Fleet, adopted: list[str], ready: set[str], waits: list[int]
) -> None:
    never = attrs.evolve(fleet.settings, reconcile_interval_ms=0)
    fleet = attrs.evolve(fleet, settings=never, observing=False)
    sights = [Sighting(name=n, run=2, sight=SeenRunning(ready=True)) for n in adopted]
    met = Table.of((name, 2) for name in adopted)
    seen = FleetObserved(at=fleet.at, complete=True, strangers=met)
    fleet = after(step_of(fleet, seen).after, Reconcile())
    began = fleet.at + 1
    for name, wait in zip(adopted, waits, strict=False):
        event = admit(fleet, Adopt(name=name), max(fleet.at, began) + wait).unwrap()
        fleet = step_of(fleet, event).after
    for name in ready:
        if name in adopted:
            news = ContainerReady(at=fleet.at, name=name, run=2)
            fleet = step_of(fleet, news).after
    for late in (True, False):
        look = Observation(began=began, complete=False, sightings=tuple(sights))
        for seeing in differences(fleet, look, fleet.at + 1)[:-1]:
            fleet = step_of(fleet, seeing).after
        over = step_of(fleet, FleetObserved(at=fleet.at + 1, complete=True))
        fleet = over.after
        claimed = [name for name in adopted if fleet.containers[name].is_claimed]
        assert claimed == (adopted if late else [])
        assert (ObserveFleet() in over.commands) == bool(claimed)
        began = fleet.at + 1


@given(
    seed=SEEDS,
    profile=st.sampled_from(["calm", "all", "intermediate_state"]),
    path=st.lists(st.tuples(st.integers(1, 90_000), NUMBERS), min_size=1, max_size=6),
)
@settings(max_examples=25)
@example(
    seed=37_650_211,
    profile="intermediate_state",
    path=[(1, 2), (295, 0), (1, 1), (211, 1), (40, 0)],
)
def test_any_path_of_scales_settles_and_starts_nothing_twice(
    seed: int, profile: str, path: list[tuple[int, int]]
) -> None:
    started: list[tuple[str, int]] = []

    def see(step: Step) -> None:
        assert violations(step) == ()
        started.extend(
            (command.name, command.run)
            for command in step.commands
            if isinstance(command, StartContainer)
            and (
                (was := step.before.containers.get(command.name)) is None
                or was.run < command.run
            )
        )

    characters = {f"web-{index}": Character.STEADY for index in range(12)}
    plan = draw_of(PROFILES[profile], seed, 300_000)
    run = start_run(seed, plan, characters, on_step=see)
    ask(run, Apply(spec=served(2)))
    for wait, replicas in path:
        run.run_until(run.now + wait)
        ask(run, Scale(service="web", replicas=replicas))
    run.run_until(max(run.now, 300_000))
    run.heal({})
    run.run_until(run.now + bound_of(run.fleet))
    assert unsettled(run.fleet, {}) == ()
    assert len(web(run.fleet)) == path[-1][1]
    assert all(map(is_ready, web(run.fleet)))
    assert run.world.double_starts == 0 or profile != "calm"
    assert len(started) == len(set(started))
    alive = {
        name for name, life in run.world.lives.items() if not life.has_ended(run.now)
    }
    assert alive == set(run.fleet.containers)


def ask(run: Run, request: Request) -> None:
    while run.ask(request) is not None:
        run.run_until(run.now + 1_000)


class Scaled(FleetMachine):
    fleet = served(2)


TestScaled = Scaled.TestCase


def test_who_is_missed_and_moved_by_a_rollout_at_once_waits_for_nothing() -> None:
    story = (
        Scenario.of(served(2))
        .when(is_seen("web-1", SeenRunning(ready=True)))
        .when(asks(Roll(service="web", action=RolloutAction.START)))
        .when(is_seen("web-1", SeenUnreachable()))
        .when(after=60_000)
    )
    moved = story.fleet.containers["web-1"]
    assert (moved.revision, moved.history.attempts) == (2, 0)
    _ = story.obeys()


def test_a_scale_is_reduced_as_it_is_folded() -> None:
    fleet = Scenario.of(served(1)).fleet
    event = admit(fleet, Scale(service="web", replicas=3), fleet.at).unwrap()
    assert reduce(fleet, event).fleet == step_of(fleet, event).after
