"""All areas of the benchmarks: which module holds each, and what it needs.

An area whose *needs* say nothing runs anywhere; ``all``, ``record`` and ``guard`` run
those where no name is given. The others are asked for by their names.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Final, cast

import attrs

from tests.benchmarks.figures import Area

__all__ = ("AREAS", "Entry", "area_of", "everywhere", "known")


@attrs.frozen(kw_only=True)
class Entry:
    """An area: its name, the module of this package, and what it cannot do without."""

    name: str
    needs: str = ""

    @property
    def module(self) -> str:
        """Return the full name of its module."""
        return f"tests.benchmarks.{self.name}"


AREAS: Final = (
    Entry(name="advance"),
    Entry(name="reduce"),
    Entry(name="replay"),
    Entry(name="journal"),
    Entry(name="recovery"),
    Entry(name="reconcile"),
    Entry(name="fleet"),
    Entry(name="rolling"),
    Entry(name="timers"),
    Entry(name="interpreter"),
    Entry(name="local"),
    Entry(name="api"),
    Entry(name="memory"),
    Entry(name="simulated"),
    Entry(name="peers", needs="Node, packages of peers"),
    Entry(name="gateway", needs="Docker, Node"),
    Entry(name="reference", needs="Docker, Node"),
    Entry(name="durable", needs="Docker, Node"),
    Entry(name="long", needs="an hour"),
)
"""In the order in which they run, and stand on the page."""


def known() -> dict[str, Entry]:
    """Return the areas whose module is there, by name."""
    return {each.name: each for each in AREAS if find_spec(each.module) is not None}


def everywhere() -> list[str]:
    """Return the names of those that need nothing but this machine."""
    return [name for name, each in known().items() if not each.needs]


def area_of(entry: Entry) -> Area:
    """Load the module of an area."""
    return cast("Area", importlib.import_module(entry.module))
