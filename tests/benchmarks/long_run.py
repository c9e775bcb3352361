"""The long run: an operator of its own with a fleet that crashes, watched from outside.

What is seen goes to ``samples.jsonl`` as it comes, and at the end to ``told.json``:
what is cut short has told what it saw.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import attrs
from returns.result import Failure
from returns.unsafe import unsafe_perform_io

from orchestrator.cli.transports import NoOperator
from orchestrator.journal.port import START
from orchestrator.journal.reading import RECORDING, beginning, open_reading
from orchestrator.replay.verifying import verify
from tests.benchmarks.long_fleet import Act, Owner, write_fleet
from tests.benchmarks.long_world import (
    Api,
    Complaint,
    complaints,
    memory_kb,
    seen,
    threads,
)

__all__ = ("Plan", "run")

ROOT: Final = Path(__file__).parents[2]
UP_S: Final = 120.0
DOWN_S: Final = 180.0
LOOKS: Final = 8
"""At the end, this many times, until journal, API and processes agree."""


@attrs.frozen(kw_only=True)
class Plan:
    """What is run: so many processes, for so long, watched every so many seconds.

    ``journal``: the keys of ``[journal]`` in the fleet file.
    """

    folder: Path
    processes: int = 200
    minutes: float = 60.0
    every_s: float = 10.0
    seed: int = 8
    journal: str = ""


@attrs.define
class _Run:
    plan: Plan
    operator: subprocess.Popen[bytes]
    owner: Owner
    api: Api
    begun: float
    samples: list[dict[str, Any]] = attrs.field(factory=list)
    answers: Counter[str] = attrs.field(factory=Counter)
    drift: list[str] = attrs.field(factory=list)
    standing: set[Complaint] = attrs.field(factory=set)

    @property
    def state(self) -> Path:
        """Return the state folder."""
        return self.plan.folder / "state"

    def go_on(self) -> None:
        """Act and watch until the time is over."""
        end = self.begun + self.plan.minutes * 60
        act_at, watch_at = time.monotonic(), self.begun
        while (now := time.monotonic()) < end and self.operator.poll() is None:
            if now >= watch_at:
                self.watch()
                watch_at += self.plan.every_s
            if now >= act_at:
                self.act(self.owner.next())
                act_at = time.monotonic() + self.owner.pause_s()
            time.sleep(max(0.0, min(act_at, watch_at, end) - time.monotonic()))
        self.watch()

    def act(self, act: Act) -> None:
        """Do something to the fleet, and count what came of it."""
        if act.kind == "ask":
            status, _, said = self.api.ask(act.method, act.path, act.body)
            code = said.get("code", "") if isinstance(said, dict) else ""
            self.answers[f"{act.method} {status} {code}".strip()] += 1
            return
        world = seen(self.state, self.operator.pid)
        found: list[int] = [
            pid
            for (name, _), pids in world.runs.items()
            if name == act.name
            for pid in pids[:1]
        ]
        if act.kind == "kill shim":
            found = [pid for (name, _), pid in world.shims.items() if name == act.name]
        for pid in found:
            self.answers[act.kind] += 1
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                self.answers[f"{act.kind}: it was gone"] += 1

    def watch(self) -> None:
        """Write down how everything is."""
        if self.operator.poll() is not None:
            return
        before = seen(self.state, self.operator.pid)
        seq, infos = self.api.get("/v1/containers")
        world = seen(self.state, self.operator.pid)
        wrong = complaints(infos, before) & complaints(infos, world)
        again, self.standing = wrong & self.standing, wrong
        self.drift += [f"{self.elapsed():.0f} s: {each}" for each in sorted(again)]
        sample = {
            "s": round(self.elapsed(), 1),
            **self._of_process(),
            **_of_journal(self.state),
            "seq": seq,
            "restarts": sum(info["restarts"] for info in infos),
            "containers": len(infos),
            "running": sum(info["phase"] == "running" for info in infos),
            "processes": world.processes,
            "shims": len(world.shims),
            "zombies": world.zombies,
            "momentary": len(wrong),
            **self._of_metrics(),
        }
        self.samples.append(sample)
        with (self.plan.folder / "samples.jsonl").open("a", encoding="utf-8") as file:
            _ = file.write(json.dumps(sample) + "\n")

    def elapsed(self) -> float:
        """Return the seconds since the beginning."""
        return time.monotonic() - self.begun

    def _of_process(self) -> dict[str, Any]:
        pid = self.operator.pid
        told: dict[str, Any] = {}
        with suppress(OSError, ValueError):  # nothing has started yet
            told = json.loads((self.plan.folder / "probe.json").read_bytes())
        times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return {
            "rss_kb": memory_kb(pid),
            "threads": threads(pid),
            "files": sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()),
            "cpu_s": (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK"),
            "tasks": told.get("tasks", 0),
            "blocks": told.get("blocks", 0),
            "heap_used_kb": told.get("heap_used", 0) // 1_024,
            "heap_free_kb": told.get("heap_free", 0) // 1_024,
        }

    def _of_metrics(self) -> dict[str, Any]:
        _, text = self.api.get("/metrics")
        wanted = {
            "fleet_reconcile_duration_seconds_count": "looks",
            "fleet_log_compactions_total": "compactions",
            "fleet_hook_failures_total": "hook_failures",
            "fleet_invariant_violations_total": "invariants",
        }
        found: dict[str, Any] = {}
        for line in str(text).splitlines():
            name, _, value = line.partition(" ")
            name = name.partition("{")[0]
            if name in wanted:
                found[wanted[name]] = found.get(wanted[name], 0.0) + float(value)
        return found

    def agreed(self) -> list[str]:
        """Compare journal, API and processes; return what does not go away."""
        standing: set[str] = set()
        for look in range(LOOKS):
            seq, infos = self.api.get("/v1/containers")
            world = seen(self.state, self.operator.pid)
            wrong = {str(each) for each in complaints(infos, world)}
            wrong |= set(self._folded(seq, infos))
            standing = wrong if look == 0 else standing & wrong
            if not standing:
                break
            time.sleep(2)
        return sorted(standing)

    def _folded(self, seq: int, infos: list[dict[str, Any]]) -> Iterator[str]:
        """Yield where the journal, folded up to a row, says something else."""
        words = ("replay", str(self.state), "--until", str(seq), "-o", "json")
        done = _said(*words)
        if done.returncode:
            yield f"replay of the journal: {done.stderr}"
            return
        told = {each["name"]: each for each in json.loads(done.stdout)["containers"]}
        here = {each["name"]: each for each in infos}
        for name in sorted({*told, *here}):
            mine, theirs = _timeless(here.get(name)), _timeless(told.get(name))
            if mine != theirs:
                keys = [key for key in mine if mine[key] != theirs.get(key)]
                yield f"{name}: {[(k, mine[k], theirs.get(k)) for k in keys]}"


def _timeless(info: dict[str, Any] | None) -> dict[str, Any]:
    """Return what of a container does not depend on when it is looked at."""
    return {k: v for k, v in (info or {}).items() if not k.endswith("uptime_ms")}


def _of_journal(state: Path) -> dict[str, Any]:
    """Return the bytes of the journal's files, and which rows are in it."""
    sizes = {
        name: (state / f"journal.db{suffix}").stat().st_size
        for name, suffix in (("db", ""), ("wal", "-wal"))
        if (state / f"journal.db{suffix}").exists()
    }
    beside = [one.stat().st_size for one in state.glob("journal.db.rows-*")]
    uri = f"file:{state / 'journal.db'}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=30)) as database:
        first, count = database.execute(
            "SELECT min(seq), count(*) FROM rows"
        ).fetchone()
    return {
        "db_bytes": sizes.get("db", 0),
        "wal_bytes": sizes.get("wal", 0),
        "archives": len(beside),
        "archive_bytes": sum(beside),
        "first_row": first,
        "rows": count,
    }


def _said(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "orchestrator", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def _up(plan: Plan) -> Iterator[_Run]:
    plan.folder.mkdir(parents=True, exist_ok=True)
    file = write_fleet(plan.folder, plan.processes, plan.seed, plan.journal)
    state = plan.folder / "state"
    words = [sys.executable, "-m", "orchestrator", "up", str(file)]
    with (plan.folder / "operator.log").open("wb") as log:
        operator = subprocess.Popen(
            [*words, "--state", str(state)], cwd=ROOT, stdout=log, stderr=log
        )
    api = Api(state)
    try:
        _until(lambda: _answers(api) or operator.poll() is not None, UP_S)
        owner = Owner(plan.processes, plan.seed)
        yield _Run(plan, operator, owner, api, time.monotonic())
    finally:
        if operator.poll() is None:
            _ = _said("down", "--state", str(state))
            operator.terminate()
            _ = operator.wait(timeout=DOWN_S)


def _answers(api: Api) -> bool:
    try:
        return api.ask("GET", "/v1/fleet")[0] == http_ok
    except (OSError, NoOperator):
        return False


http_ok: Final = 200


def _until(holds: Callable[[], bool], limit_s: float) -> None:
    end = time.monotonic() + limit_s
    while not holds() and time.monotonic() < end:
        time.sleep(0.1)


def run(plan: Plan) -> dict[str, Any]:
    """Run it; return what was seen, and what was found at the end."""
    with _up(plan) as found:
        found.go_on()
        code = found.operator.poll()
        differing = ["the operator has ended"] if code is not None else found.agreed()
        down = _said("down", "--state", str(found.state))
        try:
            code = found.operator.wait(timeout=DOWN_S)
        except subprocess.TimeoutExpired:
            code = None
    world = seen(found.state, found.operator.pid)
    journal = {"kept": _replayed(found.state), **_chained(found.state)}
    told = {
        "plan": {**attrs.asdict(plan), "folder": str(plan.folder)},
        "seconds": found.samples[-1]["s"] if found.samples else 0,
        "answers": dict(found.answers),
        "drift": found.drift,
        "differing_at_the_end": differing,
        "down": (down.returncode, down.stdout.strip(), down.stderr.strip()),
        "operator_exit": code,
        "left": [*map(str, world.runs.items()), *map(str, world.shims.items())],
        "journal": journal,
        "log": _worst(plan.folder / "operator.log"),
        "samples": found.samples,
    }
    _ = (plan.folder / "told.json").write_text(
        json.dumps(told, indent=1), encoding="utf-8"
    )
    return told


def _chained(state: Path) -> dict[str, str]:
    """Verify what was archived, from the first row to where the journal begins."""
    found: dict[str, str] = {}
    behind, rows = START, 0
    paths = sorted(
        state.glob("journal.db.rows-*"), key=lambda path: int(path.name.split("-")[1])
    )
    for path in (*paths, state / "journal.db"):
        reading = unsafe_perform_io(open_reading(path).unwrap())
        start = START if reading.source.base is None else reading.source.base.head
        if start != behind:
            found[path.name] = f"begins behind row {start.seq}, not {behind.seq}"
        verdict = verify(
            reading.entries(), RECORDING, fleet=beginning(reading).unwrap()
        )
        if reading.error is not None or isinstance(verdict, Failure):
            found[path.name] = str(reading.error or verdict.failure())
        behind, rows = reading.head, rows + (reading.head.seq - start.seq)
        reading.close()
    found["chain"] = f"{rows} rows to row {behind.seq}, {len(paths)} archives"
    return found


def _replayed(journal: Path) -> str:
    """Replay what is kept, and compare each decision; say what came of it."""
    done = _said("replay", str(journal), "--verify", "-o", "json")
    if done.returncode:
        return f"exit code {done.returncode}: {done.stderr.strip()} {done.stdout[:400]}"
    found = json.loads(done.stdout)["verified"]
    return f"rows {found['rows']}, compared {found['compared']}, base {found['base']}"


def _worst(log: Path) -> list[str]:
    """Return lines of the operator's log that speak of trouble, a hundred at most."""
    text = log.read_text(encoding="utf-8", errors="replace")
    words = ("Traceback", "ERROR", "error:", "never awaited", "Task was destroyed")
    lines = [line for line in text.splitlines() if any(word in line for word in words)]
    return lines[:100]


if __name__ == "__main__":
    folder, minutes, processes, *keys = sys.argv[1:]
    result = run(
        Plan(
            folder=Path(folder),
            minutes=float(minutes),
            processes=int(processes),
            journal="\n".join(keys),
        )
    )
    result.pop("samples")
    print(json.dumps(result, indent=1))
