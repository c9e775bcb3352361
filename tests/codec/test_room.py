"""What is kept of texts takes their own room: orjson writes even a short one into 4 KB.

Readers keep some thousand texts, the API ten thousand, a journal in memory three for
each row; so each must be a copy.
"""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Callable

import attrs
import orjson
from attrs.validators import instance_of

from orchestrator.codec.alike import alike_reader
from orchestrator.codec.wire import decode_event, encode_event
from orchestrator.core.events import ContainerReady
from orchestrator.core.table import Table
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.port import START, Draft, Head
from orchestrator.runtime.outcomes import settled

COUNT = 400


def room(work: Callable[[int], object]) -> float:
    """Return how many bytes more are held after each of many calls of *work*."""
    for number in range(10):  # what is made once is none of it
        _ = work(-number)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(COUNT):
            _ = work(number)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return (after - before) / COUNT


def test_a_table_that_is_shared_takes_little() -> None:
    def read(number: int) -> None:
        ports = Table.of([("http", f"127.0.0.1:{30_000 + number}")])
        ready = ContainerReady(at=1, name="web", run=1, addresses=ports)
        assert decode_event(encode_event(ready)).unwrap() == ready

    assert room(read) < 1_500


@attrs.frozen
class Thing:
    name: str = attrs.field(validator=instance_of(str))
    value: int


def test_a_value_that_others_are_made_of_takes_little() -> None:
    read = alike_reader(
        Thing, ("name",), lambda tree: Thing(tree["name"], tree["value"])
    )
    assert room(lambda number: read({"name": "a", "value": number})) < 1_000


def test_a_row_in_memory_takes_little() -> None:
    journal, head = MemoryJournal(), START

    def append(number: int) -> None:
        nonlocal head
        texts = [orjson.dumps({part: number}) for part in ("event", "other", "third")]
        draft = Draft(at=1, event=texts[0], commands=texts[1], changes=texts[2])
        found = asyncio.run(settled(journal.append(head, (draft,))))
        assert isinstance(found, Head)
        head = found

    assert room(append) < 1_500
