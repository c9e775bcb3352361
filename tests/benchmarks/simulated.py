"""Simulated time: how much of it passes in a second, and what it costs.

A fleet is simulated for a day: containers of all characters, drawn from a seed, on a
platform that does what it is told. The events that come of it are kept as a journal,
and replayed as ``orchestrator replay`` does: read, checked, decoded and folded. Each
step of the simulation decides what the replay only folds, and plays the platform, too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

from orchestrator.core.events import Event
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.health import HealthCheck, HealthChecks, TcpProbe
from orchestrator.core.reduce import reduce
from orchestrator.core.requests import Apply
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Fleet, empty_fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.journal.jsonl import export_rows
from orchestrator.journal.port import START, Head, Row, chained
from orchestrator.journal.reading import RECORDING
from orchestrator.replay import fold as fold_entries
from orchestrator.replay import verify
from orchestrator.runtime.collecting import collecting_seldom
from orchestrator.runtime.steps import draft_of
from orchestrator.simulation.characters import draw_characters
from orchestrator.simulation.faults import calm
from orchestrator.simulation.runs import start_run
from tests.benchmarks.figures import Asked, Figures, Sheet, costs, reached, told
from tests.benchmarks.harness import Case, Goal, Spread, interleaved, spread_of
from tests.benchmarks.replay import opened_at

__all__ = ("ABOUT", "GOALS", "figures")

ABOUT: Final = "A day of 100 containers simulated, beside replaying its events."

HOUR: Final = 3_600_000
DAY: Final = 24.0
SIMULATED: Final = "simulated"
GOALS: Final = (
    Goal(
        case="simulate",
        limit="replay",
        least=1 / 3,
        why=(
            "A replay folds; a simulation decides each step by itself (`reduce`, two"
            " fifths of its steps of the interpreter), compares all containers with"
            " what is seen once a minute of its time (a ninth, and another to show"
            " them), asks for the next timers (a twentieth), and plays the platform,"
            " the news on their way and the interpreter (the rest)."
        ),
    ),
)
CHECK: Final = HealthCheck(probe=TcpProbe(port="http"))


def _fleet(count: int, *, checked: bool) -> FleetSpec:
    checks = HealthChecks(readiness=CHECK, liveness=CHECK) if checked else None
    return FleetSpec(
        name=SIMULATED,
        settings=FleetSettings(),
        containers=tuple(
            ContainerSpec(
                name=f"c-{number:04}",
                command=("run",),
                ports=Table.of([("http", 8080)]),
                health=checks or HealthChecks(),
            )
            for number in range(count)
        ),
    )


def _simulated(spec: FleetSpec, hours: float, take: Callable[[Step], None]) -> Fleet:
    characters = draw_characters(1, tuple(one.name for one in spec.containers))
    run = start_run(1, calm(), characters, on_step=take, keeps_journal=False)
    _ = run.ask(Apply(spec=spec))
    run.run_until(int(hours * HOUR))
    return run.fleet


@attrs.define
class _Kept:
    """The rows of a simulation, as its journal would have them."""

    rows: list[Row] = attrs.field(factory=list[Row])
    events: list[Event] = attrs.field(factory=list[Event])
    head: Head = START

    def take(self, step: Step) -> None:
        (row,) = chained(self.head, (draft_of(step),))
        self.head = Head(seq=row.seq, digest=row.digest)
        self.rows.append(row)
        self.events.append(step.event)


def _passed_over(step: Step) -> None:
    """Take no note of a step: what is timed is the simulation alone."""


def _replayed(path: Path, *, verified: bool = False) -> Fleet | None:
    reading = opened_at(path)
    with collecting_seldom():  # as the commands do that read a journal
        if verified:
            verify(reading.entries(), RECORDING).unwrap()
            fleet = None
        else:
            fleet = fold_entries(reading.entries())
    assert reading.error is None, reading.error
    reading.close()
    return fleet


def _reduced(events: list[Event]) -> Fleet:
    fleet = empty_fleet(SIMULATED)
    for event in events:
        fleet = reduce(fleet, event).fleet
    return fleet


def figures(asked: Asked) -> Figures:
    """Simulate, replay, and say how much time has passed in a second of it."""
    count = asked.containers or (10 if asked.smoke else 100)
    hours = (asked.minutes or (60 if asked.smoke else DAY * 60)) / 60
    spec, kept = _fleet(count, checked=False), _Kept()
    fleet = _simulated(spec, hours, kept.take)
    path = asked.directory / f"simulated-{count}-{hours:g}.jsonl"
    path.unlink(missing_ok=True)
    _ = export_rows(path, iter(kept.rows)).unwrap()
    assert _replayed(path) == fleet == _reduced(kept.events)
    rows, asks = len(kept.rows), _fleet(count, checked=True)

    def case(name: str, run: Callable[[], object]) -> Case:
        return Case(name=name, items=rows, run=run)

    timing = interleaved(
        [
            case("simulate", lambda: _simulated(spec, hours, _passed_over)),
            case("replay", lambda: _replayed(path)),
            case("replay, verified", lambda: _replayed(path, verified=True)),
            case("reduce", lambda: _reduced(kept.events)),
            case("with checks", lambda: _simulated(asks, hours, _passed_over)),
        ],
        1 if asked.smoke else asked.rounds,
    )
    return Figures(
        sheets=(
            _passing(hours, rows, timing.rounds),
            costs(f"One of {rows} events", timing, [*timing.rounds][:-1]),
        ),
        reached=reached(timing, GOALS),
        ratios={
            f"simulate / {limit}": timing.speed(
                Goal(case="simulate", limit=limit, least=0)
            )
            for limit in ("replay, verified", "reduce")
        },
    )


def _passing(hours: float, rows: int, rounds: dict[str, tuple[float, ...]]) -> Sheet:
    """Say how many hours pass in a second, with health checks and without."""

    def passing(name: str) -> Spread:
        return spread_of([hours / (each * rows / 1e9) for each in rounds[name]])

    found = {
        "without checks": passing("simulate"),
        "two checks": passing("with checks"),
    }
    return Sheet(
        title=f"Simulated hours that pass in a second, of {hours:g}",
        columns=("each container has", "median", "least", "most"),
        rows=tuple(
            (name, told(each.median), told(each.least), told(each.most))
            for name, each in found.items()
        ),
    )
