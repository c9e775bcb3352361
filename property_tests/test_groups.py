"""Laws of groups: who ends with whom, who waits for whom, and that nobody is stuck."""

from __future__ import annotations

from typing import Final

import attrs
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.backoff import Backoff
from orchestrator.core.events import (
    Booted,
    CommandAccepted,
    CommandKind,
    ContainerEnded,
    ContainerReady,
    ContainerStarted,
    CrashHistoryCleared,
    Declaration,
    Event,
    FleetObserved,
    RemoveRequested,
    RestartRequested,
    SpecApplied,
    StartRequested,
    StopRequested,
    TimeReached,
)
from orchestrator.core.exits import Exited, Lost, Outcome, RolledOut, Slept, outcome
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.groups import GroupStrategy, Membership
from orchestrator.core.invariants import violations
from orchestrator.core.phases import (
    BackingOff,
    CrashLooping,
    Failed,
    Pending,
    Phase,
    Running,
    Starting,
    Unknown,
    live_run,
)
from orchestrator.core.policies import CrashLimit, OnLoop, RestartPolicy, When
from orchestrator.core.reduce import fold, reduce
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container, Fleet, empty_fleet
from orchestrator.core.steps import Step

NAMES: Final = ("a", "b", "c", "d")
POLICIES: Final = tuple(
    RestartPolicy(
        when=when,
        crash=CrashLimit(allowed_crashes=allowed, on_loop=loop, window_ms=60_000),
        backoff=Backoff(initial_ms=1_000, max_ms=8_000, jitter=0),
    )
    for when in (When.ALWAYS, When.ON_FAILURE, When.NEVER)
    for loop in OnLoop
    for allowed in (0, 2)
)


@st.composite
def declarations(draw: st.DrawFn) -> tuple[Declaration, ...]:
    strategy = draw(st.sampled_from(GroupStrategy))
    specs = (
        ContainerSpec(
            name=name,
            command=("run",),
            restart=draw(st.sampled_from(POLICIES)),
            group=Membership(group="g", strategy=strategy, position=place)
            if draw(st.integers(0, 4))
            else None,
        )
        for place, name in enumerate(NAMES)
        if draw(st.integers(0, 5))
    )
    return tuple(Declaration(spec=spec, salt=7) for spec in specs)


def news(name: str, container: Container | None) -> st.SearchStrategy[Event]:
    """Draw what may happen next to a container, as a platform would tell it."""
    asked: list[Event] = [
        StartRequested(at=0, name=name, force=True),
        StopRequested(at=0, name=name),
        RestartRequested(at=0, name=name),
        CrashHistoryCleared(at=0, name=name),
        RemoveRequested(at=0, name=name),
        TimeReached(at=0, name=name),
    ]
    if container is None:
        return st.sampled_from(asked)
    run = live_run(container.phase) or container.run
    ends = (Exited(code=0), Exited(code=1), Lost(), RolledOut(), Slept())
    told: list[Event] = [
        CommandAccepted(at=0, name=name, run=run, kind=CommandKind.START),
        ContainerStarted(at=0, name=name, run=run),
        ContainerReady(at=0, name=name, run=run),
        *(ContainerEnded(at=0, name=name, run=run, exit=end) for end in ends),
    ]
    return st.sampled_from(told + asked if container.run else asked)


@st.composite
def steps(draw: st.DrawFn) -> list[Step]:
    """Draw a history of a grouped fleet, most of it what a platform would tell."""
    fleet, at = empty_fleet("demo"), 0
    first = draw(declarations())
    settings = FleetSettings(min_restart_delay_ms=0)
    history: list[Step] = []

    def take(event: Event) -> None:
        nonlocal fleet
        moved = reduce(fleet, attrs.evolve(event, at=at))
        history.append(
            Step(
                before=fleet,
                event=attrs.evolve(event, at=at),
                after=moved.fleet,
                commands=moved.commands,
                touched=moved.touched,
            )
        )
        fleet = moved.fleet

    take(Booted(at=0, epoch=1, rules=2, fences=True))
    take(SpecApplied(at=0, fleet="demo", settings=settings, declarations=first))
    take(FleetObserved(at=0, complete=True))
    for _ in range(draw(st.integers(0, 40))):
        at += draw(st.sampled_from((0, 1, 1_000, 8_000, 60_000)))
        match draw(st.integers(0, 19)):
            case 0:
                again = draw(declarations())
                take(
                    SpecApplied(
                        at=0, fleet="demo", settings=settings, declarations=again
                    )
                )
            case 1:
                take(FleetObserved(at=0, complete=True))
            case _:
                name = draw(st.sampled_from(NAMES))
                take(draw(news(name, fleet.containers.get(name))))
    return history


@given(history=steps())
def test_a_grouped_fleet_keeps_every_invariant(history: list[Step]) -> None:
    for step in history:
        assert violations(step) == (), step.event


@given(history=steps())
def test_who_waits_for_its_group_waits_for_somebody_who_is_down(
    history: list[Step],
) -> None:
    for step in history:
        for container in step.after.containers.values():
            phase = container.phase
            if isinstance(phase, CrashLooping) and phase.waits_for:
                other = step.after.containers[phase.waits_for]
                down = isinstance(other.phase, BackingOff | CrashLooping | Failed)
                assert down, (container.name, step.event)


@given(history=steps())
def test_who_is_taken_along_is_not_left_running(history: list[Step]) -> None:
    for step in history:
        for before, after in step.pairs():
            if before is None or after is None or after.leaving:
                continue
            group, last = after.spec.group, after.last
            if group is None or last is None or last == before.last:
                continue
            is_done = not isinstance(
                after.phase, Pending | Starting | BackingOff | CrashLooping | Failed
            )
            if is_done or outcome(last.exit) is Outcome.NEITHER:
                continue
            for position, name in step.after.groups[group.group]:
                other = step.after.containers[name]
                if name != after.name and group.takes(position):
                    goes_on = isinstance(other.phase, Running | Unknown)
                    assert not (goes_on and other.desired.running), (name, step.event)


@given(history=steps())
def test_whoever_is_not_taken_along_goes_on(history: list[Step]) -> None:
    for step in history:
        if not isinstance(step.event, ContainerEnded):
            continue
        ended = step.before.containers.get(step.event.name)
        group = None if ended is None else ended.spec.group
        if ended is None:
            continue
        for name, before in step.before.containers.items():
            theirs = before.spec.group
            is_one = (
                theirs is not None
                and group is not None
                and theirs.group == group.group
                and group.takes(theirs.position)
            )
            if name != ended.name and not is_one:
                assert _is_undisturbed(before, step.after), (name, step.event)


def _is_undisturbed(before: Container, after: Fleet) -> bool:
    """Say whether nothing but a granted start has happened to a container."""
    now = after.containers.get(before.name)
    moved: Phase | None = None if now is None else now.phase
    if now is None or now == before:
        return now is not None
    waited = isinstance(before.phase, Pending | BackingOff | CrashLooping)
    return waited and isinstance(moved, Starting | Pending)


@given(history=steps())
def test_groups_are_replayed_as_they_were(history: list[Step]) -> None:
    events = [step.event for step in history]
    assert fold(empty_fleet("demo"), events) == history[-1].after
