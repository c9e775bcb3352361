"""Where the runs of a fleet are, as the REST API tells it; asked as seldom as can be.

A run never moves: once its place is known it is not asked for again. While that of some
run is not known, all instances are listed, once in a while. The records lag, so what
is not surely of this run is not told.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from orchestrator.core.observations import Observation
from orchestrator.platforms.cloudflare.http import Tree
from orchestrator.platforms.cloudflare.rest.joins import place_of
from orchestrator.platforms.cloudflare.witness import Witness

__all__ = ("Places",)

EVERY_S: Final = 30.0
"""How long it rests at least between two listings."""


class Places:
    """The places of the runs that live, by the names of their containers."""

    def __init__(self, witness: Witness, *, every_s: float = EVERY_S) -> None:
        """Ask the witness, with at least *every_s* seconds between."""
        self._witness = witness
        self._every_s = every_s
        self._known: dict[tuple[str, int], str] = {}
        self._asked_at: float | None = None

    async def put_in(self, seen: Observation, views: Iterable[Tree]) -> Observation:
        """Return a look that says where runs are, too; it was read of *views*.

        What could not be told in a few seconds is told by a later one.
        """
        places = await self._of(views)
        if not places:  # nobody tells where anything is
            return seen
        sightings = tuple(
            attrs.evolve(each, place=places.get((each.name, each.run), ""))
            for each in seen.sightings
        )
        return attrs.evolve(seen, sightings=sightings)

    async def _of(self, views: Iterable[Tree]) -> Mapping[tuple[str, int], str]:
        living = {_key(view): view for view in _living(views)}
        self._known = {key: at for key, at in self._known.items() if key in living}
        missing = {key: view for key, view in living.items() if key not in self._known}
        if missing and self._is_time():
            self._asked_at = time.monotonic()
            ids = [str(view["id"]) for view in missing.values()]
            instances = await self._witness.instances(ids)
            for key, view in missing.items():
                begun_at = view["begun_at"]
                instance = instances.get(str(view["id"]))
                place = place_of(instance, not_before_ms=begun_at)
                if place:
                    self._known[key] = place
        return self._known

    def _is_time(self) -> bool:
        last = self._asked_at
        return last is None or time.monotonic() - last >= self._every_s


def _key(view: Tree) -> tuple[str, int]:
    return view["name"], view["run"]


def _living(views: Iterable[Tree]) -> Iterable[Tree]:
    """Yield the containers that run, of which it is known since when."""
    for view in views:
        is_known = view.get("id") and type(view.get("begun_at")) is int
        if is_known and view.get("phase") in {"starting", "running"}:
            yield view
