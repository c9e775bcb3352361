"""Rows in other words: chained anew, with what they recorded, right or wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import orjson
from returns.result import Failure

from orchestrator.codec.digests import EMPTY
from orchestrator.codec.wire import decode_fleet, encode_fleet
from orchestrator.core.errors import JournalCorrupt
from orchestrator.core.reduce import fold
from orchestrator.core.state import Fleet
from orchestrator.journal.jsonl import export_rows, write_lines
from orchestrator.journal.pages import Page, page_of
from orchestrator.journal.port import START, Draft, Head, Row, Snapshot, broken, chained
from orchestrator.journal.provenance import Redacted, read_redacted
from orchestrator.journal.reading import Reading, entry_of, open_reading
from orchestrator.journal.redacted import hear, redacted_base, redacted_rows
from orchestrator.replay.history import NOTHING, Entry
from orchestrator.replay.redacted.pseudonyms import Pseudonyms, Vocabulary
from orchestrator.replay.redacted.redaction import redact
from tests.journal.opened import opened
from tests.replay.golden import POLICIES, golden_path

GOLDEN = golden_path(2).with_name("journal.rules-2.4.jsonl.gz")
OLD = golden_path(1).with_name("journal.rules-1.4.jsonl.gz")
KEY = b"chance, drawn by a test"


def rows_of(path: Path, number: int) -> tuple[Row, ...]:
    read: Reading = opened(open_reading(path))
    found = tuple(row for row in read.rows() if row.seq <= number)
    read.close()
    return found


@attrs.define
class Listed:
    """A journal in memory, as tools read one."""

    rows: tuple[Row, ...]
    base: Snapshot | None = None
    expected: int | None = None
    cut_at_line: int | None = None

    def pages(self, after: int | None = None) -> Iterator[Page]:
        if self.rows:
            yield page_of(self.rows)

    def snapshot(self, until: int) -> Snapshot | None:
        return None

    def close(self) -> None:
        return


def words_of(source: Listed) -> Pseudonyms:
    vocabulary = Vocabulary()
    passed: list[Draft] = []

    def passing(drafts: Any) -> Any:
        for draft in drafts:
            passed.append(draft)
            yield draft

    hear(Reading(source), vocabulary, passing)
    assert len(passed) <= len(source.rows)
    return Pseudonyms.of(vocabulary, key=KEY)


def test_rows_are_chained_anew_and_end_where_they_should() -> None:
    source = Listed(rows_of(GOLDEN, 30))
    words = words_of(source)
    shown = tuple(redacted_rows(Reading(source), words, until=30))
    assert broken(START, shown) is None
    assert shown[-1].digest != source.rows[-1].digest
    assert tuple(redacted_rows(Reading(source), words, until=10)) == shown[:10]
    assert tuple(redacted_rows(Reading(source), words, until=0)) == ()
    assert tuple(redacted_rows(Reading(source), words, until=99)) == shown


def test_a_digest_of_names_becomes_that_of_nothing() -> None:
    source = Listed(rows_of(OLD, 10))
    assert len({row.changes for row in source.rows}) > 2
    shown = redacted_rows(Reading(source), words_of(source), until=10)
    assert {row.changes for row in shown} == {EMPTY}


def compacted(after: int, until: int) -> tuple[Listed, Fleet]:
    rows = rows_of(GOLDEN, until)
    entries = [entry for entry in map(entry_of, rows) if isinstance(entry, Entry)]
    fleet = fold(NOTHING, (entry.event for entry in entries[:after]), POLICIES)
    base = Snapshot(
        seq=after, digest=rows[after - 1].digest, rules=3, body=encode_fleet(fleet)
    )
    return Listed(rows[after:], base), fleet


def test_rows_behind_a_base_begin_behind_the_redacted_one() -> None:
    source, fleet = compacted(40, 60)
    words, read = words_of(source), Reading(source)
    assert source.base is not None
    base = redacted_base(read, source.base, words).unwrap()
    assert decode_fleet(base.body).unwrap() == redact(fleet, words)
    assert (base.seq, base.rules) == (40, 3)
    assert base.digest != source.base.digest
    shown = tuple(redacted_rows(read, words, begin=base.head, until=60))
    assert broken(base.head, shown) is None
    assert [row.seq for row in shown] == list(range(41, 61))
    assert not tuple(redacted_rows(read, words, begin=base.head, until=40))


def test_a_base_that_makes_no_sense_is_a_damage() -> None:
    source, _ = compacted(40, 50)
    assert source.base is not None
    source.base = attrs.evolve(source.base, body=b'{"name":7}')
    answer = redacted_base(Reading(source), source.base, words_of(source))
    assert isinstance(answer, Failure)
    assert answer.failure().seq == 40


def test_a_row_that_makes_no_sense_ends_the_rows() -> None:
    good = rows_of(GOLDEN, 5)
    drafts = [
        Draft(
            at=row.at,
            event=b'{"type":"acme"}' if row.seq == 4 else row.event,
            commands=row.commands,
            changes=row.changes,
        )
        for row in good
    ]
    source = Listed(chained(START, drafts))
    read = Reading(source)
    assert len(tuple(redacted_rows(read, words_of(source), until=5))) == 3
    assert isinstance(read.error, JournalCorrupt)
    assert read.error.seq == 4


def test_a_record_that_cannot_be_read_tells_nothing_and_equals_none() -> None:
    changes = {
        "steady": {"mystery": "acme"},
        "job": "acme",
        "dead": {"phase": {"type": "acme"}, "name": "dead", "run": 3, "last": None},
        "gone": None,
    }
    (row,) = rows_of(GOLDEN, 1)
    draft = Draft(
        at=row.at,
        event=row.event,
        commands=row.commands,
        changes=orjson.dumps(changes),
    )
    source = Listed(chained(START, [draft]))
    (shown,) = redacted_rows(Reading(source), words_of(source), until=1)
    unreadable = {"unreadable": True}
    assert orjson.loads(shown.changes) == {
        "c4": unreadable,
        "c3": unreadable,
        "c1": {"phase": unreadable, "name": "c1", "run": 3, "last": None},
        "c2": None,
    }


def test_an_export_says_where_it_comes_from(tmp_path: Path) -> None:
    about = Redacted(of="ab" * 32, kept=("names",))
    path = tmp_path / "a.jsonl"
    rows = rows_of(GOLDEN, 3)
    opened(export_rows(path, rows, None, about))
    with (tmp_path / "b.jsonl").open("wb") as file:
        assert write_lines(file, rows, None, about) == Head(
            seq=3, digest=rows[-1].digest
        )
    assert (tmp_path / "b.jsonl").read_bytes() == path.read_bytes()
    read: Reading = opened(open_reading(path))
    assert getattr(read.source, "redacted", None) == about
    assert tuple(read.rows()) == rows
    read.close()


def test_a_provenance_that_is_not_understood_is_none() -> None:
    about = Redacted(of="ab", kept=())
    assert read_redacted(about.tree()) == about
    for tree in (None, 7, {}, {"of": "ab"}, {"of": 7, "kept": []}):
        assert read_redacted(tree) is None
    assert read_redacted({"of": "ab", "kept": [7]}) is None
    assert read_redacted({"of": "ab", "kept": [], "more": 1}) is None
