"""Starting the container's process: its session, streams, folder and environment."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import NoReturn

__all__ = ("Child", "start_child")

NOT_STARTED = 127


class Child:
    """A process that was started, with the reading ends of its two streams."""

    def __init__(self, pid: int, out: int, err: int) -> None:
        """Hold what was made."""
        self.pid = pid
        self.out = out
        self.err = err


def start_child(argv: list[str], env: dict[str, str], cwd: str) -> Child | str:
    """Start a process; the answer is the child, or what prevented it."""
    said, say = os.pipe()
    out, out_end = os.pipe()
    err, err_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(argv, env, cwd, (out_end, err_end, say))
    for end in (say, out_end, err_end):
        os.close(end)
    with os.fdopen(said, "rb") as answer:
        problem = answer.read().decode(errors="replace")
    if not problem:
        return Child(pid, out, err)
    os.waitpid(pid, 0)
    os.close(out)
    os.close(err)
    return problem


def _become(
    argv: list[str], env: dict[str, str], cwd: str, ends: tuple[int, int, int]
) -> NoReturn:
    """Become the container, or say why not: ``exec`` closes the pipe unsaid."""
    out, err, say = ends
    try:
        os.setsid()
        for number in signal.valid_signals():
            with contextlib.suppress(OSError, ValueError):
                signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.chdir(cwd)
        os.execvpe(argv[0], argv, env)
    except OSError as error:
        place = cwd if error.filename == cwd else argv[0]
        os.write(say, f"{place}: {os.strerror(error.errno or 0)}".encode())
    except ValueError as error:
        os.write(say, str(error).encode())
    finally:
        os._exit(NOT_STARTED)
