"""A Docker engine that is ours alone, and of which nothing is left.

Note [Namespaces]
    Two engines on one machine quarrel: each flushes the other's rules of iptables when
    it starts, and workerd insists on the network "bridge" of its engine. So an engine
    gets namespaces of its own for network, mounts and processes. In there it may have
    the bridge docker0 and every address, however many engines there are. With the first
    process of the namespaces (keeper.py) the kernel ends all others, takes away
    bridges and rules, and unmounts what was mounted. That process leaves when the pipe
    to its standard input closes, so also when the tests are killed. What is left then
    are a folder and empty cgroups: the next engine that starts sweeps them away.

    workerd has to run in the same namespaces: it listens on the engine's gateway and
    calls ports which the engine published. ``enter`` are the words that start a program
    there. From inside, the machine's network cannot be reached, nor its processes.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from tests.bench import images
from tests.bench.docker import Docker, call
from tests.bench.machine import locked, node

HERE = Path(__file__).parent
PREFIX = "orchestrator-bench-"
START_LIMIT_S = 60.0
# The path of a socket may have 107 bytes, and the engine makes some that are long.
TEMP_MAX = 40
CGROUPS = Path("/sys/fs/cgroup")


@attrs.frozen
class Engine:
    """A Docker engine with the images of the bench, and the shim in front of it."""

    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def docker(self) -> Docker:
        """The engine itself."""
        return Docker(self.folder / "docker.sock")

    @property
    def shim(self) -> Path:
        """The socket for workerd."""
        return self.folder / "shim.sock"

    @property
    def enter(self) -> tuple[str, ...]:
        """The words before a command that make it run beside the engine."""
        spaces = Path(f"/proc/{self.process.pid}/ns")
        return (
            "nsenter",
            f"--mount={spaces / 'mnt'}",
            f"--net={spaces / 'net'}",
            f"--pid={spaces / 'pid_for_children'}",
        )

    def calls(self) -> dict[str, int]:
        """Count the calls of workerd: ``{"POST /containers/create": 1}``."""
        counted: dict[str, int] = json.loads(call(self.shim, "GET", "/_calls").body)
        return counted

    def forget_calls(self) -> None:
        """Count anew."""
        call(self.shim, "DELETE", "/_calls")


@contextmanager
def started() -> Iterator[Engine]:
    """Run an engine until the block ends; ``why_not()`` has to be None."""
    with locked(temp()):
        sweep()
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=temp()))
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(lock, fcntl.LOCK_EX)
    # From here on it is `unshare` that holds the lock: it ends after all that it keeps.
    try:
        engine = Engine(folder, begin(folder, lock))
    finally:
        os.close(lock)
    try:
        wait_for(engine)
        images.build(engine.docker, folder)
        yield engine
    finally:
        assert engine.process.stdin is not None
        engine.process.stdin.close()
        engine.process.wait()
        clear(folder)


def begin(folder: Path, lock: int) -> subprocess.Popen[bytes]:
    """Start the first process of new namespaces."""
    spaces = ("--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc")
    keeper = (sys.executable, "-I", str(HERE / "keeper.py"))
    with (folder / "keeper.log").open("wb") as log:
        return subprocess.Popen(
            (
                *("unshare", *spaces),
                *(*keeper, str(folder)),
                *(str(node("pinned")), str(HERE / "docker_shim.mjs")),
            ),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=(lock,),
            start_new_session=True,  # ctrl-c is for the tests
        )


def wait_for(engine: Engine) -> None:
    """Wait until engine and shim answer."""
    shim = Docker(engine.shim)
    until = time.monotonic() + START_LIMIT_S
    while not shim.answers():
        if engine.process.poll() is not None or time.monotonic() > until:
            logs = sorted(engine.folder.glob("*.log"))
            raise RuntimeError("\n".join(log.read_text()[-2000:] for log in logs))
        time.sleep(0.02)


def temp() -> Path:
    """Find a folder for temporary files whose path is short."""
    usual = tempfile.gettempdir()
    return Path(usual if len(usual) <= TEMP_MAX else "/tmp")  # noqa: S108 - see above


def sweep() -> None:
    """Clear away what a run left that was killed."""
    for folder in temp().glob(f"{PREFIX}*"):
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            clear(folder)
        except BlockingIOError:
            pass  # that one lives
        finally:
            os.close(lock)


def clear(folder: Path) -> None:
    """Remove what is left of an engine: its folder and its cgroups."""
    shutil.rmtree(folder, ignore_errors=True)
    for top in (CGROUPS / folder.name, *CGROUPS.glob(f"*/{folder.name}")):
        for place, _, _ in os.walk(top, topdown=False):
            try_rmdir(Path(place))


def try_rmdir(place: Path) -> None:
    """Remove a cgroup; the kernel may take a moment to see that all in it are dead."""
    for _ in range(50):
        try:
            place.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.02)
        else:
            return
