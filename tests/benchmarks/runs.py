"""Areas that run one after the other, each in a process of its own.

So none pays for the memory or the garbage of another, and one that fails, or does not
end, is said and passed over.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from tests.benchmarks.figures import Asked, markdown

__all__ = ("Ran", "limit_of", "run_area", "run_each", "runs_of", "words_of")

ROOT: Final = Path(__file__).parents[2]
LIMIT_S: Final = 1_800
"""So long an area may take, beside what is meant to last."""

LASTS_MIN: Final = 60
"""For how many minutes that lasts, if nothing was said."""


@attrs.frozen(kw_only=True)
class Ran:
    """What came of an area: what it found, or what went wrong."""

    name: str
    found: dict[str, Any] | None
    wrong: str
    took_s: float


def words_of(asked: Asked) -> list[str]:
    """Return what was asked as the command line says it."""
    words = ["--rounds", str(asked.rounds), "--directory", str(asked.directory)]
    for option in ("containers", "events", "minutes"):
        if (value := getattr(asked, option)) is not None:
            words += [f"--{option}", str(value)]
    return [*words, "--smoke"] if asked.smoke else words


def limit_of(asked: Asked) -> float:
    """Return how many seconds an area may take.

    >>> limit_of(Asked(directory=Path(), minutes=90.0))
    7200.0

    """
    lasts = LASTS_MIN if asked.minutes is None else asked.minutes
    return LIMIT_S + 60 * lasts


def run_area(name: str, asked: Asked, limit_s: float | None = None) -> Ran:
    """Run an area in a process of its own; what it started ends with it."""
    limit_s = limit_of(asked) if limit_s is None else limit_s
    line = [sys.executable, "-m", "tests.benchmarks", name, "--json"]
    begun = time.monotonic()
    process = subprocess.Popen(
        [*line, *words_of(asked)],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=limit_s)
        wrong = "" if process.returncode == 0 else _last(err, process.returncode)
    except subprocess.TimeoutExpired:
        out, wrong = "", f"it has not ended within {limit_s:.0f} s"
    finally:
        _end(process)
    found = None if wrong else json.loads(out)
    return Ran(name=name, found=found, wrong=wrong, took_s=time.monotonic() - begun)


def _last(err: str, code: int) -> str:
    lines = [line for line in err.splitlines() if line.strip()]
    return f"exit code {code}: {lines[-1] if lines else 'nothing was said'}"


def _end(process: subprocess.Popen[str]) -> None:
    """End an area that has not ended, and what it started: a session of their own."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        _ = process.communicate()


def runs_of(names: Sequence[str], asked: Asked) -> Iterator[Ran]:
    """Run areas, and say on the way which one it is, and how it went."""
    for place, name in enumerate(names, 1):
        _say(f"[{place}/{len(names)}] {name} ...")
        ran = run_area(name, asked)
        _say(f"    {ran.wrong or 'done'}, {ran.took_s:.0f} s")
        yield ran


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def run_each(names: Sequence[str], asked: Asked, *, as_json: bool) -> int:
    """Run areas, and print what each has found; 1 if one has failed."""
    failed = False
    told: list[dict[str, Any]] = []
    for ran in runs_of(names, asked):
        if ran.found is None:
            failed = True
        elif as_json:
            told.append(ran.found)
        else:
            head = f"# {ran.name}\n\n{ran.found['about']}"
            print(f"{head}\n\n{markdown(ran.found)}", flush=True)
    if as_json:
        print(json.dumps(told, indent=2))
    return 1 if failed else 0
