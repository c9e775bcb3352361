"""A journal behind a gateway out of rows that were exported.

It is filled from its beginning on, in requests of some megabytes; one that breaks off
leaves the first rows. The same export put in once more goes on where they end, for
their digests say that they are the same. Nothing is ever written over.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from returns.io import IOFailure, IOResult, IOSuccess
from returns.result import Failure, Result, Success

from orchestrator.core.errors import JournalError, JournalUnavailable
from orchestrator.journal.durable.archive import Archive
from orchestrator.journal.durable.source import Waiting
from orchestrator.journal.port import START, Head, Row, Snapshot

__all__ = ("import_far",)

PAGE: Final = 1_000
"""Rows that are in the memory at a time."""


def import_far(
    waiting: Waiting, epoch: int, rows: Iterator[Row], base: Snapshot | None = None
) -> IOResult[Head, JournalError]:
    """Put rows that were checked into a journal, behind *base*, under an epoch.

    It is empty, or holds the first of them. What *rows* raise goes on to the caller;
    those before are in it then.
    """
    archive = waiting.archive
    archive.epoch = epoch
    begun = waiting.done(_begun(archive, base))
    if isinstance(begun, Failure):
        return IOFailure(begun.failure())
    there: Head = begun.unwrap()
    head = START if base is None else base.head
    while page := tuple(islice(rows, PAGE)):
        known = min(max(there.seq - head.seq, 0), len(page))
        behind = _head(page[known - 1]) if known else head
        if behind.seq == there.seq and behind != there:
            return IOFailure(_not_empty(there))
        if known < len(page):
            put = waiting.done(archive.put(behind, page[known:]))
            if isinstance(put, Failure):
                return IOFailure(put.failure())
        head = _head(page[-1])
    if head.seq < there.seq:
        return IOFailure(_not_empty(there))
    return IOSuccess(head)


async def _begun(archive: Archive, base: Snapshot | None) -> Result[Head, JournalError]:
    """Have a journal that is empty begin behind *base*; return where it ends."""
    found = await archive.state()
    if isinstance(found, Failure):
        return Failure(found.failure())
    state = found.unwrap()
    if state.head == START:
        if base is None:
            return Success(START)
        begun = await archive.begin_behind(base)
        return begun.map(lambda _: base.head)
    kept = state.base
    there = START if kept is None else Head(seq=kept.seq, digest=kept.digest)
    is_same = there == (START if base is None else base.head)
    return Success(state.head) if is_same else Failure(_not_empty(state.head))


def _not_empty(head: Head) -> JournalUnavailable:
    """Say that there is another journal."""
    cause = f"it is not empty: it ends at row {head.seq}, and these are not its rows"
    return JournalUnavailable(cause=cause, retryable=False)


def _head(row: Row) -> Head:
    return Head(seq=row.seq, digest=row.digest)
