"""Laws of dependencies: who starts before whom, who stops before whom, nobody stuck."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar, Final

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.codec.fleet_file import read_fleet_file
from orchestrator.core.admit import admit
from orchestrator.core.awaiting import count_members, reckon
from orchestrator.core.circumstances import is_stuck
from orchestrator.core.commands import Command, StopContainer
from orchestrator.core.dependencies import (
    Awaited,
    Condition,
    circles,
    depth_of,
)
from orchestrator.core.events import (
    Booted,
    CommandAccepted,
    CommandKind,
    ContainerEnded,
    ContainerErrored,
    ContainerReady,
    ContainerStarted,
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
from orchestrator.core.exits import Exited, RolledOut, Slept
from orchestrator.core.explain import container_info
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.invariants import violations
from orchestrator.core.phases import (
    Completed,
    CrashLooping,
    Failed,
    Pending,
    Running,
    live_run,
)
from orchestrator.core.policies import RestartPolicy
from orchestrator.core.reduce import fold, reduce
from orchestrator.core.requests import Apply
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import RULES, Container, Fleet, empty_fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.core.uptimes import begun
from orchestrator.testing import FleetMachine
from property_tests.trials import draw_trial, tried

NAMES: Final = ("a", "b", "c", "d", "e")
PROFILES: Final = ("calm", "all", "intermediate_state", "unobserved_state", "storm")
Graph = dict[str, tuple[str, ...]]


def graphs() -> st.SearchStrategy[Graph]:
    """Draw who needs whom, anyhow."""
    row = st.lists(st.sampled_from(NAMES), max_size=2, unique=True).map(tuple)
    return st.dictionaries(st.sampled_from(NAMES), row)


def ordered_graphs() -> st.SearchStrategy[Graph]:
    """Draw who needs whom of those before it: so there is no circle."""
    rows = {
        name: st.lists(st.sampled_from(NAMES[:place] or ("",)), max_size=3, unique=True)
        for place, name in enumerate(NAMES)
    }
    return st.fixed_dictionaries(rows).map(
        lambda drawn: {
            name: tuple(other for other in row if other) for name, row in drawn.items()
        }
    )


def spec(name: str, needs: tuple[str, ...], service: str = "") -> ContainerSpec:
    return ContainerSpec(
        name=name,
        service=service or name,
        command=("run",),
        depends_on=Table.of((other, Condition.READY) for other in needs),
    )


# Circles


def has_circle(graph: Graph) -> bool:
    """Say it in another way: take away, again and again, who needs nobody left."""
    left = dict(graph)
    while True:
        free = [name for name, row in left.items() if not left.keys() & set(row)]
        if not free:
            return bool(left)
        for name in free:
            del left[name]


@given(graph=graphs())
def test_circles_are_found_where_there_are_any(graph: Graph) -> None:
    found = circles(graph)
    assert bool(found) is has_circle(graph)
    for circle in found:
        assert circle[0] == circle[-1]
        for one, other in pairwise(circle):
            assert other in graph[one]
    standing = {name for circle in found for name in circle}
    rest = {name: row for name, row in graph.items() if name not in standing}
    assert not has_circle(rest)
    assert 1 <= depth_of(graph) <= len(graph) + 1


@given(graph=graphs())
@settings(max_examples=40)
def test_a_file_tells_each_circle_and_each_stranger(graph: Graph) -> None:
    rows = []
    for name, needs in graph.items():
        table = ", ".join(f'{other} = "ready"' for other in needs)
        rows.append(
            f'[[containers]]\nname = "{name}"\ncommand = ["x"]\n'
            f"depends_on = {{ {table} }}\n"
        )
    data = ('[fleet]\nname = "demo"\n' + "".join(rows)).encode()
    answer = read_fleet_file(data, file="fleet.toml", folder="/")
    strangers = {other for row in graph.values() for other in row} - set(graph)
    if not strangers and not has_circle(graph):
        assert len(answer.unwrap().spec.containers) == len(graph)
        return
    said = answer.failure().message
    assert all(f"'{other}'" in said for other in strangers)
    assert ("without a circle, found" in said) is has_circle(graph)
    assert "fleet.toml:" in said


# Any history


def _tables() -> st.SearchStrategy[Table[str, Condition]]:
    return st.dictionaries(
        st.sampled_from(NAMES[:4]), st.sampled_from(Condition), max_size=2
    ).map(lambda drawn: Table.of(drawn.items()))


def events() -> st.SearchStrategy[Event]:
    """Draw what a fleet with dependencies may be told, also of circles."""
    names, run, at = st.sampled_from(NAMES[:4]), st.integers(1, 3), st.just(0)
    specs = st.builds(
        lambda name, service, needs, sleeps: attrs.evolve(
            spec(name, (), service), depends_on=needs, keep_alive=not sleeps
        ),
        names,
        st.sampled_from(("", "", "a", "c")),
        _tables(),
        st.booleans(),
    )
    declared = st.builds(Declaration, spec=specs, salt=st.just(1))
    file = st.lists(declared, max_size=4, unique_by=lambda one: one.spec.name)
    ends = st.sampled_from((Exited(code=0), Exited(code=1), Slept(), RolledOut()))
    return st.one_of(
        st.builds(
            SpecApplied,
            at=at,
            fleet=st.just("demo"),
            settings=st.builds(
                FleetSettings, max_concurrent_starts=st.sampled_from((1, 8))
            ),
            declarations=file.map(tuple),
        ),
        declared.flatmap(
            lambda one: st.builds(
                StartRequested,
                at=at,
                name=st.just(one.spec.name),
                declaration=st.none() | st.just(one),
                force=st.booleans(),
            )
        ),
        st.builds(StopRequested, at=at, name=names),
        st.builds(RestartRequested, at=at, name=names),
        st.builds(RemoveRequested, at=at, name=names),
        st.builds(ContainerStarted, at=at, name=names, run=run),
        st.builds(ContainerReady, at=at, name=names, run=run),
        st.builds(ContainerEnded, at=at, name=names, run=run, exit=ends),
        st.builds(ContainerErrored, at=at, name=names, run=run, cause=st.just("")),
        st.builds(TimeReached, at=at, name=names),
        st.just(FleetObserved(at=0, complete=True)),
        st.just(Booted(at=0, epoch=1, rules=RULES, fences=True)),
    )


@attrs.define
class Scanned:
    """Who is awaited, as a look at every container says."""

    awaited: Table[str, Awaited] = Table()
    stirred: dict[str, bool] = attrs.field(factory=dict[str, bool])


def scanned(fleet: Fleet) -> Table[str, Awaited]:
    scan = Scanned()
    for container in fleet.containers.values():
        reckon(scan, None, container)  # type: ignore[arg-type]
    services = tuple(scan.awaited)
    everybody = fleet.containers.values()
    members = [each for each in everybody if each.spec.service in scan.awaited]
    count_members(scan, services, members)  # type: ignore[arg-type]
    return scan.awaited


def is_as_it_must_be(container: Container, condition: Condition) -> bool:
    match condition:
        case Condition.STARTED:
            return isinstance(container.phase, Running | Completed)
        case Condition.READY:
            phase = container.phase
            return isinstance(phase, Running) and phase.ready_at is not None
        case Condition.COMPLETED:
            return isinstance(container.phase, Completed)


def holds(fleet: Fleet, service: str, condition: Condition) -> bool:
    """Say whether a condition holds, as a look at every container says."""
    wanted = [
        container
        for container in fleet.containers.values()
        if container.spec.service == service and container.desired.running
    ]
    return bool(wanted) and all(is_as_it_must_be(one, condition) for one in wanted)


def stuck(fleet: Fleet) -> set[str]:
    """Say who is stuck, as a look at every container says: again, until it is told."""
    found: set[str] = set()
    while True:
        more = {
            name
            for name, container in fleet.containers.items()
            if name not in found and _waits_in_vain(fleet, container, found)
        }
        if not more:
            return found
        found |= more


def _waits_in_vain(fleet: Fleet, container: Container, found: set[str]) -> bool:
    phase = container.phase
    if not isinstance(phase, Pending) or not phase.waits_for:
        return False
    condition = container.spec.depends_on[phase.waits_for]
    wanted = [
        one
        for one in fleet.containers.values()
        if one.spec.service == phase.waits_for and one.desired.running
    ]
    return not wanted or any(
        one.name in found or isinstance(one.phase, Failed | Completed)
        if not isinstance(one.phase, CrashLooping)
        else one.phase.until is None
        for one in wanted
        if not is_as_it_must_be(one, condition)
    )


def check(step: Step) -> None:
    """Hold a step to the laws, without the index that the core keeps."""
    fleet = step.after
    for command in begun(step):
        for service, condition in fleet.containers[
            command.name
        ].spec.depends_on.items():
            assert holds(fleet, service, condition), f"{command.name} before {service}"
    assert fleet.awaited == scanned(fleet), "the index is not what a scan says"
    for name, container in fleet.containers.items():
        phase = container.phase
        if isinstance(phase, Pending) and phase.waits_for:
            condition = container.spec.depends_on[phase.waits_for]
            assert not holds(fleet, phase.waits_for, condition), f"{name} is forgotten"
        if container.stops_after and not container.desired.running:
            assert live_run(phase) is not None, f"{name} is kept for nothing"
    in_vain = {n for n, one in fleet.containers.items() if is_stuck(fleet, one)}
    assert in_vain == stuck(fleet)
    if isinstance(step.event, TimeReached) and not len(fleet.groups):
        # A group that is restarted together takes along who is done.
        assert stuck(step.before) <= in_vain, "time alone frees nobody"


@given(
    history=st.lists(
        st.tuples(events(), st.sampled_from((0, 0, 100, 1_000, 10_000))), max_size=40
    )
)
@settings(max_examples=150)
def test_in_any_history_starts_are_in_order_and_the_index_is_true(
    history: list[tuple[Event, int]],
) -> None:
    told: list[Event] = [
        Booted(at=0, epoch=1, rules=RULES, fences=False),
        FleetObserved(at=0, complete=True),
    ]
    for event, wait in history:
        told.append(attrs.evolve(event, at=told[-1].at + wait))
    fleet = empty_fleet("demo")
    for event in told:
        moved = reduce(fleet, event)
        step = Step(
            before=fleet,
            event=event,
            after=moved.fleet,
            commands=moved.commands,
            touched=moved.touched,
        )
        assert violations(step) == ()
        check(step)
        fleet = moved.fleet
        for container in fleet.containers.values():
            assert container_info(fleet, container, fleet.at).why
    assert fold(empty_fleet("demo"), told) == fleet


# A world with faults


@given(seed=st.integers(0, 2**32), profile=st.sampled_from(PROFILES))
@settings(max_examples=25)
def test_with_faults_starts_are_in_order_and_the_healed_fleet_comes_up(
    seed: int, profile: str
) -> None:
    verdict = tried(draw_trial(seed, profile, depends=True), on_step=check)
    assert verdict.wrong == []


# The end


def comes_up(graph: Graph, crew: int) -> tuple[Fleet, FleetSpec]:
    """Bring a fleet up in its order; *crew* members a service."""
    specs = tuple(
        spec(f"{name}-{number}", needs, name)
        for name, needs in graph.items()
        for number in range(crew)
    )
    file = FleetSpec(name="demo", containers=specs)
    fleet = fold(
        empty_fleet("demo"),
        [
            Booted(at=0, epoch=1, rules=RULES, fences=False),
            FleetObserved(at=0, complete=True),
        ],
    )
    fleet = reduce(fleet, admit(fleet, Apply(spec=file), 0).unwrap()).fleet
    for _ in range(2 * len(specs)):
        for name in fleet.starting:
            run = fleet.containers[name].run
            news: tuple[Event, ...] = (
                CommandAccepted(at=0, name=name, run=run, kind=CommandKind.START),
                ContainerReady(at=0, name=name, run=run),
            )
            fleet = fold(fleet, news)
    return fleet, file


@given(
    graph=ordered_graphs(),
    crew=st.integers(1, 2),
    picks=st.lists(st.integers(0, 99), max_size=40),
)
@settings(max_examples=80)
def test_once_all_are_healthy_everything_is_up_and_leaves_in_the_reverse_order(
    graph: Graph, crew: int, picks: list[int]
) -> None:
    fleet, file = comes_up(graph, crew)
    assert all(
        is_as_it_must_be(one, Condition.READY) for one in fleet.containers.values()
    )
    empty = attrs.evolve(file, containers=())
    moved = reduce(fleet, admit(fleet, Apply(spec=empty), 1).unwrap())
    fleet = moved.fleet
    _in_reverse(fleet, moved.commands, graph)
    turns = iter(picks)
    while fleet.containers:
        stopping = [
            one
            for one in fleet.containers.values()
            if not hasattr(one.phase, "ready_at") or not isinstance(one.phase, Running)
        ]
        assert stopping, "all wait for one another"
        one = stopping[next(turns, 0) % len(stopping)]
        moved = reduce(
            fleet,
            ContainerEnded(at=2, name=one.name, run=one.run, exit=Exited(code=0)),
        )
        _in_reverse(moved.fleet, moved.commands, graph)
        fleet = moved.fleet
    assert len(fleet.awaited) == 0


def _in_reverse(fleet: Fleet, commands: tuple[Command, ...], graph: Graph) -> None:
    """Demand that nobody is stopped on whom somebody who lives depends."""
    lives = {container.spec.service for container in fleet.containers.values()}
    for command in commands:
        if isinstance(command, StopContainer):
            service = fleet.containers[command.name].spec.service
            needing = {name for name, needs in graph.items() if service in needs}
            assert not needing & lives


# A fleet as a machine


class _Needy(FleetMachine):
    """Anything may happen to a chain, a job at its beginning, a crew at its end."""

    fleet: ClassVar[FleetSpec | None] = FleetSpec(
        name="demo",
        containers=(
            attrs.evolve(spec("job", ()), restart=RestartPolicy(max_restarts=1)),
            attrs.evolve(
                spec("db", ()),
                keep_alive=False,
                depends_on=Table.of([("job", Condition.COMPLETED)]),
            ),
            spec("web-0", ("db",), "web"),
            spec("web-1", ("db",), "web"),
            attrs.evolve(
                spec("edge", ()), depends_on=Table.of([("web", Condition.STARTED)])
            ),
        ),
    )


TestNeedy = _Needy.TestCase
TestNeedy.settings = settings(max_examples=15, stateful_step_count=30)
