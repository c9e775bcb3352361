"""``orchestrator replay``: the fleet at any place of a journal, and if it is so."""

from __future__ import annotations

import gzip
import json
import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import click
import orjson
import pytest
from click.testing import CliRunner

from orchestrator.cli.main import cli
from orchestrator.cli.readings import At, Moment, iso_time
from orchestrator.core.moments import format_duration
from orchestrator.core.state import RULES, Fleet
from orchestrator.journal.jsonl import export_rows
from orchestrator.journal.port import START, Draft, Row, chained
from orchestrator.replay import AfterRow, AtMoment, fold
from orchestrator.replay.places import Place
from orchestrator.runtime.views import View
from tests.cli.kit import COMMAND, Done, run
from tests.journal.opened import opened
from tests.replay.golden import GOLDEN, POLICIES
from tests.replay.kit import read_of

OLD = GOLDEN / "journal.rules-1.2.jsonl.gz"
NEW = GOLDEN / f"journal.rules-{RULES}.4.jsonl.gz"
WITH = ("--policies", "tests.replay.golden:STRIKES")
LAST = 707
"""Rows of NEW."""

MIDDLE = 300


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("replay") / "new.jsonl"
    path.write_bytes(gzip.decompress(NEW.read_bytes()))
    return path


@pytest.fixture(scope="module")
def rows() -> tuple[Row, ...]:
    with read_of(NEW) as read:
        return tuple(read.rows())


def replay(*words: object) -> Done:
    """Run ``orchestrator replay``, in this process; its failures are values."""
    from orchestrator.cli.failing import Failed

    runner = CliRunner()
    done = runner.invoke(
        cli, ["replay", *map(str, words), *WITH], standalone_mode=False
    )
    error = done.exception
    if error is None:
        return Done(0, done.stdout, done.stderr)
    if isinstance(error, Failed):
        return Done(error.code, done.stdout, done.stderr + error.message)
    if isinstance(error, click.ClickException):
        return Done(2, done.stdout, done.stderr + error.format_message())
    raise error


def shown(*words: object) -> Any:
    """Return what is shown as JSON, by a command that went well."""
    done = replay(*words, "-o", "json")
    assert done.code == 0, done.err
    return json.loads(done.out)


def fleet_at(place: Place | None) -> Fleet:
    with read_of(NEW) as read:
        return fold(read.entries(), until=place, policies=POLICIES)


def test_the_fleet_at_the_end_is_shown() -> None:
    done = replay(NEW)
    fleet = fleet_at(None)
    head, _, table = done.out.partition("\n")
    assert (done.code, done.err) == (0, "")
    expected = f"after row {LAST}, at {iso_time(fleet.at)}, rules {RULES}"
    assert head == f"fleet golden, {expected}"
    for name in fleet.containers:
        assert f"\n{name} " in table
    assert "ADDRESSES" not in done.out
    assert "ADDRESSES" in replay(NEW, "-o", "wide").out


@pytest.mark.parametrize("row", [1, 2, MIDDLE, LAST])
def test_the_fleet_after_a_row_is_what_a_fold_gives(row: int) -> None:
    tree = shown(NEW, "--until", row)
    fleet = fleet_at(AfterRow(row))
    assert (tree["row"], tree["at"], tree["rules"]) == (row, fleet.at, RULES)
    assert tree["moment"] == iso_time(fleet.at)
    view = View(seq=row, at=fleet.at, fleet=fleet)
    assert [one["name"] for one in tree["containers"]] == list(fleet.containers)
    assert [one["why"] for one in tree["containers"]] == [
        one.why for one in view.infos()
    ]


def test_before_the_first_row_there_is_nothing() -> None:
    assert replay(NEW, "--until", 0).out.startswith("before the first row, when")
    tree = shown(NEW, "--until", 0)
    assert (tree["row"], tree["rules"], tree["containers"]) == (0, None, [])
    assert shown(NEW, "--at", "1969-12-31T00:00Z")["row"] == 0


def test_ages_are_counted_from_the_place_and_not_from_now(
    rows: tuple[Row, ...],
) -> None:
    """Between two rows nothing happens, and yet time goes on."""
    row = next(n for n in range(MIDDLE, LAST) if rows[n].at - rows[n - 1].at > 5_000)
    at = rows[row].at - 1_000
    tree, before = shown(NEW, "--at", iso_time(at)), shown(NEW, "--until", row)
    assert (tree["row"], tree["at"], before["at"]) == (row, at, rows[row - 1].at)
    passed = at - before["at"]
    uptimes = [
        (now["uptime_ms"], was["uptime_ms"])
        for now, was in zip(tree["containers"], before["containers"], strict=True)
        if was["uptime_ms"] is not None
    ]
    assert uptimes
    assert all(now == was + passed for now, was in uptimes)
    done = replay(NEW, "--until", row)
    lines = {line.split()[0]: line.split() for line in done.out.splitlines()}
    for one in before["containers"]:
        if one["uptime_ms"] is not None:
            whole = one["uptime_ms"] - one["uptime_ms"] % 1_000
            assert format_duration(whole) in lines[one["name"]]


def test_a_moment_behind_the_end_shows_the_end_and_says_so() -> None:
    done = replay(NEW, "--at", "2026-01-01")
    assert done.code == 0
    assert f"after row {LAST}, at {iso_time(fleet_at(None).at)}" in done.out
    assert done.err == f"the journal ends before, at row {LAST}\n"


def test_a_row_behind_the_end_is_not_guessed() -> None:
    done = replay(NEW, "--until", LAST + 1)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"until: expected a row from 0 to {LAST}, the newest, found 708"


def test_two_places_are_one_too_many() -> None:
    done = replay(NEW, "--until", 1, "--at", "-1s")
    assert (done.code, done.err) == (2, "--until and --at name two places: give one.")


def test_one_container_is_shown_as_status_and_explain_would() -> None:
    fleet = fleet_at(AfterRow(MIDDLE))
    view = View(seq=MIDDLE, at=fleet.at, fleet=fleet)
    name = next(iter(fleet.containers))
    tree = shown(NEW, "--until", MIDDLE, "--container", name)
    assert "containers" not in tree
    assert tree["container"]["phase"] == view.info(name).unwrap().phase
    assert tree["explanation"]["rule"] == view.explain(name).unwrap().rule
    done = replay(NEW, "--until", MIDDLE, "--container", name)
    facts = dict(
        line.split(":", 1) for line in done.out.splitlines()[1:] if ":" in line
    )
    assert facts["name"].strip() == name
    assert facts["phase"].strip() == tree["container"]["phase"]
    assert {"rule", "failures", "next_wait_ms"} <= set(facts)


def test_a_container_that_is_not_there_is_told_with_those_of_like_names() -> None:
    done = replay(NEW, "--container", "stead")
    assert (done.code, done.out) == (11, "")
    assert done.err == (
        f"there is no container 'stead' after row {LAST}; there is 'steady'"
    )
    done = replay(NEW, "--until", 1, "--container", "steady")
    assert done.err == "there is no container 'steady' after row 1"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("state")
    done = run("journal", "import", str(NEW), str(folder / "journal.db"))
    assert done.code == 0, done.err
    return folder / "journal.db"


def test_a_journal_is_the_same_in_every_form(plain: Path, database: Path) -> None:
    expected = shown(NEW)
    for form in (plain, database, database.parent):
        assert shown(form) == expected
    with plain.open("rb") as file:
        done = subprocess.run(
            [*COMMAND, "replay", "-", "-o", "json", *WITH],
            stdin=file,
            capture_output=True,
            check=True,
        )
    assert json.loads(done.stdout) == expected


def test_a_policy_that_is_not_given_is_asked_for() -> None:
    for words in ((), ("--verify",)):
        done = run("replay", str(NEW), *words)
        assert done.code == 2
        assert (
            "policy or rollout strategy 'strikes' version 1, which is not" in done.err
        )
        assert "give it with --policies MODULE:OBJECT" in done.err
        assert "Traceback" not in done.err


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    done = replay(tmp_path / "none.jsonl", "--verify", "-o", "json")
    assert done.code == 5
    problem = json.loads(done.out)["verified"]["problem"]
    assert problem["code"] == "journal_unavailable"
    assert replay(tmp_path / "none.jsonl", "-o", "json").out == ""
    assert "none.jsonl: No such file or directory" in done.err
    nonsense = tmp_path / "nonsense"
    nonsense.write_text("what?\n")
    assert replay(nonsense).code == 8


def test_a_journal_that_is_whole_is_verified() -> None:
    done = replay(NEW, "--verify")
    assert done.code == 0
    assert f"1..{LAST}" in done.out
    assert f"{RULES}       chain and decisions" in done.out
    assert f"{LAST} rows are whole, {LAST} replay to the same decisions" in done.out
    assert shown(NEW, "--verify", "--until", MIDDLE)["verified"] == {
        "base": None,
        "rows": MIDDLE,
        "compared": MIDDLE,
        "segments": [{"first": 1, "last": MIDDLE, "rules": RULES, "compared": True}],
        "cut_at_line": None,
        "problem": None,
    }


def test_rows_of_other_rules_are_said_not_to_be_compared() -> None:
    done = replay(OLD, "--verify")
    assert done.code == 0
    row = "1..798   1       chain only: decided by other rules (1), not compared"
    assert row in done.out
    assert "798 rows are whole, 0 replay to the same decisions" in done.out


Change = Callable[[list[Draft]], None]


def forged(rows: tuple[Row, ...], path: Path, change: Change) -> Path:
    """Write a journal whose chain is right, and whose rows are others."""
    drafts = [
        Draft(at=row.at, event=row.event, commands=row.commands, changes=row.changes)
        for row in rows
    ]
    change(drafts)
    _ = opened(export_rows(path, chained(START, drafts)))
    return path


def test_a_decision_that_today_would_not_be_taken_is_shown_field_by_field(
    rows: tuple[Row, ...], tmp_path: Path
) -> None:
    index = next(
        n for n in range(MIDDLE, LAST) if b"start_container" in rows[n].commands
    )

    def change(drafts: list[Draft]) -> None:
        draft = drafts[index]
        commands = orjson.loads(draft.commands)
        started = next(one for one in commands if one["type"] == "start_container")
        changes = orjson.loads(draft.changes)
        changes[started["name"]]["run"] = started["run"] = 777
        drafts[index] = attrs.evolve(
            draft, commands=orjson.dumps(commands), changes=orjson.dumps(changes)
        )

    path = forged(rows, tmp_path / "forged.jsonl", change)
    done = replay(path, "--verify")
    assert done.code == 8
    where = f"row {index + 1} ({orjson.loads(rows[index].event)['type']})"
    assert f"1..{index} " in done.out
    assert f"{where} is whole, and today's code decides otherwise:" in done.out
    lines = [line.split() for line in done.out.splitlines() if " 777 " in line]
    assert [line[1] for line in lines] == ["777", "777"]
    assert lines[0][0].startswith("commands[")
    assert lines[1][0].endswith(".run")
    assert lines[0][2] == lines[1][2] != "777"
    assert f"replay diverges at {where} in commands[" in done.err
    told = replay(path, "--verify", "-o", "json")
    problem = json.loads(told.out)["verified"]["problem"]
    assert told.code == 8
    assert (problem["code"], problem["seq"]) == ("not_replayable", index + 1)
    assert [one["recorded"] for one in problem["differences"]] == ["777", "777"]
    assert json.loads(told.out)["verified"]["rows"] == index
    assert replay(path).code == 0, "only --verify compares"
    assert shown(path, "--verify", "--until", index)["row"] == index


def damaged(plain: Path, path: Path, change: Callable[[list[bytes]], None]) -> Path:
    lines = plain.read_bytes().splitlines(keepends=True)
    change(lines)
    path.write_bytes(b"".join(lines))
    return path


def altered(lines: list[bytes]) -> None:
    lines[MIDDLE] = lines[MIDDLE].replace(b'"at":', b'"at":1', 1)


def missing(lines: list[bytes]) -> None:
    del lines[MIDDLE]


def repeated(lines: list[bytes]) -> None:
    lines.insert(MIDDLE, lines[MIDDLE - 1])


@pytest.mark.parametrize("change", [altered, missing, repeated])
def test_a_damage_is_told_with_its_kind_and_place(
    plain: Path, tmp_path: Path, change: Callable[[list[bytes]], None]
) -> None:
    path = damaged(plain, tmp_path / "damaged.jsonl", change)
    done = replay(path)
    assert (done.code, done.out) == (8, "")
    assert f"journal damaged at row {MIDDLE} (line {MIDDLE + 1}, row" in done.err
    assert change.__name__ in done.err
    told = replay(path, "--verify")
    assert (told.code, told.err) == (8, done.err)
    assert f"1..{MIDDLE - 1} " in told.out
    problem = json.loads(replay(path, "--verify", "-o", "json").out)["verified"]
    assert problem["problem"]["seq"] == MIDDLE
    before = shown(path, "--until", MIDDLE - 2, "--verify")
    assert before["verified"]["problem"] is None, "what comes before is whole"


def test_of_an_export_that_was_cut_off_all_the_rest_is_shown(
    plain: Path, tmp_path: Path
) -> None:
    def cut(lines: list[bytes]) -> None:
        del lines[MIDDLE + 1 :]
        lines.append(b'{"seq":')

    path = damaged(plain, tmp_path / "cut.jsonl", cut)
    for words in ((), ("--verify",), ("--until", LAST)):
        done = replay(path, "-o", "json", *words)
        assert done.code == 10
        assert json.loads(done.out)["row"] == MIDDLE
        assert f"was cut off at line {MIDDLE + 2}: the rest is lost" in done.err
    assert shown(path, "--until", MIDDLE - 1)["row"] == MIDDLE - 1


def test_a_compacted_journal_begins_with_the_fleet_that_was_kept(
    tmp_path: Path,
) -> None:
    path, base = tmp_path / "journal.db", LAST - MIDDLE
    for words in (
        ("import", str(NEW), str(path)),
        ("compact", str(path), "--keep-rows", str(MIDDLE), *WITH),
    ):
        done = run("journal", *words)
        assert done.code == 0, done.err
    assert shown(path) == shown(NEW)
    assert shown(path, "--until", base)["row"] == base
    done = replay(path, "--verify")
    assert done.code == 0
    assert f"1..{base}     -       compacted away; the fleet after the last" in done.out
    assert f"{base + 1}..{LAST}   {RULES}       chain and decisions" in done.out
    assert f"{MIDDLE} rows are whole, {MIDDLE} replay to the same" in done.out
    tree = shown(path, "--verify")["verified"]
    assert (tree["base"], tree["rows"]) == (base, MIDDLE)
    done = replay(path, "--until", base - 1)
    assert (done.code, done.out) == (11, "")
    assert f"the journal begins behind row {base}, for it was compacted" in done.err
    done = replay(path, "--at", "1970-01-01T00:00:01Z")
    assert (done.code, done.out) == (11, "")
    began = iso_time(shown(path, "--until", base)["at"])
    assert done.err == (
        f"the journal begins behind row {base}, at {began}, for it was compacted: how"
        " things stood at 1970-01-01T00:00:01.000Z is not known any more"
    )
    done = replay(path, "--until", LAST + 1)
    assert f"expected a row from {base} to {LAST}, the newest" in done.err
    done = run("replay", str(path), "--verify")
    assert (done.code, done.out) == (2, "")
    assert "policy or rollout strategy 'strikes'" in done.err


def test_what_a_journal_holds_is_no_markup(
    rows: tuple[Row, ...], tmp_path: Path
) -> None:
    def change(drafts: list[Draft]) -> None:
        changes = orjson.loads(drafts[1].changes)
        name = next(iter(changes))
        changes[name]["desired"]["why"] = "[red]\x1b[2J[/red]"
        drafts[1] = attrs.evolve(drafts[1], changes=orjson.dumps(changes))

    done = replay(forged(rows, tmp_path / "forged.jsonl", change), "--verify")
    assert done.code == 8
    assert '"[red]\\u001b[2J[/red]"' in done.out
    assert "\x1b" not in done.out


def test_a_bar_is_on_a_terminal_only() -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [*COMMAND, "replay", str(NEW), "-o", "json", *WITH],
        stdout=subprocess.PIPE,
        stderr=theirs,
        check=True,
    )
    os.close(theirs)
    bar = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "replaying" in bar
    assert json.loads(done.stdout)["row"] == LAST


def test_the_first_question_needs_no_word_of_its_own() -> None:
    helped = run("replay", "journal.db", "--help")
    assert helped.code == 0
    assert helped.out.startswith("Usage: orchestrator replay [OPTIONS] JOURNAL\n")
    known = run("replay", "--help").out
    for question in ("timeline", "diff", "bisect", "what-if"):
        assert f"  {question} " in known
    assert "  show " not in known
    assert "orchestrator replay JOURNAL --help says how" in " ".join(known.split())
    assert run("replay").code == 2
    assert "Missing argument 'JOURNAL'" in run("replay", "--verify").err


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("0", AfterRow(0)),
        ("812", AfterRow(812)),
        ("1970-01-01T00:00:01.5Z", AtMoment(1_500)),
        ("1970-01-01T02:00:00+02:00", AtMoment(0)),
        ("1969-12-31T23:59:59.999Z", AtMoment(-1)),
    ],
)
def test_a_place_is_a_row_or_a_moment(text: str, place: Place) -> None:
    assert At().convert(text, None, None) == place
    assert At().convert(place, None, None) == place


@pytest.mark.parametrize(
    "text",
    ["yesterday", "-", "--5s", "9" * 5_000, "0001-01-01", "\N{SUPERSCRIPT TWO}", ""],
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="expected a time such as 2026"):
        At().convert(text, None, None)


def test_a_moment_may_be_told_from_now() -> None:
    from orchestrator.cli.shown import now_ms

    found = Moment().convert("-90s", None, None)
    assert 0 <= now_ms() - 90_000 - found < 60_000
    assert Moment().convert(5, None, None) == 5


def test_a_moment_is_written_as_it_is_read() -> None:
    for at in (0, 1, 999, 253_402_300_799_999):
        assert Moment().convert(iso_time(at), None, None) == at
    assert iso_time(10**20) == f"{10**20} ms"
    assert iso_time(-1) == "-1 ms"
