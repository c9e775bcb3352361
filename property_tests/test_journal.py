"""Laws of the journals: all agree with a list, and no altered row goes unseen."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import attrs
import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.codec.wire import encode_event
from orchestrator.core.errors import JournalCompacted
from orchestrator.journal.jsonl import export_rows
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.port import (
    START,
    Draft,
    Head,
    Journal,
    Row,
    Snapshot,
    broken,
    chained,
)
from orchestrator.journal.snapshots import NEWEST_KEPT, kept
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.testing.strategies import events
from tests.journal.opened import all_of, bad, good, opened

DRAFTS = st.builds(
    lambda event, changes: Draft(
        at=event.at, event=encode_event(event), commands=b"[]", changes=changes
    ),
    events(),
    st.binary(min_size=32, max_size=32),
)
BATCHES = st.lists(st.lists(DRAFTS, max_size=4).map(tuple), max_size=5)


async def _agrees(journal: Journal, batches: list[tuple[Draft, ...]]) -> None:
    expected: tuple[Row, ...] = ()
    head = START
    for batch in batches:
        expected += chained(head, batch)
        if batch and expected[:-1]:
            await bad(journal.append(attrs.evolve(head, seq=head.seq + 1), batch))
        head = await good(journal.append(head, batch))
        last = expected[-1] if expected else None
        assert head == (
            START if last is None else Head(seq=last.seq, digest=last.digest)
        )
    assert await good(journal.read(0, 1000)) == expected
    for after in range(len(expected)):
        assert await good(journal.read(after, 2)) == expected[after : after + 2]
    await good(journal.close())


@given(BATCHES)
def test_every_journal_agrees_with_a_list(batches: list[tuple[Draft, ...]]) -> None:
    async def both() -> None:
        await _agrees(MemoryJournal(), batches)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "journal.db"
            await _agrees(await good(open_sqlite(path)), batches)

    asyncio.run(both())


@st.composite
def tampered(draw: st.DrawFn) -> tuple[tuple[Row, ...], int]:
    """Draw rows that were changed, with the number of the first in doubt."""
    drafts = draw(st.lists(DRAFTS, min_size=2, max_size=6))
    rows = list(chained(START, drafts))
    place = draw(st.integers(0, len(rows) - 2))
    match draw(st.sampled_from(["alter", "drop", "swap", "repeat"])):
        case "alter":
            event = rows[place].event + b" "
            rows[place] = attrs.evolve(rows[place], event=event)
        case "drop":
            del rows[place]
        case "swap":
            rows[place], rows[place + 1] = rows[place + 1], rows[place]
        case _:
            rows.insert(place, rows[place])
            place += 1
    return tuple(rows), place + 1


@given(tampered())
def test_the_first_altered_dropped_swapped_or_repeated_row_is_named(
    case: tuple[tuple[Row, ...], int],
) -> None:
    rows, first = case
    damage = broken(START, rows)
    assert damage is not None
    assert damage.seq == first


@given(st.lists(DRAFTS, max_size=6), st.integers(0, 6))
@example([], 0)
def test_a_chain_goes_on_from_any_of_its_rows(drafts: list[Draft], cut: int) -> None:
    rows = chained(START, drafts)
    head = (
        START
        if not rows[:cut]
        else Head(seq=rows[:cut][-1].seq, digest=rows[:cut][-1].digest)
    )
    assert rows[:cut] + chained(head, drafts[cut:]) == rows


@given(st.lists(DRAFTS, min_size=1, max_size=8), st.data())
def test_a_journal_behind_a_base_agrees_with_the_rows_it_keeps(
    drafts: list[Draft], data: st.DataObject
) -> None:
    """Read at any place, find any snapshot: as the whole journal, from its base on."""
    rows = chained(START, drafts)
    cut = data.draw(st.integers(1, len(rows)))
    behind = range(cut + 1, len(rows) + 1)
    taken = {seq for seq in behind if data.draw(st.booleans())}
    saved = [
        Snapshot(seq=seq, digest=rows[seq - 1].digest, rules=2, body=b"%d" % seq)
        for seq in sorted(taken)
    ]
    base = Snapshot(seq=cut, digest=rows[cut - 1].digest, rules=2, body=b"{}")
    expected = {one.seq: one for one in saved if one.seq in kept(taken)}

    async def holds(journal: Journal) -> None:
        head = await good(journal.head())
        assert head == base.head
        head = await good(journal.append(head, tuple(drafts[cut:])))
        assert head == Head(seq=len(rows), digest=rows[-1].digest)
        for snapshot in saved:
            await good(journal.save_snapshot(snapshot))
        for place in range(len(rows) + 1):
            found, newest = journal.read(place, 3), journal.latest_snapshot(place)
            if place < cut:
                gone = JournalCompacted(asked=place, base=cut)
                assert await bad(found) == await bad(newest) == gone
                continue
            assert await good(found) == rows[place : place + 3]
            before = [expected[seq] for seq in sorted(expected) if cut < seq <= place]
            assert await good(newest) == (before[-1] if before else base)
        await good(journal.close())

    async def both() -> None:
        await holds(MemoryJournal(base))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "journal.db"
            await holds(await good(open_sqlite(path, base=base)))

    asyncio.run(both())


@given(st.lists(st.integers(1, 5_000), min_size=1, max_size=300))
@example([1] * 300)
@example([2**k for k in range(30)])
def test_snapshots_are_few_and_one_is_near_whatever_is_looked_for(
    distances: list[int],
) -> None:
    """About one for each doubling; at most four times as far as what was saved."""
    there: tuple[int, ...] = ()
    saved: list[int] = []
    seq = 0
    for distance in distances:
        seq += distance
        saved.append(seq)
        there = kept((*there, seq))
        assert there[-NEWEST_KEPT:] == tuple(saved[-NEWEST_KEPT:])
        assert len(there) <= NEWEST_KEPT + 1 + seq.bit_length()
        assert saved[0] == there[0]
    for wanted in saved:
        nearest = max(one for one in there if one <= wanted)
        assert seq - nearest <= 4 * (seq - wanted)


@given(st.lists(DRAFTS, max_size=8), st.data())
def test_an_export_is_read_as_it_was_written_whole_or_compacted(
    drafts: list[Draft], data: st.DataObject
) -> None:
    rows = chained(START, drafts)
    cut = data.draw(st.integers(0, len(rows)))
    base = None
    if cut:
        digest = rows[cut - 1].digest
        body = orjson.dumps(data.draw(st.dictionaries(st.text(), st.integers(0, 9))))
        base = Snapshot(seq=cut, digest=digest, rules=2, body=body)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("journal.jsonl", "journal.jsonl.gz"):
            path = Path(folder) / name
            opened(export_rows(path, rows[cut:], base))
            read = all_of(path)
            assert read.is_whole
            assert (read.base, read.rows) == (base, rows[cut:])
