"""Repair accepts a loss by name, keeps what is whole, and throws nothing away."""

from __future__ import annotations

import gzip
import re
import sqlite3
from pathlib import Path

import orjson
import pytest

from orchestrator.core.errors import (
    JournalCorrupt,
    JournalLocked,
    JournalTooNew,
    JournalUnavailable,
)
from orchestrator.journal.jsonl import export_rows
from orchestrator.journal.port import START, Snapshot, chained
from orchestrator.journal.repair import Repaired, repair
from orchestrator.journal.sqlite import open_sqlite
from tests.journal.opened import (
    all_of,
    bad,
    base_after,
    drafts,
    execute,
    filled,
    good,
    head_after,
    interrupted,
    opened,
    refused,
)

FIELDS = ["seq", "at", "event", "commands", "changes", "digest"]


async def damaged(path: Path, statement: str) -> None:
    await good((await filled(path, 5)).close())
    execute(path, statement)


@pytest.mark.parametrize(
    ("statement", "kept", "missing", "moved"),
    [
        ("DELETE FROM rows WHERE seq > 3", 3, 2, 0),
        ("DELETE FROM rows WHERE seq = 2", 1, 1, 3),
        ("UPDATE rows SET at = 99 WHERE seq = 4", 3, 0, 2),
        ("UPDATE rows SET at = 99 WHERE seq = 1", 0, 0, 5),
        ("DELETE FROM rows", 0, 5, 0),
    ],
)
async def test_a_repaired_journal_opens_at_the_end_of_what_is_whole(
    tmp_path: Path, statement: str, kept: int, missing: int, moved: int
) -> None:
    path = tmp_path / "journal.db"
    await damaged(path, statement)
    done = opened(repair(path))
    assert (done.head, done.missing, done.moved) == (head_after(kept), missing, moved)
    journal = await good(open_sqlite(path))
    assert await good(journal.head()) == head_after(kept)
    assert len(await good(journal.read(0, 10))) == kept
    await good(journal.close())
    if moved:
        assert done.moved_to == tmp_path / f"journal.db.after-{kept}.jsonl"
        left = [orjson.loads(line) for line in done.moved_to.read_bytes().splitlines()]
        assert len(left) == moved
        assert all(list(row) == FIELDS for row in left)
        assert left[-1] == {
            "seq": 5,
            "at": 5,
            "event": {"type": "time_reached", "at": 5},
            "commands": [],
            "changes": {},
            "digest": head_after(5).digest.hex(),
        }
    else:
        assert done.moved_to is None
        assert not list(tmp_path.glob("*.jsonl"))


async def test_a_lost_head_file_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    await good((await filled(path, 5)).close())
    (tmp_path / "journal.db.head").unlink()
    assert isinstance(await bad(open_sqlite(path)), JournalCorrupt)
    assert opened(repair(path)).missing is None
    await good((await good(open_sqlite(path))).close())


async def test_a_journal_in_use_is_not_repaired(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = await filled(path, 1)
    assert isinstance(refused(repair(path)), JournalLocked)
    await good(journal.close())


async def test_what_is_no_journal_is_not_repaired(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"x" * 4096)
    assert isinstance(refused(repair(path)), JournalCorrupt)
    await damaged(tmp_path / "new.db", "PRAGMA user_version = 9")
    assert isinstance(refused(repair(tmp_path / "new.db")), JournalTooNew)


async def test_what_a_row_holds_instead_is_shown_in_hexadecimal_digits(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    await damaged(path, "UPDATE rows SET event = x'ff00', at = 'noon' WHERE seq = 5")
    done = opened(repair(path))
    assert done.moved_to is not None
    row = orjson.loads(done.moved_to.read_bytes())
    assert row["event"] == {"hex": "ff00"}
    assert row["at"] == {"hex": "6e6f6f6e"}
    assert row["commands"] == []


async def test_a_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    mine = tmp_path / "journal.db.after-3.jsonl"
    mine.write_text("mine")
    await damaged(path, "UPDATE rows SET at = 99 WHERE seq = 4")
    assert opened(repair(path)).moved_to == tmp_path / "journal.db.after-3.2.jsonl"
    assert mine.read_text() == "mine"


async def test_a_whole_journal_is_let_be(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    await good((await filled(path, 5)).close())
    whole = path.read_bytes()
    done = opened(repair(path))
    assert done == Repaired(head=head_after(5), missing=0, moved=0, moved_to=None)
    assert path.read_bytes() == whole


async def compacted(path: Path, count: int) -> Path:
    journal = await good(open_sqlite(path, base=base_after(2)))
    await good(journal.append(head_after(2), drafts(range(3, count + 1))))
    for seq in (count - 2, count):
        digest = head_after(seq).digest
        body = b'{"row":%d}' % seq
        snapshot = Snapshot(seq=seq, digest=digest, rules=3, body=body)
        await good(journal.save_snapshot(snapshot))
    await good(journal.close())
    return path


async def test_a_compacted_journal_is_repaired_behind_its_base(tmp_path: Path) -> None:
    path = await compacted(tmp_path / "journal.db", 8)
    execute(path, "UPDATE rows SET at = 99 WHERE seq = 7")
    execute(
        path, "INSERT INTO rows SELECT 1, 1, event, x'', x'', digest FROM rows LIMIT 1"
    )
    done = opened(repair(path))
    assert (done.head, done.missing, done.moved) == (head_after(6), 0, 3)
    read = all_of(path)
    assert read.is_whole
    assert (read.base, read.head) == (base_after(2), head_after(6))


async def test_a_journal_whose_base_is_damaged_is_not_repaired(tmp_path: Path) -> None:
    path = await compacted(tmp_path / "journal.db", 8)
    execute(path, "UPDATE base SET body = x'7b7d'")
    error = refused(repair(path))
    assert isinstance(error, JournalCorrupt)
    assert error.place == "base"
    assert all_of(path).error == error


async def malformed(path: Path, count: int, lost: int) -> int:
    """Spoil the page with row *lost* for SQLite; return its first row."""
    await compacted(path, count)
    content = bytearray(path.read_bytes())
    page = 4096
    mark = b'"time_reached","at":%d}' % lost
    start = content.index(mark) // page * page
    rows = re.findall(rb'"time_reached","at":(\d+)}', content[start : start + page])
    content[start : start + 8] = b"\xff" * 8
    path.write_bytes(content)
    return min(map(int, rows))


async def test_what_sqlite_can_still_read_of_a_malformed_file_is_kept(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    first = await malformed(path, 200, lost=100)
    malformed_file = path.read_bytes()
    assert 3 < first <= 100
    reader = sqlite3.connect(path)  # it keeps the log from being removed
    assert len(reader.execute("SELECT seq FROM snapshots").fetchall()) == 2
    done = opened(repair(path))
    reader.close()
    assert done.head == head_after(first - 1)
    assert done.damaged == tmp_path / "journal.db.damaged.db"
    assert done.damaged.read_bytes() == malformed_file
    assert done.moved_to is not None
    left = [orjson.loads(line) for line in done.moved_to.read_bytes().splitlines()]
    assert {row["seq"] for row in left} == set(range(first, 201))
    unreadable = [row["seq"] for row in left if "unreadable" in row]
    assert 100 in unreadable
    assert len(left) == done.moved + len(unreadable)
    assert done.missing == len(unreadable)
    journal = await good(open_sqlite(path))
    assert await good(journal.head()) == head_after(first - 1)
    assert await good(journal.beginning()) == base_after(2)
    assert len(await good(journal.read(2, 1_000))) == first - 3
    await good(journal.append(head_after(first - 1), drafts([first])))
    await good(journal.close())


async def test_a_file_whose_books_are_wrong_is_built_anew(tmp_path: Path) -> None:
    path = await compacted(tmp_path / "journal.db", 8)
    content = bytearray(path.read_bytes())
    content[36:40] = b"\0\0\0\7"  # pages that are free: there are none
    path.write_bytes(content)
    done = opened(repair(path))
    assert (done.head, done.moved) == (head_after(8), 0)
    assert done.damaged is not None
    assert all_of(path).is_whole


async def test_snapshots_of_what_is_kept_go_into_the_new_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = await good(open_sqlite(path))
    await good(journal.append(START, drafts(range(1, 201))))
    digest = head_after(2).digest
    early = Snapshot(seq=2, digest=digest, rules=3, body=b"{}")
    await good(journal.save_snapshot(early))
    await good(journal.close())
    content = bytearray(path.read_bytes())
    start = content.index(b'"time_reached","at":150}') // 4096 * 4096
    content[start : start + 8] = b"\xff" * 8
    path.write_bytes(content)
    (tmp_path / "journal.db.head").unlink()  # nobody knows how many rows there were
    done = opened(repair(path))
    assert done.damaged is not None
    assert done.missing is None
    again = await good(open_sqlite(path))
    assert await good(again.latest_snapshot()) == early
    await good(again.close())


def lines_of(folder: Path, name: str) -> Path:
    path = folder / name
    rows = chained(START, drafts(range(1, 9)))
    opened(export_rows(path, rows[2:], base_after(2)))
    return path


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz"])
def test_an_export_is_parted_into_what_is_whole_and_the_rest(
    tmp_path: Path, name: str
) -> None:
    path = lines_of(tmp_path, name)
    whole_one = Repaired(head=head_after(8), missing=0, moved=0, moved_to=None)
    assert opened(repair(path)) == whole_one
    packed = name.endswith(".gz")
    content = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    altered = content.replace(b'"at":6,', b'"at":7,', 1)
    path.write_bytes(gzip.compress(altered) if packed else altered)
    before = path.read_bytes()
    done = opened(repair(path))
    ending = "jsonl.gz" if packed else "jsonl"
    assert done.whole == tmp_path / f"{name}.until-5.{ending}"
    assert done.moved_to == tmp_path / f"{name}.after-5.txt"
    assert (done.head, done.missing, done.moved) == (head_after(5), None, 4)
    whole = all_of(done.whole)
    assert whole.is_whole
    assert (whole.base, whole.head) == (base_after(2), head_after(5))
    rest = done.moved_to.read_bytes()
    assert altered.endswith(rest)
    assert rest.startswith(b'{"seq":6,"at":7,')
    assert path.read_bytes() == before


def test_an_export_that_was_cut_off_is_given_an_end(tmp_path: Path) -> None:
    path = lines_of(tmp_path, "out.jsonl")
    content = path.read_bytes()
    end = content.index(b'{"end"')
    for cut, moved in ((end, 0), (end - 5, 1)):
        path.write_bytes(content[:cut])
        done = opened(repair(path))
        assert done.whole is not None
        assert all_of(done.whole).is_whole
        assert (done.moved, done.moved_to is None) == (moved, moved == 0)


def test_a_packed_export_is_read_to_the_byte_of_its_damage(tmp_path: Path) -> None:
    path = lines_of(tmp_path, "out.jsonl.gz")
    content = path.read_bytes()
    kept = set()
    for place in range(20, len(content) - 8, 5):
        spoiled = content[:place] + b"\xff\xff\xff" + content[place + 3 :]
        path.write_bytes(spoiled)
        outcome = repair(path)
        if "Failure" in str(outcome):
            assert isinstance(refused(outcome), JournalCorrupt)
            continue
        done = opened(outcome)
        kept.add(done.head.seq)
        if done.whole is not None:
            assert all_of(done.whole).is_whole
    assert len(kept) > 3


def test_what_has_no_beginning_is_not_repaired(tmp_path: Path) -> None:
    path = lines_of(tmp_path, "out.jsonl")
    content = path.read_bytes()
    for spoiled in (b"", b"x", content[:70], content.replace(b"fleet", b"flood", 1)):
        path.write_bytes(spoiled)
        assert isinstance(refused(repair(path)), JournalCorrupt)
    assert isinstance(refused(repair(tmp_path / "none")), JournalUnavailable)
    assert [one.name for one in tmp_path.iterdir()] == ["out.jsonl"]


def test_a_disk_that_is_full_leaves_the_export(tmp_path: Path) -> None:
    path = lines_of(tmp_path, "out.jsonl")
    path.write_bytes(path.read_bytes()[:-20])
    (tmp_path / "out.jsonl.until-8.jsonl.partial").mkdir()
    assert isinstance(refused(repair(path)), JournalUnavailable)


async def test_killed_at_any_step_a_repair_can_be_made_again(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    path = tmp_path / "state" / "journal.db"
    await good((await filled(path, 20)).close())
    execute(path, "UPDATE rows SET at = 99 WHERE seq = 8")
    found = interrupted("repair", tmp_path / "state")
    assert found[0] == "old"
    assert found[-1] == "new"
    assert len(found) > 20
