"""Every command, as a user types it, against a real operator with real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.api.places import SOCKET, SOCKET_NAMED_BY, socket_of
from orchestrator.cli.client import Client
from tests.cli.kit import (
    COMMAND,
    LIMIT_S,
    Done,
    all_ended,
    file_at,
    reached,
    run,
    up,
)
from tests.platforms.local_kit import marked, shims

FLEET = """
[fleet]
name = "tried"
[platform]
kind = "local"
[restart]
backoff = { initial_ms = 50, max_ms = 100 }
[[containers]]
name = "web"
replicas = 2
command = ["python3", "-m", "http.server", "--bind", "127.0.0.1", "${port.http}"]
ports = { http = 8080 }
[[containers]]
name = "job"
command = ["sh", "-c", "echo out; echo err >&2"]
[[containers]]
name = "doomed" # never ready, however late its end is seen: nobody listens there
command = ["false"]
ports = { http = 8080 }
restart = { crash = { allowed_crashes = 1 } }
[ad_hoc]
command = ["sleep", "${config.seconds}"]
config = { seconds = 999 }
"""
STUCK = """
[fleet]
name = "ordered"
[platform]
kind = "local"
[[containers]]
name = "migrate"
command = ["false"]
restart = { when = "never" }
[[containers]]
name = "api"
command = ["sleep", "993"]
depends_on = { migrate = "completed" }
"""

COMPLETED: dict[str, Any] = {"for": "completed"}


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run a fleet for the tests of this module."""
    folder = tmp_path_factory.mktemp("fleet")
    with up(file_at(folder, FLEET), folder / "state"):
        client = reached(folder / "state")
        for name in ("web-0", "web-1"):
            client.get("containers", name, "wait")
        client.get("containers", "job", "wait", **COMPLETED)
        yield folder / "state"
    all_ended(folder)
    assert marked(str(folder)) == []


def command(state: Path, *words: str) -> Done:
    return run(*words, "--state", str(state))


def until(is_so: Callable[[], bool]) -> None:
    late = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < late
        time.sleep(0.01)


def test_list_shows_all_in_every_format(state: Path) -> None:
    names = ["doomed", "job", "web-0", "web-1"]
    assert command(state, "list", "-o", "name").out.split() == names
    assert command(state, "ps", "-o", "name").out.split() == names
    infos = json.loads(command(state, "list", "-o", "json").out)
    assert [info["name"] for info in infos] == names
    table = command(state, "list")
    assert table.code == 0
    assert "RESTARTS" in table.out
    wide = command(state, "list", "-o", "wide").out
    assert f"http={infos[2]['addresses']['http']}" in wide


def test_a_replica_answers_at_its_address(state: Path) -> None:
    info = json.loads(command(state, "status", "web-1", "-o", "json").out)
    url = f"http://{info['addresses']['http']}/"
    with urllib.request.urlopen(url, timeout=LIMIT_S) as answer:
        assert answer.status == 200


def test_status_has_every_field_of_the_contract(state: Path) -> None:
    info = json.loads(command(state, "status", "web-0", "-o", "json").out)
    assert list(info) == [
        "name",
        "origin",
        "min_replica_set",
        "desired",
        "phase",
        "ready",
        "run",
        "revision",
        "restarts",
        "crash_count",
        "last_exit",
        "next_start_at",
        "why",
        "started_at",
        "ready_at",
        "uptime_ms",
        "startup_ms",
        "observed_at",
        "addresses",
    ]
    assert "phase:           running" in command(state, "status", "web-0").out


def test_explain_names_the_rule(state: Path) -> None:
    assert command(state, "wait", "doomed", "--for", "completed").code == 4
    explained = json.loads(command(state, "explain", "doomed", "-o", "json").out)
    assert explained["rule"] == "crash_loop_cooldown"
    assert command(state, "explain", "doomed").out.startswith("name: ")


def test_an_ad_hoc_container_from_start_to_removal(state: Path) -> None:
    started = command(
        state, "start", "extra", "--config", "seconds=77", "--config", "text=a b"
    )
    assert started.code == 0, started.err
    assert command(state, "wait", "extra").code == 0
    assert command(state, "remove", "extra").code == 6
    stopped = command(state, "stop", "extra", "--why", "enough", "-o", "json")
    assert json.loads(stopped.out)["name"] == "extra"
    waited = command(state, "wait", "extra", "--for", "stopped")
    assert "stopped by" in waited.out
    assert "enough" in waited.out
    assert command(state, "start", "extra", "--command", "sleep 996").code == 0
    assert command(state, "stop", "extra").code == 0
    assert command(state, "wait", "extra", "--for", "stopped").code == 0
    assert command(state, "remove", "extra").code == 0
    assert command(state, "status", "extra").code == 11


def test_restart_reset_and_reconcile(state: Path) -> None:
    before = json.loads(command(state, "status", "web-0", "-o", "json").out)["run"]
    assert command(state, "restart", "web-0").code == 0
    client = Client(state)
    until(lambda: client.get("containers", "web-0")["run"] > before)
    events = command(state, "events").out
    assert client.get("containers", "web-0", "wait")["run"] == before + 1, events
    assert command(state, "reset", "doomed").code == 0
    report = json.loads(command(state, "reconcile", "-o", "json").out)
    assert {outcome["name"] for outcome in report["outcomes"]} >= {"web-0", "job"}
    assert "web-1" in command(state, "reconcile").out


def test_logs_tell_the_streams_apart(state: Path) -> None:
    done = command(state, "logs", "job")
    assert (done.out, done.err) == ("out\n", "err\n")
    assert ":" in command(state, "logs", "job", "--timestamps").out
    assert command(state, "logs", "nobody").code == 11


def test_logs_and_events_can_be_followed(state: Path) -> None:
    for words in (("logs", "job", "--follow"), ("events", "--follow")):
        following = subprocess.Popen(
            (*COMMAND, *words, "--state", str(state)),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert following.stdout is not None
        assert following.stdout.readline()
        following.send_signal(signal.SIGINT)
        assert following.wait(LIMIT_S) == 130
        following.stdout.close()


def test_events_begin_where_they_are_asked_to(state: Path) -> None:
    lines = command(state, "events", "-o", "json", "--since", "1").out.splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["seq"] for record in records] == list(range(2, len(records) + 2))
    assert records[0]["event"]["type"] == "spec_applied"
    assert "spec_applied" in command(state, "events").out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("status", "nobody"), 11, "there is no container 'nobody'"),
        (("remove", "web-0"), 6, "belongs to the min replica set"),
        (("start", "web-0", "--config", "a=1"), 6, "belongs to the min replica set"),
        (("start", "Bad!"), 2, "expected a name"),
        (("start", "x", "--config", "novalue"), 2, "expected KEY=VALUE"),
        (("start", "x", "--command", "'"), 2, "--command: No closing quotation"),
        (("wait", "web-0", "--for", "completed", "--timeout", "10ms"), 3, "timed out"),
        (("wait", "web-0", "--timeout", "soon"), 2, "expected a duration"),
        (("wait", "web-0", "--for", "happy"), 2, "'happy' is not one of"),
        (("status",), 2, "Missing argument"),
        (("no-such-command",), 2, "No such command"),
    ],
)
def test_what_goes_wrong_has_its_sentence_and_exit_code(
    state: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    done = command(state, *words)
    assert message in done.err
    assert done.code == code
    assert "Traceback" not in done.err


def test_the_socket_is_for_its_owner_alone(state: Path) -> None:
    assert socket_of(state).stat().st_mode & 0o777 == 0o600


def test_a_second_operator_on_one_journal_is_refused(
    state: Path, tmp_path: Path
) -> None:
    done = command(state, "up", str(file_at(tmp_path, FLEET)))
    assert done.code == 6
    assert "another operator holds this journal" in done.err
    assert command(state, "list").code == 0


def test_up_goes_on_over_interrupts_and_a_lost_journal(tmp_path: Path) -> None:
    """Ctrl-C leaves the containers; a journal that is gone restarts none of them."""
    state, file = tmp_path / "state", file_at(tmp_path, FLEET)
    with up(file, state) as first:
        client = reached(state)
        client.get("containers", "web-0", "wait")
        client.get("containers", "web-1", "wait")
        first.send_signal(signal.SIGINT)
        assert first.wait(LIMIT_S) == 0
    said = (tmp_path / "up.log").read_text().splitlines()[-1]
    assert "containers go on" in said
    # The block has ended with `down`: bring it up again and lose the journal.
    with up(file, state) as second:
        client = reached(state)
        before = client.get("containers", "web-0", "wait")
        assert before["run"] > 1
        second.send_signal(signal.SIGKILL)
        second.wait(LIMIT_S)
        for path in state.glob("journal.db*"):
            path.unlink()
        with up(file, state):
            client = reached(state)
            after = client.get("containers", "web-0", "wait")
            assert (after["run"], after["addresses"]) == (
                before["run"],
                before["addresses"],
            )
            assert after["restarts"] == 0


def test_the_last_line_names_down(tmp_path: Path) -> None:
    state, file = tmp_path / "state", file_at(tmp_path, FLEET)
    with (tmp_path / "out").open("w") as out:
        process = subprocess.Popen(
            (*COMMAND, "up", str(file), "--state", str(state)), stdout=out, text=True
        )
        reached(state).get("containers", "web-0", "wait")
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 0
    last = (tmp_path / "out").read_text().splitlines()[-1]
    assert last.endswith(f"`orchestrator down --state {state}` stops them")
    assert len(shims(state)) >= 2
    assert command(state, "list").code == 5
    down = command(state, "down")
    assert (down.code, down.out) == (0, "everything is down\n")
    all_ended(state)


def test_up_once_converges_and_leaves_with_what_it_found(tmp_path: Path) -> None:
    state, file = tmp_path / "state", file_at(tmp_path, FLEET)
    done = command(state, "up", str(file), "--once", "--stop-on-exit")
    assert done.code == 4
    assert "doomed is crash_looping" in done.err
    all_ended(state)
    healthy = FLEET.replace('command = ["false"]', 'command = ["true"]')
    done = command(state, "up", str(file_at(tmp_path, healthy)), "--once")
    assert done.code == 0, done.err
    assert len(shims(state)) >= 2
    never = healthy.replace("http.server", "timeit")
    late = command(
        state, "up", str(file_at(tmp_path, never)), "--once", "--timeout", "1ms"
    )
    assert late.code == 3
    assert command(state, "down").code == 0


def test_up_once_does_not_wait_for_what_does_not_come(tmp_path: Path) -> None:
    state, file = tmp_path / "state", file_at(tmp_path, STUCK)
    done = command(state, "up", str(file), "--once", "--stop-on-exit")
    assert done.code == 4, "not 3: nobody waits until the time is up"
    assert "migrate is failed" in done.err
    assert "api is pending: waits for migrate to complete" in done.err
    all_ended(state)


def test_a_state_folder_whose_path_is_long_has_its_socket_elsewhere(
    tmp_path: Path,
) -> None:
    state = tmp_path / ("x" * 60) / ("y" * 60)
    state.parent.mkdir()
    with up(file_at(tmp_path, FLEET), state):
        reached(state).get("containers", "web-0", "wait")
        assert not (state / SOCKET).exists()
        assert (state / SOCKET_NAMED_BY).exists()
        assert command(state, "list").code == 0
        elsewhere = socket_of(state)
    assert not elsewhere.exists()


def test_the_usual_state_folder_is_found_by_itself(tmp_path: Path) -> None:
    env = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    assert "no fleet is known here" in run("list", env=env).err
    once = FLEET.replace('command = ["false"]', 'command = ["true"]')
    done = run("up", str(file_at(tmp_path, once)), "--once", env=env)
    assert done.code == 0, done.err
    assert run("list", env=env).code == 5
    second = once.replace('"tried"', '"other"')
    done = run(
        "up", str(file_at(tmp_path, second)), "--once", "--stop-on-exit", env=env
    )
    assert done.code == 0, done.err
    assert "which fleet (other, tried)?" in run("down", env=env).err
    for name in ("other", "tried"):
        state = tmp_path / "orchestrator" / name
        if sys.platform == "linux":
            assert run("down", "--state", str(state), env=env).code == 0
    shutil.rmtree(tmp_path / "orchestrator", ignore_errors=True)


def test_a_folder_that_is_no_state_folder_is_told(tmp_path: Path) -> None:
    done = command(tmp_path, "down")
    assert done.code == 5
    assert "is not the state folder of a fleet" in done.err


def test_a_follower_is_told_when_the_operator_has_gone(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with up(file_at(tmp_path, FLEET), state) as operator:
        reached(state).get("containers", "web-0", "wait")
        following = subprocess.Popen(
            (*COMMAND, "logs", "job", "--follow", "--state", str(state)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert following.stdout is not None
        assert following.stdout.readline() == "out\n"
        operator.send_signal(signal.SIGKILL)
        _, said = following.communicate(timeout=LIMIT_S)
        assert following.returncode == 5, said
        assert "no operator runs" in said


def test_a_socket_that_nobody_serves_is_no_operator(tmp_path: Path) -> None:
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(tmp_path / SOCKET))
    dead.close()
    done = command(tmp_path, "list")
    assert done.code == 5
    assert "no operator runs for" in done.err


def test_a_planted_secret_is_found_nowhere(tmp_path: Path) -> None:
    """Not in a file, a log, an answer, an error or a message of the operator."""
    secret = "hunter2-is-the-secret"
    secrets = tmp_path / "secrets"
    secrets.touch(mode=0o600)
    secrets.write_text(f"API_KEY={secret}\n")
    (tmp_path / "builder.py").write_text(
        "def build(spec, secrets):\n"
        "    if spec.name == 'raises':\n"
        "        raise ValueError(secrets['API_KEY'])\n"
        "    return {'BUILT': secrets['API_KEY']}\n"
        "class Hooks:\n"
        "    def on_start(self, info, event):\n"
        f"        raise ValueError('{secret}')\n"
        "hooks = Hooks()\n"
    )
    fleet = """
    [fleet]
    name = "secretive"
    env_vars = "builder:build"
    hooks = "builder:hooks"
    [[containers]]
    name = "knows"
    command = ["sh", "-c", "test $KEY = $BUILT && test $${#KEY} = 21 && exec sleep 999"]
    env = { KEY = "${secret.API_KEY}" }
    [[containers]]
    name = "raises"
    command = ["true"]
    [[containers]]
    name = "misses"
    command = ["true"]
    env = { KEY = "${secret.NOT_THERE}" }
    """
    state = tmp_path / "state"
    words = ("--secrets", str(secrets), "--verbose")
    with up(file_at(tmp_path, fleet), state, *words):
        client: Client = reached(state)
        assert client.get("containers", "knows", "wait")["phase"] == "running"
        log = tmp_path / "up.log"
        for said in ("env_vars_failed", "secret_missing"):
            until(lambda said=said: said in command(state, "events", "-o", "json").out)  # type: ignore[misc]
        until(lambda: "on_start failed for knows: ValueError" in log.read_text())
        answers = [
            command(state, *words)
            for words in (
                ("list", "-o", "json"),
                ("status", "raises"),
                ("explain", "misses"),
                ("events", "-o", "json"),
                ("logs", "knows"),
            )
        ]
    assert "env_vars_failed" in answers[3].out
    assert "secret_missing" in answers[3].out
    said = "".join(done.out + done.err for done in answers)
    assert secret not in said
    for path in tmp_path.rglob("*"):
        is_planted = path in (secrets, tmp_path / "builder.py")
        if path.is_file() and not is_planted and path.suffix != ".pyc":
            assert secret.encode() not in path.read_bytes(), path
