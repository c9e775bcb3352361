"""Launching: leave the operator's session, take the run, answer, hold it.

The operator's child forks once and waits for the answer of the process that stays:
``held`` on its standard output, or what prevented it. What is launched twice holds
once: the second finds the lock taken, or the record of the first.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import sys
from typing import Any

from orchestrator.platforms.local.shim.hold import Hold
from orchestrator.platforms.local.shim.kin import LINUX, birth_of
from orchestrator.platforms.local.shim.marks import LOCK, SHIM, write_mark

__all__ = ("main",)

PR_SET_CHILD_SUBREAPER = 36
HELD = b"held"


def main(folder: str) -> None:
    """Read the order, take the run, hold it to its end."""
    try:
        order: dict[str, Any] = json.loads(sys.stdin.buffer.read())
    except ValueError:  # the operator died while it wrote: nothing was ordered
        return
    answer = _stay()
    try:
        hold = _take(folder, order)
    except OSError as error:
        _say(answer, f"{error.filename or folder}: {error.strerror}".encode())
        return
    _say(answer, HELD)
    if hold is not None:
        order.clear()
        hold.run()


def _stay() -> int:
    """Fork; the parent passes the answer on, the child returns where to say it."""
    heard, answer = os.pipe()
    if os.fork():
        os.close(answer)
        with os.fdopen(heard, "rb") as file:
            os.write(1, file.read())
        os._exit(0)
    os.close(heard)
    os.setsid()
    return answer


def _take(folder: str, order: dict[str, Any]) -> Hold | None:
    """Take the run; None where another shim has it, or had it."""
    lock = os.open(f"{folder}/{LOCK}", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    if os.path.exists(f"{folder}/{SHIM}"):
        return None
    if LINUX:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    hold = Hold(folder, order)
    write_mark(folder, SHIM, {"pid": os.getpid(), "birth": birth_of(os.getpid())})
    return hold


def _say(answer: int, word: bytes) -> None:
    """Answer the operator, and let go of its streams."""
    os.write(answer, word)
    os.close(answer)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.close(null)
