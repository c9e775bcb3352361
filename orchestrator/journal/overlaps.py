"""Archives that have the same rows: recognised before they are counted twice.

```
rows-1-50   was kept, for nobody knew whether the cut behind row 50 was made
rows-1-80   of the next cut: the first was not made, so these begin with row 1, too
```

Where the first cut was made after all, the next archive begins with row 51, and the two
join. Where it was not, the kept one serves again if the next cut is the same. If that
goes further it has all rows of the kept one, which goes once the cut is made. An
archive is found by its name, and what is in it is told by its digests: a file that
only looks like a copy is let be, and named.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from contextlib import closing, suppress
from glob import escape
from pathlib import Path
from typing import Final

import attrs

from orchestrator.journal.lines import open_lines
from orchestrator.journal.port import Head, Snapshot
from orchestrator.journal.reading import Reading

__all__ = ("Overlaps", "kept_already", "without_copies")

_NAMED: Final = re.compile(r"\.rows-(\d+)-(\d+)(?:\.\d+)?\.jsonl\.gz")


@attrs.frozen(kw_only=True)
class Overlaps:
    """Archives that begin with the same row as a newer one.

    ``removed``: all of their rows are in the newer one; ``left``: that is not so, or
    they could not be removed.
    """

    removed: tuple[Path, ...] = ()
    left: tuple[Path, ...] = ()


def kept_already(beside: Path, before: Snapshot | None, base: Snapshot) -> Path | None:
    """Return the archive of *beside* that has just the rows from *before* to *base*."""
    for archive, last in _archives(beside, before):
        if last == base.seq and _end_of(archive, before) == base.head:
            return archive
    return None


def without_copies(archive: Path, beside: Path, before: Snapshot | None) -> Overlaps:
    """Remove what *archive*, which begins behind *before*, has the rows of."""
    found = [one for one, _ in _archives(beside, before) if not _is_same(one, archive)]
    ends = {one: _end_of(one, before) for one in found}
    there = _heads_in(archive, {end.seq for end in ends.values() if end is not None})
    removed: list[Path] = []
    for one, end in ends.items():
        if end in there:
            with suppress(OSError):
                one.unlink()
                removed.append(one)
    left = tuple(one for one in found if one not in removed)
    return Overlaps(removed=tuple(removed), left=left)


def _archives(beside: Path, before: Snapshot | None) -> Iterator[tuple[Path, int]]:
    """Yield what is named as an archive of *beside* that begins behind *before*."""
    first = 1 if before is None else before.seq + 1
    pattern = f"{escape(beside.name)}.rows-{first}-*.jsonl.gz"
    for path in sorted(beside.parent.glob(pattern)):
        named = _NAMED.fullmatch(path.name.removeprefix(beside.name))
        if named is not None:
            yield path, int(named[2])


def _is_same(one: Path, other: Path) -> bool:
    return one.absolute() == other.absolute()


def _end_of(archive: Path, before: Snapshot | None) -> Head | None:
    """Return where an archive ends that is whole and begins behind *before*."""
    with suppress(OSError), closing(Reading(open_lines(archive))) as read:
        deque(read.rows(), maxlen=0)
        if (read.source.base, read.cut_at_line, read.error) == (before, None, None):
            return read.head
    return None


def _heads_in(archive: Path, seqs: set[int]) -> set[Head]:
    """Return those of some rows that an archive has."""
    if not seqs:
        return set()
    with suppress(OSError), closing(Reading(open_lines(archive))) as read:
        return {
            Head(seq=row.seq, digest=row.digest)
            for row in read.rows()
            if row.seq in seqs
        }
    return set()
