"""The operator killed while checks are asked: verdicts stand, rows begin again."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.client import Client
from tests.cli.kit import LIMIT_S, file_at, reached, up
from tests.platforms.local_kit import SERVER, marked

FLEET = """
[fleet]
name = "killed"
[restart]
crash = {{ allowed_crashes = 99 }}
backoff = {{ initial_ms = 10, max_ms = 20 }}
[[containers]]
name = "web"
command = ["{python}", "-I", "-S", "{folder}/server.py"]
ports = {{ http = 80 }}
env = {{ FOLDER = "{folder}", MARKED = "killed in {folder}" }}
stop_grace = "1s"
[containers.health.readiness]
http = {{ port = "http", path = "/flag", headers = {{ X-Key = "${{secret.TOKEN}}" }} }}
period_ms = 50
timeout_ms = 30000
[containers.health.liveness]
command = ["{python}", "-I", "-S", "{folder}/check.py"]
period_ms = 100
timeout_ms = 60000
"""

HANGS = """
import os, sys, time
while os.path.exists(os.environ["FOLDER"] + "/slow"):
    time.sleep(0.01)
sys.exit(os.path.exists(os.environ["FOLDER"] + "/ill"))
"""
SECRET = "correct-horse-battery"


def changes(client: Client) -> list[tuple[str, bool]]:
    page = client.get("events", after=0)
    events = [record["event"] for record in page]
    told = [event for event in events if event["type"] == "health_changed"]
    return [(event["check"], event["passing"]) for event in told]


def until(client: Client, **expected: Any) -> None:
    limit = time.monotonic() + LIMIT_S
    while True:
        info = client.get("containers", "web")
        if all(info[key] == value for key, value in expected.items()):
            return
        assert time.monotonic() < limit, str(info)
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_operator_killed_in_the_middle_of_a_check_goes_on_with_its_verdicts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", SECRET)
    home, state = tmp_path / "container", tmp_path / "state"
    home.mkdir()
    (home / "server.py").write_text(SERVER)
    (home / "check.py").write_text(HANGS)
    (home / "slow").touch()
    file = file_at(tmp_path, FLEET.format(python=sys.executable, folder=home))
    with up(file, state) as first:
        client = reached(state)
        until(client, ready=True)
        limit = time.monotonic() + LIMIT_S
        while len(marked(f"killed in {home}")) < 2:  # its own, and its check's
            assert time.monotonic() < limit
            time.sleep(0.01)
        first.kill()
        first.wait(LIMIT_S)
        (home / "slow").unlink()
        with up(file, state):
            client = reached(state)
            until(client, ready=True, run=1)
            (home / "bad").touch()
            until(client, ready=False)
            (home / "bad").unlink()
            until(client, ready=True, run=1)
            told = [("readiness", True), ("readiness", False), ("readiness", True)]
            assert changes(client) == told
            (home / "ill").touch()
            until(client, last_exit="unhealthy: liveness")
            (home / "ill").unlink()
            until(client, ready=True)
    assert marked(f"killed in {home}") == []
    assert SECRET in (home / "headers").read_text()
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    ours = [path for path in kept if home not in path.parents]
    assert len(ours) > 3
    assert not any(SECRET.encode() in path.read_bytes() for path in ours)
