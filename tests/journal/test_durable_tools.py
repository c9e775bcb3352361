"""What a tool does with a journal behind a gateway: read it, fill it, cut it short."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import attrs
import pytest
from returns.result import Failure

from orchestrator.core.errors import (
    JournalCompacted,
    JournalConflict,
    JournalCorrupt,
    JournalError,
    JournalUnavailable,
    NotReplayable,
    StaleOperator,
    TimedOut,
)
from orchestrator.journal.compaction import Compacted, KeepRows, KeepTime, Retention
from orchestrator.journal.durable import imported, source
from orchestrator.journal.durable.adapter import DurableJournal
from orchestrator.journal.durable.answers import Leader
from orchestrator.journal.durable.asking import STRANGE
from orchestrator.journal.durable.compaction import compact_far
from orchestrator.journal.durable.imported import import_far
from orchestrator.journal.durable.source import DurableSource, open_far
from orchestrator.journal.lines import open_lines
from orchestrator.journal.pages import Page
from orchestrator.journal.port import START, Head, Row, Snapshot, chained
from orchestrator.journal.reading import Reading, beginning
from tests.journal.durable_kit import (
    at_once,
    far,
    filled,
    reading,
    snapshot_after,
    waiting,
)
from tests.journal.fake_archive import FakeArchive, FakeWire, Fault, result_of
from tests.journal.opened import all_of, base_after, drafts, head_after, opened, refused
from tests.replay.golden import GOLDEN, POLICIES

ROWS = chained(START, drafts(range(1, 8)))
EXPORT = GOLDEN / "journal.rules-3.2.jsonl.gz"


@pytest.fixture(autouse=True)
def _at_once() -> Iterator[None]:
    with at_once():
        yield


# Reading


@pytest.mark.parametrize("page_max", [1, 10_000])
def test_a_reading_is_that_of_any_journal(page_max: int) -> None:
    archive = filled(ROWS)
    archive.page_max = page_max
    read = reading(archive)
    assert read.source.expected == 7
    assert tuple(read.rows()) == ROWS
    assert (read.error, read.head, read.is_bare) == (None, head_after(7), False)
    for after in range(9):
        assert tuple(read.rows(after)) == ROWS[after:]
    read.close()
    read.close()


def test_what_is_appended_meanwhile_is_not_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(source, "PAGE", 2)
    archive = filled(ROWS[:5])
    read = reading(archive)
    rows = read.rows()
    seen = [next(rows)]
    with closing(waiting(archive)) as other:
        opened(import_far(other, 1, iter(ROWS)))
    seen += rows
    assert tuple(seen) == ROWS[:5]
    read.close()


def test_what_is_compacted_away_meanwhile_ends_the_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(source, "PAGE", 2)
    archive = filled(ROWS)
    read = reading(archive)
    rows = read.rows()
    seen = [*islice(rows, 2)]
    with closing(waiting(archive)) as other:
        other.archive.epoch = 1
        _ = other.done(other.archive.begin_behind(snapshot_after(4)))
    assert (tuple(seen), tuple(rows)) == (ROWS[:2], ())
    assert read.error == JournalCompacted(asked=2, base=4)
    assert tuple(read.rows(1)) == ()
    assert read.error == JournalCompacted(asked=1, base=4)
    read.close()


def test_a_damage_is_the_last_thing_that_is_read() -> None:
    archive = filled(ROWS)
    body = archive.rows[4].body
    archive.rows[4].body = body.replace(b'"at":4', b'"at":5')
    read = reading(archive)
    assert tuple(read.rows()) == ROWS[:3]
    assert isinstance(read.error, JournalCorrupt)
    assert read.error.seq == 4
    read.close()


def test_nothing_comes_behind_what_ends_the_pages() -> None:
    archive = filled(ROWS)
    whole = opened(open_far(waiting(archive)))
    lost = opened(open_far(waiting(archive, Fault.NONE, *[Fault.CUT] * 3)))
    archive.rows = {seq: row for seq, row in archive.rows.items() if seq < 3}
    *pages, damage = whole.pages()
    assert [row for page in pages if isinstance(page, Page) for row in page] == [
        *ROWS[:2]
    ]
    assert isinstance(damage, JournalCorrupt)
    assert damage.seq == 3
    assert [isinstance(one, JournalUnavailable) for one in lost.pages()] == [True]
    assert list(lost.pages(9)) == []
    archive.rows.clear()
    assert [isinstance(one, JournalCorrupt) for one in whole.pages()] == [True]
    for one in (whole, lost):
        one.close()


def test_a_head_that_is_another_one_at_the_end_is_damage() -> None:
    archive = filled(ROWS)
    read = reading(archive)
    assert isinstance(read.source, DurableSource)
    other = Head(seq=7, digest=bytes(32))
    read.source.state = attrs.evolve(read.source.state, head=other)
    assert tuple(read.rows()) == ROWS
    assert isinstance(read.error, JournalCorrupt)
    assert read.error.place == "end"
    read.close()


def test_a_journal_that_cannot_be_opened_says_why() -> None:
    for faults in ([Fault.CUT] * 3, [Fault.NONE, *[Fault.CUT] * 3]):
        archive = filled(ROWS[4:], base_after(4))
        error = refused(open_far(waiting(archive, *faults)))
        assert isinstance(error, JournalUnavailable)
    read = reading(filled(ROWS), *[Fault.NONE], *[Fault.CUT] * 3)
    assert tuple(read.rows()) == ()
    assert isinstance(read.error, JournalUnavailable)
    read.close()


def test_snapshots_are_found_and_the_base_is_one() -> None:
    archive = filled(ROWS[2:], base_after(2))
    with closing(waiting(archive)) as one:
        one.archive.epoch = 1
        for seq in (4, 6):
            _ = one.done(one.archive.save(snapshot_after(seq)))
    found = opened(open_far(waiting(archive)))
    assert [one.seq for one in found.snapshots()] == [6, 4]
    nearest = [found.snapshot(until) for until in range(9)]
    assert [one and one.seq for one in nearest] == [
        *(None, None, 2, 2, 4, 4, 6, 6, 6),
    ]
    found.close()
    # They are caches: where they cannot be had, there are none.
    unheard = opened(open_far(waiting(archive, *[Fault.NONE] * 2, *[Fault.CUT] * 9)))
    assert (list(unheard.snapshots()), unheard.snapshot(9)) == ([], base_after(2))
    unheard.close()
    for rows in (ROWS, ()):
        whole = opened(open_far(waiting(filled(rows))))
        assert (list(whole.snapshots()), whole.snapshot(9)) == ([], None)
        whole.close()


def test_who_leads_is_told() -> None:
    archive = FakeArchive(epoch=3)
    with closing(waiting(archive, Fault.NONE, Fault.NONE, Fault.GARBLED)) as one:
        ask = one.archive.leader
        assert one.done(ask()).unwrap() == Leader(epoch=3)
        archive.lease = {"epoch": 4, "holder": "a/1", "since": 5, "expires_in_ms": 6}
        expected = Leader(epoch=4, holder="a/1", since=5, expires_in_ms=6)
        assert one.done(ask()).unwrap() == expected
        assert one.done(ask()).failure() == JournalUnavailable(cause=STRANGE)
    with closing(waiting(archive, Fault.DENIED)) as denied:
        assert isinstance(denied.done(denied.archive.leader()), Failure)


# Filling


@pytest.mark.parametrize("base", [None, 3])
def test_an_import_makes_the_same_journal(
    base: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imported, "PAGE", 2)
    start = None if base is None else base_after(base)
    rows = ROWS[base or 0 :]
    read = reading(filled(rows, start))
    assert (read.source.base, tuple(read.rows())) == (start, rows)
    read.close()


@pytest.mark.parametrize("base", [None, 3])
@pytest.mark.parametrize("broke_off_at", range(8))
def test_an_import_that_broke_off_goes_on(
    broke_off_at: int, base: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imported, "PAGE", 3)
    start = None if base is None else base_after(base)
    rows = ROWS[base or 0 :]
    archive = filled(rows[:broke_off_at], start)
    with closing(waiting(archive)) as one:
        assert opened(import_far(one, 1, iter(rows), start)) == head_after(7)
    read = reading(archive)
    assert (read.source.base, tuple(read.rows())) == (start, rows)
    read.close()


def test_nothing_is_written_over() -> None:
    other = chained(START, drafts([1, 2, 33]))
    cases: list[tuple[tuple[Row, ...], tuple[Row, ...], Snapshot | None]] = [
        (other, ROWS, None),  # another third row
        (ROWS, ROWS[:5], None),  # it has more rows
        (ROWS[:2], ROWS[3:], base_after(3)),  # it begins elsewhere
    ]
    for there, rows, base in cases:
        archive = filled(there)
        with closing(waiting(archive)) as one:
            error = refused(import_far(one, 1, iter(rows), base))
        assert isinstance(error, JournalUnavailable)
        assert error.cause.startswith("it is not empty: it ends at row ")
        assert not error.retryable
        read = reading(archive)
        assert tuple(read.rows()) == there
        read.close()


@pytest.mark.parametrize("before", range(5))
def test_an_import_says_what_is_in_its_way(before: int) -> None:
    faults = (*[Fault.NONE] * before, *[Fault.CUT] * 6)
    with closing(waiting(FakeArchive(), *faults)) as one:
        error = refused(import_far(one, 1, iter(ROWS[3:]), base_after(3)))
    assert isinstance(error, JournalUnavailable)
    with closing(waiting(FakeArchive(epoch=2))) as late:
        stale = refused(import_far(late, 1, iter(ROWS)))
    assert stale == StaleOperator(epoch=1, highest=2)


# Cutting it short


@pytest.fixture(scope="module")
def golden() -> tuple[Row, ...]:
    return all_of(EXPORT).rows


def compacted(
    archive: FakeArchive, retention: Retention, *faults: Fault, path: Path | None = None
) -> Compacted | JournalError:
    with closing(waiting(archive, *faults)) as one:
        done = compact_far(
            one,
            opened(open_far(one)),
            1,
            retention,
            beside=path,
            policies=POLICIES,
        )
        try:
            return opened(done)
        except Exception:  # noqa: BLE001 - it is no success
            return refused(done)


def test_the_oldest_rows_become_a_fleet_and_an_archive(
    golden: tuple[Row, ...], tmp_path: Path
) -> None:
    archive, last = filled(golden), golden[-1].seq
    done = compacted(archive, KeepRows(100), path=tmp_path / "shop.journal")
    assert isinstance(done, Compacted)
    cut = last - 100
    assert (done.first, done.last, done.kept) == (1, cut, 100)
    assert done.archive == tmp_path / f"shop.journal.rows-1-{cut}.jsonl.gz"
    assert done.size_after < done.size_before
    assert all_of(done.archive).rows == golden[:cut]
    read = reading(archive)
    base = read.source.base
    assert base is not None
    assert base.head == Head(seq=cut, digest=golden[cut - 1].digest)
    assert beginning(read).unwrap().name == "golden"
    assert tuple(read.rows()) == golden[cut:]
    read.close()
    again = compacted(archive, KeepRows(100))
    assert isinstance(again, Compacted)
    assert (again.last < again.first, again.archive) == (True, None)


def test_what_came_in_a_time_is_kept(golden: tuple[Row, ...]) -> None:
    newest = golden[-1].at
    for ms in (0, 60_000, 10**12):
        kept = [row for row in golden if row.at >= newest - ms]
        archive = filled(golden)
        done = compacted(archive, KeepTime(ms))
        assert isinstance(done, Compacted)
        assert done.kept == len(kept)
        assert done.archive is None
    empty = compacted(FakeArchive(), KeepTime(5))
    assert isinstance(empty, Compacted)
    assert (empty.first, empty.last, empty.kept) == (1, 0, 0)


def test_a_named_archive_is_a_new_file(golden: tuple[Row, ...], tmp_path: Path) -> None:
    there = tmp_path / "there.jsonl"
    there.write_text("mine")
    archive = filled(golden)
    with closing(waiting(archive)) as one:
        far_source = opened(open_far(one))
        done = compact_far(
            one, far_source, 1, KeepRows(9), archive=there, policies=POLICIES
        )
        assert isinstance(refused(done), JournalUnavailable)
    assert there.read_text() == "mine"
    assert archive.base is None


def test_rows_that_do_not_replay_or_are_damaged_are_not_cut_off(
    golden: tuple[Row, ...], tmp_path: Path
) -> None:
    decided = attrs.evolve(drafts([1])[0], commands=b'[{"type":"observe_fleet"}]')
    otherwise = chained(START, (decided, *drafts([2, 3])))
    archive = filled(otherwise)
    assert isinstance(compacted(archive, KeepRows(1)), NotReplayable)
    archive = filled(golden)
    archive.rows[5].digest = "ab" * 32
    archive.rows[5].body = archive.rows[6].body
    assert isinstance(compacted(archive, KeepRows(9)), JournalCorrupt)
    nonsense = base_after(2, body=b'{"nonsense":1}')
    archive = filled(ROWS[2:], nonsense)
    found = compacted(archive, KeepRows(1))
    assert isinstance(found, JournalCorrupt)
    assert found.place.startswith("base")
    assert list(tmp_path.iterdir()) == []


def test_a_cut_that_is_refused_leaves_no_copy(
    golden: tuple[Row, ...], tmp_path: Path
) -> None:
    for path in (tmp_path / "journal", None):
        archive = filled(golden)
        archive.epoch = 2
        found = compacted(archive, KeepRows(9), path=path)
        assert found == StaleOperator(epoch=1, highest=2)
        assert list(tmp_path.iterdir()) == []


def test_a_cut_in_doubt_keeps_the_copy(
    golden: tuple[Row, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = filled(golden)
    is_over = False

    async def call(self: FakeWire, method: str, path: str, **more: Any) -> Any:
        nonlocal is_over
        told = self.archive.answer(
            method, path, more.get("query", {}), more.get("body", b"")
        )
        is_over = is_over or path == "journal/base"
        return Failure(TimedOut(after_ms=1)) if is_over else result_of(*told)

    monkeypatch.setattr(FakeWire, "call", call)
    found = compacted(archive, KeepRows(9), path=tmp_path / "journal")
    assert isinstance(found, JournalUnavailable)
    assert found.in_doubt
    assert archive.base is not None
    (kept,) = tmp_path.iterdir()
    assert all_of(kept).rows == golden[:-9]


def test_what_cannot_be_asked_is_told(golden: tuple[Row, ...]) -> None:
    for before in (1, 2):  # when the newest row came, or one in the middle
        faults = (*[Fault.NONE] * before, *[Fault.CUT] * 3)
        found = compacted(filled(golden), KeepTime(60_000), *faults)
        assert isinstance(found, JournalUnavailable)
    archive = filled(golden)
    last = golden[-1].seq
    del archive.rows[last - 1]
    archive.rows.pop(last)
    with closing(waiting(archive)) as one:
        far_source = opened(open_far(one))
        head = Head(seq=last, digest=golden[-1].digest)
        far_source.state = attrs.evolve(far_source.state, head=head)
        error = refused(compact_far(one, far_source, 1, KeepTime(5)))
    assert isinstance(error, JournalCorrupt)


def test_a_size_that_is_not_told_is_what_it_was(golden: tuple[Row, ...]) -> None:
    archive = filled(golden)
    with closing(waiting(archive)) as one:
        far_source = opened(open_far(one))
        begin_behind = one.archive.begin_behind

        async def then_cut(base: Snapshot) -> object:
            done = await begin_behind(base)
            one.archive.state = _unheard  # type: ignore[method-assign]
            return done

        one.archive.begin_behind = then_cut  # type: ignore[assignment, method-assign]
        done = opened(compact_far(one, far_source, 1, KeepRows(9), policies=POLICIES))
    assert done.size_after == done.size_before


async def _unheard() -> Failure[JournalError]:
    return Failure(JournalConflict(expected_seq=0, found_seq=0))


def test_an_export_goes_there_and_back(golden: tuple[Row, ...]) -> None:
    lines = open_lines(EXPORT)
    archive = FakeArchive(page_max=20_000)
    with closing(waiting(archive)) as one:
        head = opened(import_far(one, 1, Reading(lines).rows(), lines.base))
    lines.close()
    assert head == Head(seq=golden[-1].seq, digest=golden[-1].digest)
    read = reading(archive)
    assert tuple(read.rows()) == golden
    read.close()
    assert isinstance(far(archive), DurableJournal)
