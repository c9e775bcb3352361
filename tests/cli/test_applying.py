"""Applying a file to an operator that runs, with real processes."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.inside import ran
from tests.cli.kit import COMMAND, LIMIT_S, Done, all_ended, file_at, reached, up
from tests.platforms.local_kit import marked

FLEET = """
[fleet]
name = "changing"
[platform]
kind = "local"
[restart]
backoff = { initial_ms = 50, max_ms = 100 }
[[containers]]
name = "web"
replicas = 2
command = ["sleep", "991"]
"""
# Without a port it would be ready for as long as nobody has seen it end.
DOOMED = """
[[containers]]
name = "doomed"
command = ["false"]
ports = { http = 8080 }
restart = { crash = { allowed_crashes = 1 } }
"""
STUCK = """
[[containers]]
name = "migrate"
command = ["false"]
restart = { when = "never" }
[[containers]]
name = "api"
command = ["sleep", "993"]
depends_on = { migrate = "completed" }
"""
SLOW = """
[[containers]]
name = "slow"
command = ["sleep", "992"]
ports = { http = 8080 }
"""


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("changing")
    with up(file_at(folder, FLEET), folder / "state"):
        client = reached(folder / "state")
        for name in ("web-0", "web-1"):
            client.get("containers", name, "wait")
        yield folder / "state"
    all_ended(folder)
    assert marked(str(folder)) == []


@pytest.fixture(autouse=True)
def _as_declared(state: Path, tmp_path: Path) -> None:
    """Begin each test with the same fleet."""
    file = file_at(tmp_path, FLEET)
    if ran("plan", file, "--state", state).code:
        assert apply(state, file).code == 0


def apply(state: Path, file: Path, *words: str) -> Done:
    return ran("apply", file, "--state", state, *words)


def infos(state: Path) -> dict[str, Any]:
    found = ran("list", "--state", state, "-o", "json")
    return {info["name"]: info for info in json.loads(found.out)}


def test_what_is_planned_is_applied_and_followed(state: Path, tmp_path: Path) -> None:
    file = file_at(tmp_path, FLEET.replace("replicas = 2", "replicas = 3"))
    planned = ran("plan", file, "--state", state)
    assert planned.code == 1
    done = apply(state, file)
    assert done.code == 0, done.err
    assert done.out.startswith(planned.out)
    assert "web-2            running" in done.out
    assert infos(state)["web-2"]["ready"]
    assert ran("plan", file, "--state", state).code == 0
    again = apply(state, file)
    assert (again.code, again.out.count("\n")) == (0, 1)
    assert again.out.startswith("nothing to change")


def test_what_has_left_the_file_is_gone_when_the_command_ends(
    state: Path, tmp_path: Path
) -> None:
    more = file_at(tmp_path, FLEET.replace("replicas = 2", "replicas = 3"))
    assert apply(state, more).code == 0
    done = apply(state, file_at(tmp_path, FLEET))
    assert done.code == 0
    assert "web-2            is not in the fleet any more" in done.out
    assert set(infos(state)) == {"web-0", "web-1"}


def test_another_environment_takes_effect(state: Path, tmp_path: Path) -> None:
    before = infos(state)
    file = file_at(tmp_path, FLEET + 'env = { API_TOKEN = "hunter2" }\n')
    done = apply(state, file)
    assert done.code == 0
    assert "~ restart  web-0, web-1: what it was started with has changed" in done.out
    assert "hunter2" not in done.out + done.err
    found = infos(state)
    for name in ("web-0", "web-1"):
        assert found[name]["run"] == before[name]["run"] + 1


def test_a_container_that_fails_makes_the_command_fail(
    state: Path, tmp_path: Path
) -> None:
    done = apply(state, file_at(tmp_path, FLEET + DOOMED))
    assert done.code == 4
    assert "doomed is crash_looping: " in done.err
    differs = ran("diff", "--state", state)
    assert differs.code == 1
    assert "not_running" in differs.out
    assert json.loads(ran("diff", "--state", state, "-o", "json").out)[0]["found"] == (
        "crash_looping"
    )


def test_one_that_waits_for_what_has_failed_has_failed_too(
    state: Path, tmp_path: Path
) -> None:
    done = apply(state, file_at(tmp_path, FLEET + STUCK))
    assert done.code == 4, "not 3: nobody waits until the time is up"
    assert "migrate is failed: " in done.err
    assert "api is pending: waits for migrate to complete: " in done.err
    assert infos(state)["api"]["stuck"]
    assert "stuck" not in infos(state)["web-0"]
    waiting = ran("wait", "api", "--state", state)
    assert (waiting.code, "migrate has failed" in waiting.err) == (4, True)


def test_where_nothing_differs_the_command_says_so(state: Path) -> None:
    done = ran("diff", "--state", state)
    assert (done.code, done.out) == (0, "nothing differs\n")


def test_what_does_not_settle_in_time_is_told(state: Path, tmp_path: Path) -> None:
    file = file_at(tmp_path, FLEET + SLOW)
    assert apply(state, file, "--detach").code == 0
    until = time.monotonic() + LIMIT_S
    while infos(state)["slow"]["phase"] != "running":
        assert time.monotonic() < until
        time.sleep(0.05)
    done = apply(state, file, "--timeout", "1s")
    assert done.code == 3
    assert "not settled after 1s:\n  slow running" in done.err


def test_whoever_expects_another_revision_is_refused(
    state: Path, tmp_path: Path
) -> None:
    file = file_at(tmp_path, FLEET + DOOMED)
    done = apply(state, file, "--expect-revision", "0")
    assert done.code == 6
    assert "expected revision 0 of the fleet" in done.err
    assert "doomed" not in infos(state)


def test_a_program_gets_one_answer(state: Path, tmp_path: Path) -> None:
    file = file_at(tmp_path, FLEET + DOOMED)
    done = apply(state, file, "-o", "json")
    assert done.code == 4
    found = json.loads(done.out)
    assert found["outcome"] == "failed"
    assert [info["name"] for info in found["containers"]] == [
        "doomed",
        "web-0",
        "web-1",
    ]
    kept = file_at(tmp_path, FLEET)
    detached = apply(state, kept, "--prune", "keep", "--detach", "-o", "json")
    assert detached.code == 0
    assert json.loads(detached.out)["outcome"] == "detached"
    assert infos(state)["doomed"]["origin"] == "ad_hoc"
    assert ran("stop", "doomed", "--state", state).code == 0
    assert ran("remove", "doomed", "--state", state).code == 0


def test_two_at_once_are_both_applied_one_after_the_other(
    state: Path, tmp_path: Path
) -> None:
    files = []
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        text = FLEET.replace('"991"', f'"99{3 + number}"')
        files.append(file_at(folder, text))
    running = [
        subprocess.Popen(
            (*COMMAND, "apply", str(file), "--state", str(state), "--detach"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for file in files
    ]
    for each in running:
        _, err = each.communicate(timeout=LIMIT_S)
        assert each.returncode == 0, err
    last = [file for file in files if ran("plan", file, "--state", state).code == 0]
    assert len(last) == 1


def test_another_platform_is_told_and_not_applied(state: Path, tmp_path: Path) -> None:
    done = apply(state, file_at(tmp_path, FLEET.replace('"local"', '"simulated"')))
    assert done.code == 0
    assert "platform of the file is another one" in done.err


def test_an_operator_that_dies_meanwhile_is_told(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with up(file_at(tmp_path, FLEET), state) as operator:
        reached(state).get("containers", "web-1", "wait")
        slow = file_at(tmp_path, FLEET + SLOW)
        applying = subprocess.Popen(
            (*COMMAND, "apply", str(slow), "--state", str(state)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert applying.stdout is not None
        said = applying.stdout.readline()
        while said and not re.match(r"[\d:.]+ +slow ", said):  # until it is followed
            said = applying.stdout.readline()
        operator.kill()
        _, err = applying.communicate(timeout=LIMIT_S)
        assert applying.returncode == 5, err
        assert "it settles when its operator runs again" in err
        assert ran("plan", slow, "--state", state).code == 0
    all_ended(tmp_path)
