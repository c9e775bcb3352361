"""``journal info``, ``compact`` and ``repair`` as their users run them."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from orchestrator.core.state import RULES
from tests.cli.kit import Done, file_at, run
from tests.replay.golden import GOLDEN

EXPORT = GOLDEN / f"journal.rules-{RULES}.2.jsonl.gz"
POLICIES = ("--policies", "tests.replay.golden:STRIKES")
ROWS = gzip.decompress(EXPORT.read_bytes()).count(b"\n") - 2


def journal(*words: str) -> Done:
    done = run("journal", *words)
    assert "Traceback" not in done.err
    return done


def facts(path: Path, *words: str) -> dict[str, object]:
    done = journal("info", str(path), "-o", "json", *words)
    assert done.code == 0, done.err
    found: dict[str, object] = json.loads(done.out)
    return found


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("imported") / "journal.db"
    assert journal("import", str(EXPORT), str(path)).code == 0
    return path


@pytest.fixture
def stored(imported: Path, tmp_path: Path) -> Path:
    for name in ("journal.db", "journal.db.head"):
        shutil.copy(imported.with_name(name), tmp_path / name)
    return tmp_path / "journal.db"


def test_info_tells_the_same_of_a_database_and_of_its_export(stored: Path) -> None:
    ours, theirs = facts(stored, *POLICIES), facts(EXPORT, *POLICIES)
    assert (ours["kind"], theirs["kind"]) == ("database", "export")
    assert (ours["rows"], ours["first"], ours["last"]) == (ROWS, 1, ROWS)
    assert ours["fleet"] == "golden"
    assert ours["containers"] == 15
    assert ours["segments"] == [{"first": 1, "last": ROWS, "rules": RULES}]
    assert ours["held_by"] is None
    apart = {"file", "kind", "bytes"}
    assert {k: v for k, v in ours.items() if k not in apart} == {
        k: v for k, v in theirs.items() if k not in apart
    }
    told = journal("info", str(stored))
    assert f"rows:         {ROWS} (1 to {ROWS})" in told.out
    assert "needs_policy: strikes" in told.out


def test_a_compacted_journal_and_its_archive_are_verified_one_after_the_other(
    stored: Path, tmp_path: Path
) -> None:
    done = journal("compact", str(tmp_path), "--keep-rows", "100", *POLICIES)
    assert done.code == 0, done.err
    cut = ROWS - 100
    archive = tmp_path / f"journal.db.rows-1-{cut}.jsonl.gz"
    assert done.out.splitlines()[:2] == [
        f"rows 1 to {cut} are in {archive}",
        f"the journal begins behind row {cut} and has 100 rows",
    ]
    for path in (archive, stored):
        verified = journal("verify", str(path), *POLICIES)
        assert verified.code == 0, verified.err
    ours, archived = facts(stored, *POLICIES), facts(archive, *POLICIES)
    assert isinstance(ours["base"], dict)
    assert ours["base"]["digest"] == archived["digest"]
    assert (ours["fleet"], ours["containers"]) == ("golden", 15)
    again = journal("compact", str(stored), "--keep-rows", "100", *POLICIES)
    assert again.out == "nothing to compact: all 100 rows are to be kept\n"
    told = journal("info", str(stored), *POLICIES)
    assert f"base:         after row {cut} (rules {RULES}, " in told.out


def test_what_compact_refuses_it_says_in_a_sentence(
    stored: Path, tmp_path: Path
) -> None:
    path, there = str(stored), tmp_path / "there.gz"
    there.write_text("mine")
    refusals = [
        ((path,), 2, "give --keep-rows N or --keep DURATION"),
        ((path, "--keep-rows", "1", "--keep", "1d"), 2, "give --keep-rows N or"),
        ((path, "--keep-rows", "0"), 2, "0 is not in the range x>=1"),
        ((path, "--keep", "soon"), 2, "expected a duration"),
        ((path, "--keep-rows", "9"), 2, "policy or rollout strategy 'strikes'"),
        ((str(EXPORT), "--keep-rows", "9"), 2, "only the journal of an operator"),
        ((str(tmp_path / "none"), "--keep-rows", "9"), 2, "does not exist"),
        ((path, "--keep", "1s", "--no-archive", "--archive", "x"), 2, "give one"),
        ((path, "--keep", "1s", "--archive", str(there)), 6, "is a new file"),
    ]
    for words, code, sentence in refusals:
        done = journal("compact", *words)
        assert (done.code, sentence in done.err) == (code, True), done.err
    assert there.read_text() == "mine"


def test_rows_may_be_let_go(stored: Path, tmp_path: Path) -> None:
    words = ("--keep", "10m", "--no-archive", *POLICIES)
    done = journal("compact", str(stored), *words)
    assert done.code == 0, done.err
    assert "are gone" in done.out
    assert not list(tmp_path.glob("*.gz"))


def test_repair_tells_what_it_kept_and_where_the_rest_is(
    stored: Path, tmp_path: Path
) -> None:
    connection = sqlite3.connect(stored, isolation_level=None)
    connection.execute("UPDATE rows SET at = at + 1 WHERE seq = 11")
    connection.close()
    damaged = journal("info", str(stored))
    assert damaged.code == 8
    assert "at row 11 (row altered)" in damaged.err
    assert "(1 to 10)" in damaged.out
    done = journal("repair", str(tmp_path))
    side = tmp_path / "journal.db.after-10.jsonl"
    assert done.out.splitlines() == [
        "the journal ends at row 10; 0 rows are lost",
        f"{ROWS - 10} rows behind a damage are in {side}",
    ]
    assert journal("repair", str(stored)).out == (
        "the journal ends at row 10; 0 rows are lost\n"
    )


def test_repair_does_not_say_how_many_rows_are_lost_where_nobody_knows(
    stored: Path,
) -> None:
    connection = sqlite3.connect(stored, isolation_level=None)
    connection.execute("DELETE FROM rows WHERE seq > 10")
    connection.close()
    stored.with_name("journal.db.head").write_bytes(b"torn")
    assert journal("repair", str(stored)).out == (
        "the journal ends at row 10; how many are lost is not known,"
        " for no head file could be read\n"
    )


def test_info_counts_the_log_of_a_database(stored: Path) -> None:
    connection = sqlite3.connect(stored, isolation_level=None)
    connection.execute("CREATE TABLE notes (text TEXT)")
    log = stored.with_name("journal.db-wal").stat().st_size
    assert log > 0
    assert facts(stored)["bytes"] == stored.stat().st_size + log
    connection.close()


def test_where_there_is_no_journal_compact_makes_none(tmp_path: Path) -> None:
    empty = tmp_path / "empty.db"
    empty.touch()
    for path, code in ((empty, 5), (Path("/dev/null"), 2)):
        done = journal("compact", str(path), "--keep-rows", "1")
        assert done.code == code, done.err
        assert str(path) in done.err
    assert [one.name for one in tmp_path.iterdir()] == ["empty.db"]
    assert empty.stat().st_size == 0


def test_a_damaged_export_is_parted(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    content = gzip.decompress(EXPORT.read_bytes())
    path.write_bytes(content.replace(b'{"seq":9,', b'{"seq":8,', 1))
    done = journal("repair", str(path))
    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        f"rows up to 8 are whole, in {path}.until-8.jsonl",
        f"{ROWS - 8 + 1} lines behind a damage are in {path}.after-8.txt",
        f"{path} is as it was",
    ]
    (tmp_path / "no.txt").write_text("no journal\n")
    refused = journal("repair", str(tmp_path / "no.txt"))
    assert refused.code == 8
    assert "line 1" in refused.err


def test_info_says_who_writes_to_a_journal(tmp_path: Path) -> None:
    from tests.cli.kit import reached, up

    text = '[fleet]\nname = "x"\n[[containers]]\nname = "job"\ncommand = ["true"]\n'
    state = tmp_path / "state"
    with up(file_at(tmp_path, text), state) as process:
        reached(state)
        assert facts(state)["held_by"] == f"pid {process.pid}"
        refused = journal("compact", str(state), "--keep-rows", "1")
        assert refused.code == 6
        assert f"pid {process.pid}" in refused.err
        assert journal("repair", str(state)).code == 6
    assert facts(state)["held_by"] is None
