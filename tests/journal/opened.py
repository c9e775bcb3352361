"""Opening what journals answer, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from returns.future import FutureResult
from returns.io import IOResult
from returns.unsafe import unsafe_perform_io

from orchestrator.core.errors import JournalError
from orchestrator.journal.port import START, Draft, Head, chained
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
