"""Real processes to try the local platform on, and a look at what is left of them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs

from orchestrator import ContainerSpec, LocalPlatform
from orchestrator.core.events import ContainerEnded, ContainerStarted, LifecycleEvent
from orchestrator.core.exits import Exit
from orchestrator.platforms.local.folders import Folders
from orchestrator.platforms.local.records import RunRecord, read_run
from orchestrator.platforms.port import DestroyOrder, LogLine, Order, StopOrder
from orchestrator.testing.platforms import Listener, start_order
from tests.runtime.kit import value

PYTHON = (sys.executable, "-I", "-S", "-c")


def script(text: str) -> tuple[str, ...]:
    """Return the words that run a piece of Python."""
    return (*PYTHON, text)


SERVER = """
import os, socket, threading, time
folder = os.environ["FOLDER"]
port = os.environ.get("PORT_HTTP")
if port is None:  # the platform alone gives no environment: its record has the ports
    import json
    port = json.load(open(folder + "/root/containers/web/ports.json"))["http"]

run = os.environ.get("ORCHESTRATOR_RUN", "").rpartition("/")[2]

def is_hung():
    try:
        return open(folder + "/hung").read() == run
    except FileNotFoundError:
        return False

def answer(connection):
    head = b""
    while b"\\r\\n\\r\\n" not in head:
        piece = connection.recv(65536)
        if not piece:
            return
        head += piece
    path = head.split()[1].decode().partition("?")[0]
    open(folder + "/asked", "a").write(path + "\\n")
    open(folder + "/headers", "ab").write(head)
    word = path[1:]
    if word == "flag":
        word = "503" if os.path.exists(folder + "/bad") else "200"
    if word == "hang" or (word == "health" and is_hung()):
        time.sleep(999)
    elif word == "rubbish":
        connection.sendall(b"what?\\r\\n\\r\\n")
    elif word == "endless":
        connection.sendall(b"HTTP/1.1 200 Well\\r\\nX-Key: s3cret\\r\\n\\r\\n")
        try:
            while True:
                connection.sendall(b"s3cret" * 9999)
        except OSError:
            pass
    elif word == "endless-header":
        try:
            connection.sendall(b"HTTP/1.1 200 Well\\r\\nX-Key: ")
            while True:
                connection.sendall(b"s3cret" * 9999)
        except OSError:
            pass
    elif word == "redirect":
        connection.sendall(b"HTTP/1.1 302 There\\r\\nLocation: /503\\r\\n\\r\\n")
    elif word != "close":
        status = word if word.isdigit() else "200"
        connection.sendall(b"HTTP/1.1 " + status.encode() + b" So\\r\\n\\r\\n")
    connection.close()

server = socket.create_server(("127.0.0.1", int(port)))
while True:
    connection, _ = server.accept()
    threading.Thread(target=answer, args=(connection,), daemon=True).start()
"""
"""A web server with pages for every way to answer, ``/flag`` and ``/health`` by files.

It writes into ``FOLDER`` what it was asked for, and which headers came.
The file ``hung`` says which run is hung: the next one is well, however late that is.
"""


@attrs.define
class Local:
    root: Path
    platform: LocalPlatform
    listener: Listener
    epoch: int

    async def start(self, spec: ContainerSpec, run: int = 1, **env: str) -> None:
        ports = await value(self.platform.ports(spec))
        order = start_order(spec, run, self.epoch, ports.items())
        await value(self.platform.perform(attrs.evolve(order, env=env)))

    async def started(self, name: str, run: int = 1) -> None:
        await self.heard(ContainerStarted, name, run)

    async def heard(self, kind: type[LifecycleEvent], name: str, run: int = 1) -> None:
        await self.listener.wait(
            kind.__name__,
            lambda e: isinstance(e, kind) and (e.name, e.run) == (name, run),
        )

    async def ended(self, name: str, run: int = 1) -> Exit:
        await self.heard(ContainerEnded, name, run)
        return next(
            event.exit
            for event in self.listener.told
            if isinstance(event, ContainerEnded)
            and (event.name, event.run) == (name, run)
        )

    async def stop(self, name: str, grace_ms: int, run: int = 1) -> None:
        order = StopOrder(
            name=name, run=run, epoch=self.epoch, signal="TERM", grace_ms=grace_ms
        )
        await self.perform(order)

    async def destroy(self, name: str, run: int = 1) -> None:
        await self.perform(DestroyOrder(name=name, run=run, epoch=self.epoch))

    async def perform(self, order: Order) -> None:
        await value(self.platform.perform(order))

    def record(self, name: str, run: int = 1) -> RunRecord:
        return read_run(Folders(self.root), name, run)

    async def log(self, name: str) -> list[LogLine]:
        return [line async for line in self.platform.log(name, follow=False)]


@asynccontextmanager
async def local(root: Path, **options: Any) -> AsyncIterator[Local]:
    platform = LocalPlatform(root, **options)
    granted = await value(platform.attach(0))
    listener = Listener(platform)
    is_well = False
    kit = Local(root, platform, listener, granted.epoch)
    try:
        yield kit
        is_well = True
    finally:
        await listener.close()
        await platform.detach()
        for pid in () if is_well else shims(root):  # a failed test leaves nothing
            os.kill(pid, signal.SIGTERM)


async def halted(pid: int) -> None:
    """Wait until a process has stopped: a signal may overtake the one to stop."""
    stat = Path("/proc", str(pid), "stat")
    while stat.read_text().rpartition(")")[2].split()[0] != "T":  # noqa: ASYNC110
        await asyncio.sleep(0.002)


def marked(word: str) -> list[int]:
    """List the living processes whose environment holds a word."""
    return _living(lambda process: word.encode() in (process / "environ").read_bytes())


def shims(root: Path) -> list[int]:
    """List the living shims of a platform."""
    return _living(
        lambda process: f"{root}/".encode() in (process / "cmdline").read_bytes()
    )


def _living(is_meant: Callable[[Path], bool]) -> list[int]:
    found: list[int] = []
    for process in Path("/proc").iterdir():
        entry = process.name
        try:
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            if entry.isdigit() and state != "Z" and is_meant(process):
                found.append(int(entry))
        except (OSError, IndexError):
            continue
    return found
