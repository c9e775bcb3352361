"""Cut a journal behind a gateway short: its oldest rows become one fleet.

As for a database (``journal.compaction``): the rows up to the cut are verified, folded
and archived; then one transaction of the gateway puts the fleet in their place.

Note [A cut that nobody confirms]. Where the answer is lost, and what the journal is
cannot be read either, the archive stays. If the cut was made it is the only place where
its rows are, and the next archive begins behind it. If not, it has rows that are still
in the journal, and ``overlaps`` knows it again. So archives join without a gap in any
case, and where two have the same rows that is told.
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
from orchestrator.core.errors import JournalCorrupt, JournalError, JournalUnavailable
from orchestrator.core.moments import Moment
from orchestrator.core.state import RULES, Fleet
from orchestrator.journal.archives import archive_rows
from orchestrator.journal.beside import free_name
from orchestrator.journal.compaction import Compacted, KeepRows, KeepTime, Retention
from orchestrator.journal.durable.answers import JournalState
from orchestrator.journal.durable.archive import Archive
from orchestrator.journal.durable.source import DurableSource, Waiting
from orchestrator.journal.overlaps import kept_already, without_copies
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
    copy = _copied(source, base, archive, beside)
    if not isinstance(copy, _Copy):
        return IOFailure(copy)
    done = attrs.evolve(done, archive=copy.path)
    begun = waiting.done(waiting.archive.begin_behind(base))
    if isinstance(begun, Failure):
        return IOFailure(_uncut(begun.failure(), done, copy))
    if copy.path is not None and beside is not None:
        overlaps = without_copies(copy.path, beside, source.base)
        done = attrs.evolve(done, overlaps=overlaps)
    return IOSuccess(_as_it_is(done, waiting))


@attrs.frozen
class _Copy:
    """Where the rows are that are cut off; ``is_new``: without a cut it is no use."""

    path: Path | None
    is_new: bool


def _copied(
    source: DurableSource, base: Snapshot, archive: Path | None, beside: Path | None
) -> _Copy | JournalError:
    """Write the rows up to *base* to a file, unless an earlier cut has left one.

    See Note [A cut that nobody confirms].
    """
    if archive is None and beside is not None:
        kept = kept_already(beside, source.base, base)
        if kept is not None:
            return _Copy(kept, is_new=False)
        rows = f"rows-{source.start.seq + 1}-{base.seq}"
        archive = free_name(beside, rows, "jsonl.gz")
    if archive is None:
        return _Copy(None, is_new=False)
    wanted = takewhile(lambda row: row.seq <= base.seq, Reading(source).rows())
    problem = archive_rows(archive, wanted, source.base, base)
    return problem or _Copy(archive, is_new=True)


def _uncut(error: JournalError, done: Compacted, copy: _Copy) -> JournalError:
    """Return why rows are not known to be cut off; a copy of what is there goes."""
    if isinstance(error, JournalUnavailable) and error.in_doubt:
        told = f"whether rows {done.first} to {done.last} were cut off is not known"
        if copy.path is not None:
            told += f": they are in {copy.path}, which may be the only place"
        return attrs.evolve(error, cause=f"{error.cause}; {told}")
    if copy.path is not None and copy.is_new:
        copy.path.unlink()
    return error


def _as_it_is(done: Compacted, waiting: Waiting) -> Compacted:
    """Return what was done, with what the journal is by now, if that is told."""
    found = waiting.done(waiting.archive.state())
    if isinstance(found, Failure):
        return done
    state: JournalState = found.unwrap()
    base = done.last if state.base is None else state.base.seq
    further = base if base > done.last else None
    kept = done.kept if further is None else state.rows
    return attrs.evolve(done, size_after=state.size, kept=kept, further=further)


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
