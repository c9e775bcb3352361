"""What a container of this machine answers, and what is no answer of it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
from returns.result import Success

from orchestrator import ContainerSpec
from orchestrator.core.errors import (
    Refused,
    StaleOperator,
    StaleRun,
    TimedOut,
    Unreachable,
)
from orchestrator.core.events import ContainerReady
from orchestrator.core.health import CommandProbe, HttpProbe, Probe, TcpProbe
from orchestrator.core.table import Table
from orchestrator.platforms.local import asking
from orchestrator.platforms.local.check_commands import CHECK_MARK
from orchestrator.platforms.local.records import Process
from orchestrator.platforms.port import Question, Reply
from tests.platforms.local_kit import SERVER, Local, local, marked, script
from tests.runtime.kit import LIMIT_MS, error

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

WEB = ContainerSpec(
    name="web", command=script(SERVER), ports=Table.of([("http", 80), ("idle", 81)])
)


@asynccontextmanager
async def serving(folder: Path, **more: str) -> AsyncIterator[Local]:
    """Have a server that listens on one of its two ports."""
    async with local(folder / "root") as kit:
        await start(kit, WEB, folder, **more)
        yield kit
        await kit.destroy("web")
        await kit.ended("web")


async def start(kit: Local, spec: ContainerSpec, folder: Path, **more: str) -> None:
    waiting = attrs.evolve(spec, wait_for=("http",))
    await kit.start(waiting, 1, FOLDER=str(folder), **more)
    await kit.heard(ContainerReady, "web")


async def ask(kit: Local, probe: Probe, *, ms: int = 60_000, **other: int) -> object:
    addresses = kit.record("web").addresses
    address = "" if isinstance(probe, CommandProbe) else addresses.get(probe.port)
    question = Question(
        name="web",
        run=other.get("run", 1),
        epoch=other.get("epoch", kit.epoch),
        probe=probe,
        address=address or "",
        timeout_ms=ms,
    )
    return await error(kit.platform.probe(question))


def page(path: str, *statuses: int, **headers: str) -> HttpProbe:
    return HttpProbe(
        port="http",
        path=path,
        statuses=statuses,
        headers=Table.of((key.replace("_", "-"), headers[key]) for key in headers),
    )


def runs(text: str) -> CommandProbe:
    return CommandProbe(command=script(text))


def passed(detail: str) -> Reply:
    return Reply(passed=True, detail=detail)


def failed(detail: str) -> Reply:
    return Reply(passed=False, detail=detail)


async def test_a_page_passes_by_its_status(tmp_path: Path) -> None:
    async with serving(tmp_path) as kit:
        assert await ask(kit, page("/200")) == passed("HTTP 200")
        assert await ask(kit, page("/503?full=1")) == failed("HTTP 503")
        assert await ask(kit, page("/503", 503)) == passed("HTTP 503")
        assert await ask(kit, page("/200", 204)) == failed("HTTP 200")


async def test_a_redirect_is_an_answer_and_is_not_followed(tmp_path: Path) -> None:
    async with serving(tmp_path) as kit:
        assert await ask(kit, page("/redirect")) == passed("HTTP 302")
        assert (tmp_path / "asked").read_text().splitlines() == ["/redirect"]


async def test_headers_arrive_and_what_is_said_is_not_read(tmp_path: Path) -> None:
    async with serving(tmp_path) as kit:
        asked = page("/endless", X_Key="s3cret", Host="other.example")
        assert await ask(kit, asked) == passed("HTTP 200")
        heard = (tmp_path / "headers").read_text()
        assert "X-Key: s3cret" in heard
        assert "Host: other.example" in heard
        assert heard.count("Host:") == 1


@pytest.fixture
def _never_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the container be late also where this machine is slow."""
    monkeypatch.setattr(asking, "LATE_S", 60.0)


@pytest.mark.usefixtures("_never_busy")
async def test_a_page_that_does_not_come_is_too_late(tmp_path: Path) -> None:
    async with serving(tmp_path) as kit:
        begun = time.monotonic()
        assert await ask(kit, page("/hang"), ms=200) == failed(
            "no answer within 200 ms"
        )
        assert time.monotonic() - begun < 60
        assert await ask(kit, page("/200")) == passed("HTTP 200")


async def test_what_is_not_http_does_not_pass(tmp_path: Path) -> None:
    async with serving(tmp_path) as kit:
        for path in ("/rubbish", "/close", "/endless-header"):
            reply = await ask(kit, page(path))
            assert isinstance(reply, Reply), reply
            assert not reply.passed
            assert reply.detail.startswith("no answer in HTTP: ")


async def test_a_port_passes_if_it_accepts(tmp_path: Path) -> None:
    async with serving(tmp_path) as kit:
        assert await ask(kit, TcpProbe(port="http")) == passed("connected")
        refused = failed("connection refused")
        assert await ask(kit, TcpProbe(port="idle")) == refused
        assert await ask(kit, attrs.evolve(page("/"), port="idle")) == refused


@linux
@pytest.mark.usefixtures("_never_busy")
async def test_a_stopped_process_accepts_and_does_not_answer(tmp_path: Path) -> None:
    async with serving(tmp_path) as kit:
        leader = kit.record("web").leader
        assert leader is not None
        os.kill(leader.pid, signal.SIGSTOP)
        assert await ask(kit, TcpProbe(port="http")) == passed("connected")
        assert await ask(kit, page("/200"), ms=200) == failed("no answer within 200 ms")


async def test_a_command_passes_if_it_exits_with_0(tmp_path: Path) -> None:
    async with serving(tmp_path) as kit:
        assert await ask(kit, runs("print('well')")) == passed("exit 0")
        assert await ask(kit, runs("raise SystemExit(3)")) == failed("exit 3")
        suicide = runs("import os; os.kill(os.getpid(), 9)")
        assert await ask(kit, suicide) == failed("signal 9")
        nothing = CommandProbe(command=("no-such-program",))
        cannot = failed("cannot be run: No such file or directory")
        assert await ask(kit, nothing) == cannot


@linux
async def test_a_command_has_the_environment_and_the_folder_of_its_container(
    tmp_path: Path,
) -> None:
    async with local(tmp_path / "root") as kit:
        tmp_path.joinpath("home").mkdir()
        spec = attrs.evolve(WEB, working_dir=str(tmp_path / "home"))
        await start(kit, spec, tmp_path, KEY="s3cret")
        text = (
            "import os, sys; os.environ['KEY'] == 's3cret' or sys.exit(4);"
            " os.getcwd() == os.environ['FOLDER'] + '/home' or sys.exit(5)"
        )
        assert await ask(kit, runs(text)) == passed("exit 0")
        on_disk = [path for path in kit.root.rglob("*") if path.is_file()]
        assert on_disk
        assert not any(b"s3cret" in path.read_bytes() for path in on_disk)
        await kit.destroy("web")
        await kit.ended("web")


async def test_elsewhere_a_command_has_the_name_and_the_ports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "LINUX", False)
    monkeypatch.setenv("KEY", "of the operator")
    async with serving(tmp_path, KEY="s3cret") as kit:
        text = (
            "import os, sys; env = os.environ;"
            " env['CONTAINER_NAME'] == 'web' or sys.exit(4);"
            " env['PORT_HTTP'].isdigit() or sys.exit(5); 'KEY' in env and sys.exit(6);"
            " 'PATH' in env or sys.exit(7)"
        )
        assert await ask(kit, runs(text)) == passed("exit 0")


@linux
async def test_a_process_that_has_just_ended_is_asked_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end is about to be told; a command without its environment would fail."""
    async with serving(tmp_path) as kit:
        for born, pid in (("in another life", os.getpid()), ("never", 2**22 + 1)):
            gone = Process(pid=pid, birth=born)
            record = attrs.evolve(kit.record("web"), leader=gone)
            monkeypatch.setattr(
                kit.platform._asking, "_live", lambda _, r=record: Success(r)
            )
            ended = Unreachable(cause="web has just ended")
            assert await ask(kit, runs("pass")) == ended


LINGERS = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen(["sleep", "998"])
if sys.argv[1:]:
    time.sleep(999)
"""


@linux
@pytest.mark.parametrize("words", [(), ("stay",)])
async def test_nothing_is_left_of_a_command(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    async with serving(tmp_path, MARKED=f"lingers-{words}") as kit:
        before = marked(f"MARKED=lingers-{words}")
        probe = CommandProbe(command=(*script(LINGERS), *words))
        reply = await ask(kit, probe, ms=1_000 if words else 60_000)
        assert reply == (failed("no end within 1000 ms") if words else passed("exit 0"))
        # What is killed is gone a moment later.
        async with asyncio.timeout(LIMIT_MS / 1_000):
            while marked(f"MARKED=lingers-{words}") != before:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@linux
async def test_a_command_that_nobody_waits_for_is_ended(tmp_path: Path) -> None:
    async with serving(tmp_path, MARKED="given-up") as kit:
        before = marked("MARKED=given-up")
        asked = asyncio.ensure_future(ask(kit, runs("import time; time.sleep(999)")))
        while marked("MARKED=given-up") == before:  # noqa: ASYNC110 - it is told by files
            await asyncio.sleep(0.01)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        while marked("MARKED=given-up") != before:  # noqa: ASYNC110 - it is told by files
            await asyncio.sleep(0.01)


@linux
async def test_what_a_killed_operator_left_is_ended_before_another_command(
    tmp_path: Path,
) -> None:
    root = tmp_path / "root"
    async with serving(tmp_path, MARKED="orphan") as kit:
        before = marked("MARKED=orphan")
        left = {**os.environ, CHECK_MARK: f"{root}/of-another", "MARKED": "orphan"}
        strange = {**left, CHECK_MARK: f"{tmp_path}/elsewhere/of-another"}
        orphan = subprocess.Popen(["sleep", "997"], env=left)
        stranger = subprocess.Popen(["sleep", "997"], env=strange)
        try:
            assert await ask(kit, runs("pass")) == passed("exit 0")
            assert orphan.wait(60) == -signal.SIGKILL
            assert stranger.poll() is None
        finally:
            stranger.kill()
            stranger.wait()
        assert marked("MARKED=orphan") == before


async def test_only_the_run_that_lives_is_asked(tmp_path: Path) -> None:
    port = TcpProbe(port="http")
    async with local(tmp_path / "root") as kit:
        unknown = await error(kit.platform.probe(_about("nobody", kit)))
        assert unknown == Unreachable(cause="nobody does not run")
        await start(kit, WEB, tmp_path)
        for run in (0, 2):
            stale = StaleRun(name="web", run=run, highest=1)
            assert await ask(kit, port, run=run) == stale
        earlier = StaleOperator(epoch=0, highest=kit.epoch)
        assert await ask(kit, port, epoch=0) == earlier
        await kit.destroy("web")
        await kit.ended("web")
        assert await ask(kit, port) == Unreachable(cause="web does not run")


def _about(name: str, kit: Local) -> Question:
    return Question(
        name=name,
        run=1,
        epoch=kit.epoch,
        probe=CommandProbe(command=("true",)),
        address="",
        timeout_ms=1_000,
    )


async def test_what_cannot_be_asked_is_refused_and_quotes_nothing(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as kit:
        broken = page("/200")
        object.__setattr__(broken, "headers", Table.of([("X-Key", "s3\r\ncret")]))
        found = await ask(kit, broken)
        assert found == Refused(cause="it cannot be asked in HTTP: ValueError")
        words = runs("pass")
        object.__setattr__(words, "command", ("true", "s3\0cret"))
        assert isinstance(await ask(kit, words), Refused)
        strange = await ask(kit, TcpProbe(port="other"))
        assert strange == Refused(cause="port other has no address")


async def test_where_we_were_too_busy_to_hear_nobody_knows(tmp_path: Path) -> None:
    limit_ms = 8_000  # the question is under way by then on every machine
    async with serving(tmp_path) as kit:
        asked = asyncio.ensure_future(ask(kit, page("/hang"), ms=limit_ms))
        while not (tmp_path / "asked").exists():  # noqa: ASYNC110 - it is told by files
            await asyncio.sleep(0.005)
        # The whole operator stands still.
        time.sleep(limit_ms / 1_000 + asking.LATE_S + 0.3)
        assert await asked == TimedOut(after_ms=limit_ms)


async def test_where_this_machine_has_no_socket_left_nobody_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path) as kit:

        def full(*_: object, **__: object) -> socket.socket:
            raise OSError(24, "Too many open files")

        with monkeypatch.context() as patched:
            patched.setattr(socket, "socket", full)
            for probe in (TcpProbe(port="http"), page("/200")):
                found = await ask(kit, probe)
                assert found == Unreachable(cause="too many open files")
