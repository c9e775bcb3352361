"""A history that looks like life: what a benchmark replays, the same for every run.

A fleet is declared and started, and then lives: containers crash and back off, checks
change their verdicts, timers are due, the owner asks for this and that. Each answer of
the platform follows a command that the core gave, so that every row is a real one.

Made from a seed, in virtual time; nothing here is measured.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from orchestrator.core.commands import (
    DestroyContainer,
    ForgetContainer,
    ObserveFleet,
    RollService,
    SendNotice,
    StartContainer,
)
from orchestrator.core.errors import Unreachable
from orchestrator.core.events import (
    COMMAND_KINDS,
    Booted,
    CommandAccepted,
    CommandFailed,
    CommandKind,
    ContainerEnded,
    ContainerReady,
    ContainerStarted,
    CrashHistoryCleared,
    Declaration,
    Event,
    FleetObserved,
    HealthChanged,
    RestartRequested,
    SpecApplied,
    StartRequested,
    StopRequested,
    TimeReached,
)
from orchestrator.core.exits import Exit, Exited, OutOfMemory, Signaled
from orchestrator.core.fingerprints import salt_of
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.health import CheckKind, HealthCheck, HealthChecks, TcpProbe
from orchestrator.core.phases import Running, live_run
from orchestrator.core.policies import RestartPolicy, When
from orchestrator.core.reduce import step_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import RULES, Container, Fleet, empty_fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.core.wake import observe_due, wake_at
from orchestrator.journal.jsonl import export_rows
from orchestrator.journal.port import START, Head, Row, chained
from orchestrator.runtime.steps import draft_of
from orchestrator.simulation.dice import Dice

__all__ = ("rows", "steps", "written")

FLEET: Final = "benchmark"
MINUTE: Final = 60_000
CHECK: Final = HealthCheck(probe=TcpProbe(port="http"))
CHECKS: Final = HealthChecks(readiness=CHECK, liveness=CHECK)
SETTINGS: Final = FleetSettings(max_concurrent_starts=200)
KINDS: Final = (
    ("steady", 70, 60 * MINUTE, When.ON_FAILURE),
    ("flaky", 20, 4 * MINUTE, When.ON_FAILURE),
    ("batch", 5, 10 * MINUTE, When.ALWAYS),
    ("broken", 5, 2_000, When.ON_FAILURE),
)
"""Of a hundred containers so many: how long a run lasts at most, how it restarts."""

CRASHES: Final[tuple[Exit, ...]] = (
    Exited(code=1),
    Exited(code=137),
    Signaled(signal=11),
    OutOfMemory(),
)


def _kind(number: int) -> tuple[str, int, When]:
    place = number % 100
    for name, share, lasts_ms, when in KINDS:
        if place < share:
            return name, lasts_ms, when
        place -= share
    raise AssertionError(number)


def _spec(number: int) -> ContainerSpec:
    kind, _, when = _kind(number)
    return ContainerSpec(
        name=f"{kind}-{number:06}",
        image="registry.example/worker:7",
        command=("worker", "--queue", kind),
        ports=Table.of([("http", 8080)]),
        env=Table.of([("QUEUE", kind), ("LEVEL", "info")]),
        restart=RestartPolicy(when=when),
        health=CHECKS if number % 3 == 0 else HealthChecks(),
    )


@attrs.define(kw_only=True)
class _World:
    """What is still to happen, and what the fleet has become so far."""

    dice: Dice
    fleet: Fleet = empty_fleet(FLEET)
    later: list[tuple[int, int, Event]] = attrs.field(factory=list)
    asleep_until: dict[str, int] = attrs.field(factory=dict)
    lasts_ms: dict[str, int] = attrs.field(factory=dict)
    count: int = 0

    def put(self, event: Event) -> None:
        self.count += 1
        heapq.heappush(self.later, (event.at, self.count, event))

    def in_(self, soonest: int, latest: int) -> int:
        return self.fleet.at + self.dice.between(soonest, latest)


def steps(events: int, containers: int, seed: int = 1) -> Iterator[Step]:
    """Yield the steps of a fleet: declared, booted, and *events* of its life."""
    world = _World(dice=Dice(seed))
    specs = [_spec(number) for number in range(containers)]
    for number, spec in enumerate(specs):
        world.lasts_ms[spec.name] = _kind(number)[1]
    world.put(Booted(at=0, epoch=1, rules=RULES, fences=True))
    declarations = tuple(
        Declaration(spec=spec, salt=salt_of(FLEET, spec.name)) for spec in specs
    )
    world.put(
        SpecApplied(at=1, fleet=FLEET, settings=SETTINGS, declarations=declarations)
    )
    world.put(TimeReached(at=MINUTE))
    _ask(world, specs)
    made = 0
    while made < events:
        event = heapq.heappop(world.later)[2]
        for again in _repeated(world, event, specs):
            world.put(again)
        if _is_stale(world.fleet, event):
            continue
        step = step_of(world.fleet, event)
        if step.touched or step.commands or isinstance(event, FleetObserved):
            world.fleet = step.after
            made += 1
            yield step
            _follow(world, step)


def _repeated(
    world: _World, event: Event, specs: list[ContainerSpec]
) -> Iterator[Event]:
    """Yield the fleet's own next timer; let the owner ask for something else."""
    match event:
        case TimeReached(name=None):
            yield TimeReached(at=event.at + MINUTE)
        case RestartRequested() | StopRequested() | CrashHistoryCleared():
            _ask(world, specs)
        case _:
            return


def _ask(world: _World, specs: list[ContainerSpec]) -> None:
    """Have the owner ask for something, and after a stop for a start."""
    at, name = world.in_(500, 5_000), world.dice.pick(specs).name
    wish = world.dice.between(0, 2)
    if wish == 0:
        world.put(StopRequested(at=at, name=name, by="owner", why="upkeep"))
        world.put(StartRequested(at=at + MINUTE, name=name, by="owner"))
    else:
        kind = (RestartRequested, CrashHistoryCleared)[wish - 1]
        world.put(kind(at=at, name=name, by="owner"))


def _is_stale(fleet: Fleet, event: Event) -> bool:
    """Say whether an operator would not have made a row of it any more."""
    match event:
        case TimeReached(name=None):
            return not observe_due(fleet, event.at)
        case TimeReached(name=str(name)):
            due = wake_at(fleet.containers[name], fences=fleet.fences)
            return due is None or due > event.at
        case _:
            return False


def _follow(world: _World, step: Step) -> None:
    """Let the platform answer, checks ask, and timers be set."""
    for command in step.commands:
        match command:
            case ObserveFleet():
                world.put(FleetObserved(at=world.in_(200, 1_000), complete=True))
            case ForgetContainer() | SendNotice() | RollService():
                raise AssertionError(command)
            case _:
                _answer(world, command.name, command.run, COMMAND_KINDS[type(command)])
                if isinstance(command, StartContainer):
                    _begin(world, command.name, command.run)
                else:
                    soon = 0 if isinstance(command, DestroyContainer) else 2_000
                    _end(world, command.name, command.run, world.in_(200, 400 + soon))
    for was, now in step.pairs():
        if now is not None:
            _sleep(world, now)
            _check(world, was, now)


def _answer(world: _World, name: str, run: int, kind: CommandKind) -> None:
    at = world.in_(20, 150)
    if world.dice.happens(20):
        error = Unreachable(cause="connection reset")
        world.put(CommandFailed(at=at, name=name, run=run, kind=kind, error=error))
    else:
        world.put(CommandAccepted(at=at, name=name, run=run, kind=kind))


def _begin(world: _World, name: str, run: int) -> None:
    at = world.in_(300, 1_500)
    world.put(ContainerStarted(at=at, name=name, run=run, source_at=at - 5))
    at += world.dice.between(200, 3_000)
    addresses = Table.of([("http", f"10.0.{run % 250}.7:8080")])
    world.put(
        ContainerReady(at=at, name=name, run=run, addresses=addresses, source_at=at)
    )
    lasts_ms = world.lasts_ms[name]
    _end(world, name, run, at + world.dice.between(lasts_ms // 2, lasts_ms))


def _end(world: _World, name: str, run: int, at: int) -> None:
    exit_ = Exited(code=0) if name[0] == "b" else world.dice.pick(CRASHES)
    cursor = f"c{world.count}"
    world.put(ContainerEnded(at=at, name=name, run=run, exit=exit_, cursor=cursor))


def _sleep(world: _World, now: Container) -> None:
    due = wake_at(now, fences=world.fleet.fences)
    if due is not None and world.asleep_until.get(now.name) != due:
        world.asleep_until[now.name] = due
        world.put(TimeReached(at=max(due, world.fleet.at), name=now.name))


def _check(world: _World, was: Container | None, now: Container) -> None:
    """Have a check of a run that begins to listen, or is ready, say something new."""
    run = live_run(now.phase)
    if not isinstance(now.phase, Running) or now.spec.health.readiness is None:
        return
    assert run is not None
    old = was.phase if was is not None and live_run(was.phase) == run else None
    told = old.readiness_passed if isinstance(old, Running) else None
    listens = isinstance(old, Running) and old.is_listening
    if now.phase.is_listening and (not listens or (told and not now.phase.ready_at)):
        at = world.in_(500, 4_000)
        world.put(_verdict(now.name, run, at, CheckKind.READINESS, passing=True))
    elif now.phase.ready_at == world.fleet.at:
        at = world.in_(20_000, 10 * MINUTE)
        kind = CheckKind.LIVENESS if world.dice.happens(60) else CheckKind.READINESS
        world.put(_verdict(now.name, run, at, kind, passing=False))


def _verdict(
    name: str, run: int, at: int, kind: CheckKind, *, passing: bool
) -> HealthChanged:
    cause = "" if passing else "timed out after 1s"
    return HealthChanged(
        at=at, name=name, run=run, check=kind, passing=passing, cause=cause
    )


def rows(events: int, containers: int, seed: int = 1) -> Iterator[Row]:
    """Yield the rows of that journal, one at a time."""
    head = START
    for step in steps(events, containers, seed):
        (row,) = chained(head, (draft_of(step),))
        head = Head(seq=row.seq, digest=row.digest)
        yield row


def written(directory: Path, events: int, containers: int) -> Path:
    """Return the export of a trace, written once and kept in *directory*."""
    path = directory / f"trace-{events}-{containers}.jsonl"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        _ = export_rows(path, rows(events, containers)).unwrap()
    return path
