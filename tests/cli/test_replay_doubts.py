"""What a journal cannot answer for is said: other rules, damages, hostile words."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import attrs
import pytest

from orchestrator.cli.main import main
from orchestrator.cli.other_rules import OtherRules
from orchestrator.core.events import Booted, StopRequested
from orchestrator.core.state import RULES
from orchestrator.replay.history import NOTHING, Entry
from tests.cli.inside import ran
from tests.cli.kit import Done
from tests.replay.incident import EVENTS, INCIDENT, exported, told

NEWER, OLDER = RULES + 97, RULES - 1
LEFT = '"\u202e"'.encode()
NASTY = "\x07\x9b2J\u202e\x1b[31m"


def under(rules: int, path: Path) -> Path:
    """Write the incident as an operator of other rules would have."""
    booted = Booted(at=0, epoch=1, rules=rules)
    return exported(path, told((booted, *EVENTS[1:])))


QUESTIONS: tuple[tuple[str, ...], ...] = (
    ("replay",),
    ("replay", "bisect", "--when", "ready('web-1')"),
    ("replay", "diff", "--from", "3"),
    ("replay", "timeline"),
    ("replay", "timeline", "--by-time"),
    ("replay", "what-if", "--skip", "12"),
)


@pytest.mark.parametrize("words", QUESTIONS, ids=" ".join)
def test_rows_of_newer_rules_are_shown_with_a_warning(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    last = 5 if "bisect" in words else len(EVENTS)
    done = ran(*words, under(NEWER, tmp_path / "newer.jsonl"))
    assert done.out
    assert (
        f"warning: rows 1..{last} were written under rules {NEWER}, newer than this"
        f" release's {RULES}: what is shown may be wrong\n"
    ) in done.err


@pytest.mark.parametrize("words", [("journal", "verify"), ("replay", "--verify")])
def test_rows_of_newer_rules_are_not_verified(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = ran(*words, under(NEWER, tmp_path / "newer.jsonl"))
    assert done.code == 8
    assert f"was written under rules {NEWER} from row 1 on" in done.err
    assert "use a newer release" in done.err


@pytest.mark.parametrize("words", QUESTIONS[:3], ids=" ".join)
def test_rows_of_older_rules_are_said_to_be_seen_with_todays(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    last = 5 if "bisect" in words else len(EVENTS)
    done = ran(*words, under(OLDER, tmp_path / "older.jsonl"))
    assert done.err == (
        f"warning: rows 1..{last} were written under rules {OLDER}; shown is what"
        " today's rules make of them\n"
    )


def test_of_two_journals_it_is_said_which_one(tmp_path: Path) -> None:
    older = under(OLDER, tmp_path / "older.jsonl")
    today = exported(tmp_path / "today.jsonl", INCIDENT)
    done = ran("replay", "diff", today, older)
    assert done.err.startswith(f"warning: {older}: rows 1..16 were written under")
    assert done.err.count("\n") == 1


def test_no_more_stretches_are_named_than_can_be_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen = OtherRules(NOTHING)
    boots = [
        Entry(
            seq=seq,
            event=Booted(at=0, epoch=seq, rules=(RULES, OLDER)[seq % 2]),
            commands=(),
            changes=b"",
        )
        for seq in range(1, 13)
    ]
    assert list(seen.passing(boots)) == boots
    seen.warn()
    said = "rows 1..1, 3..3, 5..5, 7..7 and 2 stretches more were written under"
    assert said in capsys.readouterr().err


def test_a_state_that_is_known_says_which_rules_go_on_behind_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen = OtherRules(NOTHING)
    known = attrs.evolve(NOTHING, epoch=1, rules=OLDER)
    assert list(seen.passing(INCIDENT[4:6], known)) == list(INCIDENT[4:6])
    assert list(seen.passing(INCIDENT[5:7], known)) == list(INCIDENT[5:7])
    seen.warn()
    assert "warning: rows 5..7 were" in capsys.readouterr().err


ASKED = (*QUESTIONS[:5], ("replay", "timeline", "-o", "json"))


@pytest.mark.parametrize("words", ASKED, ids=" ".join)
def test_where_not_one_row_was_read_nothing_is_shown(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    lines = (
        exported(tmp_path / "a.jsonl", INCIDENT).read_bytes().splitlines(keepends=True)
    )
    cut, damaged = tmp_path / "cut.jsonl", tmp_path / "damaged.jsonl"
    cut.write_bytes(lines[0] + lines[1][:9])
    damaged.write_bytes(lines[0] + lines[1].replace(b"1", b"7") + lines[2])
    empty = tmp_path / "empty.jsonl"
    empty.write_bytes(b"")
    found = [ran(*words, journal) for journal in (cut, damaged, empty)]
    assert [(done.code, done.out) for done in found] == [(10, ""), (8, ""), (10, "")]


def test_a_journal_that_has_no_row_yet_has_no_timeline(tmp_path: Path) -> None:
    done = ran("replay", "timeline", exported(tmp_path / "none.jsonl", ()))
    assert (done.code, done.out) == (0, "")
    assert done.err == "orchestrator: the journal has no row yet\n"


def hostile(path: Path, why: str) -> Path:
    (stop,) = (one for one in EVENTS if isinstance(one, StopRequested))
    events = [attrs.evolve(stop, why=why) if one == stop else one for one in EVENTS]
    return exported(path, told(events))


def test_hostile_words_do_not_reach_the_terminal(tmp_path: Path) -> None:
    bad = hostile(tmp_path / "bad.jsonl", NASTY)
    good = exported(tmp_path / "good.jsonl", INCIDENT)
    forged = [
        attrs.evolve(entry, changes=entry.changes.replace(b'"enough"', LEFT))
        for entry in told(
            [
                attrs.evolve(one, why="enough")
                if isinstance(one, StopRequested)
                else one
                for one in EVENTS
            ]
        )
    ]
    for done in (
        ran("replay", "diff", bad, good),
        ran("replay", "diff", bad, "--from", 3),
        ran("replay", "bisect", bad, "--when", "desired('job') == 'stopped'"),
        ran("journal", "verify", exported(tmp_path / "forged.jsonl", forged)),
    ):
        assert "u202e" in done.out
        assert done.out.replace("\n", "").isprintable(), done.out


def test_standard_input_that_is_closed_is_told() -> None:
    out, err = io.StringIO(), io.StringIO()
    with (
        redirect_stdout(out),
        redirect_stderr(err),
        patch.object(sys, "argv", ["orchestrator", "journal", "verify", "-"]),
        patch.object(sys, "stdin", None),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    assert isinstance(ended.value.code, int)
    done = Done(ended.value.code, out.getvalue(), err.getvalue())
    assert (done.code, done.out) == (5, "")
    assert "standard input is closed" in done.err
