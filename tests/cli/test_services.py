"""Scale, adopt and orphans as a user types them, over processes of this machine."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.client import Client
from tests.cli.kit import LIMIT_S, Done, file_at, has_said, reached, run, up

FLEET = """
[fleet]
name = "shop"
[[containers]]
name = "web"
replicas = {replicas}
command = ["sh", "-c", "echo I am ${{name}} ${{replica.index}}; exec sleep 999"]
[[containers]]
name = "doomed" # never ready, however late its end is seen: nobody listens there
replicas = 0
command = ["false"]
ports = {{ http = 8080 }}
restart = {{ when = "never" }}
[[containers]]
name = "job"
replicas = 0
command = ["true"]
[ad_hoc]
command = ["sleep", "999"]
"""


READY: dict[str, Any] = {"for": "ready"}


def said(folder: Path, replicas: int = 1) -> Path:
    return file_at(folder, FLEET.format(replicas=replicas))


def asked(state: Path, *words: str) -> Done:
    return run(*words, "--state", str(state))


def names(client: Client) -> list[str]:
    return [info["name"] for info in client.get("containers")]


def test_a_service_is_scaled_and_each_replica_knows_its_index(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with up(said(tmp_path), state):
        client = reached(state)
        done = asked(state, "scale", "web", "3", "--wait")
        assert done.code == 0, done.err
        assert "members:     web-0, web-1, web-2" in done.out
        has_said(state, "web-2", "I am web-2 2")
        assert asked(state, "logs", "web-2").out == "I am web-2 2\n"
        listed = json.loads(asked(state, "services", "-o", "json").out)
        found = {each["name"]: each for each in listed}
        assert (found["web"]["ready"], found["web"]["declared"]) == (3, 1)
        assert asked(state, "services", "-o", "name").out.split() == [
            "doomed",
            "job",
            "web",
        ]
        assert "IN THE FILE" in asked(state, "services").out
        down = asked(state, "scale", "web", "0", "--wait", "-o", "json")
        assert json.loads(down.out)["members"] == []
        assert names(client) == []
        assert asked(state, "scale", "job", "2", "--wait").code == 0
        bad = asked(state, "scale", "doomed", "2", "--wait")
        assert (bad.code, "doomed-" in bad.err) == (4, True)


def test_mistakes_are_told(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with up(said(tmp_path), state):
        reached(state)
        for words, code, text in (
            (("scale", "ghost", "2"), 11, "there is no service 'ghost'"),
            (("scale", "web", "10001"), 2, "expected a number from 0 to 10000"),
            (("scale", "web", "many"), 2, "Invalid value for 'N'"),
            (("adopt", "ghost"), 11, "there is no container 'ghost'"),
            (("orphans", "stop", "ghost"), 11, "there is no container 'ghost'"),
        ):
            done = asked(state, *words)
            assert (done.code, text in done.err) == (code, True), done
        late = asked(state, "scale", "web", "2", "--wait", "--timeout", "0s")
        assert late.code in {0, 3}, late


def test_what_was_scaled_outlives_an_operator_that_is_killed(tmp_path: Path) -> None:
    state, file = tmp_path / "state", said(tmp_path)
    with up(file, state) as operator:
        client = reached(state)
        assert asked(state, "scale", "web", "3", "--wait").code == 0
        asked(state, "scale", "web", "5")
        operator.send_signal(signal.SIGKILL)
        operator.wait()
        with up(file, state):
            client = reached(state)
            done = asked(state, "scale", "web", "5", "--wait")
            assert done.code == 0, done.err
            infos = client.get("containers")
            assert [info["name"] for info in infos] == [f"web-{n}" for n in range(5)]
            assert {info["run"] for info in infos[:3]} == {1}
            assert asked(state, "apply", str(file)).code == 0
            wait_for(client, ["web-0"])


def wait_for(client: Client, expected: list[str]) -> None:
    until = time.monotonic() + LIMIT_S
    while names(client) != expected:
        assert time.monotonic() < until, names(client)
        time.sleep(0.05)


@pytest.fixture
def lost(tmp_path: Path) -> Path:
    """Leave processes behind whose journal is lost."""
    state = tmp_path / "state"
    with up(said(tmp_path, 3), state) as operator:
        client = reached(state)
        assert asked(state, "start", "extra").code == 0
        for name in ("web-0", "web-1", "web-2", "extra"):
            client.get("containers", name, "wait", **READY)
        operator.send_signal(signal.SIGKILL)
        operator.wait()
        for path in state.glob("journal*"):
            path.unlink()
        state.rename(tmp_path / "kept")
    (tmp_path / "kept").rename(state)
    return state


def test_who_takes_all_down_is_told_of_orphans_that_are_left(
    lost: Path, tmp_path: Path
) -> None:
    told = "everything is down\n2 orphans are left alone: web-1, web-2\n"
    with up(said(tmp_path, 1), lost):
        client = reached(lost)
        client.get("containers", "web-0", "wait", **READY)
        asked(lost, "adopt", "extra")
        assert asked(lost, "down").out == told
    assert asked(lost, "down").out == told  # nobody runs: it is taken over
    with up(said(tmp_path, 3), lost):
        client = reached(lost)
        client.get("containers", "web-2", "wait", **READY)
        assert client.get("orphans") == []
        assert asked(lost, "down").out == "everything is down\n"


def test_orphans_are_adopted_or_ended(lost: Path, tmp_path: Path) -> None:
    with up(said(tmp_path, 1), lost):
        client = reached(lost)
        client.get("containers", "web-0", "wait", **READY)
        assert asked(lost, "orphans", "-o", "name").out.split() == [
            "extra",
            "web-1",
            "web-2",
        ]
        assert "NAME" in asked(lost, "orphans").out
        before = json.loads(asked(lost, "orphans", "-o", "json").out)
        runs = {each["name"]: each["run"] for each in before}
        for words, origin in (
            (("adopt", "web-2"), "min_replica_set"),
            (("adopt", "extra", "--as", "ad-hoc"), "ad_hoc"),
        ):
            done = asked(lost, *words, "-o", "json")
            info = json.loads(done.out)
            assert (info["phase"], info["origin"]) == ("running", origin), done
            assert info["run"] == runs[info["name"]]
        again = asked(lost, "adopt", "web-1", "--as", "job")
        assert (again.code, "such as job-0" in again.err) == (2, True)
        done = run("orphans", "--state", str(lost), "stop", "web-1")
        assert "of web-1 is being ended" in done.out
        wait_for(client, ["extra", "web-0", "web-2"])
        until = time.monotonic() + LIMIT_S
        while client.get("orphans"):
            assert time.monotonic() < until
            time.sleep(0.05)
        assert asked(lost, "orphans", "-o", "name").out == ""
