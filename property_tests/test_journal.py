"""Laws of the journals: all agree with a list, and no altered row goes unseen."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import attrs
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.codec.wire import encode_event
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.port import START, Draft, Head, Journal, Row, broken, chained
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.testing.strategies import events
from tests.journal.opened import bad, good

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
