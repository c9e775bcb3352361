"""The command as a process of its own, from one that has loaded it already.

One such process serves a run of the tests, from the first command on; see ``loaded``.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Final

import attrs

from tests.cli.loaded import LENGTH, UNLIKE

__all__ = ("Ended", "is_like_ours", "run_forked")

ROOT: Final = Path(__file__).parents[2]


@attrs.frozen
class Ended:
    """How a process ended, and what it said."""

    code: int
    out: str
    err: str


def is_like_ours(env: Mapping[str, str] | None) -> bool:
    """Say whether Python would start in *env* as it has started here."""

    def read_at_start(all_of: Mapping[str, str]) -> dict[str, str]:
        return {key: all_of[key] for key in all_of if key.startswith(UNLIKE)}

    given = os.environ if env is None else env
    return read_at_start(given) == read_at_start(_loaded_in())


def run_forked(
    words: tuple[str, ...], env: Mapping[str, str] | None, limit_s: float
) -> Ended:
    """Run the command to its end, as ``subprocess.run`` would, within the limit.

    The limit is one for the command, and counts from when its process is there.
    """
    request = {
        "words": words,
        "env": dict(os.environ if env is None else env),
        "folder": str(Path.cwd()),
    }
    text = json.dumps(request).encode()
    (out, out_end), (err, err_end) = os.pipe(), os.pipe()
    with (
        socket.socket(socket.AF_UNIX) as asked,
        ThreadPoolExecutor(2) as pool,
    ):
        asked.connect(_loaded())
        length = len(text).to_bytes(LENGTH)
        socket.send_fds(asked, [length], [0, out_end, err_end])
        os.close(out_end)
        os.close(err_end)
        asked.sendall(text)
        said = pool.submit(_read, out), pool.submit(_read, err)
        with asked.makefile() as answers:
            process = int(answers.readline())
            asked.settimeout(limit_s)
            try:
                code = int(answers.readline())
            except TimeoutError:
                os.kill(process, signal.SIGKILL)
                raise subprocess.TimeoutExpired(words, limit_s) from None
        return Ended(code, said[0].result(), said[1].result())


def _read(stream: int) -> str:
    with os.fdopen(stream) as file:
        return file.read()


@cache
def _loaded_in() -> Mapping[str, str]:
    """Return the environment that the process has begun in."""
    return dict(os.environ)


@cache
def _loaded() -> str:
    """Start the process that loads the command; return the address of its socket."""
    folder = tempfile.TemporaryDirectory(prefix="loaded")
    path = f"{folder.name}/socket"
    process = subprocess.Popen(
        (sys.executable, "-m", "tests.cli.loaded", path),
        cwd=ROOT,
        env=_loaded_in(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"loaded\n"
    process.stdout.close()

    def end() -> None:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
        folder.cleanup()

    atexit.register(end)
    return path
