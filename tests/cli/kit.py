"""The command as its users run it: a program, its output, its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import attrs

from orchestrator.cli.client import Client
from orchestrator.cli.failing import Failed
from tests.cli.forked import is_like_ours, run_forked
from tests.platforms.local_kit import shims

COMMAND = (sys.executable, "-m", "orchestrator")
LIMIT_S = 120.0


@attrs.frozen
class Done:
    code: int
    out: str
    err: str


def run(*words: str, env: dict[str, str] | None = None) -> Done:
    """Run a command to its end, in a process of its own.

    It is a fork of one that has loaded the command: all of a process but the loading,
    which ``run_afresh`` has, too.
    """
    if not is_like_ours(env):
        return run_afresh(*words, env=env)
    return Done(*attrs.astuple(run_forked(words, env, LIMIT_S)))


def run_afresh(*words: str, env: dict[str, str] | None = None) -> Done:
    """Start Python with a command, and run it to its end."""
    done = subprocess.run(
        (*COMMAND, *words),
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
        env=env,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@contextmanager
def up(
    file: Path, state: Path, *words: str, **more: Any
) -> Iterator[subprocess.Popen[str]]:
    """Run ``up`` in the background until the block ends, then take all down."""
    log = state.parent / "up.log"
    with log.open("a") as output:
        process = subprocess.Popen(
            (*COMMAND, "up", str(file), "--state", str(state), *words),
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            **more,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(LIMIT_S)
        run("down", "--state", str(state))


def reached(state: Path) -> Client:
    """Wait until an operator answers."""
    client = Client(state)
    until = time.monotonic() + LIMIT_S
    while True:
        try:
            client.get("fleet")
        except Failed:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return client


def file_at(folder: Path, text: str) -> Path:
    """Write a fleet file."""
    path = folder / "fleet.toml"
    path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def unread() -> Iterator[BinaryIO]:
    """Give a stream that nobody reads any more."""
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "wb") as stream:
        yield stream


def all_ended(folder: Path) -> None:
    """Wait until no shim is left: each tells of its end before its process is over."""
    until = time.monotonic() + LIMIT_S
    while left := shims(folder):
        assert time.monotonic() < until, left
        time.sleep(0.02)


def has_said(state: Path, name: str, line: str) -> None:
    """Wait until a line is the newest that a container has said.

    One that runs has begun; what it says comes a moment later.
    """
    until = time.monotonic() + LIMIT_S
    while True:
        said = run("logs", name, "--state", str(state)).out.splitlines()[-1:]
        if said == [line]:
            return
        assert time.monotonic() < until, said
        time.sleep(0.02)
