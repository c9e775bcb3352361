"""What the system's processes say of the long run, and whether the operator agrees.

The local platform marks every process of a run in its environment, and the words of a
shim name the folder of its run; so ``/proc`` alone says what runs.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from orchestrator.api.headers import SEQ_HEADER
from orchestrator.cli.transports import OverSocket
from orchestrator.platforms.local.folders import read_json
from orchestrator.platforms.local.spawn import MARK

__all__ = ("Api", "Complaint", "World", "complaints", "memory_kb", "seen", "threads")

PROC: Final = Path("/proc")

Complaint: TypeAlias = tuple[str, str, int]
"""What is wrong, with which container, in which run."""

ALIVE: Final = frozenset({"running", "starting", "stopping", "unknown"})
ANSWER_S: Final = 60.0


@attrs.frozen(kw_only=True)
class World:
    """The processes of a fleet: those of each run, the shims, and the dead ones.

    ``zombies`` wait for the operator or for a shim to take note of their end.
    """

    runs: Mapping[tuple[str, int], tuple[int, ...]]
    shims: Mapping[tuple[str, int], int]
    zombies: int

    @property
    def processes(self) -> int:
        """Return how many processes the containers are, without the shims."""
        return sum(map(len, self.runs.values()))


def seen(state: Path, operator: int) -> World:
    """Look at all processes of this machine."""
    root = state.absolute() / "local"
    mark = f"{MARK}={(read_json(root / 'id') or {}).get('id')}/".encode()
    folders = f"{root}/containers/".encode()
    runs: dict[tuple[str, int], list[int]] = {}
    shims: dict[tuple[str, int], int] = {}
    dead: list[int] = []
    parents: dict[int, int] = {}
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if fields[0] == "Z":
                dead.append(int(fields[1]))
                continue
            words = (entry / "cmdline").read_bytes().split(b"\0")
            names = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        place = next((word for word in words if word.startswith(folders)), None)
        if place is not None and place.split(b"/")[-2] == b"runs":
            parts = place.decode().split("/")
            shims[parts[-3], int(parts[-1])] = int(entry.name)
            continue
        parents[int(entry.name)] = int(fields[1])
        own = next((name for name in names if name.startswith(mark)), None)
        if own is not None:
            _, name, run = own.decode().rsplit("/", 2)
            runs.setdefault((name, int(run)), []).append(int(entry.name))
    # One that dumps its core has no environment any more, and is not over yet.
    holders = {pid: run for run, pid in shims.items()}
    for pid, parent in parents.items():
        held = holders.get(parent)
        if held is not None and pid not in runs.setdefault(held, []):
            runs[held].append(pid)
    above = {operator, *shims.values()}
    return World(
        runs={run: tuple(sorted(pids)) for run, pids in runs.items()},
        shims=shims,
        zombies=sum(parent in above for parent in dead),
    )


def complaints(infos: Iterable[Mapping[str, Any]], world: World) -> set[Complaint]:
    """Say where a list of containers and the processes do not agree.

    A process that has just begun or ended is told a moment later: only what is said in
    one look after the other is wrong.
    """
    found: set[Complaint] = set()
    known = {str(info["name"]): info for info in infos}
    alive: dict[str, list[int]] = {}
    for name, run in world.runs:
        alive.setdefault(name, []).append(run)
    for name, runs in alive.items():
        newest, info = max(runs), known.get(name)
        if len(runs) > 1:
            found.add(("two runs at once", name, newest))
        if info is None:
            found.add(("runs, and is not known", name, newest))
        elif info["phase"] not in ALIVE:
            found.add((f"runs, and is said to be {info['phase']}", name, newest))
        elif info["run"] != newest:
            found.add((f"run {info['run']} is told", name, newest))
    found |= {
        ("is said to run, and does not", name, int(info["run"]))
        for name, info in known.items()
        if info["phase"] == "running" and info["run"] not in alive.get(name, [])
    }
    return found


def memory_kb(pid: int) -> int:
    """Return the memory that a process holds, in kB."""
    return _status(pid, "VmRSS")


def threads(pid: int) -> int:
    """Return how many threads a process has."""
    return _status(pid, "Threads")


def _status(pid: int, key: str) -> int:
    lines = (PROC / str(pid) / "status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


@attrs.frozen
class Api:
    """The API of an operator, at the socket of its state folder."""

    state: Path

    def ask(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> tuple[int, int, Any]:
        """Return the status of an answer, the row that it names, and what it says."""
        connection = OverSocket(state=self.state).connection(ANSWER_S)
        try:
            sent = None if body is None else json.dumps(body)
            head = {} if sent is None else {"Content-Type": "application/json"}
            connection.request(method, path, sent, head)
            answer = connection.getresponse()
            said = answer.read()
            seq = int(answer.headers.get(SEQ_HEADER) or 0)
        finally:
            connection.close()
        return answer.status, seq, _plain(said)

    def get(self, path: str) -> tuple[int, Any]:
        """Read something that must be there: the row after which, and what it is."""
        status, seq, said = self.ask("GET", path)
        if status != http.client.OK:
            msg = f"{path}: {status} {said}"
            raise RuntimeError(msg)
        return seq, said


def _plain(said: bytes) -> Any:
    try:
        return json.loads(said)
    except ValueError:
        return said.decode(errors="replace")
