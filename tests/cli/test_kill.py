"""The operator killed again and again: nothing acknowledged is lost, nothing twice.

Containers crash at random while requests arrive, and the operator is ended with
SIGKILL at random moments. Each run of a container writes down that it began, holds a
lock that no other run of its name may hold at the same time, and writes down the code
that it is about to end with. Afterwards the journal is asked for all of it.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.client import Client
from orchestrator.cli.failing import Failed
from tests.cli.kit import COMMAND, LIMIT_S, all_ended, file_at, reached, run
from tests.platforms.local_kit import marked

KILLS = 50
_STOPPED: dict[str, Any] = {"for": "stopped"}
NAMES = [f"crasher-{index}" for index in range(4)]

PROGRAM = """
import fcntl, os, random, sys, time
folder = sys.argv[1]
_, name, run = os.environ["ORCHESTRATOR_RUN"].rsplit("/", 2)
lock = open(f"{folder}/{name}.lock", "w")
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    open(f"{folder}/twice-{name}-{run}", "w")
    time.sleep(999)
began = f"{folder}/began-{name}-{run}"
open(f"{folder}/twice-{name}-{run}" if os.path.exists(began) else began, "w")
time.sleep(random.expovariate(3))
code = random.randrange(1, 100)
with open(f"{folder}/.end-{name}-{run}", "w") as file:
    file.write(str(code))
os.rename(f"{folder}/.end-{name}-{run}", f"{folder}/end-{name}-{run}")
os._exit(code)
"""

FLEET = """
[fleet]
name = "killed"
[restart]
crash = {{ allowed_crashes = 1000 }}
backoff = {{ initial_ms = 20, max_ms = 200 }}
[[containers]]
name = "crasher"
replicas = {count}
command = ['{python}', "-I", "-S", "{program}", "{folder}"]
[ad_hoc]
command = ["sleep", "999"]
"""


@pytest.mark.timeout(1_200)  # fifty boots, on a machine that may be busy
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_operator_killed_fifty_times_loses_nothing_and_runs_nothing_twice(
    tmp_path: Path,
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    program = tmp_path / "crasher.py"
    program.write_text(PROGRAM)
    state = tmp_path / "state"
    text = FLEET.format(
        count=len(NAMES), python=sys.executable, program=program, folder=marks
    )
    file = file_at(tmp_path, text)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    acknowledged: list[tuple[str, str]] = []
    with (tmp_path / "up.log").open("w") as log:
        for kill in range(KILLS):
            operator = subprocess.Popen(
                (*COMMAND, "up", str(file), "--state", str(state)),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            until = time.monotonic() + dice.uniform(0.2, 0.8)
            least = 0
            if kill % 2:
                reached(state)
                until = time.monotonic() + dice.uniform(0, 0.25)
                least = len(acknowledged) + dice.randrange(3, 9)  # however slow it is
            while time.monotonic() < until or len(acknowledged) < least:
                _ask_something(Client(state), dice, acknowledged)
            operator.send_signal(signal.SIGKILL)
            assert operator.wait() == -signal.SIGKILL, (tmp_path / "up.log").read_text()
    assert len(acknowledged) > KILLS
    rows = _settled_rows(file, state, marks)
    _holds_what_was_acknowledged(rows, acknowledged)
    _holds_every_end(rows, marks)
    assert not list(marks.glob("twice-*"))
    verified = run("journal", "verify", str(state / "journal.db"))
    assert verified.code == 0, verified.err
    all_ended(state)
    assert marked(str(marks)) == []


def _ask_something(
    client: Client, dice: random.Random, acknowledged: list[tuple[str, str]]
) -> None:
    """Make a request with a word of its own; note it where it was acknowledged."""
    word = f"w{dice.getrandbits(60)}"
    operation, name = dice.choice(
        [("restart", dice.choice(NAMES)), ("start", "extra"), ("stop", "extra")]
    )
    try:
        client.post("containers", name, operation, why=word)
    except Failed:
        time.sleep(0.01)
    else:
        acknowledged.append((name, word))


def _settled_rows(file: Path, state: Path, marks: Path) -> list[dict[str, Any]]:
    """Bring an operator back once more, take everything down, return all rows.

    On a busy machine fewer runs have ended than operators were killed: they go on until
    there are enough to tell something by.
    """
    folder = file.parent
    with (folder / "up.log").open("a") as log:
        operator = subprocess.Popen(
            (*COMMAND, "up", str(file), "--state", str(state)),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        client = reached(state)
        until = time.monotonic() + 240
        while len(_ends_said(marks)) <= KILLS and time.monotonic() < until:
            time.sleep(0.05)
        for name in NAMES:
            client.post("containers", name, "stop")
        for name in NAMES:
            client.get("containers", name, "wait", **_STOPPED)
        client.post("down")
    finally:
        operator.wait(LIMIT_S)
    exported = folder / "journal.jsonl"
    done = run("journal", "export", str(state / "journal.db"), str(exported))
    assert done.code == 0, done.err
    import json

    rows = [json.loads(line) for line in exported.read_bytes().splitlines()]
    return [row for row in rows if "event" in row]


def _holds_what_was_acknowledged(
    rows: list[dict[str, Any]], acknowledged: list[tuple[str, str]]
) -> None:
    events = [row["event"] for row in rows]
    words = {(event.get("name"), event.get("why")) for event in events}
    lost = [request for request in acknowledged if request not in words]
    assert not lost


def _ends_said(marks: Path) -> list[Path]:
    return list(marks.glob("end-*"))


def _holds_every_end(rows: list[dict[str, Any]], marks: Path) -> None:
    """Every run that said how it would end is known to have ended so, or by us.

    A run is ended by what a row commands, also where the operator is killed before it
    can write down that this was accepted.
    """
    ends: dict[tuple[str, int], dict[str, Any]] = {}
    ordered: set[tuple[str, int]] = set()
    for row in rows:
        event = row["event"]
        if event["type"] in {"container_ended", "container_observed"}:
            exit_ = event.get("exit") or event["sight"].get("exit")
            if exit_ is not None:
                ends.setdefault((event["name"], event["run"]), exit_)
        ordered |= {
            (command["name"], command["run"])
            for command in row["commands"]
            if command["type"] in {"stop_container", "destroy_container"}
        }
    said = _ends_said(marks)
    assert len(said) > KILLS
    for path in said:
        name, _, run_ = path.name.removeprefix("end-").rpartition("-")
        found = ends.get((name, int(run_)))
        if (name, int(run_)) in ordered and found != {
            "type": "exited",
            "code": int(path.read_text()),
        }:
            continue  # we ended it in its last moment
        assert found == {"type": "exited", "code": int(path.read_text())}, path.name
