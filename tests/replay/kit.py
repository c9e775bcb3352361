"""Journals of tests, read to their end and closed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.codec.changes import encode_changes
from orchestrator.core.steps import Step
from orchestrator.journal.reading import Reading, open_reading
from orchestrator.replay.history import Entry
from tests.journal.opened import opened


@contextmanager
def read_of(path: Path) -> Iterator[Reading]:
    """Read a journal that is whole, and close it."""
    read = opened(open_reading(path))
    try:
        yield read
        assert (read.error, read.cut_at_line) == (None, None)
    finally:
        read.close()


def entry_of(seq: int, step: Step) -> Entry:
    """Return a step as the entry that the operator's row would give."""
    changes = encode_changes(step.before, step.after, step.touched)
    return Entry(seq=seq, event=step.event, commands=step.commands, changes=changes)


def entries_of(steps: Iterable[Step]) -> list[Entry]:
    return [entry_of(seq, step) for seq, step in enumerate(steps, 1)]
