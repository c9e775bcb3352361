"""Looks and events at fleets of thousands in the real runtime, beside the reference.

``tests.compared.registered`` says what a look and an event are, and what stands in for
the containers. The sizes are run one after the other, both sides up at the same time
and asked in turns; looks first, then events, when nobody follows ours any more. Where
the runtime itself has no room is tried with each side alone. The wall is how many
containers the reference library can keep at all.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from orchestrator.simulation.dice import Dice
from tests.bench.engine import Engine, started
from tests.bench.machine import NotReadyError, why_not
from tests.benchmarks.figures import Asked, Figures, Sheet, told
from tests.benchmarks.harness import Goal, Spread, Timing
from tests.compared.registered import (
    BrokeError,
    Ours,
    Theirs,
    ours_registered,
    theirs_registered,
    wall,
)
from tests.compared.sides import install

__all__ = ("ABOUT", "figures")

ABOUT: Final = (
    "Looks and events at fleets of thousands of registered containers in the real"
    " runtime: our gateway and operator, beside the reference library's operator."
)
SIZES: Final = (20, 100, 1_000, 2_500)
LOOKS: Final = {20: 10, 100: 5, 1_000: 2, 2_500: 1}
EVENTS: Final = {20: 200, 100: 200, 1_000: 100, 2_500: 100}
TOO_MANY: Final = 3_000
"""So many objects have no room in the runtime: SQLite in one process has a limit."""

WALL: Final = (3_000, 20_000)
"""Fleets that surely fit, and surely do not."""

ABOUT_LISTS: Final = (
    "`list` is the part of our look that the gateway does: over HTTP, every object"
    " asked. The rest of it is the operator's: two commits, and the comparison."
)

Way: TypeAlias = Callable[[], Awaitable[list[float]]]


def figures(asked: Asked) -> Figures:
    """Measure every size, and find the wall."""
    if reason := why_not() or install():
        raise NotReadyError(reason)
    sizes = (5,) if asked.smoke else SIZES
    if asked.containers is not None:
        sizes = (asked.containers,)
    rounds = 1 if asked.smoke else asked.rounds
    with started() as engine:
        timings = {n: asyncio.run(_at(engine, n, rounds)) for n in sizes}
        further = () if asked.smoke else asyncio.run(_beyond(engine))
    return Figures(
        sheets=(_sheet(timings),),
        ratios=_ratios(timings),
        remarks=(ABOUT_LISTS, *further),
    )


async def _at(engine: Engine, n: int, rounds: int) -> Timing:
    """Run both sides at one size, in turns."""
    with tempfile.TemporaryDirectory(dir=engine.folder) as folder:
        async with (
            theirs_registered(engine, n) as theirs,
            ours_registered(engine, Path(folder), n) as ours,
        ):
            taken = await _measured(n, ours, theirs, rounds)
    _say(f"{n}: {taken}")
    return Timing(rounds=taken)


async def _beyond(engine: Engine) -> tuple[str, ...]:
    """Say where each side breaks: for the runtime, and of itself."""
    n = TOO_MANY
    try:
        async with theirs_registered(engine, n):
            broke = f"the reference library comes up with {n} containers"
    except BrokeError as error:
        broke = (
            f"With {n} containers the reference library does not come up in this"
            f" runtime: its first reconcile answers `{error}`"
        )
    with tempfile.TemporaryDirectory(dir=engine.folder) as folder:
        async with ours_registered(engine, Path(folder), n) as ours:
            kept = await ours.kept()
    found = await wall(engine, *WALL)
    return (
        f"{broke}; ours keeps {kept} of {n} and tells which it does not see. Every"
        " object has a database, and all of them share what one process of the runtime"
        " gives to SQLite; in Cloudflare's network they are spread.",
        f"The reference library's operator keeps {found['fits']} containers; with"
        f" {found['fails']} every call of it answers `{found['error']}`.",
    )


async def _measured(
    n: int, ours: Ours, theirs: Theirs, rounds: int
) -> dict[str, tuple[float, ...]]:
    looks, events = LOOKS.get(n, 1), EVENTS.get(n, 20)
    async with ours.opened() as operator:
        _say(f"{n}: ours is up")
        asked: dict[str, Way] = {
            "look, ours": lambda: ours.look(operator, looks),
            "list, ours": lambda: ours.listed(looks),
            "look, theirs": lambda: theirs.look(looks),
        }
        taken = await _turns(asked, rounds)
    happening: dict[str, Way] = {
        "event, ours": lambda: ours.events(events),
        "event, theirs": lambda: theirs.events(events),
    }
    return taken | await _turns(happening, rounds)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


async def _turns(ways: Mapping[str, Way], rounds: int) -> dict[str, tuple[float, ...]]:
    """Run each way once a round, in an order that is drawn; keep medians, in ms."""
    dice = Dice(1)
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        rest = list(ways)
        while rest:
            name = rest.pop(dice.between(0, len(rest) - 1))
            taken[name].append(statistics.median(await ways[name]()))
    return {name: tuple(each) for name, each in taken.items()}


def _sheet(timings: Mapping[int, Timing]) -> Sheet:
    names = dict.fromkeys(name for timing in timings.values() for name in timing.rounds)
    return Sheet(
        title="One of each in ms, time of the wall: median (least-most)",
        columns=("", *(f"{n} containers" for n in timings)),
        rows=tuple(
            (name, *(_cell(timing.cost(name)) for timing in timings.values()))
            for name in names
        ),
    )


def _cell(spread: Spread) -> str:
    return f"{told(spread.median)} ({told(spread.least)}-{told(spread.most)})"


def _ratios(timings: Mapping[int, Timing]) -> dict[str, Spread]:
    pairs = (("look, ours", "look, theirs"), ("event, ours", "event, theirs"))
    return {
        f"{case} / {limit}, {n} containers": timing.speed(
            Goal(case=case, limit=limit, least=0)
        )
        for n, timing in timings.items()
        for case, limit in pairs
    }
