"""Rows on their way to a disk and back, beside what the disk and SQLite allow.

Appending is timed by the wall, for it waits for the disk: the same rows by our journal
and by a bare connection of ``sqlite3``, in commits of so many, with each setting of
``synchronous``. Ours never runs with another one than FULL; it is set behind its back
here, to tell the disk's part from ours. Lines of an export are written beside a bare
``write`` and ``fdatasync`` of the same bytes.

Our journal does more than a bare one: it computes the digests, and syncs the head file
beside the database. So one row at a time it takes two syncs where a bare one takes one.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

import attrs

from orchestrator.journal.line_format import row_line
from orchestrator.journal.port import START, Draft, Head, Row, chained
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.journal.tables import connect, insert_rows, prepare
from orchestrator.runtime.outcomes import settled
from tests.benchmarks.figures import Asked, Figures, Sheet, costs, reached, told
from tests.benchmarks.harness import Case, Goal, Timing, interleaved
from tests.benchmarks.replay import opened_at, stored
from tests.benchmarks.trace import rows, written

__all__ = ("ABOUT", "GOALS", "figures")

ABOUT: Final = "Rows appended and read, beside bare sqlite3, write and fdatasync."

SIZES: Final = (1, 8, 64, 512)
SYNCS: Final = ("FULL", "NORMAL", "OFF")
COMMITS: Final = 60
"""Commits of a case, of each size; enough that one slow sync does not decide."""

KEPT: Final = 2_000
"""Different rows that are appended, again and again."""

OF_DATABASES: Final = tuple(
    f"{kind} {{}} at once, {sync}" for sync in SYNCS for kind in ("append", "bare")
)
OF_LINES: Final = tuple(
    f"{kind} {{}} at once, {sync}"
    for sync in ("fdatasync", "none")
    for kind in ("lines", "bare lines")
)
"""The cases, as columns of a sheet."""

GOALS: Final = (
    Goal(
        case="append 64 at once, FULL",
        limit="append 1 at once, FULL",
        least=40.0,
        why="a disk whose sync is quick leaves less to save: see the bare ones",
    ),
)


@attrs.define
class Place:
    """A folder for one case, made anew for each of its runs."""

    folder: Path
    sync: str
    journal: Any = None
    connection: Any = None
    file: IO[bytes] | None = None

    def make(self) -> None:
        """Make an empty folder, and close what was open in the one before."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def make_journal(self) -> None:
        """Open a new journal of ours."""
        self.make()
        self.journal = asyncio.run(_opened(self.folder / "journal.db"))
        # What no user can do: it is the disk's part that is to be told from ours.
        pragma = f"PRAGMA synchronous={self.sync}"
        self.journal._connection.execute(pragma)

    def make_bare(self) -> None:
        """Open a bare database with our tables."""
        self.make()
        self.connection = connect(self.folder / "bare.db", read_only=False)
        assert prepare(self.connection, read_only=False) is None
        self.connection.execute(f"PRAGMA synchronous={self.sync}")

    def make_file(self) -> None:
        """Open a file for lines."""
        self.make()
        self.file = (self.folder / "lines").open("wb", buffering=0)

    def close(self) -> None:
        """Close whatever is open."""
        if self.journal is not None:
            asyncio.run(_closed(self.journal))
        for each in (self.connection, self.file):
            if each is not None:
                each.close()
        self.journal = self.connection = self.file = None


async def _opened(path: Path) -> Any:
    return await settled(open_sqlite(path))


async def _closed(journal: Any) -> None:
    await settled(journal.close())


def figures(asked: Asked) -> Figures:
    """Append and read rows, in all the ways there are."""
    rounds, commits = (1, 2) if asked.smoke else (asked.rounds, COMMITS)
    kept = tuple(islice(rows(200 if asked.smoke else KEPT, 50), 2, None))
    folder = asked.directory / "append"
    places, cases = list[Place](), list[Case]()
    for size in SIZES:
        for case, place in _appending(folder, kept, size, commits):
            cases.append(case)
            places.append(place)
    try:
        appended = interleaved(cases, rounds, clock=time.perf_counter_ns)
    finally:
        for place in places:
            place.close()
        shutil.rmtree(folder, ignore_errors=True)
    events = asked.events or (300 if asked.smoke else 100_000)
    containers = asked.containers or (20 if asked.smoke else 1_000)
    read = _read(written(asked.directory, events, containers), rounds)
    return Figures(
        sheets=(
            _sheet("Rows into SQLite", appended, OF_DATABASES),
            _sheet("Rows as JSON Lines", appended, OF_LINES),
            costs("Rows that are read and checked, by the wall", read),
        ),
        reached=reached(appended, GOALS),
        ratios=_ratios(appended, read),
        remarks=(
            "A row that is appended alone waits for two syncs, that of the database"
            " and that of the head file; a bare one waits for one.",
        ),
    )


def _appending(
    folder: Path, kept: tuple[Row, ...], size: int, commits: int
) -> Iterator[tuple[Case, Place]]:
    """Yield the cases in which so many rows are appended at once."""
    parts = _parts(kept, size, commits)
    drafts = [tuple(map(_draft, part)) for part in parts]

    def case(
        name: str,
        sync: str,
        make: Callable[[Place], None],
        run: Callable[[Place], None],
    ) -> tuple[Case, Place]:
        place = Place(folder=folder / name.replace(" ", "-"), sync=sync)
        timed = Case(
            name=name,
            items=size * commits,
            run=partial(run, place),
            before=partial(make, place),
        )
        return timed, place

    for sync in SYNCS:
        at_once = f"{size} at once, {sync}"
        yield case(
            f"append {at_once}", sync, Place.make_journal, partial(_ours, drafts)
        )
        yield case(f"bare {at_once}", sync, Place.make_bare, partial(_bare, parts))
    lines = [b"".join(map(row_line, part)) for part in parts]
    for sync in ("fdatasync", "none"):
        at_once = f"lines {size} at once, {sync}"
        yield case(at_once, sync, Place.make_file, partial(_written, parts))
        yield case(f"bare {at_once}", sync, Place.make_file, partial(_poured, lines))


def _parts(kept: tuple[Row, ...], size: int, commits: int) -> list[tuple[Row, ...]]:
    """Return rows for so many commits, chained from the first on."""
    count = size * commits
    drafts = [_draft(kept[number % len(kept)]) for number in range(count)]
    found = chained(START, drafts)
    return [found[first : first + size] for first in range(0, count, size)]


def _draft(row: Row) -> Draft:
    return Draft(at=row.at, event=row.event, commands=row.commands, changes=row.changes)


def _ours(parts: list[tuple[Draft, ...]], place: Place) -> None:
    async def appended() -> None:
        head: Any = START
        for drafts in parts:
            head = await settled(place.journal.append(head, drafts))
        assert isinstance(head, Head), head

    asyncio.run(appended())


def _bare(parts: list[tuple[Row, ...]], place: Place) -> None:
    for part in parts:
        place.connection.execute("BEGIN IMMEDIATE")
        insert_rows(place.connection, part)
        place.connection.execute("COMMIT")


def _written(parts: list[tuple[Row, ...]], place: Place) -> None:
    _poured((b"".join(map(row_line, part)) for part in parts), place)


def _poured(parts: Any, place: Place) -> None:
    assert place.file is not None
    for part in parts:
        place.file.write(part)
        if place.sync == "fdatasync":
            os.fdatasync(place.file.fileno())


def _read(lines: Path, rounds: int) -> Timing:
    """Time how rows are read, beside what gives only bytes."""
    database = stored(lines)
    count = sum(1 for _ in opened_at(lines).rows())

    def case(name: str, run: Callable[[], object]) -> Case:
        return Case(name=name, items=count, run=run)

    return interleaved(
        [
            case("SELECT", partial(_selected, database)),
            case("rows of SQLite", partial(_taken, database)),
            case("lines of a file", partial(_iterated, lines)),
            case("rows of JSON Lines", partial(_taken, lines)),
        ],
        rounds,
        clock=time.perf_counter_ns,
    )


def _selected(database: Path) -> None:
    connection = sqlite3.connect(database)
    for _ in connection.execute("SELECT * FROM rows ORDER BY seq"):
        pass
    connection.close()


def _iterated(lines: Path) -> None:
    with lines.open("rb") as file:
        for _ in file:
            pass


def _taken(place: Path) -> None:
    reading = opened_at(place)
    for _ in reading.source.pages():
        pass
    reading.close()


def _sheet(title: str, timing: Timing, kinds: tuple[str, ...]) -> Sheet:
    """Return what a row costs by how many are appended at once, in some *kinds*."""
    return Sheet(
        title=f"{title}, µs of the wall for a row (median)",
        columns=("at once", *(kind.replace(" {} at once", "") for kind in kinds)),
        rows=tuple(
            (
                str(size),
                *(
                    told(timing.cost(kind.format(size)).median / 1_000)
                    for kind in kinds
                ),
            )
            for size in SIZES
        ),
    )


def _ratios(appended: Timing, read: Timing) -> dict[str, Any]:
    pairs = [
        *(
            (appended, f"append {n} at once, FULL", f"bare {n} at once, FULL")
            for n in SIZES
        ),
        (read, "rows of SQLite", "SELECT"),
        (read, "rows of JSON Lines", "lines of a file"),
    ]
    return {
        f"{name} / {limit}": timing.speed(Goal(case=name, limit=limit, least=0))
        for timing, name, limit in pairs
    }
