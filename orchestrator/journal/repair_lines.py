"""The whole part of a damaged export as a new one, and the rest as it stands.

The damaged file is let be: what is made of it stands beside it.
"""

from __future__ import annotations

from collections import deque
from contextlib import closing
from pathlib import Path
from typing import Final

import attrs

from orchestrator.core.errors import JournalError
from orchestrator.journal.beside import free_name
from orchestrator.journal.jsonl import sync, write_rows
from orchestrator.journal.lines import LinesReader, open_lines
from orchestrator.journal.pages import Page
from orchestrator.journal.port import Head
from orchestrator.journal.reading import Reading
from orchestrator.journal.unpacking import unpacked
from orchestrator.journal.whole_lines import WholeLines

__all__ = ("Repaired", "repair_lines")

_CHUNK: Final = 1 << 20


@attrs.frozen(kw_only=True)
class Repaired:
    """What a repair did: the end that is kept, and what is lost behind it.

    ``missing``: rows that the head file names and the journal does not have; None where
    nobody knows, without a head file, or of an export. ``moved``: rows, or lines,
    behind a damage, now in ``moved_to``.
    ``whole``: the new export; ``damaged``: the old database, where a new one has taken
    its place.
    """

    head: Head
    missing: int | None = None
    moved: int
    moved_to: Path | None
    whole: Path | None = None
    damaged: Path | None = None


def repair_lines(path: Path) -> Repaired | JournalError:
    """Write what is whole of an export to a new file, and what is not to another.

    An export whose first lines are damaged cannot be repaired: nothing is whole.
    """
    with closing(open_lines(path)) as source:
        read = Reading(source)
        deque(read.rows(), maxlen=0)
    if read.error is None and read.cut_at_line is None:
        return Repaired(head=read.head, missing=0, moved=0, moved_to=None)
    with closing(_reader(path)) as source:
        if source.problem is not None:
            return source.problem
        head = source.start
        for page in source.pages():
            if isinstance(page, Page):
                head = page.head
    return _split(path, source, head)


def _reader(path: Path) -> LinesReader:
    """Read a file to where a damage begins, to the byte."""
    return LinesReader(WholeLines(unpacked(path), name=str(path)))


def _split(path: Path, source: LinesReader, head: Head) -> Repaired | JournalError:
    """Write what is whole, which ends at *head*, and then the rest."""
    ending = "jsonl.gz" if path.suffix == ".gz" else "jsonl"
    whole = free_name(path, f"until-{head.seq}", ending)
    with closing(_reader(path)) as again:
        rows = Reading(again).rows()
        done = write_rows(whole, rows, source.base, source.redacted)
    if not isinstance(done, Head):
        return done
    side = free_name(path, f"after-{head.seq}", "txt")
    moved = _copy_rest(path, side, source.line_of(head.seq))
    return Repaired(
        head=head, moved=moved, moved_to=side if moved else None, whole=whole
    )


def _copy_rest(path: Path, side: Path, lines: int) -> int:
    """Copy all behind some lines to a new file; return how many lines that is."""
    count, is_open = 0, False
    with unpacked(path) as file, side.open("xb") as out:
        for _ in range(lines):
            file.readline()
        while part := file.readline(_CHUNK):
            out.write(part)
            count += not is_open
            is_open = not part.endswith(b"\n")
    if count:
        sync(side)
        sync(side.parent)
    else:
        side.unlink()
    return count
