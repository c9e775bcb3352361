"""Laws of stories: what is told of a stretch is what its rows fold to, however cut."""

from __future__ import annotations

import asyncio
from collections import Counter

import attrs
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.core.moments import Moment
from orchestrator.core.phases import phase_name
from orchestrator.core.state import Fleet
from orchestrator.core.uptimes import is_ready, is_wanted
from orchestrator.journal.reading import entry_of
from orchestrator.replay.history import Entry
from orchestrator.replay.places import AfterRow, AtMoment, Place
from orchestrator.replay.timelines.stretches import Timeline
from orchestrator.replay.timelines.telling import timeline
from orchestrator.runtime.pieces import FleetHistory
from orchestrator.runtime.stories import Stories, Telling
from orchestrator.runtime.travel import Travel
from orchestrator.runtime.views import View
from tests.replay.golden import POLICIES, SEEDS
from tests.runtime.travel_kit import compacted, fleets, history, present

COUNT = 150


@attrs.frozen(kw_only=True)
class Stretch:
    """A journal, from row *base* on, and a part of it, given by rows or by moments."""

    seed: int
    base: int
    rows: tuple[int, ...]
    by_moment: bool
    points: int

    def place(self, row: int) -> Place:
        return AtMoment(self.at(row)) if self.by_moment and row else AfterRow(row)

    def at(self, row: int) -> Moment:
        return history(self.seed, COUNT)[row - 1].at if row else 0

    def last(self, row: int) -> int:
        """Return the row with which a part ends: a moment may have several rows."""
        if not self.by_moment:
            return row
        at = self.at(row)
        return max(one.seq for one in history(self.seed, COUNT) if one.at <= at)

    def entries(self) -> list[Entry]:
        found = map(entry_of, history(self.seed, COUNT))
        return [entry for entry in found if isinstance(entry, Entry)]

    async def told(self, first: int, last: int) -> FleetHistory:
        stories, now = await self.stories()
        telling = Telling(since=self.place(first), until=self.place(last))
        return (await stories.history(self.points, telling, now)).unwrap()

    async def stories(self) -> tuple[Stories, View]:
        journal = await compacted(self.seed, COUNT, self.base)
        now = present(self.at(COUNT), fleets(self.seed, COUNT)[COUNT], COUNT)
        return Stories(journal, Travel(journal, POLICIES), POLICIES), now


@st.composite
def stretches(draw: st.DrawFn) -> Stretch:
    base = draw(st.integers(0, 40))
    rows = draw(st.lists(st.integers(max(2, base), COUNT), min_size=3, max_size=3))
    return Stretch(
        seed=draw(st.sampled_from(SEEDS)),
        base=base,
        rows=tuple(sorted(rows)),
        by_moment=draw(st.booleans()),
        points=draw(st.integers(1, 40)),
    )


def counted(fleet: Fleet) -> tuple[int, int, dict[str, int]]:
    containers = list(fleet.containers.values())
    wanted = [one for one in containers if is_wanted(one)]
    ready = [one for one in wanted if is_ready(one)]
    phases = Counter(phase_name(one.phase) for one in containers)
    return len(wanted), len(ready), dict(phases)


WHOLE = Stretch(seed=2, base=0, rows=(2, 70, COUNT), by_moment=False, points=25)


@given(stretches())
@example(WHOLE)
@example(attrs.evolve(WHOLE, by_moment=True))
def test_a_point_is_the_fleet_after_its_row(stretch: Stretch) -> None:
    first, _, last = stretch.rows
    told = asyncio.run(stretch.told(first, last))
    rows = history(stretch.seed, COUNT)
    ends = stretch.last(last)
    assert (told.first_row, told.last_row) == (stretch.last(first) + 1, ends)
    assert told.points[-1].at == told.ends_at == max(told.begins_at, stretch.at(last))
    assert len(told.points) <= stretch.points
    for point in told.points:
        before = [row.seq for row in rows[:ends] if row.at <= point.at]
        assert point.seq == max(before, default=stretch.last(first))
        seen = point.wanted, point.ready, dict(point.phases.items())
        assert seen == counted(fleets(stretch.seed, COUNT)[point.seq])


def sums(told: FleetHistory) -> tuple[int, int]:
    crashes = sum(point.crashes for point in told.points)
    return crashes, sum(point.restarts for point in told.points)


@given(stretches())
@example(WHOLE)
def test_parts_of_a_stretch_add_up_to_the_whole(stretch: Stretch) -> None:
    first, middle, last = stretch.rows

    async def all_told() -> tuple[FleetHistory, FleetHistory, FleetHistory]:
        return (
            await stretch.told(first, middle),
            await stretch.told(middle, last),
            await stretch.told(first, last),
        )

    one, other, whole = map(sums, asyncio.run(all_told()))
    assert (one[0] + other[0], one[1] + other[1]) == whole
    begin, end = stretch.last(first), stretch.last(last)
    entries = stretch.entries()[begin:end]
    fleet = fleets(stretch.seed, COUNT)[begin]
    totals = [
        course.totals
        for course in timeline(entries, fleet=fleet, policies=POLICIES).courses
    ]
    crashes = sum(one.crashes for one in totals)
    assert whole == (crashes, sum(one.restarts for one in totals))


@given(stretches())
@example(WHOLE)
def test_a_timeline_of_a_part_is_that_of_its_rows(stretch: Stretch) -> None:
    first, _, last = stretch.rows
    begin, end = stretch.last(first), stretch.last(last)
    names = list(fleets(stretch.seed, COUNT)[end].containers)
    name = names[len(names) // 2]

    async def told() -> Timeline:
        stories, now = await stretch.stories()
        telling = Telling(since=stretch.place(first), until=stretch.place(last))
        return (await stories.timeline(name, telling, now)).unwrap()

    direct = timeline(
        stretch.entries()[begin:end],
        fleet=fleets(stretch.seed, COUNT)[begin],
        policies=POLICIES,
        containers=(name,),
        since=stretch.place(first),
    )
    if begin < end:
        assert asyncio.run(told()) == direct
