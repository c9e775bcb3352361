"""The journal on disk: durable, exclusive, and never silent about damage."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from returns.io import IOResult
from returns.pipeline import is_successful

from orchestrator.core.errors import (
    JournalConflict,
    JournalCorrupt,
    JournalError,
    JournalLocked,
    JournalTooNew,
    JournalUnavailable,
)
from orchestrator.journal import checks, stored
from orchestrator.journal.lock import holder_of
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.port import (
    ALTERED,
    MISSING,
    START,
    Compactable,
    Head,
    Journal,
    Snapshot,
    chained,
)
from orchestrator.journal.snapshots import kept
from orchestrator.journal.sqlite import SqliteJournal, open_sqlite
from orchestrator.journal.tables import said
from orchestrator.testing.journals import check_compactable, check_journal
from tests.journal.opened import (
    all_of,
    bad,
    base_after,
    drafts,
    execute,
    filled,
    good,
    head_after,
    opened,
    refused,
)


async def test_every_journal_obeys_the_laws(tmp_path: Path) -> None:
    async def memory() -> Journal:
        return MemoryJournal()

    async def sqlite() -> Journal:
        return await good(open_sqlite(tmp_path / "state" / "journal.db"))

    async def memory_behind() -> Journal:
        return MemoryJournal(base_after(3))

    async def sqlite_behind() -> Journal:
        path = tmp_path / "behind.db"
        return await good(open_sqlite(path, base=base_after(3)))

    await check_journal(memory, survives=False)
    await check_journal(sqlite)
    await check_journal(memory_behind, survives=False, base=base_after(3))
    await check_journal(sqlite_behind, base=base_after(3))


async def test_every_journal_can_be_cut_short_while_it_is_written(
    tmp_path: Path,
) -> None:
    async def memory() -> Compactable:
        return MemoryJournal()

    async def sqlite() -> Compactable:
        return await good(open_sqlite(tmp_path / "journal.db"))

    await check_compactable(memory, survives=False)
    await check_compactable(sqlite)


async def test_what_is_only_read_is_not_cut(tmp_path: Path) -> None:
    await good((await filled(tmp_path / "journal.db", 5)).close())
    journal = await good(open_sqlite(tmp_path / "journal.db", read_only=True))
    error = await bad(journal.begin_behind(base_after(2)))
    assert error == JournalUnavailable(cause="read only", retryable=False)
    await good(journal.close())


async def test_a_cut_that_the_disk_refuses_leaves_all_as_it_was(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    await good((await filled(path, 5)).close())
    execute(
        path,
        "CREATE TRIGGER no BEFORE DELETE ON rows BEGIN SELECT RAISE(ABORT, 'no'); END",
    )
    journal = await good(open_sqlite(path))
    assert (await bad(journal.begin_behind(base_after(2)))).code
    assert await good(journal.beginning()) is None
    assert await good(journal.append(head_after(5), drafts([6]))) == head_after(6)
    assert len(await good(journal.read(0, 9))) == 6
    await good(journal.close())


async def test_the_law_suite_finds_a_journal_that_forgets() -> None:
    async def forgetful() -> Journal:
        return MemoryJournal()

    with pytest.raises(AssertionError, match="what was acknowledged survives"):
        await check_journal(forgetful)


async def test_a_second_operator_is_refused_and_told_who_holds_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    journal = await filled(path, 1)
    error = await bad(open_sqlite(path))
    assert error == JournalLocked(holder=f"pid {os.getpid()}")
    reader = await good(open_sqlite(path, read_only=True))
    assert await good(reader.head()) == head_after(1)
    refusal = await bad(reader.append(head_after(1), drafts([2])))
    assert refusal == JournalUnavailable(cause="read only", retryable=False)
    await good(reader.close())
    await good(journal.close())
    await good((await good(open_sqlite(path))).close())


async def test_a_reader_opens_while_the_writer_appends(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = await filled(path, 1)

    async def write() -> None:
        for number in range(2, 150):
            await good(journal.append(head_after(number - 1), drafts([number])))

    writing = asyncio.ensure_future(write())
    while not writing.done():
        reader = await good(open_sqlite(path, read_only=True))
        rows = await good(reader.read(0, 1_000))
        assert rows == chained(START, drafts(range(1, len(rows) + 1)))
        await good(reader.close())
    await writing
    await good(journal.close())


async def test_a_reader_of_nothing_is_told_so(tmp_path: Path) -> None:
    error = await bad(open_sqlite(tmp_path / "none.db", read_only=True))
    assert isinstance(error, JournalUnavailable)
    assert "there is no journal" in error.cause


async def test_a_journal_that_has_vanished_beside_its_head_is_damage(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    await good((await filled(path, 3)).close())
    path.unlink()
    error = await bad(open_sqlite(path))
    assert isinstance(error, JournalCorrupt)
    assert error.found == "no journal"


async def test_a_journal_without_its_head_file_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    await good((await filled(path, 3)).close())
    (tmp_path / "journal.db.head").unlink()
    error = await bad(open_sqlite(path))
    assert isinstance(error, JournalCorrupt)
    assert error.expected == "a head file"


async def test_an_empty_journal_needs_no_head_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    await good((await filled(path, 0)).close())
    (tmp_path / "journal.db.head").unlink()
    await good((await good(open_sqlite(path))).close())


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("DELETE FROM rows WHERE seq = 3", "end"),
        ("DELETE FROM rows WHERE seq = 2", MISSING),
        ("UPDATE rows SET digest = zeroblob(32) WHERE seq = 3", ALTERED),
        ("UPDATE rows SET at = at + 1 WHERE seq = 3", ALTERED),
        ("DROP TABLE rows", "file"),
        ("PRAGMA application_id = 7", "file"),
    ],
)
async def test_damage_at_the_end_is_seen_when_the_journal_is_opened(
    tmp_path: Path, statement: str, place: str
) -> None:
    path = tmp_path / "journal.db"
    await good((await filled(path, 3)).close())
    _execute(path, statement)
    error = await bad(open_sqlite(path))
    assert isinstance(error, JournalCorrupt)
    assert error.place == place


async def test_damage_further_back_is_seen_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    await good((await filled(path, 5)).close())
    _execute(path, "UPDATE rows SET event = x'7b7d' WHERE seq = 2")
    journal = await good(open_sqlite(path))
    error = await bad(journal.read(0, 10))
    assert isinstance(error, JournalCorrupt)
    assert error.seq == 2
    assert len(await good(journal.read(2, 10))) == 3
    await good(journal.close())


async def test_a_journal_of_a_newer_release_is_refused_with_a_clear_word(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    await good((await filled(path, 1)).close())
    _execute(path, "PRAGMA user_version = 9")
    error = await bad(open_sqlite(path))
    assert error == JournalTooNew(found=9, known=2)
    assert "use a newer release" in error.message


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"this is not a database" * 100)
    error = await bad(open_sqlite(path))
    assert isinstance(error, JournalCorrupt)
    assert error.expected == "an SQLite database"


async def test_rows_that_the_head_does_not_name_yet_are_whole(tmp_path: Path) -> None:
    """A crash between the commit and the head file loses nothing."""
    path = tmp_path / "journal.db"
    await good((await filled(path, 3)).close())
    old_head = (tmp_path / "journal.db.head").read_bytes()
    journal = await good(open_sqlite(path))
    await good(journal.append(head_after(3), drafts([4, 5])))
    await good(journal.close())
    (tmp_path / "journal.db.head").write_bytes(old_head)
    again = await good(open_sqlite(path))
    assert await good(again.head()) == head_after(5)
    await good(again.close())


async def test_a_torn_head_slot_leaves_the_head_before(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    head = tmp_path / "journal.db.head"
    await good((await filled(path, 3)).close())
    whole = head.read_bytes()
    for place in range(0, len(whole), 37):
        head.write_bytes(whole[:place] + b"x" + whole[place + 1 :])
        journal = await good(open_sqlite(path))
        assert await good(journal.head()) == head_after(3)
        await good(journal.close())


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """Give a folder that no disk is behind, if this machine has one.

    Where thousands of files are opened, that is most of the time; nothing is asked of
    the disk there but to hold them.
    """
    memory = Path("/dev/shm")  # noqa: S108 - a folder of one's own is made in it
    where = memory if os.access(memory, os.W_OK) else tmp_path
    with tempfile.TemporaryDirectory(dir=where) as folder:
        yield Path(folder)


async def test_the_end_cut_at_every_byte_is_seen_or_loses_nothing(
    tmp_path: Path, in_memory: Path
) -> None:
    """SQLite drops a damaged end of its log in silence; the head file does not."""
    path = tmp_path / "journal.db"
    rows = 4
    journal = await filled(path, rows)
    log = Path(f"{path}-wal").read_bytes()
    database = path.read_bytes()
    head = Path(f"{path}.head").read_bytes()
    await good(journal.close())
    seen = whole = 0
    cut = in_memory / "cut"
    last_frame = len(log) - 4_120
    lengths = (*range(0, last_frame, 53), *range(last_frame, len(log) + 1))
    for length in lengths:
        shutil.rmtree(cut, ignore_errors=True)
        cut.mkdir()
        (cut / "journal.db").write_bytes(database)
        (cut / "journal.db-wal").write_bytes(log[:length])
        (cut / "journal.db.head").write_bytes(head)
        outcome = await open_sqlite(cut / "journal.db")
        error = await _error_of(outcome, rows=rows)
        if error is None:
            whole += 1
        else:
            assert isinstance(error, JournalCorrupt), error
            seen += 1
    assert whole == 1  # the whole log, and nothing less
    assert seen == len(lengths) - 1


async def test_the_database_cut_anywhere_never_loses_a_row_unseen(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    await good((await filled(path, 40)).close())
    whole = path.read_bytes()
    accepted = 0
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        error = await _error_of(await open_sqlite(path), rows=40)
        accepted += error is None
        assert isinstance(error, JournalCorrupt | None), (length, error)
    assert accepted < len(whole) // 97 // 3  # the empty end of the last page


async def test_kill_9_in_the_middle_of_appends_loses_nothing_acknowledged(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    program = textwrap.dedent(
        """
        import asyncio, sys
        from pathlib import Path
        from orchestrator.journal.port import START
        from orchestrator.journal.sqlite import open_sqlite
        from tests.journal.opened import drafts, good

        async def main():
            journal = await good(open_sqlite(Path(sys.argv[1])))
            head = await good(journal.head())
            for number in range(head.seq + 1, 1_000_000):
                head = await good(journal.append(head, drafts([number])))
                print(head.seq, flush=True)

        asyncio.run(main())
        """
    )
    for acknowledged in (3, 17, 40):
        child = subprocess.Popen(
            [sys.executable, "-c", program, str(path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        last = 0
        for _ in range(acknowledged):
            last = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        last = max([last, *map(int, child.stdout.read().split())])
        child.stdout.close()
        assert child.wait() == -signal.SIGKILL
        journal = await good(open_sqlite(path))
        head = await good(journal.head())
        assert head.seq in (last, last + 1)
        assert head == head_after(head.seq)
        await good(journal.close())


async def test_a_full_disk_refuses_the_append_and_recovers_by_itself(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    journal = await filled(path, 3)
    _limit(journal, pages=1)
    batch = drafts(range(4, 2000))
    error = await bad(journal.append(head_after(3), batch))
    assert isinstance(error, JournalUnavailable)
    assert error.retryable
    assert await good(journal.head()) == head_after(3)
    assert len(await good(journal.read(0, 100))) == 3
    _limit(journal, pages=1_000_000)
    assert await good(journal.append(head_after(3), batch)) == head_after(1999)
    await good(journal.close())


async def test_rows_whose_head_cannot_be_written_are_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.db"
    journal = await filled(path, 3)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        error = await bad(journal.append(head_after(3), drafts([4])))
        assert isinstance(error, JournalUnavailable)
    assert len(await good(journal.read(0, 100))) == 3
    assert await good(journal.append(head_after(3), drafts([4]))) == head_after(4)
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        _break_deletes(journal)
        await bad(journal.append(head_after(4), drafts([5])))
    refusal = await bad(journal.append(head_after(4), drafts([5])))
    assert refusal == JournalUnavailable(cause="read only", retryable=False)
    await good(journal.close())


async def test_a_path_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    error = await bad(open_sqlite(tmp_path / "file" / "journal.db"))
    assert isinstance(error, JournalUnavailable)


async def test_snapshots_that_are_damaged_or_ahead_are_passed_over(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    journal = await filled(path, 6)
    for seq in range(2, 7):
        head = head_after(seq)
        body = b"{}" * seq
        snapshot = Snapshot(seq=seq, digest=head.digest, rules=1, body=body)
        await good(journal.save_snapshot(snapshot))
    await good(journal.close())
    assert _execute(path, "SELECT seq FROM snapshots") == [
        (seq,) for seq in kept(range(2, 7))
    ]
    _execute(path, "UPDATE snapshots SET body = x'00' WHERE seq = 6")
    _execute(path, "UPDATE snapshots SET digest = zeroblob(32) WHERE seq = 5")
    journal = await good(open_sqlite(path))
    newest = await good(journal.latest_snapshot())
    assert newest is not None
    assert newest.seq == 4
    await good(journal.close())
    _execute(path, "DELETE FROM snapshots WHERE seq < 6")
    _execute(path, "UPDATE snapshots SET seq = 99")
    journal = await good(open_sqlite(path))
    assert await good(journal.latest_snapshot()) is None
    await good(journal.close())


async def test_a_snapshot_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = await filled(path, 2)
    page = 4096
    for seq, size in ((1, 1), (2, 5 * page)):
        digest = head_after(seq).digest
        snapshot = Snapshot(seq=seq, digest=digest, rules=1, body=b"Z" * size)
        await good(journal.save_snapshot(snapshot))
    await good(journal.close())
    content = bytearray(path.read_bytes())
    for place in range(0, len(content), page):
        if content[place + 4 : place + 90] == b"Z" * 86:
            content[place : place + 4] = b"\xff" * 4
    path.write_bytes(content)
    journal = await good(open_sqlite(path))
    newest = await good(journal.latest_snapshot())
    assert newest is not None
    assert newest.seq == 1
    await good(journal.close())


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("SQLITE_FULL", JournalUnavailable),
        ("SQLITE_IOERR_WRITE", JournalUnavailable),
        ("SQLITE_CORRUPT", JournalCorrupt),
        ("SQLITE_ERROR", JournalCorrupt),
    ],
)
def test_what_sqlite_says_is_told_apart(code: str, kind: type) -> None:
    error = sqlite3.OperationalError("it says so")
    error.sqlite_errorname = code
    assert isinstance(said(error), kind)


async def test_a_read_that_the_disk_fails_is_a_value(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = await filled(path, 6)
    _execute_in(journal, "DROP TABLE snapshots")
    assert isinstance(await bad(journal.latest_snapshot()), JournalCorrupt)
    await good(journal.close())
    closed = await bad(_reopened(journal).read(0, 1))
    assert isinstance(closed, JournalUnavailable | JournalCorrupt)


def _reopened(journal: SqliteJournal) -> SqliteJournal:
    """Give a closed journal a thread again, to see what its connection says."""
    from concurrent.futures import ThreadPoolExecutor

    journal._thread = ThreadPoolExecutor(max_workers=1)
    return journal


def _execute(path: Path, statement: str) -> list[object]:
    connection = sqlite3.connect(path, isolation_level=None)
    found = connection.execute(statement).fetchall()
    connection.close()
    return found


def _execute_in(journal: SqliteJournal, statement: str) -> None:
    journal._connection.execute(statement)


def _limit(journal: SqliteJournal, pages: int) -> None:
    _execute_in(journal, f"PRAGMA max_page_count={pages}")


def _break_deletes(journal: SqliteJournal) -> None:
    _execute_in(
        journal,
        "CREATE TEMP TRIGGER no_deletes BEFORE DELETE ON main.rows"
        " BEGIN SELECT RAISE(ABORT, 'no'); END",
    )


async def _error_of(
    outcome: IOResult[SqliteJournal, JournalError], *, rows: int
) -> JournalError | None:
    """Return why a journal was not opened; None where it holds all its rows."""
    if not is_successful(outcome):
        return refused(outcome)
    journal = opened(outcome)
    read = await journal.read(0, rows + 1)
    await good(journal.close())
    if not is_successful(read):
        return refused(read)
    assert opened(read) == chained(START, drafts(range(1, rows + 1)))
    return None


def test_the_head_of_nothing_is_the_start() -> None:
    assert chained(START, ()) == ()
    assert head_after(0) == START
    assert Head(seq=0, digest=bytes(32)) == START


def test_what_is_no_error_of_sqlite_is_told_too() -> None:
    no_text = UnicodeDecodeError("utf-8", b"x", 0, 1, "no")
    assert isinstance(said(no_text), JournalCorrupt)
    assert isinstance(said(MemoryError()), JournalUnavailable)
    assert isinstance(said(OSError(5, "no")), JournalUnavailable)


async def test_rows_that_vanish_while_it_is_open_are_missed(tmp_path: Path) -> None:
    journal = await filled(tmp_path / "journal.db", 4)
    _execute_in(journal, "DELETE FROM rows WHERE seq = 4")
    error = await bad(journal.read(0, 10))
    assert isinstance(error, JournalCorrupt)
    assert (error.seq, error.place) == (4, MISSING)
    assert len(await good(journal.read(0, 3))) == 3
    await good(journal.close())


async def test_a_journal_of_the_first_release_is_read_and_brought_up_to_date(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    journal = await filled(path, 4)
    snapshot = Snapshot(seq=4, digest=head_after(4).digest, rules=1, body=b"{}")
    await good(journal.save_snapshot(snapshot))
    await good(journal.close())
    _execute(path, "DROP TABLE base")
    _execute(path, "PRAGMA user_version = 1")
    assert all_of(path).rows == chained(START, drafts(range(1, 5)))
    assert _execute(path, "PRAGMA user_version") == [(1,)]
    again = await good(open_sqlite(path))
    assert await good(again.beginning()) is None
    assert await good(again.latest_snapshot()) is None
    await good(again.close())
    assert _execute(path, "PRAGMA user_version") == [(2,)]
    assert _execute(path, "SELECT * FROM base") == []


async def test_a_journal_that_has_rows_is_given_no_base(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    await good((await filled(path, 4)).close())
    conflict = await bad(open_sqlite(path, base=base_after(2)))
    assert conflict == JournalConflict(expected_seq=2, found_seq=0)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE base SET rules = -1",
        "UPDATE base SET rules = 1",
        "UPDATE base SET body = 'x'",
        "INSERT INTO base SELECT 9, digest, rules, body, checksum FROM base",
    ],
)
async def test_a_base_that_is_not_as_it_was_is_damage(
    tmp_path: Path, statement: str
) -> None:
    path = tmp_path / "journal.db"
    await good((await good(open_sqlite(path, base=base_after(2)))).close())
    assert all_of(path).base == base_after(2)
    _execute(path, statement)
    error = all_of(path).error
    assert isinstance(error, JournalCorrupt)
    assert error.place == "base"


async def test_a_row_before_the_base_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = await good(open_sqlite(path, base=base_after(2)))
    await good(journal.append(head_after(2), drafts([3])))
    await good(journal.close())
    _execute(path, "INSERT INTO rows SELECT 1, at, event, x'', x'', digest FROM rows")
    error = all_of(path).error
    assert isinstance(error, JournalCorrupt)
    assert error.place == "rows"


async def test_a_writer_between_two_looks_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.db"
    await good((await filled(path, 3)).close())
    ahead = iter([Head(seq=9, digest=b""), Head(seq=8, digest=b""), head_after(3)])
    with monkeypatch.context() as patched:
        patched.setattr(checks, "read_head", lambda _: next(ahead))
        assert all_of(path).head == head_after(3)
    always = iter([Head(seq=seq, digest=b"") for seq in range(9, 4, -1)])
    monkeypatch.setattr(checks, "read_head", lambda _: next(always))
    assert isinstance(all_of(path).error, JournalCorrupt)


async def test_a_tree_that_ends_too_early_is_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.db"
    await good((await filled(path, 3)).close())
    for module, name in ((checks, "select_rows"), (stored, "select_fields")):
        with monkeypatch.context() as patched:
            patched.setattr(module, name, lambda *_: ())
            error = all_of(path).error
        assert isinstance(error, JournalCorrupt)
        assert error.place == "end"


async def test_tables_of_snapshots_that_are_gone_are_no_loss(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    await good((await good(open_sqlite(path, base=base_after(2)))).close())
    _execute(path, "DROP TABLE snapshots")
    source = opened(stored.open_stored(path))
    assert list(source.snapshots()) == []
    assert source.snapshot(2) == base_after(2)
    assert source.snapshot(1) is None
    source.close()


async def test_who_holds_a_journal_is_known_without_taking_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    lock = tmp_path / "journal.db.lock"
    assert holder_of(lock) is None
    journal = await filled(path, 1)
    assert holder_of(lock) == f"pid {os.getpid()}"
    await good(journal.close())
    assert holder_of(lock) is None
