"""``orchestrator replay bisect``: what it finds, how, and how it refuses."""

from __future__ import annotations

import gzip
import json
import shlex
from pathlib import Path

import attrs
import pytest

from orchestrator.core.policies import CustomPolicyRef, RestartPolicy
from orchestrator.core.state import RULES
from orchestrator.journal.compaction import KeepRows, compact
from tests.cli.inside import ran
from tests.journal.opened import opened
from tests.replay.incident import (
    BEGIN,
    INCIDENT,
    MINUTE,
    WEB,
    applied,
    exported,
    extra,
    failure,
    stored,
    told,
)

LOOP = "phase('web-1') == 'crash_looping'"
GOLDEN = Path(__file__).parents[1] / "golden" / f"journal.rules-{RULES}.4.jsonl.gz"


@pytest.fixture(scope="module")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("bisect") / "it's.jsonl.gz", INCIDENT)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stored(tmp_path_factory.mktemp("bisect") / "journal.db", INCIDENT, 4, 8, 12)


def test_the_row_is_told_with_what_it_did_and_why(incident: Path) -> None:
    done = ran("replay", "bisect", incident, "--when", LOOP)
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "row 15, 1970-01-01T00:04:00.020Z: container_ended web-1\n"
        "\n"
        "web-1 is crash_looping: it fails too often and cools down (exit 7)\n"
        "  phase.type: running -> crash_looping\n"
        "  phase.until: nothing -> 1970-01-01T00:10:01.020Z\n"
        "  phase.rule: nothing -> crash_loop_cooldown\n"
        "  history.failures[2]: nothing -> 1970-01-01T00:04:00.020Z\n"
        "  history.attempts: 2 -> 3\n"
        "  history.crashes_total: 2 -> 3\n"
        "  history.failed_in_a_row: 2 -> 3\n"
        "  last.run: 2 -> 3\n"
        "  last.ended_at: 1970-01-01T00:02:00.020Z -> 1970-01-01T00:04:00.020Z\n"
        "  last.started_at: 1970-01-01T00:02:00.000Z -> 1970-01-01T00:04:00.000Z\n"
        "  last.ready_at: 1970-01-01T00:02:00.010Z -> 1970-01-01T00:04:00.010Z\n"
        "  3 failures within 10m, allowed: 2\n"
        "  next change at 1970-01-01T00:10:01.020Z\n"
        "\n"
        "looked at 15 rows: every row was looked at\n"
        f"to see all of it: orchestrator replay {shlex.quote(str(incident))}"
        " --until 15\n"
    )
    command = done.out.splitlines()[-1].partition(": ")[2]
    after = ran(*shlex.split(command)[1:])
    assert after.code == 0
    assert "crash_looping" in after.out


def test_commands_are_told_and_containers_that_the_row_touched(incident: Path) -> None:
    done = ran("replay", "bisect", incident, "--when", "command('start_container')")
    assert done.out.startswith(
        "row 3, 1970-01-01T00:00:00.002Z: fleet_observed\n"
        "  causes start_container job run=1 revision=1\n"
        "  causes start_container web-1 run=1 revision=1\n"
        "\n"
        "job is starting: a start was commanded\n"
    )
    assert "\nweb-1 is starting" in done.out


def test_commands_that_today_are_others_are_told_of(tmp_path: Path) -> None:
    other = (*INCIDENT[:2], attrs.evolve(INCIDENT[2], commands=()), *INCIDENT[3:])
    journal = exported(tmp_path / "other.jsonl", other)
    words = ("replay", "bisect", journal, "--when", "command('start_container')")
    assert "(the journal recorded other commands: verify it)" in ran(*words).out
    found = json.loads(ran(*words, "-o", "json").out)
    assert (len(found["commands"]), found["recorded_commands"]) == (2, [])


def test_containers_that_came_and_went_are_told_so(tmp_path: Path) -> None:
    journal = exported(tmp_path / "extra.jsonl", told((*BEGIN, *extra(1, 1_000))))
    came = ran("replay", "bisect", journal, "--when", "phase('extra') != 'absent'")
    assert "\nextra is starting: " in came.out
    assert "\n  it was not there before\n" in came.out
    gone = "phase('extra') == 'absent' and seq > 4"
    done = ran("replay", "bisect", journal, "--when", gone)
    assert "\nextra is not there any more\n" in done.out
    assert done.err == ""
    never = ran("replay", "bisect", journal, "--when", "phase('nobody') == 'absent'")
    assert "\nnobody is not there\n" in never.out


def test_programs_are_told_all_of_it(incident: Path) -> None:
    done = ran("replay", "bisect", incident, "--when", LOOP, "-o", "json")
    found = json.loads(done.out)
    assert (found["found"], found["seq"], found["at"]) == (True, 15, 240_020)
    assert found["event"]["exit"] == {"type": "exited", "code": 7}
    assert found["commands"] == []
    (web,) = found["containers"]
    assert web["explanation"]["rule"] == "crash_loop_cooldown"
    changes = {one["place"]: one for one in web["changes"]}
    assert changes["history.crashes_total"] == {
        "place": "history.crashes_total",
        "before": 2,
        "after": 3,
    }
    assert "before" not in changes["phase.until"]
    assert found["search"]["rows"] == 15
    assert found["when"] == LOOP
    gone = ran(
        *("replay", "bisect", incident, "--when", "phase('x') == 'absent'"),
        *("-o", "json"),
    )
    (nobody,) = json.loads(gone.out)["containers"]
    assert nobody == {"name": "x", "explanation": None, "changes": []}


def test_what_is_never_so_has_an_exit_code_of_its_own(incident: Path) -> None:
    done = ran("replay", "bisect", incident, "--when", "restarts('web-1') > 9")
    assert (done.code, done.err) == (1, "")
    assert done.out.startswith("it holds after no row up to row 16\n")
    done = ran(
        *("replay", "bisect", incident, "--when", "restarts('web-1') > 9"),
        *("-o", "json"),
    )
    assert done.code == 1
    assert json.loads(done.out) == {
        "found": False,
        "rows_end_at": 16,
        "when": "restarts('web-1') > 9",
        "begins_after": 0,
        "search": {"rows": 16, "states": 0, "why": "every row was looked at"},
    }


def test_a_name_that_nobody_has_is_warned_of(incident: Path) -> None:
    done = ran("replay", "bisect", incident, "--when", "ready('web1') or ready('xyz')")
    assert done.code == 1
    assert done.err == (
        "warning: there is no container 'web1' there; did you mean \"web-1\"?\n"
        "warning: there is no container 'xyz' there\n"
    )


@pytest.mark.parametrize(
    ("text", "caret", "said"),
    [
        ("phase('a') == 'faild'", 14, 'did you mean "failed"?'),
        ("phase('\N{CJK UNIFIED IDEOGRAPH-4E2D}') = 1", 12, 'write "=="'),
        ("true\nand\x1b[2J", 8, "found '\\x1b'"),
        ("", 0, "found the end"),
        ("true and " * 100 + "fase('a')", 70, "column 901"),
        ("__import__('os').system('true')", 16, "found '.'"),
        ("(" * 5_000, 70, "at most 2000 characters"),
        ("ready('a\udc80')", 6, "without control signs"),
    ],
)
def test_a_mistake_is_pointed_at(
    incident: Path, text: str, caret: int, said: str
) -> None:
    done = ran("replay", "bisect", incident, "--when", text)
    assert (done.code, done.out) == (2, "")
    shown, pointer, message = done.err.splitlines()
    assert shown[2:].isprintable()
    assert pointer == " " * (caret + 2) + "^"
    assert message.startswith("orchestrator: --when, column ")
    assert said in message


def test_every_mistake_is_pointed_at(incident: Path) -> None:
    done = ran("replay", "bisect", incident, "--when", "fase('a') and ready('B')")
    assert [line for line in done.err.splitlines() if line.endswith("^")] == [
        "  ^",
        " " * 22 + "^",
    ]
    assert "column 1:" in done.err
    assert "column 21:" in done.err


def test_snapshots_of_a_database_are_used_where_they_help(database: Path) -> None:
    text = "restarts('web-1') >= 2"
    done = ran("replay", "bisect", database, "--when", text)
    assert done.out.startswith("row 11, ")
    assert "\nlooked at 3 rows and 3 snapshots: by halving between" in done.out
    plain = ran("replay", "bisect", database, "--when", text, "--scan")
    assert plain.out.startswith("row 11, ")
    assert "\nlooked at 11 rows: every row was looked at\n" in plain.out
    turns = ran("replay", "bisect", database, "--when", "ready('web-1')")
    assert "every row was looked at, for the condition can turn false" in turns.out


def test_snapshots_that_other_rules_made_are_not_believed(tmp_path: Path) -> None:
    journal = stored(tmp_path / "journal.db", INCIDENT, 4, 8, 12, rules=1)
    done = ran("replay", "bisect", journal, "--when", "restarts('web-1') >= 2")
    assert done.out.startswith("row 11, ")
    assert "\nlooked at 11 rows: " in done.out


def test_a_state_folder_and_a_pipe_are_journals_too(
    database: Path, incident: Path
) -> None:
    done = ran("replay", "bisect", database.parent, "--when", LOOP)
    assert done.out.startswith("row 15, ")
    done = ran("replay", "bisect", "-", "--when", LOOP, stdin=incident)
    assert done.out.startswith("row 15, ")
    assert "--until" not in done.out


def test_a_journal_that_was_compacted_says_where_it_begins(tmp_path: Path) -> None:
    entries = told((*BEGIN, *failure(1, 1_000), *failure(2, 2 * MINUTE)))
    journal = stored(tmp_path / "journal.db", entries, 8)
    done = opened(compact(journal, KeepRows(rows=3)))
    assert done.last == 8
    turns = ran("replay", "bisect", journal, "--when", "ready('web-1')")
    assert turns.out.startswith("row 9, ")
    assert "  (the journal begins behind row 8: it may have held before)" in turns.out
    later = ran("replay", "bisect", journal, "--when", "crashes('web-1') > 1")
    assert later.out.startswith("row 10, ")
    assert "may have held" not in later.out
    never = ran("replay", "bisect", journal, "--when", "crashes('web-1') > 7")
    assert never.out.startswith(
        "it holds after no row behind row 8, where it begins, up to row 11\n"
    )


def test_an_export_that_was_cut_off_is_searched_and_told_of(
    tmp_path: Path, incident: Path
) -> None:
    lines = gzip.decompress(incident.read_bytes()).splitlines(keepends=True)
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(b"".join(lines[:17]) + lines[17][:9])
    found = ran("replay", "bisect", cut, "--when", LOOP)
    assert (found.code, found.out[:7]) == (0, "row 15,")
    never = ran("replay", "bisect", cut, "--when", "restarts('web-1') > 9")
    assert never.code == 10
    assert "no row up to row 16" in never.out
    assert "was cut off at line 18" in never.err


def test_a_damage_is_never_taken_for_the_end(tmp_path: Path, incident: Path) -> None:
    lines = gzip.decompress(incident.read_bytes()).splitlines(keepends=True)
    lines[10] = lines[10].replace(b'"run":2', b'"run":3')
    damaged = tmp_path / "damaged.jsonl"
    damaged.write_bytes(b"".join(lines))
    done = ran("replay", "bisect", damaged, "--when", LOOP)
    assert (done.code, done.out) == (8, "")
    assert "journal damaged at row 10" in done.err
    before = ran("replay", "bisect", damaged, "--when", "ready('web-1')")
    assert (before.code, before.out[:6]) == (0, "row 5,")


def test_custom_policies_are_asked_for(tmp_path: Path) -> None:
    ref = CustomPolicyRef(name="strikes", version=1)
    spec = attrs.evolve(WEB, restart=RestartPolicy(custom=ref))
    entries = told((BEGIN[0], applied(spec), *BEGIN[2:], *failure(1, 1_000)))
    words = ("replay", "bisect", exported(tmp_path / "a.jsonl", entries))
    text = "phase('web-1') == 'backing_off'"
    done = ran(*words, "--when", text)
    assert done.code == 2
    assert "policy or rollout strategy 'strikes' version 1" in done.err
    assert "--policies" in done.err
    known = ran(*words, "--when", text, "--policies", "tests.replay.golden:STRIKES")
    assert (known.code, known.out[:6]) == (0, "row 6,")


def test_a_golden_journal_is_searched(tmp_path: Path) -> None:
    done = ran(
        *("replay", "bisect", GOLDEN, "--when", "count('crash_looping') > 1"),
        *("--policies", "tests.replay.golden:STRIKES"),
    )
    assert done.code == 0, done.err
    assert ran("replay", "bisect", tmp_path / "no", "--when", "true").code == 5
    assert ran("replay", "bisect", GOLDEN).code == 2


def test_what_held_where_a_compacted_journal_begins_is_no_matter_of_its_first_row(
    tmp_path: Path,
) -> None:
    entries = told((*BEGIN, *failure(1, 1_000), *failure(2, 2 * MINUTE)))
    journal = stored(tmp_path / "journal.db", entries, 8)
    assert opened(compact(journal, KeepRows(rows=3))).last == 8
    for text in ("crashes('web-1') > 0", "phase('web-1') != 'absent'"):
        words = ("replay", "bisect", journal, "--when", text)
        done = ran(*words)
        assert (done.code, done.err) == (0, "")
        assert done.out == (
            "it held already after row 8, 1970-01-01T00:02:00.000Z, where the journal"
            " begins\nlooked at 0 rows: no row was looked at, for it holds where the"
            " rows begin\n"
        )
        assert json.loads(ran(*words, "-o", "json").out) == {
            "found": True,
            "held_before": True,
            "seq": 8,
            "at": 2 * MINUTE,
            "when": text,
            "begins_after": 8,
            "search": {
                "rows": 0,
                "states": 0,
                "why": "no row was looked at, for it holds where the rows begin",
            },
        }
    row = ran("replay", "bisect", journal, "--when", "not command('start_container')")
    assert row.out.startswith("row 9, "), "what a row did is asked of rows alone"
