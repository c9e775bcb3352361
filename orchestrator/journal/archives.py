"""The rows that a compaction cuts off, in a file of their own, which is read again.

Both journals that are compacted take this step: one that nobody else uses
(``journal.compaction``), and one whose operator is at work (``runtime.compacting``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from glob import escape
from pathlib import Path

from orchestrator.core.errors import JournalCorrupt, JournalError, JournalUnavailable
from orchestrator.journal.jsonl import write_rows
from orchestrator.journal.lines import open_lines
from orchestrator.journal.port import Head, Row, Snapshot
from orchestrator.journal.reading import Reading

__all__ = ("archive_rows", "remove_unfinished")


def remove_unfinished(journal: Path, first: int) -> None:
    """Remove what a kill has left of an archive of *journal* that begins at a row.

    The next one may end at another row, and so have another name.
    """
    unfinished = f"{escape(journal.name)}.rows-{first}-*.partial"
    for left in journal.parent.glob(unfinished):
        left.unlink(missing_ok=True)


def archive_rows(
    archive: Path, rows: Iterable[Row], before: Snapshot | None, base: Snapshot
) -> JournalError | None:
    """Write the rows from *before* to *base* to a new file, and read it again.

    It is for its owner alone, as the journal is. What does not read back is removed.
    No file is written over.
    """
    if archive.exists():
        cause = f"{archive} is there already"
        return JournalUnavailable(cause=cause, retryable=False)
    written = write_rows(archive, rows, before)
    if not isinstance(written, Head):
        return written
    archive.chmod(0o600)
    read = Reading(open_lines(archive))
    deque(read.rows(), maxlen=0)
    read.close()
    found = (read.source.base, read.head, read.cut_at_line, read.error)
    if found == (before, base.head, None, None):
        return None
    archive.unlink()
    return read.error or JournalCorrupt(
        seq=read.head.seq + 1,
        place=f"{archive}",
        expected=f"rows up to {base.seq}",
        found=f"rows up to {read.head.seq}",
    )
