"""A journal behind a model of the gateway, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from unittest.mock import patch

from orchestrator.journal.durable import asking
from orchestrator.journal.durable.adapter import DurableJournal
from orchestrator.journal.durable.imported import import_far
from orchestrator.journal.durable.source import Waiting, open_far
from orchestrator.journal.port import START, Row, Snapshot
from orchestrator.journal.reading import Reading
from tests.journal.fake_archive import FakeArchive, FakeWire, Fault
from tests.journal.opened import drafts, good, head_after, opened

__all__ = (
    "at_once",
    "far",
    "far_with",
    "filled",
    "reading",
    "snapshot_after",
    "waiting",
)


@contextmanager
def at_once() -> Iterator[None]:
    """Have what was lost asked for again without a pause."""
    with patch.object(asking, "PAUSES_S", (0.0, 0.0)):
        yield


def far(archive: FakeArchive, *faults: Fault, epoch: int | None = 1) -> DurableJournal:
    """Return a journal in an archive; *faults* befall its first requests."""
    wire = FakeWire(archive)
    wire.faults.extend(faults)
    journal = DurableJournal(wire)
    if epoch is not None:
        journal.lead(epoch)
    return journal


async def far_with(count: int, archive: FakeArchive | None = None) -> FakeArchive:
    """Return an archive with so many rows."""
    archive = archive or FakeArchive()
    await good(far(archive).append(START, drafts(range(1, count + 1))))
    return archive


def snapshot_after(seq: int, body: bytes = b'{"fleet":1}') -> Snapshot:
    """Return a snapshot that agrees with the rows of ``far_with``."""
    head = head_after(seq)
    return Snapshot(seq=seq, digest=head.digest, rules=2, body=body)


# For tools


def waiting(archive: FakeArchive, *faults: Fault) -> Waiting:
    wire = FakeWire(archive)
    wire.faults.extend(faults)
    return Waiting(wire)


def filled(rows: tuple[Row, ...], base: Snapshot | None = None) -> FakeArchive:
    archive = FakeArchive()
    with closing(waiting(archive)) as one:
        opened(import_far(one, 1, iter(rows), base))
    return archive


def reading(archive: FakeArchive, *faults: Fault) -> Reading:
    return Reading(opened(open_far(waiting(archive, *faults))))
