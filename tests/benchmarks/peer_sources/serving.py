"""How a peer is driven: a process that says what it can, and runs what it is told.

It reads one line a turn: ``check CASE``, to be answered with what became of each
container, and ``time CASE``, to be answered with nanoseconds of the processor and how
many events they were for. What a case needs is made before its clock starts. So every
peer has the processor to itself in its turn, and no other's memory.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import orjson

from orchestrator.runtime.collecting import THRESHOLD
from tests.benchmarks.loop import _of_loop
from tests.benchmarks.peer_sources.units import Tree, Unit

__all__ = ("Part", "facts_of", "serve", "trees_of")


@attrs.frozen(kw_only=True)
class Part:
    """One way through the trace: *make* is not timed, *run* is, *tell* looks after."""

    items: int
    make: Callable[[], Any]
    run: Callable[[Any], Any]
    tell: Callable[[Any], Any]


def trees_of(path: Path) -> list[Tree]:
    """Return the events of a journal, as plain JSON."""
    with path.open("rb") as lines:
        found = [orjson.loads(line) for line in lines]
    return [tree["event"] for tree in found if "event" in tree]


def facts_of(units: Mapping[str, Unit]) -> dict[str, Any]:
    """Return what became of each container, in the words of ``loop``."""
    return {name: _of_loop(unit) for name, unit in units.items()}


def serve(parts: Mapping[str, Part]) -> None:
    """Answer line by line until there are no more."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLD)  # as ours reads a journal, for all of them alike
    print(orjson.dumps(sorted(parts)).decode(), flush=True)
    for line in sys.stdin:
        what, _, name = line.strip().partition(" ")
        part = parts[name]
        thing = part.make()
        gc.collect()
        begun = time.process_time_ns()
        found = part.run(thing)
        taken = time.process_time_ns() - begun
        answer = part.tell(found) if what == "check" else [taken, part.items]
        print(orjson.dumps(answer).decode(), flush=True)
        del thing, found
