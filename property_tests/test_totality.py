"""Every phase meets every event: the core never raises, and keeps its invariants."""

from __future__ import annotations

import subprocess
import sys

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.admit import admit
from orchestrator.core.advance import advance
from orchestrator.core.events import ContainerEvent, Event, TimeReached
from orchestrator.core.explain import container_info, explain
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.invariants import violations
from orchestrator.core.lineages import RolloutAction, RolloutStatus
from orchestrator.core.outstanding import outstanding
from orchestrator.core.reduce import fold, reduce
from orchestrator.core.requests import (
    Adopt,
    Apply,
    ClearCrashHistory,
    Reconcile,
    Remove,
    Request,
    Restart,
    Roll,
    Scale,
    Start,
    Stop,
    StopOrphan,
)
from orchestrator.core.scaling import indexes, members
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec, named
from orchestrator.core.state import Container, Fleet, empty_fleet
from orchestrator.core.steps import Step
from orchestrator.core.terms import FixedTerms
from orchestrator.core.wake import wake_at
from orchestrator.testing import strategies as drawn

CONTAINER_EVENTS = drawn.events().filter(
    lambda event: isinstance(event, ContainerEvent | TimeReached)
)
HISTORIES = st.lists(drawn.events(), max_size=30)


def in_order(history: list[Event]) -> list[Event]:
    """Give a drawn history moments that never run backwards."""
    moments = sorted(event.at for event in history)
    pairs = zip(history, moments, strict=True)
    return [attrs.evolve(event, at=at) for event, at in pairs]


@given(container=drawn.containers(), event=CONTAINER_EVENTS, fences=st.booleans())
@settings(max_examples=400)
def test_a_container_in_any_phase_takes_any_event(
    container: Container,
    event: Event,
    fences: bool,  # noqa: FBT001 - drawn
) -> None:
    about = attrs.evolve(event, name=container.name)  # type: ignore[arg-type]
    terms = FixedTerms(fences=fences)
    moved, commands = advance(container, about, terms)  # type: ignore[arg-type]
    assert moved.name == container.name
    assert len(commands) <= 1
    assert moved.run >= container.run
    assert moved.history.crashes_total >= container.history.crashes_total
    assert explain(moved, fences=fences, now=about.at).why
    again = advance(container, about, terms)  # type: ignore[arg-type]
    assert again == (moved, commands)


@given(container=drawn.containers(), fences=st.booleans())
def test_nothing_happens_before_its_time(container: Container, fences: bool) -> None:  # noqa: FBT001
    due = wake_at(container, fences=fences)
    if due is None:
        at = 10**9
    elif due > 0:
        at = due - 1
    else:
        return
    early = TimeReached(at=at, name=container.name)
    terms = FixedTerms(fences=fences)
    assert advance(container, early, terms) == (container, ())


@given(history=HISTORIES)
def test_any_history_can_be_folded_and_keeps_the_invariants(
    history: list[Event],
) -> None:
    fleet = empty_fleet("demo")
    for event in in_order(history):
        before = fleet
        transition = reduce(before, event)
        fleet = transition.fleet
        step = Step(
            before=before,
            event=event,
            after=fleet,
            commands=transition.commands,
            touched=transition.touched,
        )
        assert violations(step) == ()
        for container in fleet.containers.values():
            assert container_info(fleet, container, fleet.at).why
    assert fold(empty_fleet("demo"), in_order(history)) == fleet
    unsure = len(fleet.diverged) + len(fleet.forgetting) + len(fleet.notices.open)
    unsure += len(fleet.rolling)
    assert len(outstanding(fleet)) <= unsure


@given(history=HISTORIES)
def test_a_repeated_event_of_a_run_changes_nothing(history: list[Event]) -> None:
    fleet: Fleet = empty_fleet("demo")
    for event in in_order(history):
        once = reduce(fleet, event).fleet
        if type(event).__name__ in {"ContainerStarted", "ContainerReady"}:
            twice = reduce(once, event).fleet
            assert twice.containers == once.containers
        fleet = once


@given(
    history=HISTORIES,
    name=drawn.names(),
    spec=drawn.container_specs(),
    fleet_spec=drawn.fleet_specs(),
    force=st.booleans(),
)
def test_whatever_is_admitted_is_accepted(
    history: list[Event],
    name: str,
    spec: ContainerSpec,
    fleet_spec: FleetSpec,
    force: bool,  # noqa: FBT001 - drawn
) -> None:
    fleet = fold(empty_fleet("demo"), in_order(history))
    requests: tuple[Request, ...] = (
        Start(name=name, force=force),
        Start(name=name, spec=named(spec, name)),
        Stop(name=name),
        Restart(name=name),
        Remove(name=name),
        ClearCrashHistory(name=name),
        Reconcile(),
        Apply(spec=fleet_spec),
        Scale(service="crew", replicas=2),
        *(Roll(service="crew", action=action) for action in RolloutAction),
        Adopt(name=name),
        StopOrphan(name=name),
    )
    for request in requests:
        answer = admit(fleet, request, fleet.at)
        event = answer.value_or(None)
        if event is not None:
            after = reduce(fleet, event).fleet
            assert after.at == fleet.at
            _check_intent(request, after)


def _check_intent(request: Request, after: Fleet) -> None:
    """Check that what was admitted is what the owner now wants."""
    match request:
        case Start(name=name) | Restart(name=name):
            assert after.containers[name].desired.running
        case Stop(name=name):
            container = after.containers.get(name)
            assert container is None or not container.desired.running
        case Remove(name=name):
            assert name not in after.containers
        case ClearCrashHistory(name=name):
            assert after.containers[name].history.failures == ()
        case Apply(spec=spec):
            declared = [one for one in spec.containers if one.service == one.name]
            assert all(after.containers[one.name].spec == one for one in declared)
            for service in spec.services:
                _check_replicas(service, after)
        case Reconcile():
            assert after.observing
        case Scale(service=service, replicas=replicas):
            assert after.services[service].replicas == replicas
            assert len(indexes(members(after.containers.values(), service))) == replicas
        case Adopt(name=name):
            assert after.containers[name].is_claimed
        case StopOrphan(name=name):
            assert name in after.evicting
        case Roll(service=service, action=action):
            lineage = after.lineages[service]
            rollout = lineage.rollout
            is_paused = rollout is not None and rollout.status is RolloutStatus.PAUSED
            assert is_paused or action is not RolloutAction.PAUSE
            assert (service in after.rolling) is (rollout is not None)


def _check_replicas(service: Service, after: Fleet) -> None:
    """Check that a service has its replicas, as declared unless they are rolled out."""
    present = members(after.containers.values(), service.name)
    assert len(indexes(present)) == after.services[service.name].replicas
    if service.name not in after.lineages and service.autoscaling is None:
        specs = {one.spec for one in present}
        assert specs == {replica_of(service, n) for n in range(service.replicas)}


DRILL = """
from orchestrator.core.requests import Apply
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.specs import ContainerSpec
from orchestrator.simulation.faults import Character, draw_plan
from orchestrator.simulation.runs import start_run
steps = []
people = {name: kind for name, kind in zip("abcdef", Character)}
run = start_run(7, draw_plan(7, 600_000), people, on_step=steps.append)
specs = tuple(ContainerSpec(name=name, command=("run",)) for name in people)
run.ask(Apply(spec=FleetSpec(name="simulated", containers=specs)))
run.run_until(900_000)
print([(step.event, step.commands, step.touched) for step in steps], run.fleet)
"""


def test_another_process_with_another_hash_seed_decides_the_same() -> None:
    told = {
        subprocess.run(
            (sys.executable, "-c", DRILL),
            check=True,
            capture_output=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(told) == 1
    assert len(told.pop()) > 10_000
