"""The fleet as models of ``transitions``: one machine for all, each event a trigger.

``by_transitions.py PACKAGES JOURNAL``: the folder of the package, and the trace.
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


def machine() -> Any:
    """Return a machine with our table, which any number of models share."""
    from transitions import Machine

    made = Machine(
        model=None,
        states=list(PHASES),
        initial="pending",
        auto_transitions=False,
        ignore_invalid_triggers=True,
        model_attribute="phase",
    )
    for move in MOVES:
        made.add_transition(
            move.kind,
            list(move.sources),
            move.to,
            conditions=list(move.guards),
            before=list(move.actions),
        )
    return made


def declared(trees: list[Tree]) -> Drive:
    """Declare the fleet, and make a model of each container."""
    shared = machine()

    def make(told: Tree, at: int, soon_ms: int, given: list[Any]) -> Unit:
        unit = Unit(told, at, soon_ms, given)
        shared.add_model(unit)
        return unit

    return Drive(trees, make, _triggered, lambda unit: unit)


def _triggered(unit: Unit, kind: str, told: Tree) -> None:
    getattr(unit, kind)(told)


def main() -> None:
    """Serve the one case there is."""
    packages, journal = sys.argv[1:]
    sys.path.append(packages)
    trees = trees_of(Path(journal))
    life = life_of(trees)
    part = Part(
        items=len(life),
        make=partial(declared, trees),
        run=lambda drive: drive.fold(life),
        tell=lambda drive: facts_of(drive.units),
    )
    serve({"transitions": part})


if __name__ == "__main__":
    main()
