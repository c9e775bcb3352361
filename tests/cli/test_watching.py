"""``--watch`` shows what changes, as lines, as trees, and on a terminal."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.cli.client import Client
from tests.cli.kit import COMMAND, file_at, reached, run, up
from tests.platforms.local_kit import marked

FLEET = """
[fleet]
name = "watched"
[platform]
kind = "local"
[[containers]]
name = "web"
replicas = 2
command = ["sleep", "989"]
[ad_hoc]
command = ["sleep", "988"]
"""
LIMIT_S = 60


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run a fleet for the tests of this module."""
    folder = tmp_path_factory.mktemp("fleet")
    with up(file_at(folder, FLEET), folder / "state"):
        client = reached(folder / "state")
        for name in ("web-0", "web-1"):
            client.get("containers", name, "wait")
        yield folder / "state"
    assert marked(str(folder)) == []


@contextmanager
def watching(*words: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen((*COMMAND, *words), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process
    finally:
        process.kill()
        process.wait(LIMIT_S)
        process.stdout.close()


def lines_until(process: subprocess.Popen[str], word: str) -> list[str]:
    """Read lines up to one with a word in it."""
    assert process.stdout is not None
    lines: list[str] = []
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        lines.append(process.stdout.readline())
        if word in lines[-1] or not lines[-1]:
            break
    assert word in lines[-1], lines
    return lines


def test_a_change_is_a_line(state: Path) -> None:
    with watching("list", "--watch", "--state", str(state)) as process:
        first = lines_until(process, "web-1")
        assert len(first) == 2
        client = Client(state)
        client.post("containers", "extra", "start", why="to be seen")
        assert "extra" in lines_until(process, "extra")[-1]
        client.post("containers", "extra", "stop")
        run("wait", "extra", "--for", "stopped", "--state", str(state))
        lines_until(process, "stopped")
        client.delete("containers", "extra")
        assert lines_until(process, "forgotten")[-1].split()[1:] == [
            "extra",
            "forgotten",
        ]
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_S) == 130


def test_programs_are_given_trees(state: Path) -> None:
    words = ("status", "web-0", "--watch", "-o", "json", "--state", str(state))
    with watching(*words) as process:
        (first,) = lines_until(process, "web-0")
        run_before = json.loads(first)["run"]
        client = Client(state)
        client.post("containers", "web-1", "restart")
        client.post("containers", "web-0", "restart")
        client.get("containers", "web-0", "wait")
        records = [json.loads(line) for line in lines_until(process, '"running"')]
        while records[-1]["run"] == run_before:
            records += map(json.loads, lines_until(process, '"running"'))
    assert {record["name"] for record in records} == {"web-0"}
    assert records[-1]["run"] == run_before + 1


def test_on_a_terminal_it_is_drawn_anew(state: Path) -> None:
    shown, terminal = pty.openpty()
    process = subprocess.Popen(
        (*COMMAND, "list", "--watch", "--state", str(state)),
        stdout=terminal,
        stdin=terminal,
        env={**os.environ, "COLUMNS": "120", "LINES": "6", "TERM": "xterm"},
    )
    os.close(terminal)
    try:
        drawn = _drawn(shown, "Ctrl-C ends this view")
        assert "... and " in drawn  # six lines hold one of them
        before = Client(state).get("containers", "web-0")["run"]
        Client(state).post("containers", "web-0", "restart", why="seen on a screen")
        _drawn(shown, "row ")
        Client(state).get("containers", "web-0", "wait")
        assert Client(state).get("containers", "web-0")["run"] == before + 1
        _drawn(shown, "running")
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_S) == 130
    finally:
        process.kill()
        process.wait(LIMIT_S)
        os.close(shown)


def _drawn(shown: int, word: str, drawn: str = "") -> str:
    """Read from a terminal until it has shown a word."""
    until = time.monotonic() + LIMIT_S
    while word not in drawn and time.monotonic() < until:
        if select.select([shown], [], [], 1)[0]:
            drawn += os.read(shown, 65_536).decode(errors="replace")
    assert word in drawn, drawn
    return drawn


def test_the_end_of_the_operator_is_told(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with up(file_at(tmp_path, FLEET), state):
        reached(state).get("containers", "web-1", "wait")
        with watching("list", "-w", "-o", "name", "--state", str(state)) as process:
            lines_until(process, "web-1")
            assert run("down", "--state", str(state)).code == 0
            assert process.wait(LIMIT_S) == 5


@pytest.mark.parametrize(
    "words",
    [
        ("list", "--watch", "--at", "1"),
        ("status", "web-0", "--watch", "--at", "1"),
        ("status", "--watch", "--platform"),
    ],
)
def test_now_and_the_past_are_not_watched_at_once(
    state: Path, words: tuple[str, ...]
) -> None:
    done = run(*words, "--state", str(state))
    assert done.code == 2
    assert "goes without" in done.err
