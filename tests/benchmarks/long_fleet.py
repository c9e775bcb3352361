"""The fleet of the long run, and what its owner asks for while it runs; from a seed.

Some live for long and answer health checks, most crash, a few do so at once, ignore
SIGTERM, or leave processes behind. Each kind has another restart policy.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

import attrs

from orchestrator.simulation.dice import Dice

__all__ = ("EXTRA", "FLEET", "SERVICES", "Act", "Owner", "write_fleet")

FLEET: Final = "long"
EXTRA: Final = 10
"""Containers that are started by request, at most."""

HERE: Final = Path(__file__).parent

_ALWAYS: Final = (
    '{ when = "always", backoff = { initial = "500ms", max = "10s" },'
    ' crash = { window = "1m", allowed_crashes = 5 } }'
)
_KINDS: Final = (
    # kind, parts of 200, restart policy, further keys
    ("steady", 40, _ALWAYS, "http"),
    ("sick", 8, _ALWAYS, "http"),
    ("late", 16, '{ when = "on_failure" }', "port"),
    ("crashing", 56, _ALWAYS, ""),
    ("mixed", 30, '{ backoff = { initial = "1s", max = "20s" } }', ""),
    ("job", 10, '{ when = "never" }', ""),
    (
        "doomed",
        8,
        '{ crash = { window = "1m", allowed_crashes = 3, on_loop = "cooldown" } }',
        "",
    ),
    (
        "stubborn",
        12,
        '{ when = "always", crash = { allowed_crashes = 5, on_loop = "hold" } }',
        "deaf",
    ),
    ("family", 14, _ALWAYS, ""),
    ("chatty", 6, _ALWAYS, ""),
)
_PARTS: Final = 200
SERVICES: Final = tuple(kind for kind, *_ in _KINDS)

_HTTP: Final = """
wait_for = ["http"]
health.readiness = { http = { port = "http" }, period = "5s", timeout = "2s" }
health.liveness = { tcp = { port = "http" }, period = "10s", timeout = "3s" }
"""
_SICK: Final = """
wait_for = ["http"]
health.liveness = { http = { port = "http" }, period = "5s", timeout = "3s" }
"""


def counts(processes: int) -> dict[str, int]:
    """Return how many replicas each kind has; the first one has what is left over.

    >>> sum(counts(200).values()), sum(counts(10).values())
    (200, 10)

    """
    found = {kind: processes * part // _PARTS for kind, part, *_ in _KINDS}
    left = processes - sum(found.values())
    for kind in (*SERVICES[1:], SERVICES[0]):
        if left and not found[kind]:
            found[kind], left = 1, left - 1
    found[SERVICES[0]] += left
    return found


def write_fleet(folder: Path, processes: int, seed: int, journal: str) -> Path:
    """Write the fleet file and what it needs beside it; *journal*: keys of its own."""
    for name in ("long_child.py", "long_probe.py"):
        _ = shutil.copy(HERE / name, folder / name)
    child = [sys.executable, "-I", "-S", str(folder / "long_child.py")]
    parts = [
        f'[fleet]\nname = "{FLEET}"\nreconcile_interval = "15s"\n'
        'max_concurrent_starts = 16\nhooks = "long_probe:probe"\n'
        f"\n[journal]\n{journal}\n"
        '\n[platform]\nkind = "local"\nlog_max_bytes = 65536\n',
        f'\n[ad_hoc]\ncommand = {_words(child, "crashing", seed)}\nstop_grace = "2s"\n',
    ]
    for kind, _, restart, more in _KINDS:
        replicas = counts(processes)[kind]
        if not replicas:
            continue
        words = _words(child, kind, seed, port=more in {"http", "port"})
        parts.append(
            f'\n[[containers]]\nname = "{kind}"\nreplicas = {replicas}\n'
            f"command = {words}\nrestart = {restart}\n"
            f'stop_grace = "{1 if more == "deaf" else 3}s"\nstart_timeout = "20s"\n'
        )
        if more in {"http", "port"}:
            parts.append("ports = { http = 8080 }\n")
        if more == "http":
            parts.append(_SICK if kind == "sick" else _HTTP)
    path = folder / "fleet.toml"
    _ = path.write_text("".join(parts), encoding="utf-8")
    return path


def _words(child: list[str], kind: str, seed: int, *, port: bool = False) -> str:
    words = [*child, kind, str(seed)] + (["${port.http}"] if port else [])
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"


@attrs.frozen(kw_only=True)
class Act:
    """Something that is done to the fleet: asked of its API, or to its processes.

    ``kind``: ``ask`` (method, path, body), ``kill`` or ``kill shim`` (of container
    ``name``).
    """

    kind: str
    name: str = ""
    method: str = "GET"
    path: str = ""
    body: dict[str, object] | None = None


class Owner:
    """Draws what is done next."""

    def __init__(self, processes: int, seed: int) -> None:
        """Begin to draw, for a fleet of so many processes."""
        self._dice = Dice(seed)
        self._counts = counts(processes)

    def pause_s(self) -> float:
        """Return how long until the next act."""
        return self._dice.between(500, 4_500) / 1_000

    def next(self) -> Act:
        """Return what is done next."""
        drawn = self._dice.between(0, 99)
        extra = f"extra-{self._dice.between(0, EXTRA - 1)}"
        if drawn < 15:
            return _ask("POST", f"containers/{extra}/start", force=True)
        if drawn < 25:
            return _ask("POST", f"containers/{extra}/stop")
        if drawn < 32:
            return _ask("DELETE", f"containers/{extra}")
        name = self._declared()
        if drawn < 42:
            return _ask("POST", f"containers/{name}/restart")
        if drawn < 48:
            return _ask("POST", f"containers/{name}/stop")
        if drawn < 66:
            return _ask("POST", f"containers/{name}/start", force=True)
        if drawn < 72:
            return _ask("POST", f"containers/{name}/reset")
        if drawn < 76:
            return self._scaled()
        if drawn < 79:
            return _ask("POST", "reconcile")
        if drawn < 84:
            return Act(kind="kill", name=name)
        if drawn < 86:
            return Act(kind="kill shim", name=name)
        paths = (
            f"containers/{name}/explain",
            f"containers/{name}/timeline",
            "fleet",
            "orphans",
        )
        path = paths[self._dice.between(0, len(paths) - 1)]
        return Act(kind="ask", path=f"/v1/{path}")

    def _declared(self) -> str:
        kinds = [kind for kind, count in self._counts.items() if count]
        kind = kinds[self._dice.between(0, len(kinds) - 1)]
        return f"{kind}-{self._dice.between(0, self._counts[kind] - 1)}"

    def _scaled(self) -> Act:
        """Scale what crashes, near to what it has in the file."""
        declared = self._counts["crashing"]
        replicas = max(1, declared - self._dice.between(0, 3))
        return _ask("POST", "services/crashing/scale", replicas=replicas)


def _ask(method: str, path: str, **body: object) -> Act:
    return Act(kind="ask", method=method, path=f"/v1/{path}", body=dict(body))
