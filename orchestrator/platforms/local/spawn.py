"""Launching a shim, asking it to stop, and ending what a dead one left behind."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from orchestrator.platforms.local.folders import Folders, read_json, write_json
from orchestrator.platforms.local.records import ORDER, Process, RunRecord, read_run
from orchestrator.platforms.local.shim.kin import LINUX, birth_of
from orchestrator.platforms.local.shim.marks import (
    CONTROL,
    ENDED,
    LOCK,
    SHIM,
    now_ms,
)

__all__ = (
    "MARK",
    "ask",
    "destroy",
    "is_alive",
    "is_the_same",
    "launch",
    "make_pipe",
    "make_run",
    "mark_of",
    "settled",
)

MARK: Final = "ORCHESTRATOR_RUN"
"""In the environment of every process of a run: whose it is."""

LAUNCH_S: Final = 20.0
KILL_S: Final = 5.0

_PACKAGES: Final = Path(__file__).resolve().parents[3]
_PROGRAM: Final = (
    "import sys; sys.path.append(sys.argv[2]);"
    " from orchestrator.platforms.local.shim.launch import main; main(sys.argv[1])"
)


def make_run(folders: Folders, name: str, run: int, order: dict[str, object]) -> Path:
    """Make the folder of a run, whole or not at all."""
    folder = folders.run(name, run)
    partial = folder.with_name(f"{run}.partial")
    partial.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_json(partial / ORDER, order)
    with contextlib.suppress(FileExistsError):
        os.mkfifo(partial / CONTROL, 0o600)
    partial.rename(folder)
    return folder


def launch(folder: Path, order: dict[str, object]) -> str | None:
    """Have a shim hold the run; the answer is what prevented it.

    The order goes through a pipe: what is in the environment is on no disk.
    """
    program = [sys.executable, "-I", "-S", "-c", _PROGRAM, str(folder), str(_PACKAGES)]
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            program,
            input=json.dumps(order).encode(),
            capture_output=True,
            check=False,
            timeout=LAUNCH_S,
            start_new_session=True,
            env={},  # the shim lives long: it need not hold the operator's secrets
        )
    except subprocess.TimeoutExpired:
        return f"the shim did not answer within {LAUNCH_S:.0f} s"
    answer = done.stdout.decode(errors="replace")
    if answer == "held":
        return None
    last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
    return answer or (last[0] if last else "the shim did not answer")


def _control(folder: Path) -> int | None:
    """Open the pipe of a living shim; None where nobody reads it."""
    try:
        return os.open(folder / CONTROL, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENOENT):
            return None
        raise


def is_alive(folder: Path) -> bool:
    """Say whether a shim holds the run now."""
    control = _control(folder)
    if control is None:
        return False
    os.close(control)
    return True


def ask(folder: Path, signal_name: str, grace_ms: int) -> bool:
    """Ask the shim to end the run; say whether there is one."""
    control = _control(folder)
    if control is None:
        return False
    order = {"signal": signal_name, "grace_ms": grace_ms}
    try:
        os.write(control, json.dumps(order).encode() + b"\n")
    finally:
        os.close(control)
    return True


def settled(folders: Folders, record: RunRecord) -> RunRecord:
    """Write down that a run is lost where its shim died without a word.

    First whatever it held is ended, so that the next run is alone; while something
    does not die, the run is not over.
    """
    folder = folders.run(record.name, record.run)
    if record.exit is not None or record.shim is None or is_alive(folder):
        return record
    again = read_run(folders, record.name, record.run)
    if again.exit is not None:  # it ended while we looked
        return again
    if not _end_leftovers(folders, again):
        return again
    write_json(folder / ENDED, {"at": now_ms(), "lost": True})
    return read_run(folders, record.name, record.run)


def destroy(folders: Folders, record: RunRecord) -> RunRecord:
    """Kill a run whose shim may not answer any more, and see it ended."""
    folder = folders.run(record.name, record.run)
    if not ask(folder, "KILL", 0) and record.shim is None and _bar(folder):
        return read_run(folders, record.name, record.run)
    until = time.monotonic() + KILL_S
    while time.monotonic() < until:
        if not is_alive(folder):
            return settled(folders, read_run(folders, record.name, record.run))
        time.sleep(0.02)
    if record.shim is not None:
        _kill(record.shim)
        while is_alive(folder) and time.monotonic() < until + KILL_S:
            time.sleep(0.02)
    return settled(folders, read_run(folders, record.name, record.run))


def _bar(folder: Path) -> bool:
    """Keep every shim from a run that none has taken; say whether none had."""
    with contextlib.suppress(FileNotFoundError, BlockingIOError):
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not (folder / SHIM).exists():
                write_json(folder / SHIM, {"at": now_ms(), "pid": 0})
                reason = "it was ended before a shim took it"
                write_json(folder / ENDED, {"at": now_ms(), "start_failed": reason})
            return True
        finally:
            os.close(lock)
    return False


def _kill(process: Process) -> None:
    if is_the_same(process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def is_the_same(process: Process) -> bool:
    """Say whether a number still means the process that it meant."""
    return bool(process.birth) and birth_of(process.pid) == process.birth


def _end_leftovers(folders: Folders, record: RunRecord) -> bool:
    """Kill what a run left behind, by its mark and its session; say if all is gone."""
    leader = record.leader
    if not LINUX:
        if leader is not None and is_the_same(leader):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(leader.pid, signal.SIGKILL)
        return True
    mark = f"{MARK}={mark_of(folders, record.name, record.run)}".encode()
    session = leader.pid if leader and is_the_same(leader) else None
    until = time.monotonic() + KILL_S
    while (pids := _left(mark, session)) and time.monotonic() < until:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    return not pids


def _left(mark: bytes, session: int | None) -> list[int]:
    """List the processes, not yet dead, that bear a mark or are of a session."""
    found: list[int] = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError, ValueError):
            process = Path("/proc", entry)
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            if fields[0] == "Z":
                continue
            is_kin = session is not None and int(fields[3]) == session
            if is_kin or mark in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(entry))
    return found


def mark_of(folders: Folders, name: str, run: int) -> str:
    """Return the mark of a run, unlike that of any other platform's."""
    known = read_json(folders.root / "id") or {}
    return f"{known.get('id', folders.root)}/{name}/{run}"


def make_pipe(path: Path) -> None:
    """Make a pipe, unless it is there; what is in its way is removed."""
    if path.exists() and not stat.S_ISFIFO(path.stat().st_mode):
        path.unlink()
    with contextlib.suppress(FileExistsError):
        os.mkfifo(path, 0o600)
