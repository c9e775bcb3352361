"""How much of a journal is kept, and which of its rows are due to go.

A step is worth its while when a tenth of what is kept is due, and takes no more rows
than one transaction cuts off within some hundredths of a second. A base is about as
long as there are containers: they count as rows do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import attrs
from attrs.validators import ge, instance_of, le, optional

from orchestrator.codec.problems import invalid
from orchestrator.core.errors import InvalidSpec, JournalCorrupt, JournalError
from orchestrator.core.moments import DURATION_MAX, Millis, Moment
from orchestrator.journal.port import START, Compactable, Head, Journal, Snapshot
from orchestrator.runtime.outcomes import settled

__all__ = ("LEAST", "STEP", "Due", "Keep", "due_rows", "no_row", "not_compactable")

STEP: Final = 5_000
"""Rows of one step; or as many as there are containers, where that is more."""

LEAST: Final = 100
"""Rows that are worth a step; or a tenth of what is kept, where that is more."""


@attrs.frozen(kw_only=True)
class Keep:
    """How much of a journal is kept: the newest *rows*, what came in the last *ms*.

    Whatever either of them lets go goes; None of both keeps all. The time is counted
    back from the newest row. *archive*: where the rows that go are written to, each
    step to a file of its own, ``ARCHIVE.rows-1-5000.jsonl.gz``; None lets them go for
    good.
    """

    rows: int | None = attrs.field(
        default=None, validator=optional([instance_of(int), ge(1)])
    )
    ms: Millis | None = attrs.field(
        default=None, validator=optional([instance_of(int), ge(0), le(DURATION_MAX)])
    )
    archive: Path | None = None


@attrs.frozen(kw_only=True)
class Due:
    """Rows up to ``cut`` go in the next step, behind ``base``, which goes, too.

    ``is_last``: no more rows are due.
    """

    base: Snapshot | None
    cut: int
    is_last: bool

    @property
    def start(self) -> Head:
        """Return what the rows begin behind now."""
        return START if self.base is None else self.base.head


def not_compactable(journal: Journal, keep: Keep | None) -> InvalidSpec | None:
    """Return why a journal cannot be kept so; None where it can."""
    if keep is None or isinstance(journal, Compactable):
        return None
    expected = "a journal that can be cut short while it is written (begin_behind)"
    return invalid("keep", expected, type(journal).__name__)


async def due_rows(
    journal: Journal, keep: Keep, containers: int
) -> Due | JournalError | None:
    """Return which rows are to go now; None where they are too few."""
    base = await settled(journal.beginning())
    if isinstance(base, JournalError):
        return base
    head = await settled(journal.head())
    if not isinstance(head, Head):
        return head
    start = 0 if base is None else base.seq
    last = await _last(journal, keep, start, head.seq)
    if not isinstance(last, int):
        return last
    if last - start < max(LEAST, (head.seq - last + containers) // 10):
        return None
    cut = min(last, start + max(STEP, containers))
    return Due(base=base, cut=cut, is_last=cut == last)


async def _last(
    journal: Journal, keep: Keep, start: int, head: int
) -> int | JournalError:
    """Return the newest row that may go; the newest of all stays."""
    last = start if keep.rows is None else head - keep.rows
    if keep.ms is not None and head > start:
        newest = await _at(journal, head)
        if isinstance(newest, JournalError):
            return newest
        older = await _older(journal, newest - keep.ms, start, head)
        if isinstance(older, JournalError):
            return older
        last = max(last, older)
    return max(start, min(last, head - 1))


async def _older(
    journal: Journal, at: Moment, low: int, high: int
) -> int | JournalError:
    """Return the last row that came before a moment, by halving; *low*: none."""
    while low < high:
        middle = (low + high + 1) // 2
        came = await _at(journal, middle)
        if isinstance(came, JournalError):
            return came
        low, high = (middle, high) if came < at else (low, middle - 1)
    return low


async def _at(journal: Journal, seq: int) -> Moment | JournalError:
    rows = await settled(journal.read(seq - 1, 1))
    if not isinstance(rows, tuple):
        return rows
    return rows[0].at if rows else no_row(seq)


def no_row(seq: int) -> JournalCorrupt:
    """Say that a row is not there, and should be."""
    return JournalCorrupt(
        seq=seq, place="row", expected=f"row {seq}", found="the journal's end"
    )
