"""The fleet as state charts of ``python-statemachine``: one for each container.

``by_statemachine.py PACKAGES JOURNAL``: the folder of the package, and the trace.
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks.peer_sources.driving import Drive, life_of
from tests.benchmarks.peer_sources.moves import MOVES
from tests.benchmarks.peer_sources.serving import Part, facts_of, serve, trees_of
from tests.benchmarks.peer_sources.units import PHASES, Tree, Unit


def chart() -> Any:
    """Return a class of charts with our table, as its own metaclass makes it."""
    from statemachine import State, StateChart

    states = {name: State(initial=name == "pending") for name in PHASES}
    events: dict[str, Any] = {}
    for move in MOVES:
        for source in move.sources:
            row = states[source].to(
                states[move.to or source],
                cond=list(move.guards),
                before=list(move.actions),
                internal=move.to is None,
            )
            known = events.get(move.kind)
            events[move.kind] = row if known is None else known | row
    # An error of an adapter shall be seen, not become an event.
    options = {"catch_errors_as_events": False}
    return type("Chart", (StateChart,), {**states, **events, **options})


def declared(trees: list[Tree], kind: Any, kept: dict[str, Any]) -> Drive:
    """Declare the fleet, with a chart over the data of each container.

    A chart takes long to make: one that is *kept* begins anew with new data.
    """

    def make(told: Tree, at: int, soon_ms: int, given: list[Any]) -> Any:
        name = told["spec"]["name"]
        if name in kept:
            Unit.__init__(kept[name].model, told, at, soon_ms, given)
        else:
            kept[name] = kind(Unit(told, at, soon_ms, given), state_field="phase")
        return kept[name]

    return Drive(trees, make, _sent, lambda made: made.model)


def _sent(made: Any, kind: str, told: Tree) -> None:
    made.send(kind, told)


def main() -> None:
    """Serve the one case there is."""
    packages, journal = sys.argv[1:]
    sys.path.append(packages)
    trees = trees_of(Path(journal))
    life = life_of(trees)
    part = Part(
        items=len(life),
        make=partial(declared, trees, chart(), {}),
        run=lambda drive: drive.fold(life),
        tell=lambda drive: facts_of(drive.units),
    )
    serve({"python-statemachine": part})


if __name__ == "__main__":
    main()
