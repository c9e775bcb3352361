"""``orchestrator replay diff``: two journals, and two places of one."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import attrs
import pytest

from orchestrator.core.events import ContainerEnded, Event
from orchestrator.core.exits import Exited
from orchestrator.core.policies import CustomPolicyRef, RestartPolicy
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import RULES
from orchestrator.journal.compaction import KeepRows, compact
from orchestrator.journal.jsonl import export_rows
from orchestrator.journal.port import START, chained
from tests.cli.inside import ran
from tests.journal.opened import opened
from tests.replay.incident import (
    BEGIN,
    EVENTS,
    INCIDENT,
    WEB,
    applied,
    drafts,
    exported,
    extra,
    stored,
    told,
)

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one journal, told in several ways."""
    folder = tmp_path_factory.mktemp("diff")
    _ = exported(folder / "whole.jsonl.gz", INCIDENT)
    _ = exported(folder / "begin.jsonl", INCIDENT[:10])
    _ = exported(folder / "later.jsonl", told(EVENTS[1:]))
    _ = exported(folder / "other.jsonl", told(other_events()))
    (folder / "state").mkdir()
    _ = stored(folder / "state" / "journal.db", INCIDENT)
    return folder


def other_events() -> tuple[Event, ...]:
    end = EVENTS[5]
    assert isinstance(end, ContainerEnded)
    return (*EVENTS[:5], attrs.evolve(end, exit=Exited(code=0)), *EVENTS[6:])


def test_the_same_rows_in_another_form_are_no_difference(folder: Path) -> None:
    for other in (folder / "state", folder / "whole.jsonl.gz"):
        done = ran("replay", "diff", folder / "whole.jsonl.gz", other)
        assert (done.code, done.err) == (0, "")
        assert done.out == "the same 16 rows\nthe fleets at their ends are the same\n"
    piped = ran(
        "replay", "diff", "-", folder / "state", stdin=folder / "whole.jsonl.gz"
    )
    assert piped.code == 0


def test_the_first_row_that_differs_is_told_field_by_field(folder: Path) -> None:
    one, other = folder / "whole.jsonl.gz", folder / "other.jsonl"
    done = ran("replay", "diff", one, other)
    assert (done.code, done.err) == (1, "")
    begin, _, ends = done.out.partition("\n\n")
    assert begin.splitlines() == [
        "the same 5 rows, then they part at row 6",
        f"  {one}: container_ended web-1, 1970-01-01T00:00:01.020Z",
        f"  {other}: container_ended web-1, 1970-01-01T00:00:01.020Z",
        "    event.exit.code: 7 -> 0",
        "    changes.web-1.phase.type: backing_off -> completed",
        "    changes.web-1.phase.until: 1970-01-01T00:00:02.007Z -> nothing",
        "    changes.web-1.phase.rule: failure_backoff -> nothing",
        "    changes.web-1.history: "
        '{"failures":[1020],"attempts":1,"obstacles":0,"crashes_to... -> nothing',
        "    changes.web-1.last.exit.code: 7 -> 0",
    ]
    assert ends.splitlines()[:2] == [
        "the fleets at their ends, row 16 and row 16, differ:",
        "  web-1: crash_looping -> completed: it ended well; its policy restarts"
        " failures only (exit 0)",
    ]
    assert "    run: 3 -> 1" in ends.splitlines()


def test_programs_are_told_all_of_it(folder: Path) -> None:
    words = (folder / "whole.jsonl.gz", folder / "other.jsonl", "-o", "json")
    found = json.loads(ran("replay", "diff", *words).out)
    assert (found["same"], found["rows_alike"], found["first_row"]) == (False, 5, 1)
    assert found["parting"]["seq"] == 6
    assert found["parting"]["a"]["event"]["exit"]["code"] == 7
    assert found["parting"]["b"]["changes"]["web-1"]["phase"]["type"] == "completed"
    assert {"place": "event.exit.code", "a": 7, "b": 0} in (
        found["parting"]["differences"]
    )
    assert found["ends"]["a"] == {"seq": 16, "at": 300_000}
    (web,) = found["fleets"]["containers"]
    assert web["phase"] == {"a": "crash_looping", "b": "completed"}
    same = ran("replay", "diff", words[0], words[0], "-o", "json")
    assert same.code == 0
    tree = json.loads(same.out)
    assert (tree["same"], tree["parting"], tree["chained_anew"]) == (True, None, False)


def test_a_journal_that_ends_earlier_is_told_so(folder: Path) -> None:
    whole, begin = folder / "whole.jsonl.gz", folder / "begin.jsonl"
    for pair in ((whole, begin), (begin, whole)):
        done = ran("replay", "diff", *pair)
        assert done.code == 1
        assert done.out.splitlines()[:2] == [
            f"the same 10 rows, then {begin} ends",
            f"{whole} goes on with row 11, 1970-01-01T00:03:00.000Z: time_reached"
            " web-1",
        ]
        tree = json.loads(ran("replay", "diff", *pair, "-o", "json").out)
        assert None in (tree["parting"]["a"], tree["parting"]["b"])


def test_journals_may_have_nothing_in_common(folder: Path) -> None:
    done = ran("replay", "diff", folder / "whole.jsonl.gz", folder / "later.jsonl")
    assert done.code == 1
    assert done.out.startswith("nothing in common: they part at row 1\n")
    assert "\n    event.type: booted -> spec_applied\n" in done.out


def test_too_much_to_be_read_is_counted(tmp_path: Path, folder: Path) -> None:
    journal = exported(tmp_path / "many.jsonl", told((BEGIN[0], applied(*many()))))
    done = ran("replay", "diff", folder / "whole.jsonl.gz", journal)
    assert "more (-o json shows all of them)" in done.out
    assert "and 18 more\n" in done.out
    assert max(map(len, done.out.splitlines())) < 200


def many() -> list[ContainerSpec]:
    return [attrs.evolve(WEB, name=f"c-{n}", service=f"c-{n}") for n in range(30)]


def test_a_copy_that_was_chained_anew_has_the_same_content(
    tmp_path: Path, folder: Path
) -> None:
    other = drafts(INCIDENT)
    turned = attrs.evolve(other[2], changes=turn(other[2].changes))
    copy = tmp_path / "copy.jsonl"
    rows = chained(START, (*other[:2], turned, *other[3:]))
    _ = opened(export_rows(copy, rows))
    done = ran("replay", "diff", folder / "whole.jsonl.gz", copy)
    assert (done.code, done.err) == (0, "")
    assert "one of them was chained anew: their digests differ" in done.out


def turn(changes: bytes) -> bytes:
    """Write the same changes in another order, as an editor of JSON might."""
    tree = json.loads(changes)
    return json.dumps(dict(reversed(tree.items())), separators=(",", ":")).encode()


def test_two_places_of_one_journal(folder: Path) -> None:
    whole = folder / "whole.jsonl.gz"
    done = ran("replay", "diff", whole, "--from", 11, "--to", 12)
    assert (done.code, done.err) == (1, "")
    assert done.out == (
        "from row 11, 1970-01-01T00:03:00.000Z to row 12, 1970-01-01T00:03:00.000Z:\n"
        "job: starting -> stopping: is being ended: stopped\n"
        "  desired.running: true -> false\n"
        "  desired.at: 1970-01-01T00:00:00.001Z -> 1970-01-01T00:03:00.000Z\n"
    )
    back = ran("replay", "diff", whole, "--from", 12, "--to", 11)
    assert "\njob: stopping -> starting: a start was commanded\n" in back.out
    same = ran("replay", "diff", whole, "--from", 15)
    assert same.code == 0
    assert same.out == (
        "from row 15, 1970-01-01T00:04:00.020Z to row 16, 1970-01-01T00:05:00.000Z:"
        " no difference\n"
    )
    tree = json.loads(
        ran("replay", "diff", whole, "--from", 11, "--to", 12, "-o", "json").out
    )
    assert (tree["same"], tree["from"]["seq"], tree["to"]["seq"]) == (False, 11, 12)
    (job,) = tree["fleets"]["containers"]
    assert job["phase"] == {"from": "starting", "to": "stopping"}


def test_places_are_moments_too(folder: Path) -> None:
    done = ran(
        *("replay", "diff", folder / "state", "--from", "1970-01-01T00:00:00.001Z"),
        *("--to", "1970-01-01T01:00:00.002+01:00"),
    )
    assert done.code == 1
    assert done.out.splitlines()[0].startswith("from row 2, ")
    assert "\nthe fleet itself:\n  observed: false -> true\n" in done.out
    assert "  startup_ms" not in done.out


def test_containers_that_came_and_went_are_named(tmp_path: Path) -> None:
    journal = exported(tmp_path / "extra.jsonl", told((*BEGIN, *extra(1, 1_000))))
    came = ran("replay", "diff", journal, "--from", 3, "--to", 4)
    assert "\ncame: extra\n" in came.out
    gone = ran("replay", "diff", journal, "--from", 7, "--to", 8)
    assert "\ngone: extra\n" in gone.out
    assert "\n  forgetting.extra: nothing -> 1\n" in gone.out


@pytest.mark.parametrize("name", ["from", "to"])
def test_a_row_that_there_is_not_is_refused(folder: Path, name: str) -> None:
    places = {"from": 16, "to": 16} | {name: 99}
    words = [word for key, row in places.items() for word in (f"--{key}", row)]
    done = ran("replay", "diff", folder / "state", *words)
    assert (done.code, done.out) == (2, "")
    assert f"{name}: expected a row from 0 to 16, the newest, found 99" in done.err


def test_a_journal_that_was_compacted_is_compared_behind_its_base(
    tmp_path: Path, folder: Path
) -> None:
    journal = stored(tmp_path / "journal.db", INCIDENT, 8)
    assert opened(compact(journal, KeepRows(rows=8))).last == 8
    done = ran("replay", "diff", journal, folder / "whole.jsonl.gz")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "compared behind row 8, where the compacted one begins\n"
        "the same 8 rows\n"
        "the fleets at their ends are the same\n"
    )
    inside = ran("replay", "diff", journal, "--from", 8, "--to", 9)
    assert inside.code == 1
    for place in ("7", "1970-01-01T00:00:30Z"):
        early = ran("replay", "diff", journal, "--from", place)
        assert early.code == 11
        assert "begins behind row 8" in early.err


def test_a_damage_is_never_taken_for_the_end(tmp_path: Path, folder: Path) -> None:
    whole = folder / "whole.jsonl.gz"
    lines = gzip.decompress(whole.read_bytes()).splitlines(keepends=True)
    lines[10] = lines[10].replace(b'"run":2', b'"run":3')
    damaged = tmp_path / "damaged.jsonl"
    damaged.write_bytes(b"".join(lines))
    for words in ((whole, damaged), (damaged, whole), (damaged, "--from", "3")):
        done = ran("replay", "diff", *words)
        assert (done.code, done.out) == (8, "")
        assert f"{damaged}: journal damaged at row 10" in done.err
    lines = gzip.decompress(whole.read_bytes()).splitlines(keepends=True)
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(b"".join(lines[:11]))
    done = ran("replay", "diff", whole, cut)
    assert done.code == 10
    assert f"the same 10 rows, then {cut} ends" in done.out
    assert "was cut off at line 12" in done.err


def test_custom_policies_are_asked_for(tmp_path: Path) -> None:
    ref = CustomPolicyRef(name="strikes", version=1)
    spec = attrs.evolve(WEB, restart=RestartPolicy(custom=ref))
    journal = exported(tmp_path / "a.jsonl", told((BEGIN[0], applied(spec))))
    for words in ((journal, journal), (journal, "--from", "1")):
        done = ran("replay", "diff", *words)
        assert done.code == 2
        assert "policy or rollout strategy 'strikes' version 1" in done.err
        known = ran(
            "replay", "diff", *words, "--policies", "tests.replay.golden:STRIKES"
        )
        assert known.code in {0, 1}


def test_golden_journals_are_compared() -> None:
    names = (
        GOLDEN / f"journal.rules-{RULES}.2.jsonl.gz",
        GOLDEN / f"journal.rules-{RULES}.4.jsonl.gz",
    )
    done = ran("replay", "diff", *names, "--policies", "tests.replay.golden:STRIKES")
    assert done.code == 1
    assert done.out.startswith("the same 1 row, then they part at row 2\n")
