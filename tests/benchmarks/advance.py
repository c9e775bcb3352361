"""One event on one container, beside the same move of the mutable loop.

The containers and events are those of a trace, as they met: of each kind the newest
event of every container, with the container as it was just before. The core returns
another container and says what has to be done; the loop changes its record in place.
What the fleet does around it (finding it, its indexes, grants of starts) is in neither.
Before anything is timed both are compared, record by record.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import attrs
import orjson

from orchestrator.codec.wire import encode_event
from orchestrator.core.advance import advance
from orchestrator.core.events import Event
from orchestrator.core.reduce import reduce
from orchestrator.core.state import Container, empty_fleet
from orchestrator.core.terms import FixedTerms
from tests.benchmarks.figures import Asked, Figures, Sheet, costs, told
from tests.benchmarks.harness import Case, Goal, interleaved
from tests.benchmarks.loop import Loop, Record, is_alike
from tests.benchmarks.trace import SETTINGS, steps

__all__ = ("ABOUT", "figures")

ABOUT: Final = (
    "One event moves one container: our `advance`, beside the same move of a loop over"
    " records that are changed in place."
)
EVENTS: Final = 20_000
CONTAINERS: Final = 1_000
FEWEST: Final = 20
"""A kind of event that met fewer containers is left out."""

TERMS: Final = FixedTerms(settings=SETTINGS, fences=True)


@attrs.frozen(kw_only=True)
class Meeting:
    """An event, and the container that it met, for both."""

    container: Container
    event: Any
    record: Record
    tree: dict[str, Any]


def figures(asked: Asked) -> Figures:
    """Time each kind of event."""
    events = asked.events or (1_500 if asked.smoke else EVENTS)
    containers = asked.containers or (40 if asked.smoke else CONTAINERS)
    kinds = meetings(events, containers)
    if asked.smoke:
        kinds = dict(list(kinds.items())[:3])
    cases = list[Case]()
    for kind, met in kinds.items():
        _expect_alike(met)
        cases += _cases(kind, met)
    timing = interleaved(cases, 1 if asked.smoke else asked.rounds)
    speeds = {
        f"advance {kind} / mutable loop": timing.speed(
            Goal(case=kind, limit=f"{kind}, in place", least=0)
        )
        for kind in kinds
    }
    shares = Sheet(
        title="Each kind of event: the part of the loop's speed",
        columns=("event", "containers", "median", "least", "most"),
        rows=tuple(
            (
                kind,
                str(len(met)),
                *map(told, attrs.astuple(speeds[f"advance {kind} / mutable loop"])),
            )
            for kind, met in kinds.items()
        ),
    )
    return Figures(
        sheets=(costs("One event on one container", timing), shares),
        ratios=speeds,
    )


def meetings(events: int, containers: int) -> dict[str, tuple[Meeting, ...]]:
    """Return who met which events in a trace, by the kind of the event."""
    fleet, loop = empty_fleet("fleet"), Loop()
    found: dict[str, dict[str, Meeting]] = {}
    for step in steps(events, containers):
        event: Event = step.event
        tree = orjson.loads(encode_event(event))
        name: str | None = getattr(event, "name", None)
        if name is not None:
            meeting = Meeting(
                container=fleet.containers[name],
                event=event,
                record=copy.copy(loop.records[name]),
                tree=tree,
            )
            found.setdefault(tree["type"], {})[name] = meeting
        loop.fold([tree])
        fleet = reduce(fleet, event).fleet
    return {
        kind: tuple(met.values())
        for kind, met in sorted(found.items())
        if len(met) >= FEWEST
    }


def _expect_alike(met: tuple[Meeting, ...]) -> None:
    loop = _fresh(met)
    _move_in_place(loop, met)
    for each in met:
        after, _ = advance(each.container, each.event, TERMS)
        assert is_alike(loop.records[after.name], after), each


def _cases(kind: str, met: tuple[Meeting, ...]) -> tuple[Case, Case]:
    loops = list[Loop]()
    return (
        Case(name=kind, items=len(met), run=partial(_advance, met)),
        Case(
            name=f"{kind}, in place",
            items=len(met),
            before=lambda: loops.append(_fresh(met)),
            run=lambda: _move_in_place(loops.pop(), met),
        ),
    )


def _advance(met: tuple[Meeting, ...]) -> None:
    for each in met:
        _ = advance(each.container, each.event, TERMS)


def _fresh(met: tuple[Meeting, ...]) -> Loop:
    """Return a loop whose records are those that the events are to meet."""
    loop = Loop()
    loop.records = {each.record.name: copy.copy(each.record) for each in met}
    loop.observed, loop.slots = True, SETTINGS.max_concurrent_starts
    loop.soon_ms = SETTINGS.min_restart_delay_ms
    return loop


def _move_in_place(loop: Loop, met: tuple[Meeting, ...]) -> None:
    moves: dict[str, Callable[[dict[str, Any], int], None]] = loop.moves()
    for each in met:
        tree = each.tree
        moves[tree["type"]](tree, tree["at"])
