"""Real containers from nothing, through our gateway, beside the bare engine and theirs.

A fleet is declared, an operator is opened, and the clock runs until the last container
has answered 200: ``tests.compared.sides`` says what that includes. Beside it, in turns:
the engine told directly to create and start as many, eight at a time; and the reference
library with its defaults.

There are two runtimes. The older one starts a container and nothing else, so that the
bare engine does the same work. The pinned one starts a sidecar beside each container;
so does the bare engine then. All of them run on this machine's two or more cores, and
start an image that listens at once.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from orchestrator.simulation.dice import Dice
from tests.bench.docker import SIDECAR_IMAGE
from tests.bench.engine import Engine, started
from tests.bench.images import APP_1
from tests.bench.machine import NotReadyError, Variant, why_not
from tests.benchmarks.figures import Asked, Figures, Reached, costs
from tests.benchmarks.harness import Goal, Timing
from tests.compared.sides import Plan, install, ours, theirs

__all__ = ("ABOUT", "GOALS", "figures")

ABOUT: Final = (
    "Real containers from nothing to the last answer, through our gateway, beside the"
    " bare engine and beside the reference library with its defaults."
)
BARE: Final = Path(__file__).parent / "peer_sources" / "bare_docker.py"
AT_ONCE: Final = 8
"""What an operator starts at a time if nothing is said."""

LIMIT_S: Final = 300
MS: Final = 1e6
"""Nanoseconds, which a Timing holds."""

TITLES: Final[Mapping[Variant, str]] = {
    "alone": "no sidecars",
    "pinned": "with sidecars",
}
GOALS: Final = (
    Goal(case="ours, 20, no sidecars", limit="theirs, 20, no sidecars", least=5.0),
    Goal(case="ours, 20, no sidecars", limit="docker, 20, no sidecars", least=0.77),
    Goal(case="ours, 50, no sidecars", limit="docker, 50, no sidecars", least=0.77),
)
"""Within 1.3 times of the bare engine is 0.77 of its speed."""

OTHERS: Final = (
    Goal(case="ours, 20, with sidecars", limit="theirs, 20, with sidecars", least=0),
    Goal(case="ours, 20, with sidecars", limit="docker, 20, with sidecars", least=0),
    Goal(case="ours, 50, with sidecars", limit="docker, 50, with sidecars", least=0),
)
SMOKE: Final = Goal(
    case="ours, 2, with sidecars", limit="docker, 2, with sidecars", least=0
)

Run: TypeAlias = Callable[[], float]
"""Starts a fleet and removes it; returns how many ms it took to come up."""


def figures(asked: Asked) -> Figures:
    """Start fleets of each size by each way, in turns."""
    variants: tuple[Variant, ...] = ("pinned",) if asked.smoke else ("alone", "pinned")
    for variant in variants:
        if reason := why_not(variant) or install(variant):
            raise NotReadyError(reason)
    with started() as engine:
        if asked.smoke:
            runs = _runs(engine, "pinned", 2, beside=False)
        else:
            runs = {}
            for variant in variants:
                runs |= _runs(engine, variant, 20, beside=True)
                runs |= _runs(engine, variant, 50, beside=False)
        timing = _turns(runs, 1 if asked.smoke else asked.rounds)
    reached = () if asked.smoke else GOALS
    others = (SMOKE,) if asked.smoke else OTHERS
    return Figures(
        sheets=(costs("From nothing to the last answer", timing, unit="ms", scale=MS),),
        reached=tuple(Reached(goal=goal, speed=timing.speed(goal)) for goal in reached),
        ratios={f"{each.case} / {each.limit}": timing.speed(each) for each in others},
        remarks=(
            "Time of the wall. `docker` is the engine's own calls, without the command"
            f" of that name: create, start, look until 200, {AT_ONCE} at a time.",
        ),
    )


def _runs(engine: Engine, variant: Variant, n: int, *, beside: bool) -> dict[str, Run]:
    """Return every way to start so many containers on a runtime."""
    plan = Plan(n=n, healthy=1, variant=variant)
    title = f"{n}, {TITLES[variant]}"
    found: dict[str, Run] = {
        f"docker, {title}": partial(bare, engine, plan),
        f"ours, {title}": partial(_ours, engine, plan),
    }
    if beside:
        found[f"theirs, {title}"] = partial(_theirs, engine, plan)
    return found


def _turns(runs: Mapping[str, Run], rounds: int) -> Timing:
    """Run each way once a round, in an order that is drawn."""
    dice = Dice(1)
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        rest = list(runs)
        while rest:
            name = rest.pop(dice.between(0, len(rest) - 1))
            taken[name].append(runs[name]() * MS)
            print(f"{name}: {taken[name][-1] / MS:.0f} ms", file=sys.stderr, flush=True)
    return Timing(rounds={name: tuple(each) for name, each in taken.items()})


def bare(engine: Engine, plan: Plan) -> float:
    """Have the engine start as many of the same image, and nothing else."""
    sidecar = SIDECAR_IMAGE if plan.variant == "pinned" else "-"
    socket = str(engine.folder / "docker.sock")
    words = [*engine.enter, sys.executable, str(BARE), socket, str(plan.n)]
    words += [str(AT_ONCE), APP_1, sidecar, *plan.words]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return float(max(json.loads(done.stdout)))


def _ours(engine: Engine, plan: Plan) -> float:
    with tempfile.TemporaryDirectory(dir=engine.folder) as folder:
        return asyncio.run(ours(engine, Path(folder), plan)).cold_ms


def _theirs(engine: Engine, plan: Plan) -> float:
    return asyncio.run(theirs(engine, plan)).cold_ms
