"""Accept that the end of a journal behind a gateway is lost; what is whole is kept.

As for a file (``journal.repair``): what hangs together from the base, or from row 1, up
to the first damage stays. What is behind goes to a file of this machine, line by line
as the gateway has it, and is on its disk before anything is cut off. Then one
transaction of the gateway removes it there, if the journal still ends where it did when
it was read: nothing is lost that was appended meanwhile.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Final

import attrs
from returns.io import IOFailure, IOResult, IOSuccess
from returns.result import Failure

from orchestrator.core.errors import JournalCorrupt, JournalError, JournalUnavailable
from orchestrator.journal.beside import free_name
from orchestrator.journal.durable.answers import Answered
from orchestrator.journal.durable.archive import Archive
from orchestrator.journal.durable.reader import Told
from orchestrator.journal.durable.source import Waiting
from orchestrator.journal.jsonl import sync
from orchestrator.journal.port import START, Head
from orchestrator.journal.repair_lines import Repaired
from orchestrator.journal.tables import said

__all__ = ("SINCE", "repair_far")

SINCE: Final = "1.4.0"
"""The version of the gateway that cuts the end off."""

PAGE: Final = 5_000
"""Rows of a page, at most; the gateway sends fewer where they are long."""

TOO_OLD: Final = JournalUnavailable(
    cause="the gateway does not number what it sends: deploy a newer one",
    retryable=False,
)


def repair_far(
    waiting: Waiting, epoch: int, beside: Path
) -> IOResult[Repaired, JournalError]:
    """Make a journal end where it is whole, under an epoch.

    What is behind the damage goes to a new file with a name like *beside*. A base that
    is damaged cannot be repaired: without it no row can be told to be whole.
    """
    archive = waiting.archive
    archive.epoch = epoch
    opened = waiting.done(archive.opened())
    if isinstance(opened, Failure):
        return IOFailure(_of_base(opened.failure()))
    state, base = opened.unwrap()
    start, end = START if base is None else base.head, state.head
    head = waiting.done(_whole_until(archive, start, end))
    if not isinstance(head, Head):
        return IOFailure(head)
    done = Repaired(head=head, missing=0, moved=0, moved_to=None)
    if head == end:
        return IOSuccess(done)
    side = free_name(beside, f"after-{head.seq}", "jsonl")
    try:
        moved = _moved(waiting, head, end, side)
    except OSError as error:
        return IOFailure(said(error))
    if not isinstance(moved, int):
        return IOFailure(moved)
    cut = waiting.done(archive.end_with(head, end))
    if isinstance(cut, Failure):
        return IOFailure(_uncut(cut.failure(), head, side))
    missing = max(0, end.seq - head.seq - moved)
    where = side if moved else None
    return IOSuccess(attrs.evolve(done, missing=missing, moved=moved, moved_to=where))


def _of_base(error: JournalError) -> JournalError:
    """Return why a journal cannot be opened; of a damaged base also what follows."""
    if not isinstance(error, JournalCorrupt):
        return error
    told = f"{error.found}; no row is known to be whole, and nothing was cut off"
    return attrs.evolve(error, found=told)


async def _whole_until(archive: Archive, head: Head, end: Head) -> Head | JournalError:
    """Return the last row up to which the chain is unbroken, from *head* to *end*."""
    while head.seq < end.seq:
        found = await archive.follow(head, min(PAGE, end.seq - head.seq))
        if isinstance(found, Failure):
            error: JournalError = found.failure()
            return error
        told: Told = found.unwrap()
        if told.damage is not None:
            return _before(told.damage, head, told)
        if told.page is None:  # it does not end there any more: no cut is made
            return head
        head = told.page.head
    return head


def _before(damage: JournalCorrupt, head: Head, told: Told) -> Head:
    """Return the row before a damage, which may be one of the page that was told."""
    whole = min((damage.seq or 0) - head.seq - 1, len(told.page or ()))
    return head if told.page is None or whole < 1 else told.page.head_after(whole)


def _moved(waiting: Waiting, head: Head, end: Head, side: Path) -> int | JournalError:
    """Write what is behind *head* to a new file, durably; return how many rows it is.

    Where not all of it can be had there is no file, nor where there is nothing.
    """
    opened = os.open(side, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    moved: int | JournalError = 0
    try:
        with os.fdopen(opened, "wb") as file:
            copied = _copied(waiting, head, end, file)
        sync(side)
        sync(side.parent)
        moved = copied
    finally:
        if not isinstance(moved, int) or not moved:
            side.unlink()
    return moved


def _copied(
    waiting: Waiting, head: Head, end: Head, file: IO[bytes]
) -> int | JournalError:
    """Write rows as the gateway has them."""
    count, after = 0, head.seq
    while after < end.seq:
        found = waiting.done(waiting.archive.lines(after, PAGE))
        if isinstance(found, Failure):
            error: JournalError = found.failure()
            return error
        answered: Answered = found.unwrap()
        if answered.last is None:
            return TOO_OLD
        if answered.last <= after:  # it is shorter by now: no cut will be made
            break
        file.writelines(line + b"\n" for line in answered.lines)
        count, after = count + len(answered.lines), answered.last
    return count


def _uncut(error: JournalError, head: Head, side: Path) -> JournalError:
    """Return why the end is not known to be cut off; the copy goes if it is not."""
    if not isinstance(error, JournalUnavailable) or not error.in_doubt:
        side.unlink(missing_ok=True)
        return error
    told = f"whether what is behind row {head.seq} was cut off is not known"
    return attrs.evolve(error, cause=f"{error.cause}; {told}: it is in {side}")
