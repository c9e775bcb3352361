"""Sometimes: every phase, rule, command, error and event is reached by some history.

A law that nobody ever comes near holds for nothing. Seeds of all profiles are run,
and a few scenes for what chance alone seldom brings about; what none of them reached is
named.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, get_args

import attrs

from orchestrator.core.admit import admit
from orchestrator.core.autoscaling import Autoscaling, Metric
from orchestrator.core.commands import Command, StartContainer
from orchestrator.core.dependencies import Condition
from orchestrator.core.errors import PlatformError, StartError
from orchestrator.core.events import (
    Booted,
    CommandFailed,
    ContainerEnded,
    ContainerReady,
    ContainerStarted,
    Event,
    FleetObserved,
    PlaceObserved,
)
from orchestrator.core.exits import Exit, Exited, Slept
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.lineages import RolloutAction
from orchestrator.core.loads import LoadObserved
from orchestrator.core.notify import Notify
from orchestrator.core.observations import Sight
from orchestrator.core.origins import Prune
from orchestrator.core.phases import Escalation, Phase, Rule
from orchestrator.core.policies import (
    CrashLimit,
    CustomPolicyRef,
    OnLoop,
    RestartPolicy,
)
from orchestrator.core.reduce import step_of
from orchestrator.core.requests import (
    Adopt,
    Apply,
    ClearCrashHistory,
    Request,
    Roll,
    Scale,
    Start,
    Stop,
    StopOrphan,
)
from orchestrator.core.rollout_policies import RolloutPolicy
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import RULES, empty_fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.simulation.characters import Character
from orchestrator.simulation.faults import FaultPlan, calm
from orchestrator.simulation.runs import Run, start_run
from property_tests.trials import POLICIES, draw_trial, tried

SEEDS = 80
HOUR_MS = 3_600_000
PROFILES = ("all", "stale_state", "unobserved_state", "storm", "obstacles")


@cache
def reached() -> frozenset[object]:
    found: set[object] = set()
    for seed in range(SEEDS):
        trial = draw_trial(seed, PROFILES[seed % len(PROFILES)])
        _ = tried(trial, on_step=lambda step: found.update(in_step(step)))
    found.update(where_another_has_started_it())
    found.update(where_starts_wait_for_the_first_look())
    found.update(without_its_custom_policy())
    found.update(where_one_asleep_is_needed())
    found.update(where_nobody_hears_of_trouble_at_first())
    found.update(where_strangers_are_met())
    found.update(where_a_platform_rolls_out_and_tells_where_runs_are())
    return frozenset(found)


def in_step(step: Step) -> Iterable[object]:
    event: Any = step.event
    yield type(event)
    yield from (type(command) for command in step.commands)
    if isinstance(event, CommandFailed):
        yield type(event.error)
    if hasattr(event, "sight"):
        yield type(event.sight)
    for _, after in step.pairs():
        if after is None:
            continue
        phase: Any = after.phase
        yield type(phase)
        yield getattr(phase, "rule", None)
        yield getattr(phase, "escalation", None)
        if after.last is not None:
            yield ("exit", type(after.last.exit))


def scene(
    characters: dict[str, Character], specs: tuple[ContainerSpec, ...]
) -> tuple[Run, set[object]]:
    """Return a run of a fleet that starts one container at a time."""
    found: set[object] = set()
    run = start_run(
        1, calm(), characters, on_step=lambda step: found.update(in_step(step))
    )
    run.run_until(1_000)
    settings = FleetSettings(max_concurrent_starts=1)
    fleet = FleetSpec(name="simulated", settings=settings, containers=specs)
    run.ask(Apply(spec=fleet))
    return run, found


def where_another_has_started_it() -> Iterable[object]:
    """Start a container of which somebody else has started a higher run."""
    characters = {"a": Character.STEADY, "b": Character.STEADY}
    specs = tuple(ContainerSpec(name=name, command=("run",)) for name in characters)
    run, found = scene(characters, specs)
    run.world.perform(StartContainer(name="a", run=9, revision=1), "", 1_000).unwrap()
    run.run_until(10_000)
    assert run.fleet.containers["a"].run == 10
    return found


def where_starts_wait_for_the_first_look() -> Iterable[object]:
    """Ask for starts of what rests, after a boot and before its first look."""
    held = RestartPolicy(crash=CrashLimit(allowed_crashes=0, on_loop=OnLoop.HOLD))
    specs = (
        ContainerSpec(name="asleep", command=("run",), keep_alive=False),
        ContainerSpec(name="done", command=("run",)),
        ContainerSpec(name="held", command=("run",), restart=held),
        ContainerSpec(name="stopped", command=("run",)),
    )
    characters = {
        "asleep": Character.SLEEPER,
        "done": Character.JOB,
        "held": Character.DEAD,
        "stopped": Character.STEADY,
    }
    run, found = scene(characters, specs)
    run.run_until(60_000)
    run.ask(Stop(name="stopped"))
    run.run_until(3_700_000)
    run.boot()
    assert run.ask(Start(name="stopped")) is None
    assert run.ask(Start(name="done", force=True)) is None
    assert run.ask(ClearCrashHistory(name="held")) is None
    return found


def without_its_custom_policy() -> Iterable[object]:
    """Fold what names a custom policy without the very function."""
    custom = CustomPolicyRef(name="odd", version=1)
    spec = ContainerSpec(
        name="a", command=("run",), restart=RestartPolicy(custom=custom)
    )
    fleet = empty_fleet("simulated")
    request = Apply(spec=FleetSpec(name="simulated", containers=(spec,)))
    events: tuple[Event, ...] = (
        admit(fleet, request, 0, POLICIES).unwrap(),
        Booted(at=0, epoch=1, rules=RULES, fences=True),
        FleetObserved(at=0, complete=True),
        ContainerStarted(at=1, name="a", run=1),
        ContainerEnded(at=2, name="a", run=1, exit=Exited(code=1)),
    )
    yield from in_events(events)


def in_events(events: Iterable[Event]) -> Iterable[object]:
    fleet = empty_fleet("simulated")
    for event in events:
        step = step_of(fleet, event)
        yield from in_step(step)
        fleet = step.after


def where_one_asleep_is_needed() -> Iterable[object]:
    """Have one fall asleep for whom another waits, where nothing may start yet."""
    needs = Table.of([("db", Condition.READY)])
    crew = [
        ContainerSpec(name=name, service="db", command=("run",), keep_alive=False)
        for name in ("db-0", "db-1")
    ]
    specs = (*crew, ContainerSpec(name="web", command=("run",), depends_on=needs))
    fleet = empty_fleet("simulated")
    request = Apply(spec=FleetSpec(name="simulated", containers=specs))
    boot = Booted(at=0, epoch=1, rules=RULES, fences=True)
    return in_events(
        (
            admit(fleet, request, 0).unwrap(),
            boot,
            FleetObserved(at=0, complete=True),
            ContainerReady(at=1, name="db-0", run=1),
            attrs.evolve(boot, at=2),
            ContainerEnded(at=3, name="db-0", run=1, exit=Slept()),
        )
    )


def where_nobody_hears_of_trouble_at_first() -> Iterable[object]:
    """Have somebody told of a crash loop who cannot be reached in the first hour."""
    found: set[object] = set()
    run = start_run(
        1,
        FaultPlan(until=HOUR_MS, unreachable=300, unanswered=200),
        {"a": Character.DEAD},
        on_step=lambda step: found.update(in_step(step)),
    )
    settings = FleetSettings(notify=Notify(url="https://receiver.invalid/"))
    spec = ContainerSpec(name="a", command=("run",))
    run.ask(
        Apply(spec=FleetSpec(name="simulated", settings=settings, containers=(spec,)))
    )
    run.run_until(2 * HOUR_MS)
    return found


def where_strangers_are_met() -> Iterable[object]:
    """Let go of two replicas that run, take one in again, end the other, and scale."""
    template = ContainerSpec(name="web", command=("run",))
    characters = {f"web-{index}": Character.STEADY for index in range(3)}
    run, found = scene(characters, ())

    def declared(replicas: int) -> FleetSpec:
        service = Service(template=template, replicas=replicas)
        specs = tuple(replica_of(service, index) for index in range(replicas))
        settings = FleetSettings(prune=Prune.FORGET)
        return FleetSpec(
            name="simulated", settings=settings, containers=specs, services=(service,)
        )

    asked: tuple[Request, ...] = (
        Apply(spec=declared(3)),
        Apply(spec=declared(1)),
        Adopt(name="web-1"),
        StopOrphan(name="web-2"),
        Scale(service="web", replicas=1),
    )
    for minute, request in enumerate(asked, 1):
        assert run.ask(request) is None
        run.run_until(minute * 120_000)
    assert list(run.fleet.containers) == ["web-0"]
    assert not run.fleet.strangers
    return found


def where_a_platform_rolls_out_and_tells_where_runs_are() -> Iterable[object]:
    """Have the platform bring an image, its owner wait, loads and places be told."""
    run, found = scene({"web-0": Character.STEADY}, ())
    run.stage.rolls = True
    run.boot()
    scaling = Autoscaling(metric=Metric.PUSHED, target_milli=1_000, most=3)

    def declared(image: str) -> FleetSpec:
        template = ContainerSpec(name="web", image=image)
        service = Service(
            template=template,
            replicas=1,
            rollout=RolloutPolicy(),
            autoscaling=scaling,
        )
        members = (replica_of(service, 0),)
        return FleetSpec(name="simulated", containers=members, services=(service,))

    pause = Roll(service="web", action=RolloutAction.PAUSE)
    resume = Roll(service="web", action=RolloutAction.RESUME)
    assert run.ask(Apply(spec=declared("one"))) is None
    run.run_until(120_000)
    for wish in (Apply(spec=declared("two")), pause, resume):
        assert run.ask(wish) is None
    run.run_until(HOUR_MS)
    assert run.operator is not None
    at, live = run.now, run.fleet.containers["web-0"].run
    run.operator.tell(LoadObserved(at=at, service="web", load_milli=2_500))
    run.operator.tell(PlaceObserved(at=at, name="web-0", run=live, place="WEUR/fra01"))
    run.run_until(at + HOUR_MS)
    assert run.fleet.lineages["web"].serving == 2
    assert len(run.fleet.containers) == 3
    assert run.fleet.containers["web-0"].place == "WEUR/fra01"
    return found


def unreached(wanted: Iterable[object]) -> list[str]:
    return sorted(str(one) for one in wanted if one not in reached())


def test_every_phase_is_reached() -> None:
    assert unreached(get_args(Phase)) == []
    assert unreached(Escalation) == []


def test_every_rule_of_a_decision_is_reached() -> None:
    assert unreached(Rule) == []


def test_every_command_is_given() -> None:
    assert unreached(get_args(Command)) == []


def test_every_event_happens() -> None:
    assert unreached(get_args(Event)) == []
    assert unreached(get_args(Sight)) == []


def test_every_error_of_a_platform_and_of_a_start_is_met() -> None:
    assert unreached((*get_args(PlatformError), *get_args(StartError))) == []


def test_every_kind_of_end_is_met() -> None:
    assert unreached(("exit", kind) for kind in get_args(Exit)) == []
