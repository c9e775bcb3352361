"""Real processes: every end is known, nothing is left over, nothing is told to disk."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from orchestrator import ContainerSpec
from orchestrator.core.errors import Refused
from orchestrator.core.events import ContainerReady
from orchestrator.core.exits import Exit, Exited, Lost, Signaled, StartFailed
from orchestrator.core.observations import SeenEnded, SeenRunning
from orchestrator.core.table import Table
from orchestrator.platforms.local.folders import Folders
from orchestrator.platforms.local.shim import kin
from orchestrator.platforms.local.spawn import is_alive, launch, make_run
from orchestrator.platforms.port import ForgetOrder
from orchestrator.testing.platforms import start_order
from tests.platforms.local_kit import halted, local, marked, script, shims
from tests.runtime.kit import error, value
from tests.small_disk import fill, small_disk

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

ENDS: list[tuple[str, Exit]] = [
    ("raise SystemExit(0)", Exited(code=0)),
    ("raise SystemExit(3)", Exited(code=3)),
    ("raise SystemExit(255)", Exited(code=255)),
    ("import os; os.kill(os.getpid(), 9)", Signaled(signal=9)),
    ("import os; os.kill(os.getpid(), 11)", Signaled(signal=11)),
]


@pytest.mark.parametrize(("text", "expected"), ENDS)
async def test_every_end_arrives_as_it_was(
    tmp_path: Path, text: str, expected: Exit
) -> None:
    async with local(tmp_path) as kit:
        await kit.start(ContainerSpec(name="one", command=script(text)))
        assert await kit.ended("one") == expected


@pytest.mark.parametrize(
    ("command", "working_dir", "reason"),
    [
        (("no-such-program",), "/", "no-such-program: No such file or directory"),
        (("/",), "/", "/: Permission denied"),
        (("true",), "/no/such/folder", "/no/such/folder: No such file or directory"),
    ],
)
async def test_what_cannot_be_started_says_why(
    tmp_path: Path, command: tuple[str, ...], working_dir: str, reason: str
) -> None:
    async with local(tmp_path) as kit:
        spec = ContainerSpec(name="one", command=command, working_dir=working_dir)
        await kit.start(spec)
        assert await kit.ended("one") == StartFailed(reason=reason)


STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(2):
    if os.fork() == 0:
        os.setsid()
        os.environ.clear()
        if os.fork() == 0:
            os.setsid()
        break
print("up", flush=True)
while True:
    time.sleep(60)
"""


@linux
async def test_a_family_that_ignores_the_signal_is_ended_by_the_grace(
    tmp_path: Path,
) -> None:
    async with local(tmp_path) as kit:
        spec = ContainerSpec(name="one", command=script(STUBBORN))
        await kit.start(spec, MARKED="stubborn")
        await kit.started("one")
        while len(await kit.log("one")) < 5:  # noqa: ASYNC110 - the log is a file
            await asyncio.sleep(0.01)
        assert len(marked("MARKED=stubborn")) >= 5
        await kit.stop("one", grace_ms=100)
        assert await kit.ended("one") == Signaled(signal=9)
        assert marked("MARKED=stubborn") == []


@linux
async def test_what_a_container_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    text = (
        "import subprocess; subprocess.Popen(['sleep', '999'], start_new_session=True)"
    )
    async with local(tmp_path) as kit:
        command = (sys.executable, "-c", text)
        await kit.start(ContainerSpec(name="one", command=command), MARKED="daemon")
        assert await kit.ended("one") == Exited(code=0)
        assert marked("MARKED=daemon") == []


async def test_a_stopped_process_is_ended_all_the_same(tmp_path: Path) -> None:
    async with local(tmp_path) as kit:
        await kit.start(ContainerSpec(name="one", command=("sleep", "999")))
        await kit.started("one")
        leader = kit.record("one").leader
        assert leader is not None
        os.kill(leader.pid, signal.SIGSTOP)
        await halted(leader.pid)
        await kit.stop("one", grace_ms=50)
        assert await kit.ended("one") == Signaled(signal=9)


@linux
async def test_a_shim_that_is_killed_takes_its_container_along(tmp_path: Path) -> None:
    async with local(tmp_path) as kit:
        await kit.start(
            ContainerSpec(name="one", command=script(STUBBORN)), MARKED="orphan"
        )
        await kit.started("one")
        shim = kit.record("one").shim
        assert shim is not None
        os.kill(shim.pid, signal.SIGKILL)
        assert await kit.ended("one") == Lost()
        assert marked("MARKED=orphan") == []
        seen = (await value(kit.platform.observe())).sightings
        assert seen[0].sight == SeenEnded(exit=Lost())


WAITS = """
import os, time
while not os.path.exists("{file}"):
    time.sleep(0.01)
raise SystemExit(7)
"""


@linux
async def test_a_shim_that_does_not_answer_is_destroyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.platforms.local.spawn.KILL_S", 0.2)
    async with local(tmp_path) as kit:
        await kit.start(ContainerSpec(name="one", command=("sleep", "999")))
        await kit.started("one")
        shim = kit.record("one").shim
        assert shim is not None
        os.kill(shim.pid, signal.SIGSTOP)
        await halted(shim.pid)
        await kit.destroy("one")
        assert await kit.ended("one") == Lost()
        assert shims(tmp_path) == []


async def test_an_end_in_the_operators_absence_is_told_when_it_is_back(
    tmp_path: Path,
) -> None:
    async with local(tmp_path) as kit:
        text = WAITS.format(file=tmp_path / "may-end")
        await kit.start(ContainerSpec(name="one", command=script(text)))
        await kit.start(ContainerSpec(name="two", command=("sleep", "999")))
        await kit.started("one")
        await kit.started("two")
    (tmp_path / "may-end").touch()
    while is_alive(tmp_path / "containers" / "one" / "runs" / "1"):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    async with local(tmp_path) as kit:
        assert await kit.ended("one") == Exited(code=7)
        seen = (await value(kit.platform.observe())).sightings
        assert [sighting.name for sighting in seen] == ["one", "two"]
        assert isinstance(seen[1].sight, SeenRunning)
        await kit.destroy("two")
        await kit.ended("two")


async def test_what_is_launched_twice_holds_once(tmp_path: Path) -> None:
    async with local(tmp_path) as kit:
        spec = ContainerSpec(name="one", command=("sleep", "999"))
        folder = make_run(Folders(tmp_path), "one", 1, {"fingerprint": "f"})
        orders = kit.platform._orders
        payload: dict[str, Any] = orders._payload(start_order(spec, 1, kit.epoch))
        answers = await asyncio.gather(
            *(asyncio.to_thread(launch, folder, payload) for _ in range(4))
        )
        assert answers == [None] * 4
        await kit.start(spec)  # the order of the run comes again
        await kit.started("one")
        while len(shims(tmp_path)) > 1:  # noqa: ASYNC110 - those too late go by themselves
            await asyncio.sleep(0.01)
        assert len(shims(tmp_path)) == 1
        assert len(marked(str(payload["env"]["ORCHESTRATOR_RUN"]))) == 1
        await kit.destroy("one")
        await kit.ended("one")


async def test_a_run_that_no_shim_has_taken_can_be_ended(tmp_path: Path) -> None:
    async with local(tmp_path) as kit:
        make_run(Folders(tmp_path), "one", 1, {"fingerprint": "f"})
        assert (await value(kit.platform.observe())).sightings == ()
        await kit.stop("one", grace_ms=10)
        reason = "it was ended before a shim took it"
        assert await kit.ended("one") == StartFailed(reason=reason)


async def test_a_container_gets_its_environment_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPERATORS_SECRET", "hunter2")
    async with local(tmp_path) as kit:
        text = "import os; print(*os.environ); print(os.environ['MINE'], os.getcwd())"
        spec = ContainerSpec(
            name="one", command=script(text), working_dir=str(tmp_path)
        )
        await kit.start(spec, MINE="hunter3")
        await kit.ended("one")
        names, mine = [line.text for line in await kit.log("one")]
        assert "OPERATORS_SECRET" not in names
        assert "PATH" in names.split()
        assert mine == f"hunter3 {tmp_path}"
        for path in tmp_path.rglob("*"):
            if path.is_file() and path.name != "output.log":
                assert b"hunter" not in path.read_bytes(), path


async def test_the_log_holds_both_streams_and_is_bounded(tmp_path: Path) -> None:
    async with local(tmp_path, log_max_bytes=4_000) as kit:
        text = textwrap.dedent("""
            import sys
            for number in range(500):
                print(f"line {number}", flush=True)
            print("x" * 20000)
            sys.stdout.flush()
            sys.stderr.write("the end")
        """)
        await kit.start(ContainerSpec(name="one", command=script(text)))
        await kit.ended("one")
        lines = await kit.log("one")
        assert ("e", "the end") in [(line.stream, line.text) for line in lines]
        assert max(len(line.text) for line in lines) == 16_384
        files = [
            tmp_path / "containers/one" / name
            for name in ("output.log.1", "output.log")
        ]
        assert sum(file.stat().st_size for file in files) < 2 * (4_000 + 21_000)


COUNTS = """
import os, time
for number in range(40):
    while number > os.path.getsize("{read}") + 5:
        time.sleep(0.001)
    print(number, flush=True)
"""
"""Counts, and is a few lines ahead of who reads: what is not kept any more is lost."""


async def test_a_log_is_followed_over_its_turns(tmp_path: Path) -> None:
    async with local(tmp_path, log_max_bytes=300) as kit:
        read = tmp_path / "read"
        read.touch()
        text = COUNTS.format(read=read)
        await kit.start(ContainerSpec(name="one", command=script(text)))
        texts: list[str] = []
        async with asyncio.timeout(60):
            async for line in kit.platform.log("one", follow=True):
                texts.append(line.text)
                with read.open("a") as file:
                    file.write(".")
                if line.text == "39":
                    break
        assert texts == [str(number) for number in range(40)]


LISTEN = """
import socket, sys, time
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
time.sleep(999)
"""


async def test_ready_means_that_a_process_of_this_run_listens(tmp_path: Path) -> None:
    async with local(tmp_path) as kit:
        spec = ContainerSpec(
            name="one", command=("any",), ports=Table.of([("http", 80)])
        )
        port = (await value(kit.platform.ports(spec)))["http"]
        with socket.create_server(("127.0.0.1", port)):
            squatted = await value(kit.platform.ports(spec))
            assert squatted["http"] != port  # taken by another: a new one
        port = squatted["http"]
        with socket.create_server(("127.0.0.1", port)):
            sleeper = ContainerSpec(
                name="one", command=("sleep", "999"), ports=spec.ports
            )
            order = start_order(sleeper, 1, kit.epoch, [("http", port)])
            await value(kit.platform.perform(order))
            await kit.started("one")
            await asyncio.sleep(0.3)  # time enough to be deceived
            assert kit.record("one").ready_at is None
        await kit.destroy("one")
        await kit.ended("one")
        listening = ContainerSpec(
            name="one", command=(*script(LISTEN), str(port)), ports=spec.ports
        )
        await kit.start(listening, run=2)
        await kit.heard(ContainerReady, "one", 2)
        assert dict(kit.record("one", 2).addresses.items()) == {
            "http": f"127.0.0.1:{port}"
        }
        assert await value(kit.platform.ports(listening)) == {"http": port}
        await kit.destroy("one", 2)
        await kit.ended("one", 2)


async def test_what_runs_is_not_forgotten(tmp_path: Path) -> None:
    async with local(tmp_path) as kit:
        await kit.start(ContainerSpec(name="one", command=("sleep", "999")))
        forget = ForgetOrder(name="one", run=1, epoch=kit.epoch)
        refused = await error(kit.platform.perform(forget))
        assert refused == Refused(cause="one still runs")
        await kit.destroy("one")
        await kit.ended("one")
        await kit.perform(forget)
        assert not (tmp_path / "containers" / "one").exists()


async def test_a_signal_to_the_shim_ends_its_container_in_order(tmp_path: Path) -> None:
    async with local(tmp_path) as kit:
        await kit.start(ContainerSpec(name="one", command=("sleep", "999")))
        await kit.started("one")
        shim = kit.record("one").shim
        assert shim is not None
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            os.kill(shim.pid, number)
        assert await kit.ended("one") == Signaled(signal=15)


async def test_rubbish_in_the_pipe_is_let_be(tmp_path: Path) -> None:
    async with local(tmp_path) as kit:
        await kit.start(ContainerSpec(name="one", command=("sleep", "999")))
        await kit.started("one")
        pipe = tmp_path / "containers/one/runs/1/control"
        for rubbish in (
            b"\n",
            b"[]\n",
            b"{}\n",
            b'{"signal":"X","grace_ms":1}\n',
            b"x\n",
        ):
            with pipe.open("wb", buffering=0) as file:
                file.write(rubbish)
        await kit.stop("one", grace_ms=60_000)
        assert await kit.ended("one") == Signaled(signal=15)


def test_the_shim_loads_nothing_but_the_standard_library() -> None:
    program = (
        "import sys; sys.path.append(sys.argv[1]);"
        "import orchestrator.platforms.local.shim.launch;"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, root],
        capture_output=True,
        text=True,
        check=True,
    )
    names = set(done.stdout.split()) - set(sys.stdlib_module_names)
    assert names - {"__main__", "_sysconfigdata"} == {"orchestrator"}


async def test_an_end_is_not_lost_on_a_full_disk(tmp_path: Path) -> None:
    root = tmp_path / "small"
    with small_disk(root, "256k"):
        async with local(root) as kit:
            may_end = tmp_path / "may-end"
            text = WAITS.format(file=may_end)
            await kit.start(ContainerSpec(name="one", command=script(text)))
            await kit.started("one")
            fill(root)
            may_end.touch()
            assert await kit.ended("one") == Exited(code=7)


@linux
def test_a_family_is_found_with_the_kernels_help_and_without() -> None:
    """The family of a child: the tests themselves may have others."""
    sleeper = "import subprocess; subprocess.run(['sleep', '999'])"
    runs = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    with subprocess.Popen([sys.executable, "-c", runs, sleeper]) as child:
        try:
            family: list[int] = []
            while len(family) < 2:
                family = kin.family_of(child.pid)
                time.sleep(0.01)
            slowly = kin._all_children()
            assert child.pid in slowly[os.getpid()]
            assert slowly[child.pid] == family[:1]
            assert slowly[family[0]] == family[1:]
        finally:
            # The oldest first: whose child is killed ends by itself.
            for pid in (child.pid, *kin.family_of(child.pid)):
                os.kill(pid, signal.SIGKILL)


async def test_ports_differ_and_come_back_after_a_removal(tmp_path: Path) -> None:
    async with local(tmp_path) as kit:
        spec = ContainerSpec(
            name="web",
            command=("any",),
            ports=Table.of([("http", 80), ("admin", 81)]),
        )
        given: set[int] = set()
        for number in range(20):
            another = attrs.evolve(spec, name=f"web-{number}")
            given |= set((await value(kit.platform.ports(another))).values())
        assert len(given) == 40
        before = await value(kit.platform.ports(spec))
        await kit.perform(ForgetOrder(name=spec.name, run=1, epoch=kit.epoch))
        assert await value(kit.platform.ports(spec)) == before


@pytest.mark.parametrize("birth_of", [kin.birth_of, kin._birth_by_ps])
def test_a_process_is_told_from_a_later_one_of_its_number(
    birth_of: Callable[[int], str],
) -> None:
    if birth_of is kin._birth_by_ps and not Path("/bin/ps").exists():
        assert birth_of(os.getpid()) == ""  # nothing is like nothing
        return
    assert birth_of(os.getpid()) == birth_of(os.getpid()) != ""
    assert birth_of(2**22 + 1) == ""


@linux
async def test_a_run_whose_processes_do_not_die_is_not_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with local(tmp_path) as kit:
        await kit.start(ContainerSpec(name="one", command=("sleep", "999")))
        await kit.started("one")
        shim = kit.record("one").shim
        assert shim is not None
        with monkeypatch.context() as patched:
            patched.setattr("orchestrator.platforms.local.spawn.KILL_S", 0.05)
            patched.setattr("orchestrator.platforms.local.spawn._left", lambda *_: [-1])
            patched.setattr("orchestrator.platforms.local.spawn.os.kill", _spare)
            subprocess.run(["kill", "-9", str(shim.pid)], check=True)
            while is_alive(tmp_path / "containers/one/runs/1"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            assert kit.platform._orders.newest("one") == kit.record("one")
            assert kit.record("one").exit is None
        assert await kit.ended("one") == Lost()


def _spare(*_: int) -> None:
    """Kill nothing."""
