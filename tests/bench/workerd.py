"""Cloudflare's own runtime, workerd, with a Worker of ours in it.

A ``Workerd`` keeps its port and the storage of its Durable Objects over ``stop``,
``kill`` and ``start``. Its containers outlive it, as workerd leaves them; they go when
the block of ``async with`` ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import attrs

from tests.bench.docker import SIDECAR_IMAGE
from tests.bench.engine import Engine
from tests.bench.machine import Variant, modules, node

RUNTIME = Path(__file__).parent / "runtime.mjs"
START_LIMIT_S = 60.0
STOP_LIMIT_S = 20.0
STEP_S = 0.01
# Before this date a container sees the processes of the machine unless a flag is set.
COMPATIBILITY_DATE = "2026-04-01"
# Below the ports which the kernel gives away: a port must still be free for a restart.
PORTS = range(20_000, 32_000)


class NotUpError(Exception):
    """The runtime did not start; with what it said."""


@attrs.frozen
class DurableObject:
    """A class of the Worker, and the image of its container where it has one."""

    class_name: str
    image: str | None = None


@attrs.define(kw_only=True)
class Workerd:
    """A Worker which runs, or could be started again."""

    engine: Engine
    project: Path
    main: str
    durable_objects: Mapping[str, DurableObject] = attrs.field(factory=dict)
    bindings: Mapping[str, str] = attrs.field(factory=dict)
    port: int = 0
    # Where its own containers reach the Worker: at this port of the engine's bridge.
    bridge_port: int = 0
    variant: Variant = "pinned"
    compatibility_date: str = COMPATIBILITY_DATE
    compatibility_flags: tuple[str, ...] = ()
    # The names of containers are made of it: one name, one set of containers.
    name: str = attrs.field(factory=lambda: f"w{uuid.uuid4().hex[:8]}")
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def folder(self) -> Path:
        """Where its storage, its log and its temporary files are."""
        return self.engine.folder / "workers" / self.name

    @property
    def log(self) -> str:
        """What the runtime and the Worker have written so far."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Start, on the port and with the storage it had."""
        assert not self.running
        (self.folder / "temp").mkdir(parents=True, exist_ok=True)
        said = self.folder / "said"
        with bound(self.port) as listener, said.open("wb") as output:
            self.port = listener.getsockname()[1]
            config = self.folder / "config.json"
            config.write_text(json.dumps(self._config(listener)), encoding="utf-8")
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    (
                        *self.engine.enter,
                        *(str(node(self.variant)), str(RUNTIME), str(config)),
                    ),
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=log,
                    pass_fds=(listener.fileno(),),
                    start_new_session=True,  # one group, to be killed as one
                    env={
                        "PATH": os.environ["PATH"],
                        "TMPDIR": str(self.folder / "temp"),
                    },
                )
        await self._wait_until_up(said)

    async def stop(self) -> None:
        """Let the runtime end in good order."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        for _ in range(int(STOP_LIMIT_S / STEP_S)):
            if self._process.poll() is not None:
                break
            await asyncio.sleep(STEP_S)
        await self.kill()

    async def kill(self) -> None:
        """Kill node and workerd with SIGKILL, and wait until both are dead."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        group = self._process.pid
        while members(group):
            with suppress(ProcessLookupError):  # the last one died since it was listed
                os.killpg(group, signal.SIGKILL)
            self._process.poll()
            await asyncio.sleep(STEP_S)
        self._process.wait()
        self._process.stdin.close()
        self._process = None

    async def restart(self) -> None:
        """Kill it and start it again."""
        await self.kill()
        await self.start()

    def remove_containers(self) -> None:
        """Remove the containers that this Worker has started."""
        every = self.engine.docker.containers(stopped=True, sidecars=True)
        self.engine.docker.remove(
            one.id for one in every if one.name.startswith(f"workerd-{self.name}-")
        )

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.kill()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.kill()
        self.remove_containers()

    async def _wait_until_up(self, said: Path) -> None:
        until = time.monotonic() + START_LIMIT_S
        while not said.read_bytes().endswith(b"}\n"):
            if not self.running or time.monotonic() > until:
                raise NotUpError(self.log[-4000:])
            await asyncio.sleep(STEP_S)

    def _config(self, listener: socket.socket) -> dict[str, object]:
        return {
            "name": self.name,
            "modules": str(modules(self.variant)),
            "project": str(self.project.resolve()),
            "main": self.main,
            "compatibilityDate": self.compatibility_date,
            "compatibilityFlags": list(self.compatibility_flags),
            "bindings": dict(self.bindings),
            "durableObjects": {
                binding: {"className": one.class_name, "image": one.image}
                for binding, one in self.durable_objects.items()
            },
            "storage": str(self.folder / "storage"),
            "docker": str(self.engine.shim),
            "sidecar": SIDECAR_IMAGE,
            "listener": listener.fileno(),
            "port": self.port,
            "bridgePort": self.bridge_port,
        }


def bound(port: int) -> socket.socket:
    """Give a socket that has the port, or any free one for 0; nobody listens yet."""
    while True:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind(("127.0.0.1", port or random.choice(PORTS)))
        except OSError:
            made.close()
            if port:
                raise
        else:
            return made


def members(group: int) -> list[int]:
    """List the processes of a group that live; one that nobody buried does not."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            # PID (NAME) STATE PARENT GROUP ..., and the name may contain anything
            _, _, rest = (process / "stat").read_text().rpartition(") ")
        except OSError:
            continue
        state, _, its_group, *more = rest.split()
        dead = state in "ZX" and int(more[14]) <= 1  # the last of its threads, too
        if int(its_group) == group and not dead:
            found.append(int(process.name))
    return found
