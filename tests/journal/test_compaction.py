"""Compaction: the chain goes on over the cut, and nothing is ever lost on the way."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import attrs
import pytest

from orchestrator.codec.wire import encode_fleet
from orchestrator.core.errors import (
    JournalConflict,
    JournalCorrupt,
    JournalError,
    JournalLocked,
    JournalUnavailable,
    NotReplayable,
    PolicyNotRegistered,
)
from orchestrator.core.state import RULES
from orchestrator.journal import archives, compaction
from orchestrator.journal.compaction import Compacted, KeepRows, KeepTime, compact
from orchestrator.journal.head import HeadFile
from orchestrator.journal.jsonl import export_rows
from orchestrator.journal.port import START, Draft, Row, Snapshot, chained
from orchestrator.journal.reading import RECORDING, beginning, entry_of, open_reading
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.replay.history import Entry, fold
from orchestrator.replay.verifying import verify
from tests.journal.opened import (
    all_of,
    bad,
    drafts,
    execute,
    filled,
    good,
    head_after,
    interrupted,
    opened,
    refused,
)
from tests.replay.golden import GOLDEN, POLICIES
from tests.small_disk import fill, small_disk

GOLDEN_ROWS = all_of(GOLDEN / f"journal.rules-{RULES}.2.jsonl.gz").rows


async def stored(path: Path, rows: tuple[Row, ...]) -> Path:
    """Make the database of an operator out of rows, with a snapshot in their middle."""
    journal = await good(open_sqlite(path))
    given = (
        Draft(at=r.at, event=r.event, commands=r.commands, changes=r.changes)
        for r in rows
    )
    await good(journal.append(START, tuple(given)))
    for row in (rows[len(rows) // 2], rows[-2]):
        snapshot = Snapshot(seq=row.seq, digest=row.digest, rules=RULES, body=b"{}")
        await good(journal.save_snapshot(snapshot))
    await good(journal.close())
    return path


async def with_rows(path: Path, number: int) -> Path:
    return await stored(path, chained(START, drafts(range(1, number + 1))))


def entries(rows: tuple[Row, ...]) -> list[Entry]:
    found = [entry_of(row) for row in rows]
    assert all(isinstance(entry, Entry) for entry in found)
    return found  # type: ignore[return-value]


async def test_the_rows_before_the_cut_become_a_base_and_an_archive(
    tmp_path: Path,
) -> None:
    path = await stored(tmp_path / "journal.db", GOLDEN_ROWS)
    end = len(GOLDEN_ROWS)
    done = opened(compact(path, KeepRows(100), policies=POLICIES))
    cut = end - 100
    assert done.archive == tmp_path / f"journal.db.rows-1-{cut}.jsonl.gz"
    assert (done.first, done.last, done.kept) == (1, cut, 100)
    assert done.size_after < done.size_before // 2
    assert done.not_shrunk is None
    archived, left = all_of(done.archive), all_of(path)
    assert archived.rows + left.rows == GOLDEN_ROWS
    assert left.base is not None
    assert archived.head == left.base.head
    fleet = fold(entries(archived.rows), policies=POLICIES)
    assert left.base.body == encode_fleet(fleet)
    assert left.base.rules == RULES


async def test_what_is_left_replays_as_it_did(tmp_path: Path) -> None:
    path = await stored(tmp_path / "journal.db", GOLDEN_ROWS)
    whole = fold(entries(GOLDEN_ROWS), policies=POLICIES)
    for keep in (700, 300, 299, 1):
        opened(compact(path, KeepRows(keep), policies=POLICIES))
        read = opened(open_reading(path))
        fleet = beginning(read).unwrap()
        verdict = verify(read.entries(), RECORDING, fleet=fleet, policies=POLICIES)
        read.close()
        assert verdict.unwrap().fleet == whole
        assert verdict.unwrap().rows == keep
    archives = sorted(tmp_path.glob("*.jsonl.gz"), key=lambda one: one.stat().st_mtime)
    assert len(archives) == 4
    ends = [all_of(one) for one in archives]
    assert all(b.base is not None for b in ends[1:])
    assert [a.head for a in ends[:-1]] == [b.base.head for b in ends[1:] if b.base]


async def test_an_operator_goes_on_behind_the_base(tmp_path: Path) -> None:
    path = await with_rows(tmp_path / "journal.db", 20)
    opened(compact(path, KeepRows(5)))
    journal = await good(open_sqlite(path))
    assert await good(journal.head()) == head_after(20)
    assert await good(journal.append(head_after(20), drafts([21]))) == head_after(21)
    base = await good(journal.beginning())
    assert base is not None
    assert base.seq == 15
    newest = await good(journal.latest_snapshot(18))
    assert newest == base
    await good(journal.close())
    (tmp_path / "journal.db.head").unlink()
    assert isinstance(await bad(open_sqlite(path)), JournalCorrupt)


CUTS = [
    (KeepRows(1), 19),
    (KeepRows(19), 1),
    (KeepRows(20), 0),
    (KeepRows(1_000), 0),
    (KeepTime(0), 19),
    (KeepTime(3), 16),
    (KeepTime(18), 1),
    (KeepTime(19), 0),
    (KeepTime(1_000_000), 0),
]


@pytest.mark.parametrize(("retention", "cut"), CUTS)
async def test_the_cut_is_the_newest_place_that_the_retention_allows(
    tmp_path: Path, retention: compaction.Retention, cut: int
) -> None:
    path = await with_rows(tmp_path / "journal.db", 20)
    before = path.read_bytes()
    done = opened(compact(path, retention))
    assert (done.last, done.kept) == (cut, 20 - cut)
    if cut == 0:
        assert path.read_bytes() == before
        assert not list(tmp_path.glob("*.gz"))
    again = opened(compact(path, retention))
    assert (again.first, again.last) == (cut + 1, cut)


async def test_an_empty_journal_has_nothing_to_compact(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    await good((await filled(path, 0)).close())
    for retention in (KeepRows(1), KeepTime(0)):
        assert opened(compact(path, retention)).last == 0


async def test_what_is_no_database_is_left_alone(tmp_path: Path) -> None:
    empty, text, lost = (tmp_path / name for name in ("empty", "text", "lost"))
    empty.touch()
    text.write_text("no journal")
    lost.touch()
    HeadFile(tmp_path / "lost.head", head_after(3)).close()
    there = {one: one.read_bytes() for one in tmp_path.iterdir()}
    for path, kind in (
        (empty, JournalUnavailable),
        (tmp_path, JournalUnavailable),
        (Path("/dev/null"), JournalUnavailable),
        (text, JournalCorrupt),
        (lost, JournalCorrupt),
    ):
        assert isinstance(refused(compact(path, KeepRows(1))), kind)
    assert {one: one.read_bytes() for one in tmp_path.iterdir()} == there


async def test_rows_may_be_let_go_or_archived_elsewhere(tmp_path: Path) -> None:
    path = await with_rows(tmp_path / "journal.db", 20)
    done = opened(compact(path, KeepRows(10), is_archived=False))
    assert done.archive is None
    assert not list(tmp_path.glob("*.jsonl*"))
    elsewhere = tmp_path / "old.jsonl"
    opened(compact(path, KeepRows(5), archive=elsewhere))
    archived = all_of(elsewhere)
    assert archived.base is not None
    assert (archived.base.seq, archived.head) == (10, head_after(15))
    again = refused(compact(path, KeepRows(1), archive=elsewhere))
    assert again == JournalUnavailable(
        cause=f"{elsewhere} is there already", retryable=False
    )
    assert all_of(path).head == head_after(20)


async def test_an_archive_is_never_written_over(tmp_path: Path) -> None:
    path = await with_rows(tmp_path / "journal.db", 20)
    (tmp_path / "journal.db.rows-1-10.jsonl.gz").write_text("mine")
    done = opened(compact(path, KeepRows(10)))
    assert done.archive == tmp_path / "journal.db.rows-1-10.2.jsonl.gz"
    assert (tmp_path / "journal.db.rows-1-10.jsonl.gz").read_text() == "mine"


async def test_a_journal_in_use_is_not_compacted(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = await filled(path, 3)
    assert refused(compact(path, KeepRows(1))) == JournalLocked(
        holder=f"pid {os.getpid()}"
    )
    await good(journal.close())


def test_what_is_no_journal_is_not_made_one(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    error = refused(compact(path, KeepRows(1)))
    assert isinstance(error, JournalUnavailable)
    assert not list(tmp_path.iterdir())
    path.write_bytes(b"x" * 4096)
    assert isinstance(refused(compact(path, KeepRows(1))), JournalCorrupt)
    assert list(tmp_path.iterdir()) == [path]


async def test_a_lock_that_cannot_be_taken_is_said(tmp_path: Path) -> None:
    path = await with_rows(tmp_path / "journal.db", 3)
    (tmp_path / "journal.db.lock").unlink()
    (tmp_path / "journal.db.lock").mkdir()
    assert isinstance(refused(compact(path, KeepRows(1))), JournalUnavailable)


async def test_a_policy_that_is_not_registered_is_asked_for(tmp_path: Path) -> None:
    path = await stored(tmp_path / "journal.db", GOLDEN_ROWS)
    error = refused(compact(path, KeepRows(10)))
    assert isinstance(error, PolicyNotRegistered)
    assert all_of(path).rows == GOLDEN_ROWS


async def test_rows_that_are_damaged_are_not_cut_off(tmp_path: Path) -> None:
    path = await with_rows(tmp_path / "journal.db", 20)
    execute(path, "UPDATE rows SET at = 99 WHERE seq = 3")
    error = refused(compact(path, KeepRows(5)))
    assert isinstance(error, JournalCorrupt)
    assert error.seq == 3
    assert not list(tmp_path.glob("*.gz"))


async def test_rows_that_today_would_be_decided_otherwise_are_not_cut_off(
    tmp_path: Path,
) -> None:
    odd = attrs.evolve(drafts([1])[0], changes=b'{"web":{"run":2}}')
    rows = chained(START, (odd, *drafts(range(2, 9))))
    path = await stored(tmp_path / "journal.db", rows)
    assert isinstance(refused(compact(path, KeepRows(3))), NotReplayable)
    assert all_of(path).rows == rows


async def test_a_base_that_makes_no_sense_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    base = Snapshot(seq=2, digest=head_after(2).digest, rules=RULES, body=b"{}")
    journal = await good(open_sqlite(path, base=base))
    await good(journal.append(head_after(2), drafts([3, 4])))
    await good(journal.close())
    error = refused(compact(path, KeepRows(1)))
    assert isinstance(error, JournalCorrupt)
    assert error.place.startswith("base ")
    other = attrs.evolve(base, seq=1)
    assert await bad(open_sqlite(path, base=other)) == JournalConflict(
        expected_seq=1, found_seq=2
    )


async def test_an_archive_that_does_not_read_back_stops_the_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await with_rows(tmp_path / "journal.db", 20)

    def forgetful(file: Path, rows: object, base: Snapshot | None) -> object:
        return opened(export_rows(file, ROWS[:9], base))

    ROWS = all_of(path).rows  # noqa: N806
    monkeypatch.setattr(archives, "write_rows", forgetful)
    error = refused(compact(path, KeepRows(5)))
    assert isinstance(error, JournalCorrupt)
    assert error.expected == "rows up to 15"
    assert all_of(path).rows == ROWS
    assert not list(tmp_path.glob("*.gz"))


async def test_killed_at_any_step_it_leaves_the_old_journal_or_the_new_one(
    tmp_path: Path,
) -> None:
    (tmp_path / "state").mkdir()
    await with_rows(tmp_path / "state" / "journal.db", 20)
    found = interrupted("compact", tmp_path / "state")
    first_new = found.index("new")
    assert found == ["old"] * first_new + ["new"] * (len(found) - first_new)
    assert first_new > 20
    assert len(found) - first_new > 3


async def test_killed_while_it_is_written_it_is_cut_or_it_is_not(
    tmp_path: Path,
) -> None:
    (tmp_path / "state").mkdir()
    await with_rows(tmp_path / "state" / "journal.db", 20)
    found = interrupted("cut", tmp_path / "state")
    seen = list(dict.fromkeys(found))
    assert seen in (["0-20", "0-21", "15-21", "15-22"], ["0-20", "0-21", "15-22"])
    assert found.count("0-21") > 10


async def test_a_full_disk_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    source = await with_rows(tmp_path / "journal.db", 400)
    whole = all_of(source)
    refusals = 0
    with small_disk(tmp_path / "disk", "1m"):
        path = tmp_path / "disk" / "journal.db"
        for room in range(0, 400_000, 16_384):
            for old in path.parent.iterdir():
                old.unlink()
            for name in ("journal.db", "journal.db.head"):
                shutil.copy(tmp_path / name, path.with_name(name))
            filler = fill(path.parent)
            os.truncate(filler, max(0, filler.stat().st_size - room))
            found = _value(compact(path, KeepRows(10)))
            filler.unlink()
            if isinstance(found, Compacted):
                assert all_of(path).rows == whole.rows[390:]
                break
            assert isinstance(found, JournalUnavailable)
            assert all_of(path).rows == whole.rows
            assert not list(path.parent.glob("*.gz*"))
            refusals += 1
        else:
            pytest.fail("there was room enough")
    assert refusals > 1


def _value(outcome: object) -> Compacted | JournalError:
    return opened(outcome) if "Success" in str(outcome) else refused(outcome)  # type: ignore[arg-type]


async def test_a_file_that_cannot_shrink_is_told(tmp_path: Path) -> None:
    path = await with_rows(tmp_path / "journal.db", 400)
    reader = opened(open_reading(path))
    rows = reader.rows()
    next(rows)
    done = opened(compact(path, KeepRows(10)))
    assert done.not_shrunk == "a program is reading the journal"
    assert sum(1 for _ in rows) == 399  # it goes on to read what it began to read
    reader.close()
    assert all_of(path).base is not None


@pytest.mark.parametrize("is_archived", [True, False])
async def test_a_cut_that_fails_changes_nothing(
    tmp_path: Path, *, is_archived: bool
) -> None:
    path = await with_rows(tmp_path / "journal.db", 20)
    execute(
        path,
        "CREATE TRIGGER no BEFORE DELETE ON rows BEGIN SELECT RAISE(ABORT, 'no'); END",
    )
    rows = all_of(path).rows
    assert refused(compact(path, KeepRows(5), is_archived=is_archived)).code
    assert all_of(path).rows == rows
    assert all_of(path).base is None
    assert not list(tmp_path.glob("*.gz"))


async def test_an_archive_that_cannot_be_written_stops_the_cut(tmp_path: Path) -> None:
    path = await with_rows(tmp_path / "journal.db", 20)
    elsewhere = tmp_path / "no" / "folder.jsonl"
    error = refused(compact(path, KeepRows(5), archive=elsewhere))
    assert isinstance(error, JournalUnavailable)
    assert all_of(path).base is None


def test_why_a_file_did_not_shrink_is_said() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("BEGIN")
    assert "VACUUM" in str(compaction._shrink(connection))
    connection.close()


async def test_a_head_file_that_cannot_be_written_stops_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await with_rows(tmp_path / "journal.db", 20)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        assert isinstance(refused(compact(path, KeepRows(5))), JournalUnavailable)
    assert all_of(path).base is None


def test_what_a_kill_has_left_of_an_archive_is_removed(tmp_path: Path) -> None:
    journal = tmp_path / "journal[1].db"
    left = [
        "journal[1].db.rows-41-60.jsonl.gz.partial",
        "journal[1].db.rows-41-99.2.jsonl.gz.partial",
    ]
    kept = [
        "journal[1].db.rows-1-40.jsonl.gz",
        "journal[1].db.rows-4-9.jsonl.gz.partial",
        "journal1.db.rows-41-60.jsonl.gz.partial",
    ]
    for name in (*left, *kept):
        _ = (tmp_path / name).write_bytes(b"")
    archives.remove_unfinished(journal, 41)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)
