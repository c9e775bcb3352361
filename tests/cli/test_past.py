"""The past of a fleet, from its operator and without one; how often it is saved."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.client import Client
from tests.cli.kit import LIMIT_S, Done, file_at, reached, run, up

# The one that is doomed has a port: without, it would be ready for as long as nobody
# has seen it end.
FLEET = """
[fleet]
name = "tried"
reconcile_interval = "0s"
[platform]
kind = "local"
[restart]
backoff = { initial_ms = 20, max_ms = 40 }
[[containers]]
name = "web"
command = ["sleep", "999"]
[[containers]]
name = "doomed"
command = ["false"]
ports = { http = 8080 }
restart = { crash = { allowed_crashes = 1 } }
[ad_hoc]
command = ["sleep", "998"]
"""

NO_OPERATOR = "no operator runs for {state}: its journal is read\n"


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Let a fleet live, its operator still up."""
    folder = tmp_path_factory.mktemp("fleet")
    state = folder / "state"
    with up(file_at(folder, FLEET), state, "--snapshot-every", "4"):
        client = reached(state)
        client.get("containers", "web", "wait")
        assert command(state, "wait", "doomed", "--for", "completed").code == 4
        client.post("containers", "extra", "start")
        client.get("containers", "extra", "wait")
        client.post("containers", "extra", "stop", why="enough")
        waited = command(state, "wait", "extra", "--for", "stopped")
        assert waited.code == 0
        yield state


def command(state: Path, *words: str) -> Done:
    return run(*words, "--state", str(state))


def rows_of(state: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = Client(state).get("events")
    return found


def row_of(state: Path, kind: str, name: str) -> dict[str, Any]:
    """Return the first row of an event of that kind of a container."""
    return next(
        row
        for row in rows_of(state)
        if (row["event"]["type"], row["event"].get("name")) == (kind, name)
    )


def test_list_shows_a_row_of_the_past_with_the_ages_of_then(life: Path) -> None:
    started = row_of(life, "container_started", "web")
    done = command(life, "list", "--at", str(started["seq"]))
    head, _, *lines = done.out.splitlines()
    assert head.startswith(f"after row {started['seq']}, at 20")
    assert "extra" not in done.out
    web = next(line for line in lines if line.startswith("web"))
    told = ["running", "no", "0/0", "-", "-", "0s", "1", "runs"]
    assert web.split()[1:9] == told
    assert (done.code, done.err) == (0, "")


def test_a_moment_is_read_in_every_form(life: Path) -> None:
    stopped = row_of(life, "stop_requested", "extra")
    moment = datetime.fromtimestamp(stopped["event"]["at"] / 1_000, UTC)
    for at in (
        moment.isoformat(timespec="milliseconds"),
        moment.astimezone().replace(tzinfo=None).isoformat(timespec="milliseconds"),
    ):
        done = command(life, "status", "extra", "--at", at, "-o", "json")
        assert json.loads(done.out)["phase"] == "stopping"
        assert f"after row {stopped['seq']}" in done.err
    before = len(rows_of(life))
    done = command(life, "status", "web", "--at", "-1ms")
    shown = re.match(r"after row (\d+),", done.out)
    assert shown is not None
    assert before <= int(shown[1]) <= len(rows_of(life))


def test_explain_tells_what_was_to_come(life: Path) -> None:
    ended = row_of(life, "container_ended", "doomed")
    words = ("explain", "doomed", "--at", str(ended["seq"]), "-o", "json")
    facts = json.loads(command(life, *words).out)
    assert (facts["phase"], facts["attempts"]) == ("backing_off", 1)
    assert facts["next_change_at"] > ended["event"]["at"]
    assert command(life, *words[:4]).out.splitlines()[1].startswith("name: ")


def test_programs_get_what_they_read_and_people_what_is_shown(life: Path) -> None:
    for output in ("json", "name"):
        done = command(life, "list", "--at", "2", "-o", output)
        assert "after row" not in done.out
        assert done.err.startswith("after row 2, at 20")
    assert command(life, "list", "--at", "2", "-o", "name").out == "doomed\nweb\n"
    for seq in ("0", "1970-01-01T00:00:00Z"):
        assert command(life, "list", "--at", seq).out.startswith("before the first row")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("list", "--at", "99999"), 2, "at: expected a row from 0 to "),
        (("list", "--at", "9" * 5_000), 2, "'--at': expected "),
        (("list", "--at", "9" * 18), 2, "at: expected a row from 0 to "),
        (("list", "--at", "2999-01-01"), 2, "at: expected a moment that has come"),
        (("list", "--at", "lunch"), 2, "'--at': expected "),
        (("status", "extra", "--at", "2"), 11, "there is no container 'extra'"),
        (("explain", "nobody", "--at", "2"), 11, "there is no container 'nobody'"),
        (("status", "--at", "2"), 2, "Missing argument"),
        (("status", "--platform", "--at", "2"), 2, "it goes without --at"),
    ],
)
def test_what_cannot_be_seen_has_its_sentence(
    life: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    done = command(life, *words)
    assert message in done.err
    assert (done.code, done.out) == (code, "")
    assert "Traceback" not in done.err


def test_without_an_operator_its_journal_tells_the_same(tmp_path: Path) -> None:
    state, file = tmp_path / "state", file_at(tmp_path, FLEET)
    with up(file, state, "--snapshot-every", "4") as process:
        client = reached(state)
        client.get("containers", "web", "wait")
        assert command(state, "wait", "doomed", "--for", "completed").code == 4
        asked: list[tuple[str, ...]] = [
            ("list", "--at", str(len(rows_of(state)) - 1), "-o", "json"),
            ("list", "--at", "7", "-o", "wide"),
            ("explain", "web", "--at", "4"),
            ("status", "doomed", "--at", "4"),
            ("status", "nobody", "--at", "4"),
            ("list", "--at", "99999"),
        ]
        told = [command(state, *words) for words in asked]
        process.send_signal(signal.SIGKILL)
        process.wait(LIMIT_S)
        before = sorted(path.name for path in state.iterdir())
        for words, known in zip(asked, told, strict=True):
            done = command(state, *words)
            assert (done.code, done.out) == (known.code, known.out)
            no_operator = NO_OPERATOR.format(state=state)
            assert done.err.startswith(no_operator)
            assert done.err.removeprefix(no_operator) == known.err
        assert command(state, "list").code == 5  # the present needs one
        assert sorted(path.name for path in state.iterdir()) == before


def test_where_there_is_no_journal_there_is_no_past(tmp_path: Path) -> None:
    done = command(tmp_path, "list", "--at", "1")
    assert (done.code, done.out) == (5, "")
    assert "`orchestrator up FILE` starts one" in done.err


def test_what_was_compacted_away_is_gone_and_all_else_goes_on(tmp_path: Path) -> None:
    state, file = tmp_path / "state", file_at(tmp_path, FLEET)
    options = ("--state", str(state), "--once")
    assert run("up", str(file), *options).code == 4
    compacted = run("journal", "compact", str(state), "--keep-rows", "4")
    assert compacted.code == 0, compacted.err
    alone = command(state, "list", "--at", "1")
    with up(file, state):
        client = reached(state)
        first, *_ = client.get("events")
        assert first["seq"] > 1
        client.get("containers", "web", "wait")
        began = "2020-01-01T00:00:00Z"
        for at in ("1", began, str(first["seq"] - 2)):
            gone = command(state, "list", "--at", at)
            assert (gone.code, gone.out) == (alone.code, alone.out) == (11, "")
            assert f"begins behind row {first['seq'] - 1}" in gone.err
        assert command(state, "events", "--since", "1").code == 11
        for seq in (first["seq"] - 1, first["seq"]):
            shown = command(state, "list", "--at", str(seq), "-o", "name")
            assert (shown.code, shown.out) == (0, "doomed\nweb\n")


POLICIES = """
from orchestrator import CustomPolicy, GiveUp
POLICIES = [CustomPolicy(name="once", version=1, decide=lambda now: GiveUp())]
"""


def test_the_policies_that_a_journal_needs_are_found_again(tmp_path: Path) -> None:
    text = FLEET.replace("[platform]", 'policies = "own:POLICIES"\n[platform]').replace(
        "{ crash = { allowed_crashes = 1 } }", "{ custom = { name='once', version=1 } }"
    )
    (tmp_path / "own.py").write_text(POLICIES, encoding="utf-8")
    state = tmp_path / "state"
    words = ("up", str(file_at(tmp_path, text)), "--state", str(state), "--once")
    assert run(*words, "--stop-on-exit").code == 4
    seen = command(state, "list", "--at", "5", "-o", "name")
    assert (seen.code, seen.out) == (0, "doomed\nweb\n")
    (tmp_path / "own.py").unlink()
    lost = command(state, "list", "--at", "5")
    assert lost.code == 2
    assert "fleet.policies: 'own:POLICIES' cannot be loaded" in lost.err


def saved(state: Path) -> list[int]:
    connection = sqlite3.connect(f"file:{state / 'journal.db'}?mode=ro", uri=True)
    try:
        found = connection.execute("SELECT seq FROM snapshots ORDER BY seq").fetchall()
    finally:
        connection.close()
    return [seq for (seq,) in found]


def test_snapshots_are_as_near_as_the_option_or_else_the_file_says(
    tmp_path: Path,
) -> None:
    text = FLEET + "[journal]\nsnapshot_every = 3\n"
    ends = []
    for name, words in (("own", ()), ("given", ("--snapshot-every", "500"))):
        state = tmp_path / name
        file = file_at(tmp_path, text)
        options = ("--state", str(state), "--once", "--stop-on-exit", *words)
        assert run("up", str(file), *options).code == 4
        ends.append(saved(state))
    assert len(ends[0]) > 2
    assert len(ends[1]) == 1  # that of the end


@pytest.mark.parametrize("rows", ["0", "1000001", "-5", "many"])
def test_snapshots_at_impossible_distances_are_refused(
    tmp_path: Path, rows: str
) -> None:
    done = run("up", str(file_at(tmp_path, FLEET)), "--snapshot-every", rows)
    assert done.code == 2
    assert "--snapshot-every" in done.err
    written = rows if rows.lstrip("-").isdigit() else f'"{rows}"'
    text = f"{FLEET}[journal]\nsnapshot_every = {written}\n"
    done = run("up", str(file_at(tmp_path, text)), "--state", str(tmp_path / "state"))
    assert done.code == 2
    line = text[: text.index("snapshot_every")].count("\n") + 1
    assert f"fleet.toml:{line}: journal.snapshot_every: expected " in done.err
    assert not (tmp_path / "state").exists()
