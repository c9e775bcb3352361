"""One writer: an exclusive lock on a file beside the journal.

The kernel holds it for the process, so that it is free again however the process
ends. The file names the holder, for the message; only the lock itself counts.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import Final

from returns.result import Failure, Result, Success

from orchestrator.core.errors import JournalLocked

__all__ = ("Lock", "holder_of", "take_lock")

_TRIES: Final = 400
_PAUSE_S: Final = 0.005
"""Two seconds in all, for those who only look (``holder_of``).

They have the lock for some microseconds, or for as long as a busy machine lets their
process wait in between. That is no reason to fail.
"""


class Lock:
    """A lock that is held."""

    def __init__(self, file: int) -> None:
        """Hold the lock on an open file."""
        self._file = file

    def release(self) -> None:
        """Let the next writer in."""
        os.close(self._file)


def take_lock(path: Path) -> Result[Lock, JournalLocked]:
    """Take the lock at *path*, or say who holds it.

    Who looks shares the lock, and a writer does not: only that one is in the way.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    for _ in range(_TRIES):
        if _is_locked(file, fcntl.LOCK_EX):
            with contextlib.suppress(OSError):  # a full disk: only the lock counts
                os.ftruncate(file, 0)
                os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
            return Success(Lock(file))
        if not _is_locked(file, fcntl.LOCK_SH):
            break
        fcntl.flock(file, fcntl.LOCK_UN)
        time.sleep(_PAUSE_S)
    holder = _holder(file)
    os.close(file)
    return Failure(JournalLocked(holder=holder))


def holder_of(path: Path) -> str | None:
    """Say who holds the lock at *path*; None where nobody does."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:  # no operator has ever been here, or its file is not ours
        return None
    try:
        return None if _is_locked(file, fcntl.LOCK_SH) else _holder(file)
    finally:
        os.close(file)


def _is_locked(file: int, kind: int) -> bool:
    """Try to lock a file, without waiting."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(file: int) -> str:
    pid = os.pread(file, 64, 0).decode(errors="replace").strip()
    return f"pid {pid or 'unknown'}"
