"""``up`` that comes back says what became of the containers while nobody led."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.cli.kit import LIMIT_S, file_at, reached, up
from tests.platforms.local_kit import shims

FLEET = """
[fleet]
name = "shop"
[[containers]]
name = "web"
command = ["sleep", "999"]
[[containers]]
name = "crasher"
command = ["sh", "-c", "echo $$ > pid; exec sleep 999"]
working_dir = "."
"""
TOLD = ": 1 run ended (1 crash), 1 goes on"


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_up_that_comes_back_says_what_it_has_found(tmp_path: Path) -> None:
    state, file, log = tmp_path / "state", file_at(tmp_path, FLEET), tmp_path / "up.log"
    with up(file, state) as first:
        for name in ("web", "crasher"):
            reached(state).get("containers", name, "wait")
        first.send_signal(signal.SIGKILL)
        first.wait(LIMIT_S)
        pid = tmp_path / "pid"
        until(lambda: pid.exists() and pid.read_text() != "")
        os.kill(int(pid.read_text()), signal.SIGKILL)
        # The next one is to find the end: its shim has written it down.
        until(lambda: len(shims(tmp_path)) == 1)
        assert "nobody led" not in log.read_text()
        with up(file, state):
            until(lambda: "nobody led" in log.read_text())
            told = reached(state).get("leader")["absence"]
    (line,) = [one for one in log.read_text().splitlines() if "nobody led" in one]
    assert line.endswith(TOLD)
    assert told["told"] in line
    assert (told["crashes"], told["going_on"]) == (1, 1)
