"""Opening what journals answer, for tests."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TypeVar

import attrs
from returns.future import FutureResult
from returns.io import IOResult
from returns.pipeline import is_successful
from returns.unsafe import unsafe_perform_io

from orchestrator.core.errors import JournalError
from orchestrator.journal.port import START, Draft, Head, Row, Snapshot, chained
from orchestrator.journal.reading import Reading, open_reading
from orchestrator.journal.sqlite import SqliteJournal, open_sqlite
from orchestrator.testing.journals import draft

T = TypeVar("T")


async def good(answer: FutureResult[T, JournalError]) -> T:
    return unsafe_perform_io((await answer).unwrap())


async def bad(answer: FutureResult[T, JournalError]) -> JournalError:
    return unsafe_perform_io((await answer).failure())


def opened(answer: IOResult[T, JournalError]) -> T:
    return unsafe_perform_io(answer.unwrap())


def refused(answer: IOResult[T, JournalError]) -> JournalError:
    return unsafe_perform_io(answer.failure())


def drafts(numbers: Sequence[int]) -> tuple[Draft, ...]:
    return tuple(draft(number) for number in numbers)


def head_after(count: int) -> Head:
    rows = chained(START, drafts(range(1, count + 1)))
    return Head(seq=count, digest=rows[-1].digest) if rows else START


async def filled(path: Path, count: int) -> SqliteJournal:
    """Open a new journal and append *count* rows, each in a commit of its own."""
    journal = await good(open_sqlite(path))
    head = START
    for number in range(1, count + 1):
        head = await good(journal.append(head, drafts([number])))
    return journal


def base_after(count: int, *, body: bytes = b'{"fleet":[1,2.5,"x"]}') -> Snapshot:
    """Return the base of a journal whose first rows were compacted away."""
    head = head_after(count)
    return Snapshot(seq=head.seq, digest=head.digest, rules=3, body=body)


@attrs.frozen(kw_only=True)
class Read:
    """All that could be read of a journal, and why it ended early, if it did."""

    rows: tuple[Row, ...]
    head: Head
    base: Snapshot | None
    error: JournalError | None
    cut_at_line: int | None

    @property
    def is_whole(self) -> bool:
        return self.error is None and self.cut_at_line is None


def all_of(place: Path | IO[bytes]) -> Read:
    """Read a journal to its end, also one that cannot be opened."""
    outcome = open_reading(place)
    if not is_successful(outcome):
        return Read(
            rows=(), head=START, base=None, error=refused(outcome), cut_at_line=None
        )
    read: Reading = opened(outcome)
    rows = tuple(read.rows())
    read.close()
    return Read(
        rows=rows,
        head=read.head,
        base=read.source.base,
        error=read.error,
        cut_at_line=read.cut_at_line,
    )


def execute(path: Path, statement: str) -> None:
    """Do something to a database behind the journal's back."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(statement)
    connection.close()


def interrupted(work: str, folder: Path) -> list[str]:
    """Kill work at each of its steps; return what was found after each."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.journal.interrupted", work, str(folder)],
        check=False,
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()
