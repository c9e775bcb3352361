"""``orchestrator replay what-if``: what is shown, drawn, and refused."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from orchestrator.core.custom import CustomPolicy, registered
from orchestrator.core.decisions import GiveUp
from orchestrator.core.policies import CustomPolicyRef, RestartPolicy
from orchestrator.core.requests import Stop
from orchestrator.core.steps import Step
from orchestrator.journal.jsonl import export_rows
from orchestrator.journal.port import START, chained
from orchestrator.runtime.steps import draft_of
from tests.cli.inside import ran
from tests.cli.kit import Done
from tests.journal.opened import opened
from tests.replay.simulated import MINUTE, fleet_of, spec_of, steps_of

NEVER = '[restart]\nwhen = "never"\n'
FLEET = """
[fleet]
name = "simulated"
max_concurrent_starts = 1
[[containers]]
name = "dead"
command = ["run", "dead"]
restart = { when = "never" }
[[containers]]
name = "steady"
command = ["run", "steady"]
"""

STRANGE = CustomPolicy(name="strange", version=1, decide=lambda _: GiveUp())
"""What a fleet file of these tests names."""


def exported(path: Path, steps: list[Step]) -> Path:
    _ = opened(export_rows(path, chained(START, map(draft_of, steps))))
    return path


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    fleet = fleet_of(spec_of("dead"), spec_of("steady"))
    asked = [(MINUTE, Stop(name="steady"))]
    steps = steps_of(fleet, until=5 * MINUTE, asked=asked)
    return exported(tmp_path_factory.mktemp("what") / "journal.jsonl.gz", steps)


def file_of(folder: Path, text: str) -> Path:
    path = folder / "other.toml"
    path.write_text(text, encoding="utf-8")
    return path


def asked(journal: Path, *words: object) -> Done:
    return ran("replay", "what-if", journal, *words)


def row_of(journal: Path, kind: str) -> int:
    """Return the number of the first row of a kind."""
    for line in ran("replay", "timeline", journal, "--by-time").out.splitlines():
        if kind in line and "#" in line:
            return int(line.partition("#")[2].split()[0])
    raise AssertionError(kind)


def test_another_policy_is_compared_with_the_recorded_one(
    journal: Path, tmp_path: Path
) -> None:
    done = asked(journal, "--policy", file_of(tmp_path, NEVER))
    assert (done.code, done.err) == (0, "")
    assert "dead: parts from the record at row " in done.out
    words = " ".join(done.out.split())
    assert ": failed instead of backing_off until " in words
    assert "RECORDED" in done.out
    assert "WHAT IF" in done.out
    assert "gave up at" in done.out
    assert "as recorded: steady" in done.out
    assert "in total" in done.out
    assert "assumed\n  - A container goes as recorded" in done.out


def test_the_same_is_told_to_programs(journal: Path, tmp_path: Path) -> None:
    done = asked(journal, "--policy", file_of(tmp_path, NEVER), "-o", "json")
    told = json.loads(done.out)
    dead, steady = told["containers"]
    assert dead["name"] == "dead"
    assert dead["what_if"]["restarts"] == 0
    assert dead["difference"]["restarts"] == -dead["recorded"]["restarts"] < 0
    assert dead["parted"]["what_if"] == "failed"
    assert dead["what_if"]["gave_up_at"] > 0
    assert steady["parted"] is None
    assert steady["recorded"] == steady["what_if"]
    assert told["total"]["what_if"]["starts"] == 2
    assert {one["kind"] for one in told["assumptions"]} >= {"always"}


def test_a_policy_may_be_for_some_only(journal: Path, tmp_path: Path) -> None:
    file = file_of(tmp_path, NEVER)
    done = asked(journal, "--policy", file, "--for", "steady", "--container", "dead")
    assert done.code == 0
    assert "dead: as recorded" in done.out
    assert "in total" not in done.out


def test_a_fleet_file_gives_each_container_its_own_policy(
    journal: Path, tmp_path: Path
) -> None:
    file = file_of(tmp_path, FLEET)
    both = asked(journal, "--policy", file)
    assert "dead: parts" in both.out
    one = asked(journal, "--policy", file, "--for", "steady")
    assert "as recorded: dead, steady" in one.out
    none = asked(journal, "--policy", file, "--for", "other")
    assert none.code == 2
    assert "--for: expected a container of" in none.err


def test_another_spec_brings_its_settings(journal: Path, tmp_path: Path) -> None:
    done = asked(journal, "--spec", file_of(tmp_path, FLEET))
    assert done.code == 0
    assert "dead: parts" in done.out
    assert "steady: parts" in done.out  # one start at a time


def test_a_request_that_never_was_and_one_that_was(journal: Path) -> None:
    stop = row_of(journal, "stop")
    done = asked(journal, "--skip", stop, "-o", "json")
    _, steady = json.loads(done.out)["containers"]
    assert steady["recorded"]["phase"] == "stopped"
    assert steady["what_if"]["phase"] == "running"
    event = '{"type":"container_ended","at":"1970-01-01T00:00:30Z","name":"steady",'
    event += '"exit":{"type":"exited","code":1}}'
    done = asked(journal, "--insert", event, "--container", "steady", "-o", "json")
    (steady,) = json.loads(done.out)["containers"]
    assert steady["what_if"]["crashes"] == 1


def test_both_sides_are_drawn(journal: Path, tmp_path: Path) -> None:
    svg = tmp_path / "what.svg"
    done = asked(journal, "--policy", file_of(tmp_path, NEVER), "--svg", svg)
    assert done.code == 0
    assert f"drawn into {svg}" in done.err
    drawn = svg.read_text(encoding="utf-8")
    assert ET.fromstring(drawn).tag.endswith("svg")  # noqa: S314 - our own
    assert drawn.count(">what if</text>") == 2
    assert "here the two part" in drawn
    assert "failed from" in drawn
    again = asked(journal, "--policy", tmp_path / "other.toml", "--svg", svg)
    assert again.code == 0
    assert svg.read_text(encoding="utf-8") == drawn
    nowhere = tmp_path / "no" / "x.svg"
    done = asked(journal, "--policy", tmp_path / "other.toml", "--svg", nowhere)
    assert done.code == 2
    assert "No such file" in done.err


def test_a_pipe_is_read_once_and_kept(journal: Path, tmp_path: Path) -> None:
    file = file_of(tmp_path, NEVER)
    piped = ran("replay", "what-if", "-", "--policy", file, stdin=journal)
    assert piped.out == asked(journal, "--policy", file).out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "say what to suppose"),
        (("--for", "dead", "--skip", "4"), "which is missing"),
        (("--skip", "99999"), "--skip: expected a row of the record"),
        (("--skip", "1"), "found booted"),
        (("--insert", "{"), "--insert 1, column 2: expected JSON"),
        (("--insert", "[]"), "--insert 1: expected a table"),
        (("--insert", '{"type":"x"}'), "--insert 1: expected a"),
        (("--insert", '{"type":"x","at":"soon"}'), "--insert 1.at: expected"),
        (
            ("--insert", '{"type":"stop_requested","at":1,"name":"x"}'),
            "--insert 1.name: expected a container of the record: dead, steady",
        ),
        (("--policy", "/no/such.toml"), "No such file"),
        (("--spec", "/no/such.toml"), "No such file"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    journal: Path, words: tuple[str, ...], said: str
) -> None:
    done = asked(journal, *words)
    assert done.code == 2
    assert done.out == ""
    assert said in done.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n", "expected a [restart] table, or [[containers]], found neither"),
        ('[restart]\nwhen = "nevr"\n', "other.toml:2: restart.when"),
        ("[restart\n", "other.toml:1: expected TOML"),
        ('[fleet]\nname = "a"\n[restart]\nwhen = 3\n', "other.toml:4: restart.when"),
        (
            '[fleet]\nname="a"\n[[containers]]\nname="zzz"\ncommand=["x"]\n',
            "expected a container of the record: dead, steady, found zzz",
        ),
    ],
)
def test_a_file_that_is_no_policy_is_refused_with_its_line(
    journal: Path, tmp_path: Path, text: str, said: str
) -> None:
    done = asked(journal, "--policy", file_of(tmp_path, text))
    assert done.code == 2
    assert said in done.err


def test_a_container_that_is_not_in_the_journal_is_not_found(
    journal: Path, tmp_path: Path
) -> None:
    file = file_of(tmp_path, NEVER)
    done = asked(journal, "--policy", file, "--container", "stead")
    assert done.code == 11
    assert "there is 'steady'" in done.err


def test_a_custom_policy_of_the_file_is_asked(journal: Path, tmp_path: Path) -> None:
    text = '[fleet]\nname = "a"\npolicies = "tests.cli.test_replay_what_if:STRANGE"\n'
    text += '[restart]\ncustom = { name = "strange", version = 1 }\n'
    done = asked(journal, "--policy", file_of(tmp_path, text))
    assert done.code == 0
    assert "failed instead of" in done.out


def test_a_custom_policy_of_the_journal_has_to_be_given(tmp_path: Path) -> None:
    strange = RestartPolicy(custom=CustomPolicyRef(name="strange", version=1))
    fleet = fleet_of(spec_of("dead", strange))
    steps = steps_of(fleet, until=MINUTE, policies=registered([STRANGE]))
    path = exported(tmp_path / "custom.jsonl", steps)
    done = asked(path, "--skip", 4)
    assert done.code != 0
    assert "--policies" in done.err


def test_a_damaged_journal_gives_no_answer(journal: Path, tmp_path: Path) -> None:
    text = ran("journal", "export", journal, tmp_path / "plain.jsonl")
    assert text.code == 0
    lines = (tmp_path / "plain.jsonl").read_text(encoding="utf-8").splitlines()
    del lines[20]
    (tmp_path / "bad.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = asked(tmp_path / "bad.jsonl", "--policy", file_of(tmp_path, NEVER))
    assert done.code == 8
    assert done.out == ""
