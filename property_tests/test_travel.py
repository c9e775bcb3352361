"""Laws of time travel: where a journey begins changes nothing of where it ends."""

from __future__ import annotations

import asyncio

import attrs
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.state import RULES, empty_fleet
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.port import Snapshot
from orchestrator.replay.history import Entry, fold
from orchestrator.replay.places import AfterRow, AtMoment, Place
from orchestrator.runtime.recovery import recover, snapshot_of
from orchestrator.runtime.travel import Travel
from tests.replay.golden import POLICIES, SEEDS
from tests.runtime.kit import value
from tests.runtime.travel_kit import (
    NAME,
    events_of,
    fill,
    fleets,
    head_of,
    history,
    present,
)

COUNT = 150


@attrs.frozen(kw_only=True)
class Journey:
    """A journal as it may be, and places to go to, one after the other."""

    seed: int
    base: int
    saved: tuple[tuple[int, int], ...]
    places: tuple[Place, ...]

    async def journal(self) -> MemoryJournal:
        begin = self._snapshot(self.base, RULES) if self.base else None
        journal = MemoryJournal(begin)
        later = [self._snapshot(seq, rules) for seq, rules in self.saved]
        await fill(journal, history(self.seed, COUNT)[self.base :], later)
        return journal

    def _snapshot(self, seq: int, rules: int) -> Snapshot:
        """Return a snapshot; one of other rules is wrong in every way."""
        head = head_of(history(self.seed, COUNT), seq)
        right = rules == RULES
        fleet = fleets(self.seed, COUNT)[seq] if right else empty_fleet("wrong")
        return attrs.evolve(snapshot_of(fleet, head), rules=rules)


@st.composite
def journeys(draw: st.DrawFn) -> Journey:
    seed = draw(st.sampled_from(SEEDS))
    rows = history(seed, COUNT)
    base = draw(st.just(0) | st.integers(1, COUNT))
    begins = rows[base - 1].at if base else -1
    saved = draw(
        st.dictionaries(
            st.integers(base + 1, COUNT), st.sampled_from((RULES, RULES - 1))
        )
        if base < COUNT
        else st.just({})
    )
    moments = st.integers(max(begins, 0), rows[-1].at + 1_000) | st.sampled_from(
        [row.at for row in rows if row.at >= begins]
    )
    places: st.SearchStrategy[Place] = st.builds(
        AfterRow, st.integers(base, COUNT)
    ) | st.builds(AtMoment, moments)
    wanted = draw(st.lists(places, min_size=1, max_size=6))
    return Journey(
        seed=seed,
        base=base,
        saved=tuple(sorted(saved.items())),
        places=tuple(wanted),
    )


def entries(seed: int) -> list[Entry]:
    rows = history(seed, COUNT)
    return [
        Entry(seq=row.seq, event=event, commands=(), changes=b"")
        for row, event in zip(rows, events_of(rows), strict=True)
    ]


@given(journeys())
def test_a_fleet_of_the_past_is_the_fold_of_all_rows_up_to_there(
    journey: Journey,
) -> None:
    async def went() -> None:
        travel = Travel(await journey.journal(), POLICIES)
        now = present(history(journey.seed, COUNT)[-1].at + 1_000)
        for place in journey.places:
            view = (await travel.to(place, now)).unwrap()
            whole = entries(journey.seed)
            known = fold(whole, fleet=empty_fleet(NAME), until=place, policies=POLICIES)
            assert view.fleet == known
            assert view.at == (place.at if isinstance(place, AtMoment) else known.at)

    asyncio.run(went())


@given(journeys())
def test_what_is_recovered_is_the_last_place_of_all(journey: Journey) -> None:
    async def recovered() -> None:
        journal = await journey.journal()
        found = await value(recover(journal, NAME, POLICIES))
        assert found.fleet == fleets(journey.seed, COUNT)[COUNT]

    asyncio.run(recovered())
