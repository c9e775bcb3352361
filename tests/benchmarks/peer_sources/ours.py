"""The fleet by our own core, served as any peer: ``ours.py JOURNAL``.

``reduce`` and ``fold`` take the life of the declared fleet; the replay reads the
journal as the commands do, opening rows and all. The table by hand is what the state
machines of others are given, without a library.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator.codec.wire import event_of, tree_of
from orchestrator.core.events import Event
from orchestrator.core.reduce import fold, reduce
from orchestrator.core.state import Fleet, empty_fleet
from orchestrator.journal.reading import open_reading
from orchestrator.replay import fold as fold_entries
from orchestrator.runtime.outcomes import opened
from tests.benchmarks.loop import _of_core
from tests.benchmarks.peer_sources.driving import OPENING, Drive, life_of
from tests.benchmarks.peer_sources.moves import move
from tests.benchmarks.peer_sources.serving import Part, facts_of, serve, trees_of
from tests.benchmarks.peer_sources.units import Unit


def facts_of_fleet(fleet: Fleet) -> dict[str, Any]:
    """Return what became of each container, in the words of ``loop``."""
    return {
        name: _of_core(tree_of(container))
        for name, container in fleet.containers.items()
    }


def reduced(fleet: Fleet, life: list[Event]) -> Fleet:
    """Take one event after the other."""
    for event in life:
        fleet = reduce(fleet, event).fleet
    return fleet


def folded(journal: Path) -> Fleet:
    """Read a journal, and fold it."""
    reading: Any = opened(open_reading(journal))
    fleet = fold_entries(reading.entries())
    assert reading.error is None, reading.error
    reading.close()
    return fleet


def main() -> None:
    """Serve all our ways through the trace."""
    journal = Path(sys.argv[1])
    trees = trees_of(journal)
    events = events_of(journal)
    begun = fold(empty_fleet("fleet"), events[:OPENING])
    life, rest = events[OPENING:], life_of(trees)
    core = partial(Part, items=len(life), make=lambda: begun, tell=facts_of_fleet)
    serve(
        {
            "reduce": core(run=lambda fleet: reduced(fleet, life)),
            "fold": core(run=lambda fleet: fold(fleet, life)),
            "replay": Part(
                items=len(events),
                make=lambda: journal,
                run=folded,
                tell=facts_of_fleet,
            ),
            "table by hand": Part(
                items=len(rest),
                make=lambda: Drive(trees, Unit, move, lambda unit: unit),
                run=lambda drive: drive.fold(rest),
                tell=lambda drive: facts_of(drive.units),
            ),
        }
    )


def events_of(journal: Path) -> list[Event]:
    reading: Any = opened(open_reading(journal))
    found: list[Any] = [event_of(row.event) for row in reading.rows()]
    reading.close()
    return found


if __name__ == "__main__":
    main()
