"""Events one by one, and all in one go, in fleets of three sizes.

Each fleet has started and is settled. Then, spread over all of it, runs crash, wait for
their backoff and start again, far enough apart that nobody has a past: so the very same
rules are at work at each size, and what differs is the size. ``fold`` is timed over a
fleet that is open already; what opening and closing costs is a line of its own.
Before anything is timed all three ways are compared.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import attrs
import orjson

from orchestrator.codec.wire import encode_event
from orchestrator.core.commands import CommandKind
from orchestrator.core.custom import NO_POLICIES
from orchestrator.core.drafts import FleetDraft, freeze, thaw
from orchestrator.core.events import (
    Booted,
    CommandAccepted,
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
from orchestrator.core.phases import BackingOff
from orchestrator.core.reduce import _step, fold, reduce
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import RULES, Fleet, empty_fleet
from orchestrator.core.table import Table
from tests.benchmarks.figures import Asked, Curve, Figures, costs, reached
from tests.benchmarks.harness import Case, Goal, Timing, interleaved
from tests.benchmarks.loop import Loop, Record, differing

__all__ = ("ABOUT", "Life", "figures", "life_of")

ABOUT: Final = (
    "The same events in fleets of 100, 10 000 and 100 000 containers: `reduce` one by"
    " one and `fold`, beside the mutable loop."
)
SIZES: Final = (100, 10_000, 100_000)
CYCLES: Final = 1_000
"""Runs that crash and start again, five events each."""

APART_MS: Final = 30_000
"""From one crash to the next: with a hundred containers each is forgiven meanwhile."""

ADDRESSES: Final = Table.of([("http", "10.0.0.7:8080")])
GROWTH: Final = "no more than three times the cost"
FLEET: Final = "benchmark"


@attrs.frozen(kw_only=True)
class Life:
    """A settled fleet of some size, for both, and what happens to it."""

    fleet: Fleet
    events: tuple[Event, ...]
    loop: Loop
    trees: tuple[dict[str, Any], ...]
    records: tuple[Record, ...]
    """The loop's records of those to whom it happens, as they are before."""


def figures(asked: Asked) -> Figures:
    """Time all ways at each size, in one interleaved run."""
    sizes: tuple[int, ...] = (20, 200) if asked.smoke else SIZES
    if asked.containers is not None:
        sizes = tuple(size for size in sizes if size <= asked.containers)
    cycles = 20 if asked.smoke else (asked.events or 5 * CYCLES) // 5
    cases = list[Case]()
    for size in sizes:
        life = life_of(size, cycles)
        _expect_alike(life)
        cases += _cases(size, life)
    timing = interleaved(cases, 1 if asked.smoke else asked.rounds)
    goals = [
        Goal(case=f"{way} at {size}", limit=f"mutable loop at {size}", least=least)
        for size in sizes
        for way, least in (("fold", 0.38), ("reduce", 0.19))
    ]
    goals.append(
        Goal(
            case=f"reduce at {sizes[-1]}",
            limit=f"reduce at {sizes[0]}",
            least=1 / 3,
            why=GROWTH,
        )
    )
    curves = (("one event", "fold"), ("reduce", "reduce"))
    return Figures(
        sheets=(
            costs("One event", timing, _named(timing, opened=False)),
            costs("A whole fleet", timing, _named(timing, opened=True), "ms", 1e6),
        ),
        reached=reached(timing, goals),
        curves=tuple(_curve(timing, name, way, sizes) for name, way in curves),
    )


def _curve(timing: Timing, name: str, way: str, sizes: tuple[int, ...]) -> Curve:
    costs_at = ((size, timing.cost(f"{way} at {size}").median) for size in sizes)
    return Curve(name=name, unit="ns", points=tuple(costs_at))


def _named(timing: Timing, *, opened: bool) -> list[str]:
    return [name for name in timing.rounds if name.startswith("open ") is opened]


def _cases(size: int, life: Life) -> list[Case]:
    count, drafts = len(life.events), list[FleetDraft]()
    return [
        Case(name=f"reduce at {size}", items=count, run=partial(_reduced, life)),
        Case(
            name=f"fold at {size}",
            items=count,
            before=lambda: drafts.append(thaw(life.fleet, NO_POLICIES)),
            run=lambda: _stepped(drafts.pop(), life),
        ),
        Case(
            name=f"mutable loop at {size}",
            items=count,
            before=partial(_renew, life),
            run=lambda: life.loop.fold(life.trees),
        ),
        Case(
            name=f"open and close at {size}",
            items=1,
            run=lambda: freeze(thaw(life.fleet, NO_POLICIES)),
        ),
    ]


def _reduced(life: Life) -> Fleet:
    fleet = life.fleet
    for event in life.events:
        fleet = reduce(fleet, event).fleet
    return fleet


def _stepped(draft: FleetDraft, life: Life) -> None:
    for event in life.events:
        _ = _step(draft, event)


def _renew(life: Life) -> None:
    """Have the loop forget what has happened: its records are changed in place."""
    life.loop.records.update((one.name, copy.copy(one)) for one in life.records)
    life.loop.at = life.fleet.at


def _expect_alike(life: Life) -> None:
    folded = fold(life.fleet, life.events)
    assert _reduced(life) == folded
    assert not folded.ignored
    _renew(life)
    wrong = differing(life.loop.fold(life.trees), folded)
    assert not wrong, f"the loop by hand differs in {wrong[:5]}"


def life_of(containers: int, cycles: int) -> Life:
    """Return a settled fleet, and *cycles* crashes spread over it."""
    names = [f"web-{number:06}" for number in range(containers)]
    birth = list(_birth(names))
    fleet = fold(empty_fleet(FLEET), birth)
    loop = Loop().fold(map(_tree, birth))
    chosen = [names[number * 7_919 % containers] for number in range(cycles)]
    events, after = list[Event](), fleet
    for number, name in enumerate(chosen):
        at = fleet.at + (number + 1) * APART_MS
        for event in _cycle(after, name, at):
            after = reduce(after, event).fleet
            events.append(event)
    return Life(
        fleet=fleet,
        events=tuple(events),
        loop=loop,
        trees=tuple(map(_tree, events)),
        records=tuple(copy.copy(loop.records[name]) for name in sorted({*chosen})),
    )


def _tree(event: Event) -> dict[str, Any]:
    tree: dict[str, Any] = orjson.loads(encode_event(event))
    return tree


def _birth(names: list[str]) -> Iterator[Event]:
    """Declare a fleet, and have all of it start at once."""
    yield Booted(at=0, epoch=1, rules=RULES, fences=True)
    yield SpecApplied(
        at=1,
        fleet=FLEET,
        settings=FleetSettings(max_concurrent_starts=len(names)),
        declarations=tuple(
            Declaration(
                spec=ContainerSpec(name=name, image="registry.example/worker:7"),
                salt=salt_of(FLEET, name),
            )
            for name in names
        ),
    )
    yield FleetObserved(at=2, complete=True)
    for name in names:
        yield from _start(name, run=1, at=3)


def _start(name: str, run: int, at: int) -> Iterator[Event]:
    yield CommandAccepted(at=at, name=name, run=run, kind=CommandKind.START)
    yield ContainerStarted(at=at, name=name, run=run)
    yield ContainerReady(at=at, name=name, run=run, addresses=ADDRESSES)


def _cycle(fleet: Fleet, name: str, at: int) -> Iterator[Event]:
    """Have the run of a container crash, and the next one start when it is time."""
    run = fleet.containers[name].run
    ended = ContainerEnded(at=at, name=name, run=run, exit=Exited(code=1))
    yield ended
    phase = reduce(fleet, ended).fleet.containers[name].phase
    assert isinstance(phase, BackingOff), phase
    yield TimeReached(at=phase.until, name=name)
    yield from _start(name, run + 1, at=phase.until + 500)
