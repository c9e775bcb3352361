"""Running the command of a health check: bounded, unheard, and nothing is left of it.

It has a process group of its own. That is killed when its time is over, and also when
it has ended in time: what it left in the background would pile up, question by
question. Its output goes nowhere: it could hold a secret.

Each bears a mark. What an operator leaves behind that is killed in the middle of it is
found by that, and ended before its successor runs a command.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeAlias

from returns.result import Failure, Result, Success

from orchestrator.core.errors import PlatformError, Refused, Unreachable
from orchestrator.platforms.local.shim.kin import LINUX
from orchestrator.platforms.port import Reply

__all__ = ("CHECK_MARK", "end_leftovers", "run_check")

Answered: TypeAlias = Result[Reply, PlatformError]

CHECK_MARK: Final = "ORCHESTRATOR_CHECK"
"""In the environment of every process of a check: whose platform's, whose asking."""

POLL_S: Final = (0.001, 0.02)
"""Between two looks at whether it has ended: at first, and at most."""

KILL_S: Final = 5.0
"""For the system to end what was killed."""

_OURS: Final = frozenset((errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE))
"""Errors that are this machine's, and not the command's."""


def run_check(
    command: tuple[str, ...],
    folder: str,
    env: Mapping[str, str],
    limit_s: float,
    given_up: threading.Event,
) -> Answered:
    """Run a command to its end, or until *limit_s* is over, or nobody waits for it."""
    try:
        child = subprocess.Popen(  # noqa: S603 - the owner's own command
            command,
            cwd=folder,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except ValueError:  # a zero byte in a word; the error may quote it
        return Failure(Refused(cause="its words cannot be those of a command"))
    except OSError as error:
        said = os.strerror(error.errno or 0)
        if error.errno in _OURS:
            return Failure(Unreachable(cause=said))
        return Success(Reply(passed=False, detail=f"cannot be run: {said}"))
    has_ended = _waited(child, time.monotonic() + limit_s, given_up)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(KILL_S)
    if not has_ended:
        detail = f"no end within {limit_s * 1_000:.0f} ms"
        return Success(Reply(passed=False, detail=detail))
    code = child.returncode
    detail = f"exit {code}" if code >= 0 else f"signal {-code}"
    return Success(Reply(passed=code == 0, detail=detail))


def _waited(
    child: subprocess.Popen[bytes], until: float, given_up: threading.Event
) -> bool:
    """Wait for the end of a process; say whether it has come."""
    pause = POLL_S[0]
    while not _has_ended(child):
        left = until - time.monotonic()
        if left <= 0 or given_up.wait(min(pause, left)):
            return False
        pause = min(pause * 1.5, POLL_S[1])
    return True


def _has_ended(child: subprocess.Popen[bytes]) -> bool:
    """Say whether a process has ended; where it can be, it is left to be buried.

    Until then its number, which is its group's, means nobody else.
    """
    if LINUX:
        how = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, child.pid, how) is not None
    return child.poll() is not None


def end_leftovers(place: str, mark: str) -> None:
    """Kill every process of a check below *place* that another asking has begun.

    *mark* is the own one's. Nothing is found where there is no ``/proc``.
    """
    ours = f"{CHECK_MARK}={mark}".encode()
    others = f"{CHECK_MARK}={place}/".encode()
    for entry in os.listdir("/proc") if LINUX else ():
        if entry.isdigit():
            with contextlib.suppress(OSError):
                block = Path("/proc", entry, "environ").read_bytes().split(b"\0")
                marks = [line for line in block if line.startswith(others)]
                if marks and ours not in marks:
                    os.kill(int(entry), signal.SIGKILL)
