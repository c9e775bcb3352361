"""Cut a journal behind a gateway short: its oldest rows become one fleet.

As for a database (``journal.compaction``): the rows up to the cut are verified, folded
and archived; then one transaction of the gateway puts the fleet in their place.
"""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import assert_never

import attrs
from returns.io import IOFailure, IOResult, IOSuccess
from returns.result import Failure

from orchestrator.codec.wire import encode_fleet
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import JournalCorrupt, JournalError
from orchestrator.core.journal_errors import is_in_doubt
from orchestrator.core.moments import Moment
from orchestrator.core.state import RULES, Fleet
from orchestrator.journal.archives import archive_rows
from orchestrator.journal.beside import free_name
from orchestrator.journal.compaction import Compacted, KeepRows, KeepTime, Retention
from orchestrator.journal.durable.archive import Archive
from orchestrator.journal.durable.source import DurableSource, Waiting
from orchestrator.journal.port import MISSING, Head, Row, Snapshot
from orchestrator.journal.reading import RECORDING, Reading, beginning
from orchestrator.replay.verifying import verify

__all__ = ("compact_far",)


def compact_far(
    waiting: Waiting,
    source: DurableSource,
    epoch: int,
    retention: Retention,
    *,
    archive: Path | None = None,
    beside: Path | None = None,
    policies: CustomPolicies = NO_POLICIES,
) -> IOResult[Compacted, JournalError]:
    """Cut a journal at the newest place that *retention* allows, under an epoch.

    The rows that are cut off go to *archive*, or to a file with a name like *beside*
    (None of both: they are gone). Rows that do not replay are not cut off.
    """
    waiting.archive.epoch = epoch
    start, head, size = source.start, source.state.head, source.state.size
    cut = waiting.done(_cut(waiting.archive, start.seq, head.seq, retention))
    if not isinstance(cut, int):
        return IOFailure(cut)
    done = Compacted(
        first=start.seq + 1,
        last=cut,
        kept=head.seq - cut,
        archive=None,
        size_before=size,
        size_after=size,
        not_shrunk=None,
    )
    if cut == start.seq:
        return IOSuccess(done)
    base = _folded(source, cut, policies)
    if not isinstance(base, Snapshot):
        return IOFailure(base)
    if archive is None and beside is not None:
        archive = free_name(beside, f"rows-{done.first}-{cut}", "jsonl.gz")
    if archive is not None:
        rows = takewhile(lambda row: row.seq <= cut, Reading(source).rows())
        problem = archive_rows(archive, rows, source.base, base)
        if problem is not None:
            return IOFailure(problem)
        done = attrs.evolve(done, archive=archive)
    begun = waiting.done(waiting.archive.begin_behind(base))
    if isinstance(begun, Failure):
        if archive is not None and not is_in_doubt(begun.failure()):
            archive.unlink()  # a copy of what is still there
        return IOFailure(begun.failure())
    after = waiting.done(waiting.archive.state())
    size_after = size if isinstance(after, Failure) else after.unwrap().size
    return IOSuccess(attrs.evolve(done, size_after=size_after))


async def _cut(
    archive: Archive, start: int, head: int, retention: Retention
) -> int | JournalError:
    """Return the newest row behind which the rows to keep begin."""
    match retention:
        case KeepRows(rows=rows):
            first = head - rows + 1
        case KeepTime(ms=ms):
            found = await _first_since(archive, start, head, ms)
            if not isinstance(found, int):
                return found
            first = found
        case _:
            assert_never(retention)
    return max(start, min(first, head) - 1)


async def _first_since(
    archive: Archive, start: int, head: int, ms: int
) -> int | JournalError:
    """Return the first row of the last *ms* milliseconds, by halving."""
    if head == start:
        return start + 1
    newest = await _at(archive, head)
    if not isinstance(newest, int):
        return newest
    low, high = start + 1, head
    while low < high:
        middle = (low + high) // 2
        came = await _at(archive, middle)
        if not isinstance(came, int):
            return came
        low, high = (low, middle) if came >= newest - ms else (middle + 1, high)
    return low


async def _at(archive: Archive, seq: int) -> Moment | JournalError:
    """Return when a row came."""
    found = await archive.read(seq - 1, 1)
    if isinstance(found, Failure):
        error: JournalError = found.failure()
        return error
    rows: tuple[Row, ...] = found.unwrap()
    if not rows:
        return JournalCorrupt(seq=seq, place=MISSING, expected="a row", found="none")
    return rows[0].at


def _folded(
    source: DurableSource, cut: int, policies: CustomPolicies
) -> Snapshot | JournalError:
    """Return the fleet after row *cut*, from rows that are whole and replay."""
    read = Reading(source)
    begun = beginning(read)
    if isinstance(begun, Failure):
        damage: JournalCorrupt = begun.failure()
        return damage
    fleet: Fleet = begun.unwrap()
    heads: list[Head] = []

    def within(seq: int) -> bool:
        if seq <= cut:
            heads[:] = [read.head]
        return seq <= cut

    entries = takewhile(lambda entry: within(entry.seq), read.entries())
    verdict = verify(entries, RECORDING, fleet=fleet, policies=policies)
    if read.error is not None:
        return read.error
    if isinstance(verdict, Failure):
        problem: JournalError = verdict.failure()
        return problem
    folded: Fleet = verdict.unwrap().fleet
    return Snapshot(
        seq=cut, digest=heads[0].digest, rules=RULES, body=encode_fleet(folded)
    )
