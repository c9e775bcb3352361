"""How fast a journal is folded again, beside what the language allows.

The limits are ``orjson`` alone, and a loop by hand over mutable records that knows the
same rules (``loop``). Before anything is timed it is checked that all ways come to the
same records.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import orjson

from orchestrator.codec.wire import (
    all_commands_of,
    decode_event,
    encode_event,
    events_of,
)
from orchestrator.core.events import Event
from orchestrator.core.reduce import fold, reduce
from orchestrator.core.state import Fleet, empty_fleet
from orchestrator.journal.port import START, Row, broken
from orchestrator.journal.reading import RECORDING
from orchestrator.replay import fold as fold_entries
from orchestrator.replay import verify
from orchestrator.runtime.collecting import collecting_seldom
from tests.benchmarks.databases import opened_at, stored
from tests.benchmarks.figures import (
    Asked,
    Figures,
    Reached,
    Sheet,
    costs,
    reached,
    told,
)
from tests.benchmarks.harness import Case, Goal, Spread, Timing, interleaved
from tests.benchmarks.loop import Loop, differing
from tests.benchmarks.trace import written

__all__ = (
    "ABOUT",
    "GOALS",
    "Replay",
    "figures",
    "memory_of",
    "opened_at",
    "replay_of",
    "stored",
)

ABOUT: Final = "A journal folded again, beside orjson and a mutable loop by hand."

BLOCK: Final = 150
GOALS: Final = (
    Goal(case="fold", limit="mutable loop", least=0.25),
    Goal(case="reduce", limit="mutable loop", least=0.19),
    Goal(case="decode events", limit="orjson.loads of events", least=0.33),
    Goal(case="encode events", limit="orjson.dumps of events", least=0.35),
    Goal(case="replay JSON Lines", limit="orjson.loads of lines", least=0.15),
    Goal(case="replay JSON Lines", limit="loads and mutable loop", least=0.40),
    Goal(case="replay SQLite", limit="replay JSON Lines", least=0.80),
)


FLAT: Final = Goal(case="memory of a tenth", limit="memory of all rows", least=0.9)
"""How much of the memory for all rows a tenth of them takes: it does not grow."""

KEPT_MAX: Final = 200_000
"""Rows that are kept in memory, to time each part of a replay alone."""


@attrs.frozen(kw_only=True)
class Replay:
    """What was timed, over how many rows and containers."""

    rows: int
    containers: int
    timing: Timing


def figures(asked: Asked) -> Figures:
    """Time everything that replay is made of."""
    events = asked.events or (300 if asked.smoke else 100_000)
    containers = asked.containers or (20 if asked.smoke else 1_000)
    rounds = 1 if asked.smoke else asked.rounds
    whole = events <= KEPT_MAX
    timing = replay_of(asked.directory, events, containers, rounds, whole=whole).timing
    goals = [goal for goal in GOALS if {goal.case, goal.limit} <= {*timing.rounds}]
    title = f"A row, of {events} rows over {containers} containers"
    tenth = written(asked.directory, max(events // 10, 2), containers)
    peaks = memory_of(tenth), memory_of(written(asked.directory, events, containers))
    flat = peaks[0] / peaks[1]
    return Figures(
        sheets=(costs(title, timing), _memory(events, peaks)),
        reached=(
            *reached(timing, goals),
            Reached(goal=FLAT, speed=Spread(median=flat, least=flat, most=flat)),
        ),
    )


def _memory(events: int, peaks: tuple[int, int]) -> Sheet:
    return Sheet(
        title="The most memory of a process that replays JSON Lines",
        columns=("rows", "MiB"),
        rows=tuple(
            (str(count), told(peak / 2**20))
            for count, peak in zip((events // 10, events), peaks, strict=True)
        ),
    )


def replay_of(
    directory: Path, events: int, containers: int, rounds: int, *, whole: bool = True
) -> Replay:
    """Time everything that replay is made of, in one interleaved run.

    *whole*: also each part of it alone, for which all rows are in the memory.
    """
    lines = written(directory, events, containers)
    database = stored(lines)
    cases = [*_of_files(lines, database), *_verifying(lines, database)]
    if whole:
        cases += _of_values(lines)
    else:
        _expect_alike(_event_trees(lines), lines)
    return Replay(rows=events, containers=containers, timing=interleaved(cases, rounds))


def _of_files(lines: Path, database: Path) -> list[Case]:
    count = sum(1 for _ in _rows_of(lines))

    def case(name: str, run: Callable[[], object]) -> Case:
        return Case(name=name, items=count, run=run)

    return [
        case("lines read", lambda: _exhausted(lines.open("rb"))),
        case("orjson.loads of lines", lambda: _exhausted(_trees(lines))),
        case("loads and mutable loop", lambda: Loop().fold(_event_trees(lines))),
        case("rows of JSON Lines", lambda: _exhausted(_rows_of(lines))),
        case("rows of SQLite", lambda: _exhausted(_rows_of(database))),
        case("replay JSON Lines", lambda: _folded(lines)),
        case("replay SQLite", lambda: _folded(database)),
    ]


def _verifying(lines: Path, database: Path) -> list[Case]:
    count = sum(1 for _ in _rows_of(lines))
    return [
        Case(name=f"verify {name}", items=count, run=partial(_verified, place))
        for name, place in (("JSON Lines", lines), ("SQLite", database))
    ]


def _of_values(lines: Path) -> list[Case]:
    """Return the parts, each with what it needs already in memory.

    The first two rows (booted, declared) are large and come once a journal: what is
    decoded and encoded alone is the life after them.
    """
    rows = list(_rows_of(lines))
    trees = list(_event_trees(lines))
    events = [decode_event(row.event).unwrap() for row in rows]
    texts, parsed, life = [row.event for row in rows[2:]], trees[2:], events[2:]
    commands = [row.commands for row in rows]
    _expect_alike(trees, lines)
    assert _reduced(events) == fold(empty_fleet("fleet"), events)

    def case(name: str, run: Callable[[], object], items: int = len(rows)) -> Case:
        return Case(name=name, items=items, run=run)

    few = len(texts)
    return [
        case("mutable loop", lambda: Loop().fold(trees)),
        case("fold", lambda: fold(empty_fleet("fleet"), events)),
        case("reduce", lambda: _reduced(events)),
        case("orjson.loads of events", lambda: _mapped(orjson.loads, texts), few),
        case("decode events", lambda: _in_pages(events_of, texts), few),
        case("orjson.dumps of events", lambda: _mapped(orjson.dumps, parsed), few),
        case("encode events", lambda: _mapped(encode_event, life), few),
        case("decode commands", lambda: _in_pages(all_commands_of, commands)),
        case("chain of digests", lambda: broken(START, rows)),
    ]


def _expect_alike(trees: Iterable[dict[str, Any]], lines: Path) -> None:
    """Compare all ways to fold, record by record; nothing is timed that is wrong."""
    wrong = differing(Loop().fold(trees), _folded(lines))
    assert not wrong, f"the loop by hand differs in {wrong[:5]}"


def _reduced(events: list[Event]) -> object:
    fleet = empty_fleet("fleet")
    for event in events:
        fleet = reduce(fleet, event).fleet
    return fleet


def _mapped(turn: Callable[[Any], object], values: list[Any]) -> None:
    for value in values:
        turn(value)


def _in_pages(turn: Callable[[Any], object], values: list[Any]) -> None:
    """Do something to as many values at once as a block of a file holds rows."""
    for first in range(0, len(values), BLOCK):
        assert turn(values[first : first + BLOCK]) is not None


def _exhausted(values: Iterator[object]) -> None:
    for _ in values:
        pass


def _trees(lines: Path) -> Iterator[dict[str, Any]]:
    with lines.open("rb") as file:
        for line in file:
            yield orjson.loads(line)


def _event_trees(lines: Path) -> Iterator[dict[str, Any]]:
    return (tree["event"] for tree in _trees(lines) if "event" in tree)


def _rows_of(place: Path) -> Iterator[Row]:
    reading = opened_at(place)
    yield from reading.rows()
    assert reading.error is None, reading.error
    reading.close()


def _folded(place: Path) -> Fleet:
    """Fold a journal, as the commands do that read one."""
    reading = opened_at(place)
    with collecting_seldom():
        fleet = fold_entries(reading.entries())
    assert reading.error is None, reading.error
    reading.close()
    return fleet


def _verified(place: Path) -> None:
    reading = opened_at(place)
    with collecting_seldom():
        verify(reading.entries(), RECORDING).unwrap()
    assert reading.error is None, reading.error
    reading.close()


def memory_of(place: Path) -> int:
    """Return the most memory that a process needs to replay *place*, in bytes."""
    told = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.replay", str(place)],
        capture_output=True,
        check=True,
    )
    return int(told.stdout)


def main() -> None:
    """Fold the journal that is named, and print the most memory it has taken."""
    _folded(Path(sys.argv[1]))
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (peak,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    print(int(peak.split()[1]) * 1024)


if __name__ == "__main__":
    main()
