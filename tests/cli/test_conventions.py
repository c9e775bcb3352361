"""What all commands have in common: formats, colours, several names at once."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import yaml

from orchestrator.cli.asks import GOALS
from orchestrator.cli.trees import tree_text
from orchestrator.runtime.reports import WaitFor
from tests.cli.kit import (
    COMMAND,
    LIMIT_S,
    Done,
    all_ended,
    file_at,
    reached,
    run,
    unread,
    up,
)
from tests.platforms.local_kit import marked

FLEET = """
[fleet]
name = "common"
reconcile_interval = "0s"
[platform]
kind = "local"
[restart]
backoff = { initial_ms = 50, max_ms = 100 }
[[containers]]
name = "web"
replicas = 2
command = ["sleep", "991"]
[[containers]]
name = "job"
command = ["true"]
[[containers]]
name = "doomed"
command = ["false"]
restart = { crash = { allowed_crashes = 1 } }
[ad_hoc]
command = ["sleep", "992"]
"""


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run a fleet for the tests of this module."""
    folder = tmp_path_factory.mktemp("fleet")
    with up(file_at(folder, FLEET), folder / "state"):
        _ = reached(folder / "state")
        yield folder / "state"
    all_ended(folder)
    assert marked(str(folder)) == []


def command(state: Path, *words: str, env: dict[str, str] | None = None) -> Done:
    return run(*words, "--state", str(state), env=env)


def at_rest(state: Path) -> None:
    """Wait until all are where they stay."""
    goals = {"web-0": "ready", "web-1": "ready", "job": "completed", "doomed": "failed"}
    for name, goal in goals.items():
        assert command(state, "wait", name, "--for", goal).code == 0


def test_several_are_waited_for_at_once(state: Path) -> None:
    assert command(state, "wait", "job", "--for", "completed").code == 0
    done = command(state, "wait", "web-0", "web-1", "job", "--for", "settled")
    assert done.code == 0, done.err
    assert [line.split()[:2] for line in done.out.splitlines()] == [
        ["web-0", "running"],
        ["web-1", "running"],
        ["job", "completed"],
    ]
    assert command(state, "wait", "doomed", "--for", "failed").code == 0
    assert command(state, "wait", "doomed", "--for", "settled").code == 0
    late = command(state, "wait", "web-0", "job", "--for", "failed", "--timeout", "1ms")
    assert late.code == 3
    assert late.err.count("timed out") == 2
    assert "web-0 is running: " in late.err
    assert "job is completed: " in late.err


def test_the_goals_are_those_of_the_library() -> None:
    assert get_args(WaitFor) == GOALS


def test_what_fails_for_one_name_holds_up_no_other(state: Path) -> None:
    done = command(state, "start", "extra-1", "Bad!", "extra-2", "-o", "json")
    assert done.code == 2
    assert "expected a name" in done.err
    assert [one["name"] for one in json.loads(done.out)] == ["extra-1", "extra-2"]
    again = command(state, "restart", "extra-1", "extra-1", "nobody", "web-0")
    assert again.code == 11
    assert [line.split()[0] for line in again.out.splitlines()] == ["extra-1", "web-0"]
    names = ("extra-1", "extra-2")
    assert command(state, "stop", *names, "-o", "yaml").code == 0
    assert command(state, "wait", *names, "--for", "stopped").code == 0
    assert command(state, "remove", "web-0", *names).code == 6
    assert "extra" not in command(state, "list", "-o", "name").out
    assert command(state, "stop").code == 2


def test_nobody_is_asked_again_where_no_operator_runs(tmp_path: Path) -> None:
    done = command(tmp_path, "stop", "one", "two")
    assert done.code == 5
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("status", "web-0"),
        ("services",),
        ("explain", "job"),
        ("policy", "explain"),
    ],
)
def test_yaml_says_what_json_says(
    state: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    at_rest(state)
    ask = run if words[0] == "policy" else lambda *more: command(state, *more)
    if words[0] == "policy":
        words = (*words, str(file_at(tmp_path, FLEET)))
    one, other = ask(*words, "-o", "json"), ask(*words, "-o", "yaml")
    assert (one.code, other.code) == (0, 0), other.err
    assert _timeless(json.loads(one.out)) == _timeless(yaml.safe_load(other.out))


def _timeless(tree: object) -> object:
    """Leave out what is another value at each moment."""
    if isinstance(tree, list):
        return [_timeless(each) for each in tree]
    if isinstance(tree, dict):
        moving = {"uptime_ms", "observed_at", "observed_age_ms", "why"}
        return {k: _timeless(v) for k, v in tree.items() if k not in moving}
    return tree


def test_yaml_steers_no_terminal_and_has_no_anchors() -> None:
    one = {"text": "\x1b[2J\u202eé"}
    text = tree_text([one, one], "yaml")
    assert text.isascii()
    assert text.isprintable() or set(text) - {"\n"} <= set(map(chr, range(32, 127)))
    assert yaml.safe_load(text) == [one, one]
    assert "&" not in text


def test_events_can_be_sifted(state: Path) -> None:
    at_rest(state)
    ended = command(
        state, "events", "--name", "doomed", "--type", "container_ended", "-o", "json"
    )
    records = [json.loads(line) for line in ended.out.splitlines()]
    assert len(records) >= 2
    assert {one["event"]["type"] for one in records} == {"container_ended"}
    assert {one["event"]["name"] for one in records} == {"doomed"}
    both = command(state, "events", "--name", "job", "--name", "doomed", "-o", "yaml")
    found = list(yaml.safe_load_all(both.out))
    names = {one["event"].get("name") for one in found}
    assert names == {"job", "doomed", None}  # what concerns all has no name
    assert command(state, "events", "--name", "nobody").out == ""
    wrong = command(state, "events", "--type", "container_edned")
    assert wrong.code == 2
    assert "container_ended" in wrong.err


@pytest.mark.parametrize(
    ("words", "variables", "is_coloured"),
    [
        ((), {}, False),
        (("--color", "always"), {}, True),
        (("--color", "always"), {"NO_COLOR": "1"}, True),
        (("--color", "never"), {"FORCE_COLOR": "1"}, False),
        ((), {"FORCE_COLOR": "1"}, True),
        ((), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colours_are_as_they_are_asked_for(
    state: Path,
    words: tuple[str, ...],
    variables: dict[str, str],
    *,
    is_coloured: bool,
) -> None:
    at_rest(state)
    kept = {k: v for k, v in os.environ.items() if not k.endswith("_COLOR")}
    env = {**kept, "TERM": "xterm", **variables}
    done = run(*words, "list", "--state", str(state), env=env)
    assert done.code == 0, done.err
    assert ("\x1b[32m" in done.out) is is_coloured


def test_where_nobody_reads_what_is_written_that_is_no_answer(state: Path) -> None:
    """Code 1 would be the answer of `plan` and `diff`: something would change."""
    words = (*COMMAND, "events", "--state", str(state))
    with unread() as stream:
        cut = subprocess.run(
            ["sh", "-c", '"$@"; echo "code $?" >&2', "sh", *words],
            stdout=stream,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
    assert cut.stderr == "code 141\n"


def test_an_operator_whose_streams_are_closed_works_all_the_same(
    tmp_path: Path,
) -> None:
    file = file_at(
        tmp_path, '[fleet]\nname = "still"\n[platform]\nkind = "simulated"\n'
    )
    words = (*COMMAND, "up", str(file), "--state", str(tmp_path / "state"))
    closed = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *words]
    with subprocess.Popen((*closed, "--listen", "127.0.0.1:0")) as still:
        _ = reached(tmp_path / "state")
        still.terminate()
        assert still.wait(LIMIT_S) == 0
