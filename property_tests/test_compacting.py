"""Laws of compaction while it is written: whenever a journal is cut, all after is same.

Rows come in pieces, a compaction looks between them, as often and with whatever is to
be kept. A journal that nobody cuts is what it is compared with.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from unittest.mock import patch

import attrs
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.codec.wire import decode_fleet
from orchestrator.core.errors import JournalCompacted
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.port import Compactable
from orchestrator.journal.reading import RECORDING, entry_of
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.replay.history import NOTHING, Entry
from orchestrator.replay.places import AfterRow
from orchestrator.replay.verifying import verify
from orchestrator.runtime import compacting as module
from orchestrator.runtime import retention
from orchestrator.runtime.clock import Clock
from orchestrator.runtime.compacting import Compacting
from orchestrator.runtime.hooks import Hooks
from orchestrator.runtime.loop import Loop
from orchestrator.runtime.recovery import recover, snapshot_of
from orchestrator.runtime.retention import Keep
from orchestrator.runtime.travel import Travel
from orchestrator.runtime.views import View
from tests.journal.opened import Read, all_of
from tests.replay.golden import POLICIES, SEEDS
from tests.runtime.kit import value
from tests.runtime.travel_kit import NAME, draft, fleets, head_of, history

COUNT = 150


@attrs.frozen(kw_only=True)
class Life:
    """A journal as it comes to be: pieces of rows, and what is done between them.

    ``looks``: behind which piece a compaction looks, ``saves``: behind which the fleet
    is saved.
    """

    seed: int
    pieces: tuple[int, ...]
    looks: frozenset[int]
    saves: frozenset[int]
    keep: Keep
    step: int
    is_archived: bool


@st.composite
def lives(draw: st.DrawFn) -> Life:
    cuts = draw(st.sets(st.integers(1, COUNT - 1), max_size=8))
    pieces = (*sorted(cuts), COUNT)
    places = st.frozensets(st.integers(0, len(pieces) - 1))
    keep = draw(
        st.builds(
            Keep,
            rows=st.none() | st.integers(1, COUNT),
            ms=st.none() | st.sampled_from((0, 1, 1_000, 10_000, 60_000)),
        )
    )
    return Life(
        seed=draw(st.sampled_from(SEEDS)),
        pieces=pieces,
        looks=draw(places),
        saves=draw(places),
        keep=keep,
        step=draw(st.integers(1, COUNT)),
        is_archived=draw(st.booleans()),
    )


async def _lived(journal: Compactable, life: Life, folder: Path) -> int:
    """Write a journal, cut it on the way; return the row that it begins behind."""
    rows, known = history(life.seed, COUNT), fleets(life.seed, COUNT)
    archive = folder / "journal.db" if life.is_archived else None
    keep = attrs.evolve(life.keep, archive=archive)
    recovered = await value(recover(journal, NAME, POLICIES))
    loop = Loop(recovered, journal, Clock(), Hooks(None), POLICIES)
    compacting = Compacting(journal, keep, loop, Travel(journal, POLICIES), POLICIES)
    written, base = 0, 0
    for place, end in enumerate(life.pieces):
        head = head_of(rows, written)
        drafts = tuple(map(draft, rows[written:end]))
        assert await value(journal.append(head, drafts)) == head_of(rows, end)
        if place in life.saves:
            snapshot = snapshot_of(known[end], head_of(rows, end))
            await value(journal.save_snapshot(snapshot))
        while place in life.looks and await compacting.look():
            pass
        assert loop.telemetry.compaction_failures == 0
        begin = await value(journal.beginning())
        base = 0 if begin is None else begin.seq
        written = end
        assert await value(journal.head()) == head_of(rows, end)
        again = await value(recover(journal, NAME, POLICIES))
        assert (again.fleet, again.head) == (known[end], head_of(rows, end))
    return base


def _last(archive: Read) -> int:
    return archive.head.seq


async def _is_same_behind(journal: Compactable, life: Life, base: int) -> None:
    rows, known = history(life.seed, COUNT), fleets(life.seed, COUNT)
    assert await value(journal.read(base, COUNT)) == rows[base:]
    begin = await value(journal.beginning())
    fleet = NOTHING if begin is None else decode_fleet(begin.body).unwrap()
    entries = [entry_of(row) for row in rows[base:]]
    assert all(isinstance(entry, Entry) for entry in entries)
    verdict = verify(entries, RECORDING, fleet=fleet, policies=POLICIES)  # type: ignore[arg-type]
    assert verdict.unwrap().fleet.containers == known[COUNT].containers
    now = View(seq=COUNT, at=rows[-1].at, fleet=known[COUNT])
    travel = Travel(journal, POLICIES)
    for row in range(0, COUNT + 1, 7):
        seen = await travel.to(AfterRow(row), now)
        if row < base:
            assert seen.failure() == JournalCompacted(asked=row, base=base)
        else:
            assert seen.unwrap().fleet == known[row]


@settings(max_examples=20)
@given(lives())
@example(
    Life(
        seed=SEEDS[0],
        pieces=(10, 11, 80, COUNT),
        looks=frozenset({0, 1, 2, 3}),
        saves=frozenset({1, 2}),
        keep=Keep(rows=1, ms=0),
        step=3,
        is_archived=True,
    )
)
def test_a_journal_that_is_cut_at_any_moment_is_the_same_behind_the_cut(
    life: Life,
) -> None:
    async def both() -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "here.db"
            stored = await value(open_sqlite(path))
            for journal in (MemoryJournal(), stored):
                place = Path(folder) / type(journal).__name__
                place.mkdir()
                base = await _lived(journal, life, place)
                await _is_same_behind(journal, life, base)
                archived = sorted(
                    map(all_of, place.iterdir()), key=lambda a: a.head.seq
                )
                if life.is_archived:
                    gone = sum((one.rows for one in archived), ())
                    assert gone == history(life.seed, COUNT)[:base]
                await value(journal.close())
            assert all_of(path).is_whole

    with (
        patch.object(module, "PAGE", 11),
        patch.object(retention, "STEP", life.step),
        patch.object(retention, "LEAST", 1),
    ):
        asyncio.run(both())
