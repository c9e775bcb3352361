"""What a container costs in memory, and an event on the disk.

The fleet is one as an operator has it that came back: declared in one row, all running,
one of ten with a past of crashes, then written as a snapshot and read again. All
objects that it reaches are counted once, each with what the interpreter says of its
size: no guess of an allocator is in it, so the figure is the same on every machine.

An event on the disk is a row with its commands, its changes and its digest, as in the
journals that ``replay`` folds.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Final

from orchestrator.codec.wire import decode_fleet, encode_fleet
from orchestrator.core.commands import StartContainer
from orchestrator.core.events import (
    Booted,
    CommandAccepted,
    CommandKind,
    ContainerEnded,
    ContainerReady,
    ContainerStarted,
    Declaration,
    Event,
    FleetObserved,
    SpecApplied,
    TimeReached,
)
from orchestrator.core.exits import Exited
from orchestrator.core.fingerprints import salt_of
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.phases import Running
from orchestrator.core.reduce import fold, reduce
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import RULES, Fleet, empty_fleet
from orchestrator.core.table import Table
from tests.benchmarks.figures import Asked, Curve, Figures, Reached, Sheet, told
from tests.benchmarks.harness import Goal, Spread
from tests.benchmarks.replay import stored
from tests.benchmarks.trace import written

__all__ = ("ABOUT", "figures", "reachable", "running")

ABOUT: Final = "Bytes of a container in the fleet, and of an event on the disk."

SIZES: Final = (1_000, 10_000, 100_000)
EVENTS: Final = 100_000
FLEET: Final = "benchmark"
RUNS: Final = 4
SHARED: Final = (type, ModuleType, FunctionType)
WANTED: Final = 1_500.0
GOAL: Final = Goal(
    case="a container in memory, at the largest fleet", limit="1 500 bytes", least=1.0
)


def _spec(number: int) -> ContainerSpec:
    return ContainerSpec(
        name=f"worker-{number:06}",
        image="registry.example/worker:7",
        command=("worker", "--queue", "orders"),
        ports=Table.of([("http", 8080)]),
        env=Table.of([("QUEUE", "orders"), ("LEVEL", "info")]),
    )


def _declared(count: int) -> tuple[Fleet, tuple[str, ...]]:
    """Return a fleet that has just been declared, and who is to start."""
    specs = tuple(_spec(number) for number in range(count))
    applied = SpecApplied(
        at=2,
        fleet=FLEET,
        settings=FleetSettings(max_concurrent_starts=count),
        declarations=tuple(
            Declaration(spec=spec, salt=salt_of(FLEET, spec.name)) for spec in specs
        ),
    )
    booted = Booted(at=1, epoch=1, rules=RULES, fences=True)
    fleet = fold(empty_fleet(FLEET), [booted, applied])
    seen = reduce(fleet, FleetObserved(at=3, complete=True))
    starts = tuple(
        each.name for each in seen.commands if isinstance(each, StartContainer)
    )
    return seen.fleet, starts


def _life(names: tuple[str, ...]) -> Iterator[Event]:
    """Yield what has all of them running, each tenth after three crashes."""
    kind, crashing = CommandKind.START, names[::10]
    for run in range(1, RUNS + 1):
        at = run * 60_000
        for place, name in enumerate(names if run == 1 else crashing):
            if run > 1:
                yield TimeReached(at=at, name=name)
            yield CommandAccepted(at=at, name=name, run=run, kind=kind)
            yield ContainerStarted(at=at, name=name, run=run, source_at=at)
            address = Table.of([("http", f"10.0.{place % 250}.{place % 199}:8080")])
            yield ContainerReady(
                at=at, name=name, run=run, addresses=address, source_at=at
            )
        for name in crashing if run < RUNS else ():
            exit_ = Exited(code=1)
            yield ContainerEnded(at=at, name=name, run=run, exit=exit_, cursor="")


def running(count: int) -> Fleet:
    """Return a fleet that runs, as it comes out of a snapshot."""
    fleet, starts = _declared(count)
    assert len(starts) == count, len(starts)
    lived = decode_fleet(encode_fleet(fold(fleet, _life(starts)))).unwrap()
    assert all(isinstance(one.phase, Running) for one in lived.containers.values())
    return lived


def reachable(value: object) -> int:
    """Return the bytes of all objects that a value reaches, each counted once.

    Classes and functions are not its own, nor what was there before it.
    """
    seen: set[int] = set()
    waiting, total = [value], 0
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, SHARED):
            continue
        seen.add(id(each))
        total += sys.getsizeof(each)
        waiting += gc.get_referents(each)
    return total


def _bytes_of_rows(path: Path) -> int:
    log = path.with_name(f"{path.name}-wal")
    return path.stat().st_size + (log.stat().st_size if log.exists() else 0)


def _same(value: float) -> Spread:
    return Spread(median=value, least=value, most=value)


def figures(asked: Asked) -> Figures:
    """Count objects at each size of the fleet, and bytes of two journals."""
    sizes: tuple[int, ...] = (100, 200) if asked.smoke else SIZES
    if (most := asked.containers) is not None:
        sizes = (*(size for size in sizes if size < most), most)
    each = [(size, reachable(running(size)) / size) for size in sizes]
    events = asked.events or (300 if asked.smoke else EVENTS)
    lines = written(asked.directory, events, 20 if asked.smoke else 1_000)
    on_disk = {
        "JSON Lines": _bytes_of_rows(lines) / events,
        "SQLite": _bytes_of_rows(stored(lines)) / events,
    }
    return Figures(
        sheets=(
            Sheet(
                title="A container in the fleet",
                columns=("containers", "bytes of each"),
                rows=tuple((f"{size}", told(cost)) for size, cost in each),
            ),
            Sheet(
                title=f"An event on the disk, of {events}",
                columns=("journal", "bytes of each"),
                rows=tuple((name, told(cost)) for name, cost in on_disk.items()),
            ),
        ),
        reached=(Reached(goal=GOAL, speed=_same(WANTED / each[-1][1])),),
        ratios={
            "bytes of a row, JSON Lines / SQLite": _same(
                on_disk["JSON Lines"] / on_disk["SQLite"]
            )
        },
        curves=(Curve(name="memory", unit="bytes", points=tuple(each)),),
    )
