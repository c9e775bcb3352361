"""One history through our core and through peers, each held to the same work.

The history is that of ``trace``. Each peer takes it by its own means, in a process of
its own: ``transitions``, ``python-statemachine`` and ``eventsourcing`` with a table of
our rules (``peer_sources.moves``), the reference library with its own. Before anything
is timed every container must have come to the same with each of them: to the same
record, with the libraries that are given our rules; to the same of four phases, with
the reference library, which keeps no more.

Timed is the processor's time of each process, in turns, from the moment that the fleet
is declared. A declaration, or a machine to be made for each container, is not timed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from orchestrator.core.reduce import fold
from orchestrator.core.state import empty_fleet
from orchestrator.simulation.dice import Dice
from tests.benchmarks.figures import Asked, Figures, Reached, Sheet, told
from tests.benchmarks.harness import Goal, Spread, Timing
from tests.benchmarks.peer_sources import told as theirs
from tests.benchmarks.peer_sources.driving import OPENING
from tests.benchmarks.peer_sources.ours import events_of, facts_of_fleet
from tests.benchmarks.peer_sources.processes import Peer, installed, started
from tests.benchmarks.trace import written

__all__ = ("ABOUT", "GOALS", "expect_alike", "figures")

ABOUT: Final = (
    "One history of a fleet through our core, through Python's libraries for state"
    " machines and event sourcing, and through the reference library's own service."
)

SIZES: Final = {100: 20_000, 1_000: 30_000, 10_000: 60_000}
"""Containers, and events over them: of many, most are what it takes to start them."""

SMOKE: Final = {20: 300}
AT: Final = 1_000
"""The size of the goals."""

CHARTS_MOST: Final = 1_000
"""A chart of python-statemachine takes some 20 ms to make: not of more containers."""

RULES: Final = (
    "Ours decides by more than the table of the peers holds (checks, groups, exit"
    " rules, dependencies, rollouts, custom policies), keeps the indexes of the fleet"
    " and returns a new fleet, where theirs changes one record in place."
)
GOALS: Final = (
    Goal(case="reduce", limit="reference, no save", least=2.0, why=RULES),
    Goal(case="reduce", limit="transitions", least=4.0, why=RULES),
    Goal(case="reduce", limit="python-statemachine", least=50.0, why=RULES),
    Goal(case="replay", limit="eventsourcing replay", least=5.0, why=RULES),
)
OTHERS: Final = (
    Goal(case="fold", limit="reference, no save", least=0),
    Goal(case="fold", limit="transitions", least=0),
    Goal(case="fold", limit="table by hand", least=0),
    Goal(case="reduce", limit="table by hand", least=0),
    Goal(case="reduce", limit="eventsourcing", least=0),
    Goal(case="reduce", limit="reference, a call each, no save", least=0),
    Goal(case="reduce", limit="reference, array of the map", least=0),
    Goal(case="reduce", limit="reference, clone of the map", least=0),
)


def figures(asked: Asked) -> Figures:
    """Run every peer at every size."""
    packages = installed()
    sizes = SMOKE if asked.smoke else SIZES
    if asked.containers is not None:
        sizes = {asked.containers: asked.events or 30 * asked.containers}
    rounds = 1 if asked.smoke else asked.rounds
    timings = {
        containers: measured(asked.directory, packages, containers, events, rounds)
        for containers, events in sizes.items()
    }
    at = AT if AT in timings else min(timings)
    return Figures(
        sheets=(_sheet(timings, sizes),),
        reached=tuple(
            Reached(goal=goal, speed=timings[at].speed(goal))
            for goal in GOALS
            if _has(timings[at], goal)
        ),
        ratios=_ratios(timings, at),
        remarks=_remarks(at),
    )


def measured(
    directory: Path, packages: Path, containers: int, events: int, rounds: int
) -> Timing:
    """Start all peers of one size, compare what they come to, and time them."""
    journal = written(directory, events, containers)
    all_events = events_of(journal)
    begun = fold(empty_fleet("fleet"), all_events[:OPENING])
    life, phases = theirs.told(begun, all_events[OPENING:])
    file = directory / f"told-{events}-{containers}.json"
    tree = {"declared": theirs.declarations(begun), "life": life}
    file.write_text(json.dumps(tree), encoding="utf-8")
    names = ["ours", "by_transitions", "by_eventsourcing", "reference"]
    if containers <= CHARTS_MOST:
        names.append("by_statemachine")
    records = facts_of_fleet(fold(begun, all_events[OPENING:]))
    with started(packages, journal, file, names) as peers:
        for peer in peers.values():
            wanted: Mapping[str, Any] = phases if peer.name == "reference" else records
            expect_alike(peer, wanted)
        return _timed(peers, rounds)


def expect_alike(peer: Peer, wanted: Mapping[str, Any]) -> None:
    """Compare every container; nothing is timed that does other work."""
    for case in peer.cases:
        found = peer.ask("check", case)
        wrong = [name for name in wanted if found.get(name) != wanted[name]]
        assert not wrong, f"{case} differs in {len(wrong)}: {wrong[:5]}"
        assert len(found) == len(wanted), case


def _timed(peers: Mapping[str, Peer], rounds: int) -> Timing:
    """Run every case once a round, in an order that is drawn."""
    dice = Dice(1)
    taken: dict[str, list[float]] = {}
    for _ in range(rounds):
        rest = [(peer, case) for peer in peers.values() for case in peer.cases]
        while rest:
            peer, case = rest.pop(dice.between(0, len(rest) - 1))
            nanoseconds, items = peer.ask("time", case)
            taken.setdefault(case, []).append(nanoseconds / items)
    return Timing(rounds={case: tuple(each) for case, each in taken.items()})


def _sheet(timings: Mapping[int, Timing], sizes: Mapping[int, int]) -> Sheet:
    cases = sorted({case for timing in timings.values() for case in timing.rounds})
    middle = timings[AT if AT in timings else min(timings)]
    cases.sort(key=lambda case: middle.cost(case).median)
    return Sheet(
        title="Processor time of one event, in ns: median (least-most)",
        columns=("", *(_of(size, sizes[size]) for size in timings)),
        rows=tuple(
            (case, *(_cell(timing, case) for timing in timings.values()))
            for case in cases
        ),
    )


def _of(containers: int, events: int) -> str:
    return f"{containers:,} containers, {events:,} events".replace(",000", " 000")


def _cell(timing: Timing, case: str) -> str:
    return _spread(timing.cost(case)) if case in timing.rounds else "-"


def _spread(spread: Spread) -> str:
    return f"{told(spread.median)} ({told(spread.least)}-{told(spread.most)})"


def _has(timing: Timing, goal: Goal) -> bool:
    return {goal.case, goal.limit} <= {*timing.rounds}


def _ratios(timings: Mapping[int, Timing], at: int) -> dict[str, Spread]:
    """Return all other speeds, and those of the goals at the other sizes."""
    found = {
        f"{goal.case} / {goal.limit}": timings[at].speed(goal)
        for goal in OTHERS
        if _has(timings[at], goal)
    }
    return found | {
        f"{goal.case} / {goal.limit}, {size} containers": timing.speed(goal)
        for size, timing in timings.items()
        for goal in (*GOALS, *OTHERS)
        if size != at and _has(timing, goal)
    }


def _remarks(at: int) -> tuple[str, ...]:
    return (
        f"Goals are those at {at} containers. The reference library is told of"
        " everything that its three events can say, and of the rest as one more"
        " start; of what it does with an event, `no save` leaves out what writes the"
        " fleet, `array of the map` has the half of that which is its own code,"
        " `clone of the map` comes close to what its runtime does.",
        "The table by hand is what the libraries for state machines are given, moved"
        " by a loop of a dozen lines instead of them.",
    )
