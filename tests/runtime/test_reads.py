"""What a running operator shows: now, and at any place of its past."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import attrs
import pytest

from orchestrator import InvalidSpec, JournalCompacted, settled
from orchestrator.codec.journal_choice import SNAPSHOT_EVERY, SNAPSHOT_EVERY_MAX
from orchestrator.core.errors import ContainerNotFound, OperatorClosed
from orchestrator.core.explain import container_info
from orchestrator.core.reduce import step_of
from orchestrator.core.state import RULES, Fleet, empty_fleet
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.port import Head, Snapshot
from orchestrator.replay.places import AfterRow, AtMoment
from orchestrator.runtime.operator import OpenFailed
from orchestrator.runtime.recovery import snapshot_of
from tests.runtime.kit import HOLD, LIMIT_MS, Kit, error, fleet, opened, spec, value
from tests.runtime.travel_kit import draft as draft_of_row
from tests.runtime.travel_kit import events_of, fill
from tests.runtime.virtual import in_virtual_time


class Saving(MemoryJournal):
    """A journal that remembers which snapshots were saved."""

    def __init__(self) -> None:
        super().__init__()
        self.saved: list[int] = []

    def save_snapshot(self, snapshot: Any) -> Any:
        self.saved.append(snapshot.seq)
        return super().save_snapshot(snapshot)


async def lively(kit: Kit) -> None:
    """Let things happen: starts, crashes, a restart, an ad-hoc container that goes."""
    operator = kit.operator
    await value(operator.wait("web", limit_ms=LIMIT_MS))
    await kit.container("dead", "crash_looping")
    await value(operator.start_container("extra", {"a": 1}))
    await value(operator.restart_container("web", why="for once"))
    await kit.until(lambda: operator.fleet.containers["web"].run == 2)
    await value(operator.stop_container("extra"))
    await value(operator.wait("extra", "stopped", limit_ms=LIMIT_MS))
    assert await settled(operator.remove_container("extra")) is None
    await value(operator.wait("web", limit_ms=LIMIT_MS))


async def past_of(journal: MemoryJournal) -> list[Fleet]:
    """Return the fleet before the first row, and after each, folded from the rows."""
    rows = await value(journal.read(0, 10_000))
    found = [empty_fleet("demo")]
    for event in events_of(rows):
        found.append(step_of(found[-1], event).after)
    return found


DECLARED = fleet(spec("web"), spec("dead", HOLD))
LATE_MS = 10


@pytest.mark.parametrize("every", [1, 3, SNAPSHOT_EVERY])
@in_virtual_time
async def test_every_row_of_its_life_can_be_seen(every: int) -> None:
    journal = Saving()
    async with opened(DECLARED, journal=journal, snapshot_every=every) as kit:
        await lively(kit)
        end = kit.operator.seq
        for seq, known in enumerate((await past_of(journal))[: end + 1]):
            assert await value(kit.operator.fleet_at(AfterRow(seq))) == known
        assert bool(journal.saved) == (every < end)


@in_virtual_time
async def test_what_is_asked_of_the_past_is_answered_from_its_moment() -> None:
    async with opened(DECLARED) as kit:
        await lively(kit)
        operator = kit.operator
        past = await past_of(kit.journal)
        while operator._loop.now() <= past[-1].at + LATE_MS:  # noqa: ASYNC110
            await asyncio.sleep(0.001)  # every moment that is asked for has come
        for seq in range(1, len(past), 3):
            then = past[seq]
            infos = await value(operator.list_containers(at=AfterRow(seq)))
            assert [info.name for info in infos] == list(then.containers)
            if "dead" not in then.containers:
                continue
            dead = then.containers["dead"]
            for late in (0, LATE_MS):
                moment = AtMoment(then.at + late)
                seen = await value(operator.view(moment))
                info = await value(operator.get_container_info("dead", at=moment))
                dead = seen.fleet.containers["dead"]
                assert info == container_info(seen.fleet, dead, then.at + late)
            row = await value(operator.explain("dead", at=AfterRow(seq)))
            assert row.phase == infos[0].phase
        running = next(
            seq
            for seq, one in enumerate(past)
            if "extra" in one.containers and one.containers["extra"].run
        )
        extra = operator.get_container_info("extra", at=AfterRow(running))
        assert (await value(extra)).desired == "running"
        gone = operator.get_container_info("extra", at=AfterRow(operator.seq))
        assert await error(gone) == ContainerNotFound(name="extra")
        assert await error(operator.explain("extra")) == ContainerNotFound(name="extra")


async def test_an_age_is_counted_from_the_moment_that_is_seen() -> None:
    async with opened(fleet(spec("web"))) as kit:
        await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
        fleet_now = kit.operator.fleet
        while kit.operator._loop.now() <= fleet_now.at:  # noqa: ASYNC110
            await asyncio.sleep(0)  # the next turn may be a minute away
        info = await value(
            kit.operator.get_container_info("web", at=AtMoment(fleet_now.at))
        )
        assert info.started_at is not None
        assert info.uptime_ms == fleet_now.at - info.started_at


@in_virtual_time
async def test_the_present_needs_no_journal_and_a_closed_operator_has_no_past() -> None:
    async with opened(fleet(spec("web"))) as kit:
        await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
        view = await value(kit.operator.view())
        assert (view.seq, view.fleet) == (kit.operator.seq, kit.operator.fleet)
    assert [info.name for info in kit.operator.infos()] == ["web"]
    assert await error(kit.operator.fleet_at(AfterRow(1))) == OperatorClosed()


@in_virtual_time
async def test_the_past_is_seen_while_more_comes_in() -> None:
    """Neither waits for the other: requests are made durable between the pages."""
    async with opened(DECLARED, snapshot_every=5) as kit:
        await lively(kit)
        operator = kit.operator
        past = await past_of(kit.journal)

        async def ask(number: int) -> None:
            name = f"more-{number}"
            await value(operator.start_container(name))
            await value(operator.wait(name, limit_ms=LIMIT_MS))

        async def travel(seq: int) -> None:
            assert await value(operator.fleet_at(AfterRow(seq))) == past[seq]

        before = operator.seq
        places = [*range(len(past)), *range(len(past) - 1, -1, -1)]
        await asyncio.gather(*map(ask, range(8)), *map(travel, places))
        assert operator.seq > before
        assert operator.violations == 0
        end = operator.seq
        newest = await value(operator.fleet_at(AfterRow(end)))
        assert newest == (await past_of(kit.journal))[end]


@in_virtual_time
async def test_what_has_not_come_yet_is_refused() -> None:
    async with opened(fleet(spec("web"))) as kit:
        await value(kit.operator.converge(limit_ms=LIMIT_MS, steady_ms=0))
        seq = kit.operator.seq
        for place in (AfterRow(seq + 100), AtMoment(kit.operator._loop.now() + 10_000)):
            refused = await error(kit.operator.list_containers(at=place))
            assert isinstance(refused, InvalidSpec)
            assert refused.problems[0].place == "at"


async def reopened_behind_a_base(rules: int) -> tuple[Fleet, MemoryJournal]:
    """Let an operator live, then compact its journal to its end."""
    first = MemoryJournal()
    async with opened(DECLARED, journal=first) as kit:
        await lively(kit)
    head, end = await value(first.head()), kit.operator.fleet
    base = attrs.evolve(snapshot_of(end, head), rules=rules)
    return end, MemoryJournal(base)


@pytest.mark.parametrize("rules", [RULES, RULES - 1])
@in_virtual_time
async def test_an_operator_goes_on_behind_what_was_compacted(rules: int) -> None:
    end, journal = await reopened_behind_a_base(rules)
    base = await value(journal.beginning())
    assert base is not None
    async with opened(DECLARED, journal=journal) as kit:
        operator = kit.operator
        assert list(operator.fleet.containers) == list(end.containers)
        await value(operator.start_container("late"))
        assert await value(operator.fleet_at(AfterRow(base.seq))) == end
        first = await value(operator.events(limit=1))
        assert [record.seq for record in first] == [base.seq + 1]
        behind = JournalCompacted(asked=3, base=base.seq)
        assert await error(operator.events(3)) == behind
        assert await error(operator.fleet_at(AfterRow(3))) == behind
        assert await value(operator.fleet_at(AfterRow(operator.seq))) == operator.fleet


@in_virtual_time
async def test_a_changed_rule_book_begins_with_a_full_snapshot() -> None:
    """Also where none was saved before: the rows tell by which rules they are."""
    written = MemoryJournal()
    async with opened(DECLARED, journal=written) as kit:
        await lively(kit)
        rows = await value(written.read(0, 10_000))
    old = b'"rules":%d' % (RULES - 1)
    drafts = tuple(
        attrs.evolve(draft, event=draft.event.replace(b'"rules":%d' % RULES, old))
        for draft in map(draft_of_row, rows)
    )
    journal = Saving()
    await value(journal.append(await value(journal.head()), drafts))
    async with opened(DECLARED, journal=journal) as kit:
        assert journal.saved == [len(rows)]
        snapshot = await value(journal.latest_snapshot(len(rows)))
        assert snapshot is not None
        assert snapshot.rules == RULES
        assert (
            await value(kit.operator.fleet_at(AfterRow(len(rows))))
            == ((await past_of(journal))[len(rows)])
        )


@pytest.mark.parametrize("wrong", [0, -1, SNAPSHOT_EVERY_MAX + 1, True, "7"])
@in_virtual_time
async def test_snapshots_at_impossible_distances_are_refused(wrong: Any) -> None:
    with pytest.raises(OpenFailed, match="a number of rows from 1 to 1000000") as found:
        async with opened(fleet(), snapshot_every=wrong):
            raise AssertionError
    assert isinstance(found.value.error, InvalidSpec)
    assert found.value.error.problems[0].place == "snapshot_every"


@in_virtual_time
async def test_rows_are_counted_from_the_last_snapshot_not_the_last_boot() -> None:
    """An operator that is killed again and again leaves no more and more to fold."""
    written = MemoryJournal()
    async with opened(DECLARED, journal=written) as kit:
        await lively(kit)
        rows = await value(written.read(0, 10_000))
    for every, saved in ((len(rows) - 1, [True]), (10 * len(rows), [])):
        journal = Saving()  # as a killed one leaves it: without a snapshot
        await fill(journal, rows)
        async with opened(DECLARED, journal=journal, snapshot_every=every) as kit:
            await kit.until(lambda: kit.operator.seq > len(rows))
            await kit.operator._loop._snapshots.over()
            assert [seq > len(rows) for seq in journal.saved[:1]] == saved


@in_virtual_time
async def test_a_snapshot_is_written_in_another_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: list[str] = []

    def seen(fleet: Fleet, head: Head) -> Snapshot:
        threads.append(threading.current_thread().name)
        return snapshot_of(fleet, head)

    monkeypatch.setattr("orchestrator.runtime.snapshots.snapshot_of", seen)
    async with opened(DECLARED, snapshot_every=4) as kit:
        await lively(kit)
    assert len(threads) > 1
    assert threading.current_thread().name not in threads


@in_virtual_time
async def test_snapshots_come_as_often_as_they_are_asked_for() -> None:
    journal = Saving()
    async with opened(DECLARED, journal=journal, snapshot_every=4) as kit:
        await lively(kit)
        end = kit.operator.seq
    gaps = [b - a for a, b in zip([0, *journal.saved], journal.saved, strict=False)]
    assert len(gaps) > end / 12
    assert all(gap >= 4 for gap in gaps[:-1])  # the last one is that of the end
