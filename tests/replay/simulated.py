"""Journals of simulated fleets, as entries: with what fails, and what is asked when."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from itertools import count

import attrs

from orchestrator.core.admit import admit
from orchestrator.core.commands import (
    Command,
    ObserveFleet,
    RollService,
    SendNotice,
    StartContainer,
)
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.events import (
    Booted,
    CommandAccepted,
    CommandKind,
    ContainerEnded,
    ContainerReady,
    ContainerStarted,
    Event,
    FleetObserved,
    ReconcileRequested,
    TimeReached,
)
from orchestrator.core.exits import Exited, Stopped
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.phases import live_run
from orchestrator.core.policies import RestartPolicy
from orchestrator.core.reduce import step_of
from orchestrator.core.requests import Apply, Request
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import RULES, Fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.core.wake import wake_at, wake_at_fleet
from orchestrator.replay.history import NOTHING, Entry
from orchestrator.simulation.characters import Character
from orchestrator.simulation.faults import FaultPlan, calm
from orchestrator.simulation.runs import start_run

MINUTE = 60_000

CHARACTERS = {str(kind).replace("_", "-"): kind for kind in Character}
"""A container of each character, called like it."""


def spec_of(name: str, policy: RestartPolicy | None = None) -> ContainerSpec:
    return ContainerSpec(
        name=name, command=("run", name), restart=policy or RestartPolicy()
    )


def fleet_of(*specs: ContainerSpec, limit: int = 8) -> FleetSpec:
    settings = FleetSettings(max_concurrent_starts=limit)
    return FleetSpec(name="simulated", settings=settings, containers=specs)


def recorded(
    fleet: FleetSpec,
    *,
    seed: int = 1,
    plan: FaultPlan | None = None,
    until: int = 10 * MINUTE,
    asked: Iterable[tuple[int, Request]] = (),
) -> list[Entry]:
    """Simulate a fleet whose containers behave as they are called."""
    steps = steps_of(fleet, seed=seed, plan=plan, until=until, asked=asked)
    return entries_of(steps)


def steps_of(
    fleet: FleetSpec,
    *,
    seed: int = 1,
    plan: FaultPlan | None = None,
    until: int = 10 * MINUTE,
    asked: Iterable[tuple[int, Request]] = (),
    policies: CustomPolicies = NO_POLICIES,
) -> list[Step]:
    """Simulate, and return every step of the operator."""
    steps: list[Step] = []
    characters = {spec.name: CHARACTERS[spec.name] for spec in fleet.containers}
    run = start_run(
        seed,
        plan or calm(),
        characters,
        on_step=steps.append,
        policies=policies,
    )
    run.ask(Apply(spec=fleet))
    for at, request in asked:
        run.run_until(at)
        run.ask(request)
    run.run_until(until)
    return steps


def entries_of(steps: Iterable[Step]) -> list[Entry]:
    return [
        Entry(seq=seq, event=step.event, commands=step.commands, changes=b"")
        for seq, step in enumerate(steps, 1)
    ]


# Releases: a container whose runs go as what is run says


@attrs.frozen(kw_only=True)
class Release:
    """What a container runs: it ends after so long, 0: never; ``code`` names it."""

    code: int
    lives_ms: int = 0
    restart: RestartPolicy = RestartPolicy()

    @property
    def spec(self) -> ContainerSpec:
        """Return the spec of this release."""
        env = {"CODE": str(self.code), "LIVES_MS": str(self.lives_ms)}
        return ContainerSpec(
            name="web",
            command=("serve",),
            env=Table.of(env.items()),
            restart=self.restart,
        )


def code_of(spec: ContainerSpec) -> int:
    """Return which release a spec is."""
    return int(spec.env["CODE"])


def released(applied: Iterable[tuple[int, Release]], *, until: int) -> list[Entry]:
    """Record releases that are applied, each at its moment, with what came of them."""
    fleet, entries, applies = (
        NOTHING,
        list[Entry](),
        sorted(applied, key=lambda x: x[0]),
    )
    agenda: list[tuple[int, int, Event]] = []
    numbers = count()
    tell: Event | None = Booted(at=0, epoch=1, rules=RULES, fences=True)
    while tell is not None:
        step = step_of(fleet, tell)
        fleet = step.after
        seq = len(entries) + 1
        row = Entry(seq=seq, event=tell, commands=step.commands, changes=b"")
        entries.append(row)
        for command in step.commands:
            for event in _answers(command, fleet):
                heapq.heappush(agenda, (event.at, next(numbers), event))
        tell = _next(fleet, agenda, applies, until)
    step = step_of(fleet, ReconcileRequested(at=until))
    last = Entry(
        seq=len(entries) + 1, event=step.event, commands=step.commands, changes=b""
    )
    return [*entries, last]


def _next(
    fleet: Fleet,
    agenda: list[tuple[int, int, Event]],
    applies: list[tuple[int, Release]],
    until: int,
) -> Event | None:
    timers = [
        (due, one.name)
        for one in fleet.containers.values()
        if (due := wake_at(one, fences=fleet.fences)) is not None
    ]
    due, name = min(timers, default=(until, None))
    rest = wake_at_fleet(fleet)
    if rest is not None and rest < due:
        due, name = rest, None
    while agenda and agenda[0][0] <= due:
        if applies and applies[0][0] <= agenda[0][0]:
            break
        _, _, event = heapq.heappop(agenda)
        at = max(event.at, fleet.at)
        if at >= until:
            return None
        if isinstance(event, ContainerStarted | ContainerReady | ContainerEnded):
            container = fleet.containers[event.name]
            if live_run(container.phase) != event.run:
                continue
        return attrs.evolve(event, at=at)
    if applies and applies[0][0] <= due:
        at, release = applies.pop(0)
        at = max(at, fleet.at)
        asked = Apply(spec=fleet_of(release.spec))
        return admit(fleet, asked, at).unwrap()
    due = max(due, fleet.at)
    return TimeReached(at=due, name=name) if due < until else None


def _answers(command: Command, fleet: Fleet) -> list[Event]:
    at = fleet.at
    if isinstance(command, ObserveFleet):
        return [FleetObserved(at=at + 20, complete=True)]
    if isinstance(command, SendNotice | RollService):
        return []
    name, run = command.name, command.run
    if not isinstance(command, StartContainer):
        return [
            CommandAccepted(at=at + 5, name=name, run=run, kind=CommandKind.STOP),
            ContainerEnded(at=at + 40, name=name, run=run, exit=Stopped()),
        ]
    env = fleet.containers[name].spec.env
    lives_ms, exit_ = int(env["LIVES_MS"]), Exited(code=int(env["CODE"]))
    end = ContainerEnded(at=at + lives_ms, name=name, run=run, exit=exit_)
    return [
        CommandAccepted(at=at + 10, name=name, run=run, kind=CommandKind.START),
        ContainerStarted(at=at + 20, name=name, run=run),
        ContainerReady(at=at + 50, name=name, run=run),
        *([end] if lives_ms else []),
    ]
