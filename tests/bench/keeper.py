"""The first process of the engine's namespaces: all others live as long as it does.

It starts dockerd and the shim in front of it, buries orphans, and leaves when its
standard input closes, which happens whatever way the tests end. With the first process
of a PID namespace the kernel ends all others: engine, containers, workerd.

Run as a program, with the standard library only: ``keeper.py FOLDER NODE SHIM``.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path


def main(folder: Path, node: str, shim: str) -> None:
    """Start what the engine consists of, then keep house until told to leave."""
    # A fresh /run hides the machine's own engine and systemd, and takes the sockets
    # which containerd would leave behind.
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    subprocess.run(["busybox", "ip", "link", "set", "lo", "up"], check=True)
    (folder / "daemon.json").write_text("{}", encoding="utf-8")
    children = (
        begin(folder / "dockerd.log", *engine_words(folder)),
        begin(
            folder / "shim.log",
            *(node, shim, str(folder / "shim.sock"), str(folder / "docker.sock")),
        ),
    )
    keep({child.pid for child in children})


def engine_words(folder: Path) -> tuple[str, ...]:
    """Give the command line of the engine, and say why it is that."""
    return (
        "dockerd",
        *("--config-file", str(folder / "daemon.json")),  # not the machine's
        *("--host", f"unix://{folder / 'docker.sock'}"),
        *("--data-root", str(folder / "data")),
        *("--exec-root", str(folder / "exec")),
        *("--pidfile", str(folder / "dockerd.pid")),
        # workerd listens on the gateway of the network "bridge", which an engine knows
        # on its very first start only if it is told.
        *("--bip", "172.17.0.1/16"),
        # A port on which nobody listens refuses, where the proxy would let one wait.
        "--userland-proxy=false",
        *("--ip", "127.0.0.1"),
        # systemd, where there is one, would look for our processes by its own numbers.
        *("--exec-opt", "native.cgroupdriver=cgroupfs"),
        *("--cgroup-parent", f"/{folder.name}"),
    )


def begin(log: Path, *words: str) -> subprocess.Popen[bytes]:
    """Start a program that reads nothing and writes a log."""
    with log.open("ab") as output:
        return subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )


def keep(needed: set[int]) -> None:
    """Bury the dead, until the input closes or one of those needed is among them."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writer)
    while not buried() & needed:
        ready, _, _ = select.select([0, reader], [], [])
        if 0 in ready and not os.read(0, 1):
            os._exit(0)
        if reader in ready:
            os.read(reader, 4096)
    os._exit(1)


def buried() -> set[int]:
    """Take leave of every child that has died."""
    dead: set[int] = set()
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return dead
        if not pid:
            return dead
        dead.add(pid)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
