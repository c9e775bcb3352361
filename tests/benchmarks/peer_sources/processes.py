"""The peers of a run: installed in folders of their own, started, asked in turns.

What comes from the registries is kept in ``.bench/`` at the top of the repository, as
all that the bench installs; the project depends on none of it. A peer is a process that
says which cases it has, and runs one when it is told.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs

from tests.bench.machine import CACHE, NotReadyError, locked, node
from tests.compared import sides

__all__ = ("PACKAGES", "NotReadyError", "Peer", "installed", "started")

ROOT: Final = Path(__file__).parents[3]
HERE: Final = Path(__file__).parent
INSTALL_LIMIT_S: Final = 300

PACKAGES: Final = (
    "transitions==0.9.3",
    "python-statemachine==3.2.2",
    "eventsourcing==9.5.6",
)


@attrs.frozen(kw_only=True)
class Peer:
    """A process, and the cases it has."""

    name: str
    process: subprocess.Popen[str]
    cases: tuple[str, ...]

    def ask(self, what: str, case: str) -> Any:
        """Have it run a case; ``check`` and ``time`` are known."""
        assert self.process.stdin is not None
        print(what, case, file=self.process.stdin, flush=True)
        return _line(self.process)


def installed() -> Path:
    """Install the Python packages of peers once, and theirs for Node.

    NotReadyError says in one sentence why that cannot be done.
    """
    place = CACHE / "peers"
    mark, wanted = place / "installed", "\n".join(PACKAGES)
    CACHE.mkdir(exist_ok=True)
    with locked(CACHE / "lock"):
        if not mark.is_file() or mark.read_text(encoding="utf-8") != wanted:
            shutil.rmtree(place, ignore_errors=True)
            words = ["pip", "install", "--quiet", "--disable-pip-version-check"]
            _run([sys.executable, "-m", *words, "--target", str(place), *PACKAGES])
            mark.write_text(wanted, encoding="utf-8")
    if reason := sides.install():
        raise NotReadyError(reason)
    return place


def _run(words: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise NotReadyError(f"pip did not run: {problem}") from problem
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        raise NotReadyError(f"the packages of peers cannot be installed: {said}")


@contextmanager
def started(
    packages: Path, journal: Path, told: Path, names: Sequence[str]
) -> Iterator[Mapping[str, Peer]]:
    """Start peers, and end them with the block."""
    processes = {
        name: subprocess.Popen(
            _words(name, packages, journal, told),
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for name in names
    }
    try:
        yield {
            name: Peer(name=name, process=process, cases=tuple(_line(process)))
            for name, process in processes.items()
        }
    finally:
        for process in processes.values():
            process.kill()
            process.communicate()


def _words(name: str, packages: Path, journal: Path, told: Path) -> list[str]:
    if name == "reference":
        script = str(HERE / "reference.mjs")
        return [str(node("pinned")), "--expose-gc", script, str(sides.WORK), str(told)]
    module = f"tests.benchmarks.peer_sources.{name}"
    own = [] if name == "ours" else [str(packages)]
    return [sys.executable, "-m", module, *own, str(journal)]


def _line(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"{process.args!r} has ended"
    return json.loads(line)
