"""A process that has loaded the command and becomes it, as often as it is asked to.

A start of Python with all of the command takes a third of a second of a core, and the
tests start it some six hundred times. What begins here is a process of its own, with
the memory, arguments, environment, folder and streams that it is given, and it ends as
Python does; only the loading is shared. It is asked through a socket: the request with
the three streams there, the process and then its exit code back.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys
from contextlib import closing
from typing import Any, Final

import orchestrator

__all__ = ("LENGTH", "STREAMS", "UNLIKE")

STREAMS: Final = 3
LENGTH: Final = 4
"""Bytes before a request that say how long it is."""

UNLIKE: Final = ("PYTHON", "LC_", "LANG", "TZ")
"""What Python reads when it starts: who gives other values is not served here."""

ELSEWHERE: Final = ("orchestrator.testing", "orchestrator.platforms.local.shim")
"""What the command does not load."""


def load() -> None:
    """Load all that any command may need."""
    for found in pkgutil.walk_packages(orchestrator.__path__, "orchestrator."):
        if not found.name.startswith((*ELSEWHERE, "orchestrator.__main__")):
            importlib.import_module(found.name)
    gc.collect()
    gc.freeze()  # else each end goes through all that was loaded


def served(path: str) -> None:
    """Serve until standard input ends; return in a process that is to be the command.

    There is one process more for each, which waits for it and tells how it ended.
    """
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(path)
        listener.listen(64)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those
        print("loaded", flush=True)
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                os._exit(0)
            asked, _ = listener.accept()
            if os.fork() == 0:
                break
            asked.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    first, streams, _, _ = socket.recv_fds(asked, LENGTH, STREAMS)
    request = json.loads(received(asked, int.from_bytes(first)))
    process = os.fork()
    if process == 0:
        asked.close()
        become(request, streams)
        return
    for stream in streams:
        os.close(stream)
    asked.sendall(f"{process}\n".encode())
    _, status = os.waitpid(process, 0)
    asked.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def received(asked: socket.socket, length: int) -> bytes:
    """Return that many bytes."""
    text = b""
    while len(text) < length:
        text += asked.recv(length - len(text))
    return text


def become(request: Any, streams: list[int]) -> None:
    """Take the arguments, the environment, the folder and the streams given."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv[1:] = request["words"]
    kept: dict[str, Any] = {"encoding": sys.stdout.encoding, "closefd": False}
    sys.stdin = open(0, **kept)  # noqa: SIM115 - a stream, no path
    sys.stdout = open(1, "w", errors=sys.stdout.errors, **kept)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, errors="backslashreplace", **kept)  # noqa: SIM115


if __name__ == "__main__":
    load()
    served(sys.argv[1])
    from orchestrator.cli.main import main

    main()
