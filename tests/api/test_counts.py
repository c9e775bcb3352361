"""Phases of a fleet, counted where rows have touched it."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.api.counts import Counts
from orchestrator.core.events import SpecApplied, StopRequested
from orchestrator.core.reduce import step_of
from orchestrator.core.state import Fleet, empty_fleet
from orchestrator.core.steps import Step
from tests.api.test_metrics import declared


class Told:
    """A fleet that changes, and those who are told."""

    def __init__(self) -> None:
        self.fleet: Fleet = empty_fleet("demo")
        self.watchers: list[Callable[[Step], None]] = []

    def watch(self, seen: Callable[[Step], None]) -> Callable[[], None]:
        self.watchers.append(seen)
        return lambda: self.watchers.remove(seen)

    def happen(self, event: SpecApplied | StopRequested) -> None:
        step = step_of(self.fleet, event)
        self.fleet = step.after
        for seen in tuple(self.watchers):
            seen(step)


def test_what_a_row_touched_is_counted_anew() -> None:
    told = Told()
    counts = Counts(told.watch)
    told.happen(declared("a", "b", "c"))
    assert dict(counts.of(told.fleet)[0].items()) == {"pending": 3}
    told.happen(StopRequested(at=1, name="b", by="owner", why=""))
    phases, ready = counts.of(told.fleet)
    assert dict(phases.items()) == {"pending": 2, "stopped": 1}
    assert ready == 0


def test_where_nobody_asks_nothing_is_noted() -> None:
    told = Told()
    counts = Counts(told.watch, noted_max=1)
    told.happen(declared("a", "b"))
    assert not told.watchers
    _ = counts.of(told.fleet)
    assert len(told.watchers) == 1
    for name in ("a", "b"):
        told.happen(StopRequested(at=1, name=name, by="owner", why=""))
    assert not told.watchers
    assert dict(counts.of(told.fleet)[0].items()) == {"stopped": 2}
