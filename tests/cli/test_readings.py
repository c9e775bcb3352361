"""How commands read a journal: from a snapshot on, or not at all, with a warning."""

from __future__ import annotations

import gc
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.cli.failing import Failed
from orchestrator.cli.readings import reading
from orchestrator.core.events import Booted
from orchestrator.core.state import RULES
from orchestrator.runtime.collecting import THRESHOLD
from tests.cli.inside import ran
from tests.cli.test_journals import EXPORT, POLICIES
from tests.replay.incident import EVENTS, INCIDENT, exported, stored, told

NEWER = RULES + 97
MIDDLE = EVENTS[7].at


def since(journal: Path, *places: object) -> Iterator[str]:
    for place in places:
        done = ran("replay", "timeline", journal, "--by-time", "--since", place)
        assert (done.code, done.err) == (0, "")
        yield done.out


def spoilt(path: Path) -> Path:
    """Alter the first row: whoever begins there finds it."""
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE rows SET event = x'00' WHERE seq = 1")
    connection.close()
    return path


def test_a_timeline_since_a_place_is_the_same_from_a_snapshot_on(
    tmp_path: Path,
) -> None:
    places = (0, 3, 4, 5, 8, 9, 15, 16, 99, f"{MIDDLE // 1000}", "2100-01-01")
    moments = [f"1970-01-01T00:02:0{second}Z" for second in range(4)]
    wanted = (*places[:9], *moments, places[-1])
    plain = exported(tmp_path / "plain.jsonl", INCIDENT)
    database = stored(tmp_path / "journal.db", INCIDENT, 4, 8, 16)
    assert list(since(database, *wanted)) == list(since(plain, *wanted))


def test_a_timeline_begins_at_the_newest_snapshot_before_the_place(
    tmp_path: Path,
) -> None:
    whole = stored(tmp_path / "whole.db", INCIDENT)
    database = spoilt(stored(tmp_path / "journal.db", INCIDENT, 4, 8))
    last = EVENTS[-1].at // 1000
    moment = f"1970-01-01T00:{last // 60:02}:{last % 60:02}Z"
    wanted = (5, 9, moment)
    assert list(since(database, *wanted)) == list(since(whole, *wanted))
    for early in (4, "1970-01-01T00:00:00Z"):
        done = ran("replay", "timeline", database, "--since", early)
        assert (done.code, "row altered" in done.err) == (8, True)


def test_a_timeline_does_not_begin_at_what_other_rules_have_folded(
    tmp_path: Path,
) -> None:
    database = stored(tmp_path / "journal.db", INCIDENT, 4, 8, rules=RULES - 1)
    assert ran("replay", "timeline", spoilt(database), "--since", 9).code == 8


def test_a_snapshot_that_needs_a_policy_is_not_begun_at_without_it() -> None:
    done = ran("replay", "timeline", EXPORT, "--since", 100)
    assert done.code != 0
    assert "needs the restart policy" in done.err
    assert ran("replay", "timeline", EXPORT, "--since", 100, *POLICIES).code == 0


def test_an_import_of_rows_of_newer_rules_warns(tmp_path: Path) -> None:
    booted = Booted(at=0, epoch=1, rules=NEWER)
    newer = exported(tmp_path / "newer.jsonl", told((booted, *EVENTS[1:])))
    done = ran("journal", "import", newer, tmp_path / "newer.db")
    assert (done.code, done.out) == (0, f"{len(EVENTS)} rows\n")
    assert done.err == (
        f"warning: rows 1..{len(EVENTS)} were written under rules {NEWER}, newer than"
        f" this release's {RULES}: its operator may understand them in another way\n"
    )
    today = exported(tmp_path / "today.jsonl", INCIDENT)
    assert ran("journal", "import", today, tmp_path / "today.db").err == ""


RUBBISH = (
    (b"hello\n", 8, "expected an export (orchestrator-journal), found 'hello'"),
    (b"no line end", 8, "expected an export (orchestrator-journal), found 'no line"),
    (b'{"format":"other"}\n', 8, "expected an export"),
    (b"", 10, "was cut off at line 1"),
    (b'{"format":"orch', 10, "was cut off at line 1"),
)


@pytest.mark.parametrize(("content", "code", "said"), RUBBISH)
def test_of_a_file_that_is_no_journal_info_says_only_that(
    tmp_path: Path, content: bytes, code: int, said: str
) -> None:
    path = tmp_path / "rubbish"
    path.write_bytes(content)
    for words in ((), ("-o", "json")):
        done = ran("journal", "info", path, *words)
        assert (done.code, done.out) == (code, "")
        assert said in done.err
        assert done.err.count("\n") == 1


def test_of_a_journal_without_rows_info_tells_that_it_has_none(tmp_path: Path) -> None:
    done = ran("journal", "info", exported(tmp_path / "none.jsonl", ()), "-o", "json")
    assert (done.code, json.loads(done.out)["rows"]) == (0, 0)


def test_garbage_is_collected_seldom_while_a_journal_is_read(tmp_path: Path) -> None:
    plain = exported(tmp_path / "plain.jsonl", INCIDENT)
    before = gc.get_threshold()
    with reading(plain) as one, reading(plain) as other:
        assert gc.get_threshold() == THRESHOLD
        assert len([*one.rows(), *other.rows()]) == 2 * len(EVENTS)
    assert gc.get_threshold() == before
    with pytest.raises(Failed), reading(plain):
        raise Failed("a command failed", 1)
    assert gc.get_threshold() == before
