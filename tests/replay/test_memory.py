"""A history of any length is folded in the memory of one row, and of its fleet."""

from __future__ import annotations

import tracemalloc
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice
from pathlib import Path

import pytest

from orchestrator.core.events import (
    Booted,
    CommandAccepted,
    CommandKind,
    ContainerEnded,
    ContainerReady,
    ContainerStarted,
    Declaration,
    Event,
    FleetObserved,
    RemoveRequested,
    StartRequested,
    StopRequested,
)
from orchestrator.core.exits import Exited, Stopped
from orchestrator.core.reduce import step_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import RULES, Fleet
from orchestrator.core.steps import Step
from orchestrator.journal.jsonl import export_rows
from orchestrator.journal.port import START, Head, Row, chained
from orchestrator.journal.reading import RECORDING
from orchestrator.replay.history import NOTHING, Entry, fold, states
from orchestrator.replay.places import AfterRow
from orchestrator.replay.verifying import verify
from orchestrator.runtime.steps import draft_of
from tests.journal.opened import opened
from tests.replay.kit import entry_of, read_of

SHORT = 300
LONG = 10 * SHORT
PAGES = (2_500, 7_500)
"""Rows of exports."""

SLACK = 200 * 1024
"""Bytes: Python itself keeps some thousand small tuples for later, whatever is done."""


def events() -> Iterator[Event]:
    """Yield a life of one container after the other, each under a name of its own."""
    yield Booted(at=0, epoch=1, rules=RULES)
    yield FleetObserved(at=0, complete=True)
    for number in count():
        at, name, run = number * 10_000, f"job-{number}", number + 1
        spec = ContainerSpec(name=name, command=("run",))
        declared = Declaration(spec=spec, salt=number)
        yield StartRequested(at=at, name=name, declaration=declared)
        yield CommandAccepted(at=at + 1, name=name, kind=CommandKind.START, run=run)
        yield ContainerStarted(at=at + 2, name=name, run=run)
        yield ContainerReady(at=at + 3, name=name, run=run)
        yield ContainerEnded(at=at + 4, name=name, run=run, exit=Exited(code=1))
        yield StopRequested(at=at + 5, name=name)
        yield ContainerEnded(at=at + 6, name=name, run=run, exit=Stopped())
        yield RemoveRequested(at=at + 7, name=name)
        yield CommandAccepted(at=at + 8, name=name, kind=CommandKind.FORGET, run=run)


def steps() -> Iterator[Step]:
    fleet = NOTHING
    for event in events():
        step = step_of(fleet, event)
        fleet = step.after
        yield step


def entries(rows: int) -> Iterator[Entry]:
    for seq, step in enumerate(islice(steps(), rows), 1):
        yield entry_of(seq, step)


def drained(things: Iterable[object]) -> None:
    deque(things, maxlen=0)


def folded(rows: Iterable[Entry]) -> Fleet:
    return fold(rows)


def folded_to_a_place(rows: Iterable[Entry]) -> Fleet:
    return fold(rows, until=AfterRow(LONG))


def gone_through(rows: Iterable[Entry]) -> None:
    drained(states(rows))


def verified(rows: Iterable[Entry]) -> None:
    assert verify(rows, RECORDING).unwrap().compared


def peak(work: Callable[[], object]) -> int:
    """Return how many bytes some work needed at most, beyond what there was."""
    tracemalloc.start()
    try:
        _ = work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def held(
    work: Callable[[int], object], short_one: int = SHORT, long_one: int = LONG
) -> None:
    """Hold work on so many times the rows to the memory of the few."""
    _ = work(SHORT)  # what is kept for good is there afterwards
    short, long = peak(lambda: work(short_one)), peak(lambda: work(long_one))
    assert long < short + SLACK, (short, long)


def test_rows_that_are_kept_would_be_noticed() -> None:
    with pytest.raises(AssertionError):
        held(lambda rows: list(entries(rows)))


def test_the_example_is_a_life_and_not_a_row_of_refusals() -> None:
    *_, last = islice(steps(), LONG)
    assert last.after.ignored <= last.after.run_floor
    assert last.after.run_floor > LONG / 10
    assert len(last.after.containers) <= 1


@pytest.mark.parametrize("use", [folded, folded_to_a_place, gone_through, verified])
def test_memory_does_not_grow_with_the_length_of_a_history(
    use: Callable[[Iterable[Entry]], object],
) -> None:
    held(lambda rows: use(entries(rows)))


def rows_of(count_of_rows: int) -> Iterator[Row]:
    head = START
    for step in islice(steps(), count_of_rows):
        (row,) = chained(head, [draft_of(step)])
        head = Head(seq=row.seq, digest=row.digest)
        yield row


def test_nor_does_it_with_the_length_of_an_export(tmp_path: Path) -> None:
    """Two pages are in memory at once, so that both exports are longer."""
    sizes = (SHORT, *PAGES)
    paths = {rows: tmp_path / f"{rows}.jsonl.gz" for rows in sizes}
    for rows, path in paths.items():
        _ = opened(export_rows(path, rows_of(rows)))

    def read_again(rows: int) -> None:
        with read_of(paths[rows]) as read:
            drained(read.entries())
            assert read.head.seq == rows

    held(read_again, *PAGES)
