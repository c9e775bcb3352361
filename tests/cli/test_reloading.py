"""``up`` reads its file again: by itself, and when it is told to hang up."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.cli import reloading as reloading_of_files
from orchestrator.cli.reloading import Reloading, content_of
from orchestrator.cli.tools import parsed_file
from orchestrator.codec.fleet_file import FleetFile
from orchestrator.core.dependencies import Condition
from orchestrator.core.errors import JournalUnavailable
from orchestrator.core.table import Table
from tests.cli.inside import ran
from tests.cli.kit import COMMAND, LIMIT_S, all_ended, file_at, reached, run, up
from tests.platforms.local_kit import shims
from tests.runtime.kit import opened, spec, value

FLEET = """
[fleet]
name = "read-again"
[platform]
kind = "local"
[[containers]]
name = "web"
command = ["sleep", "981"]
"""
SECOND = """
[[containers]]
name = "second"
command = ["sleep", "982"]
"""


class Told:
    """What ``up`` has said since it was asked last."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._seen = 0

    def waits_for(self, text: str) -> str:
        until = time.monotonic() + LIMIT_S
        while time.monotonic() < until:
            said = self._log.read_text()
            place = said.find(text, self._seen)
            if place >= 0:
                self._seen = place + len(text)
                return said
            time.sleep(0.05)
        raise AssertionError((text, self._log.read_text()))


def names(state: Path) -> list[str]:
    return ran("list", "--state", state, "-o", "name").out.split()


def test_hang_up_has_the_file_read_again(tmp_path: Path) -> None:
    state, told = tmp_path / "state", Told(tmp_path / "up.log")
    file = file_at(tmp_path, FLEET)
    with up(file, state) as operator:
        reached(state).get("containers", "web", "wait")

        def again() -> None:
            operator.send_signal(signal.SIGHUP)

        again()
        told.waits_for("was read again: nothing to change")
        file_at(tmp_path, FLEET + SECOND)
        again()
        told.waits_for("was read again: 1 to create, revision 2")
        assert names(state) == ["second", "web"]
        file.write_text("[fleet]\nname = ")
        again()
        told.waits_for("fleet.toml is not taken: ")
        file.unlink()
        again()
        told.waits_for("No such file or directory")
        file_at(tmp_path, FLEET.replace("read-again", "other"))
        again()
        told.waits_for("fleet.name: 'other' needs an operator of its own")
        file_at(tmp_path, FLEET.replace('"local"', '"simulated"'))
        again()
        told.waits_for("platform.kind: 'simulated' needs a new operator")
        assert names(state) == ["second", "web"]
        api = '[api]\nlisten = "127.0.0.1:0"\n[journal]\nsnapshot_every = 9\n'
        file_at(tmp_path, FLEET + api)
        again()
        told.waits_for("not taken until the next start: journal, api")
        told.waits_for("was read again: 1 to stop, revision 3")
        custom = 'restart = { custom = { name = "own", version = 1 } }\n'
        named = FLEET.replace("[platform]", 'policies = "own:x"\n[platform]')
        file_at(tmp_path, named + custom)
        again()
        told.waits_for("not taken until the next start: policies")
        told.waits_for("is not taken: ")
        assert operator.poll() is None
    all_ended(tmp_path)


def test_a_watched_file_is_read_when_it_has_stood_still(tmp_path: Path) -> None:
    state, told = tmp_path / "state", Told(tmp_path / "up.log")
    file = file_at(tmp_path, FLEET)
    with up(file, state, "--watch") as operator:
        reached(state).get("containers", "web", "wait")
        file.write_text(FLEET + '[[containers]]\nname = "half')
        told.waits_for("fleet.toml is not taken: ")
        file_at(tmp_path, FLEET + SECOND)
        told.waits_for("was read again: 1 to create, revision 2")
        file.unlink()
        said = told.waits_for("No such file or directory")
        assert said.count("No such file") == 1
        assert names(state) == ["second", "web"]
        file_at(tmp_path, FLEET)
        told.waits_for("was read again: 1 to stop, revision 3")
        assert operator.poll() is None
    all_ended(tmp_path)


def test_a_watch_does_not_go_with_leaving_at_once(tmp_path: Path) -> None:
    done = ran("up", file_at(tmp_path, FLEET), "--once", "--watch")
    assert done.code == 2
    assert "--once leaves" in done.err


def test_what_is_watched_of_a_fleet_in_python_is_its_file(tmp_path: Path) -> None:
    file = tmp_path / "fleet.py"
    assert content_of(file) is None
    file.write_text("prod = None\n")
    assert content_of(Path(f"{file}:prod")) == content_of(file) == b"prod = None\n"


async def test_a_good_file_that_cannot_be_written_down_is_tried_until_it_can(
    tmp_path: Path,
) -> None:
    file = file_at(tmp_path, FLEET)
    said: list[str] = []
    declared = parsed_file(file)
    async with opened(declared.spec) as kit:
        reloading = Reloading(
            operator=kit.operator,
            path=file,
            opened=declared,
            read=parsed_file,
            say=said.append,
            content=content_of(file),
        )

        async def looks() -> None:
            for _ in range(3):
                await reloading.look()

        await looks()
        assert said == []
        file_at(tmp_path, FLEET + SECOND)
        kit.journal.error = JournalUnavailable(cause="no space left")
        await looks()
        (told,) = said
        assert "is not taken: " in told
        assert "no space left" in told
        kit.journal.error = None
        await looks()
        assert said[1:] == [f"{file} was read again: 1 to create, revision 2"]
        await reloading.again()
        assert said[2:] == [f"{file} was read again: nothing to change"]
        other = FLEET + SECOND + 'restart = { custom = { name = "own", version = 1 } }'
        file_at(tmp_path, other.replace("[platform]", 'policies = "a:b"\n[platform]'))
        await looks()
        assert len(said) == 5
        assert said[3].endswith("not taken until the next start: policies")
        assert "is not taken: " in said[4]


async def test_a_good_file_that_the_fleet_stands_against_is_tried_until_it_does_not(
    tmp_path: Path,
) -> None:
    file = file_at(tmp_path, FLEET)
    said: list[str] = []
    declared = parsed_file(file)
    async with opened(declared.spec) as kit:
        needs = Table.of([("web", Condition.STARTED)])
        beside = spec("beside", service="second", depends_on=needs)
        await value(kit.operator.start_container(beside))
        reloading = Reloading(
            operator=kit.operator,
            path=file,
            opened=declared,
            read=parsed_file,
            say=said.append,
            content=content_of(file),
        )
        file_at(tmp_path, FLEET + 'depends_on = { second = "started" }\n' + SECOND)
        for _ in range(3):
            await reloading.look()
        (told,) = said
        assert "is not taken: " in told
        assert "circle" in told
        await value(kit.operator.stop_container("beside"))
        await kit.container("beside", "stopped")
        await value(kit.operator.remove_container("beside"))
        await reloading.look()
        assert said[1:] == [
            f"{file} was read again: 1 to create, 1 to update, revision 2"
        ]
        await reloading.look()
        assert len(said) == 2


async def test_a_reading_that_does_not_end_is_left_alone_and_is_the_only_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reloading_of_files, "READ_S", 0.05)
    file = file_at(tmp_path, FLEET)
    said: list[str] = []
    begun: list[Path] = []
    begins, ending, ended = (threading.Event() for _ in range(3))
    declared = parsed_file(file)

    def read(path: Path) -> FleetFile:
        begun.append(path)
        begins.set()
        if len(begun) == 1:
            ending.wait(LIMIT_S)
            ended.set()
        return parsed_file(path)

    async with opened(declared.spec) as kit:
        reloading = Reloading(
            operator=kit.operator,
            path=file,
            opened=declared,
            read=read,
            say=said.append,
            content=content_of(file),
        )
        try:
            await reloading.again()
            assert begins.wait(LIMIT_S)  # its thread may do so when the time is up
            assert said == [
                f"{file} is not taken: it did not come to its end within 0.05s"
            ]
            file_at(tmp_path, FLEET + SECOND)
            for _ in range(3):
                await reloading.look()
            lives = "its reading before has not come to its end"
            assert said[1:] == [f"{file} is not taken: {lives}"]
            assert len(begun) == 1
        finally:
            ending.set()
        assert ended.wait(LIMIT_S)
        monkeypatch.setattr(reloading_of_files, "READ_S", LIMIT_S)
        async with asyncio.timeout(LIMIT_S):
            while len(begun) == 1:
                await reloading.look()
        assert said[2:] == [f"{file} was read again: 1 to create, revision 2"]


IN_PYTHON = """
import orchestrator
from read_names import NAMES
fleet = orchestrator.fleet(
    "read-again",
    containers=[
        orchestrator.container(name, command=["sleep", "983"]) for name in NAMES
    ],
)
"""


def test_a_fleet_in_python_is_read_again_whatever_it_does(tmp_path: Path) -> None:
    state, told = tmp_path / "state", Told(tmp_path / "up.log")
    file, names_at = tmp_path / "fleet.py", tmp_path / "read_names.py"
    names_at.write_text("NAMES = ['web']\n")
    file.write_text(IN_PYTHON)
    with up(file, state, "--watch") as operator:
        reached(state).get("containers", "web", "wait")
        names_at.write_text("NAMES = ['web', 'second']\n")
        operator.send_signal(signal.SIGHUP)
        told.waits_for("was read again: 1 to create, revision 2")
        file.write_text("class B(BaseException): ...\nraise B('x')\n")
        told.waits_for("fleet.py:2: B: x")
        file.write_text("raise KeyboardInterrupt\n")
        told.waits_for("fleet.py:1: KeyboardInterrupt")
        names_at.write_text("NAMES = ['web']\n")
        file.write_text(f"# again\n{IN_PYTHON}")
        told.waits_for("was read again: 1 to stop, revision 3")
        file.write_text("import time\nprint('hangs', flush=True)\ntime.sleep(999)\n")
        told.waits_for("hangs")
        operator.terminate()
        assert operator.wait(LIMIT_S) == 0
    all_ended(tmp_path)


def in_terminal(*words: str) -> tuple[int, int]:
    """Run a command as the first of a terminal of its own; return both."""
    pid, terminal = pty.fork()
    if pid == 0:  # pragma: no cover - another process
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
        os.execv(sys.executable, (*COMMAND, *words))  # noqa: S606 - a program
    return pid, terminal


@contextmanager
def looked_at(terminal: int) -> Iterator[None]:
    """Read what a terminal shows, for a block: one that is full holds up who writes."""
    end = threading.Event()

    def look() -> None:
        while not end.is_set():
            if select.select([terminal], [], [], 0.05)[0]:
                os.read(terminal, 65_536)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield
    finally:
        end.set()
        looking.join(LIMIT_S)


def is_over(pid: int) -> bool:
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return True
        time.sleep(0.05)
    return False


def test_a_terminal_that_is_closed_ends_the_operator(tmp_path: Path) -> None:
    """The signal is the same; the containers go on, as after Ctrl-C."""
    state = tmp_path / "state"
    file = file_at(tmp_path, FLEET)
    pid, terminal = in_terminal("up", str(file), "--state", str(state))
    try:
        with looked_at(terminal):
            reached(state).get("containers", "web", "wait")
            os.kill(pid, signal.SIGHUP)
            assert os.waitpid(pid, os.WNOHANG) == (0, 0)
            assert names(state) == ["web"]
        os.close(terminal)
        assert is_over(pid)
        assert len(shims(tmp_path)) == 1
    finally:
        assert run("down", "--state", str(state)).code == 0
    all_ended(tmp_path)


def test_who_was_started_to_outlive_its_terminal_does(tmp_path: Path) -> None:
    state, told = tmp_path / "state", Told(tmp_path / "up.log")
    file = file_at(tmp_path, FLEET)

    def deaf() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with up(file, state, preexec_fn=deaf) as operator:
        reached(state).get("containers", "web", "wait")
        operator.send_signal(signal.SIGHUP)
        told.waits_for("was read again: nothing to change")
        assert operator.poll() is None
    all_ended(tmp_path)
