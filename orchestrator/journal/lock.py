"""One writer: an exclusive lock on a file beside the journal.

The kernel holds it for the process, so that it is free again however the process
ends. The file names the holder, for the message; only the lock itself counts.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from returns.result import Failure, Result, Success

from orchestrator.core.errors import JournalLocked

__all__ = ("Lock", "take_lock")


class Lock:
    """A lock that is held."""

    def __init__(self, file: int) -> None:
        """Hold the lock on an open file."""
        self._file = file

    def release(self) -> None:
        """Let the next writer in."""
        os.close(self._file)


def take_lock(path: Path) -> Result[Lock, JournalLocked]:
    """Take the lock at *path*, or say who holds it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(file, 64, 0).decode(errors="replace").strip()
        os.close(file)
        return Failure(JournalLocked(holder=f"pid {holder or 'unknown'}"))
    os.ftruncate(file, 0)
    os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
    return Success(Lock(file))
