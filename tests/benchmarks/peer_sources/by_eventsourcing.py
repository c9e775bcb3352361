"""The fleet as aggregates of ``eventsourcing``: one for each container.

``by_eventsourcing.py PACKAGES JOURNAL``: the folder of the package, and the trace.

Each kind of event is an event of the aggregate, whose body applies our table. A start
is one more, of its own: nobody can tell from the history of one container alone when
its turn came. Replay is what a repository does with events that were stored: it reads
the history of each container, and applies it.
"""

# mypy: disable-error-code="import-not-found, misc, untyped-decorator"

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks.peer_sources.driving import Drive, life_of
from tests.benchmarks.peer_sources.moves import KINDS, move
from tests.benchmarks.peer_sources.serving import Part, facts_of, serve, trees_of
from tests.benchmarks.peer_sources.units import Tree, Unit


def aggregate() -> Any:
    """Return the class of containers, with an event for each kind of ours."""
    from eventsourcing.domain import Aggregate, event

    class Container(Aggregate):
        @event("Declared")
        def __init__(self, told: Tree, since: int, soon_ms: int) -> None:
            self.unit = Unit(told, since, soon_ms, [])

    def applied(kind: str) -> Callable[[Any, Tree], None]:
        def apply(self: Any, told: Tree) -> None:
            self.unit.given.clear()
            move(self.unit, kind, told)

        apply.__name__ = kind
        apply.__qualname__ = f"{Container.__qualname__}.{kind}"
        return apply

    events = {
        kind: event("".join(map(str.title, kind.split("_"))))(applied(kind))
        for kind in KINDS
    }
    made = type("Unfolded", (Container,), {"__module__": __name__, **events})
    # A stored event names its class by a path, which is looked up in this module.
    globals()["Unfolded"] = made
    return made


def declared(trees: list[Tree], kind: Any) -> Drive:
    """Declare the fleet, with an aggregate for each container."""

    def make(told: Tree, at: int, soon_ms: int, given: list[Any]) -> Any:
        return kind(told=told, since=at, soon_ms=soon_ms)

    return Drive(trees, make, _called, lambda made: made.unit)


def _called(made: Any, kind: str, told: Tree) -> None:
    getattr(made, kind)(told)


def stored(trees: list[Tree], kind: Any) -> tuple[Any, dict[str, Any]]:
    """Write the whole history into an application's store, in memory."""
    from eventsourcing.application import Application

    application = Application()
    drive = declared(trees, kind).fold(life_of(trees))
    application.save(*drive.things.values())
    return application, {name: made.id for name, made in drive.things.items()}


def replayed(application: Any, ids: dict[str, Any]) -> dict[str, Unit]:
    """Have the repository make every container again, from its history."""
    get = application.repository.get
    return {name: get(each).unit for name, each in ids.items()}


def main() -> None:
    """Serve both cases."""
    packages, journal = sys.argv[1:]
    sys.path.append(packages)
    trees = trees_of(Path(journal))
    life, kind = life_of(trees), aggregate()
    application, ids = stored(trees, kind)
    parts = {
        "eventsourcing": Part(
            items=len(life),
            make=partial(declared, trees, kind),
            run=lambda drive: drive.fold(life),
            tell=lambda drive: facts_of(drive.units),
        ),
        "eventsourcing replay": Part(
            items=len(trees),
            make=lambda: None,
            run=lambda _: replayed(application, ids),
            tell=facts_of,
        ),
    }
    serve(parts)


if __name__ == "__main__":
    main()
