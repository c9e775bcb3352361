"""The golden journal: what today's rules decided, kept for ever.

``python -m tests.replay.golden`` writes the one of the present ``RULES``. It is written
when rules are raised, and never again: a change of a decision must raise them.
"""

from __future__ import annotations

from pathlib import Path

from orchestrator.core.policies import CrashLimit, OnLoop, RestartPolicy, When
from orchestrator.core.reduce import Transition
from orchestrator.core.requests import (
    Apply,
    ClearCrashHistory,
    Remove,
    Restart,
    Start,
    Stop,
)
from orchestrator.core.specs import ContainerSpec, FleetSettings, FleetSpec
from orchestrator.core.state import RULES
from orchestrator.core.steps import Step
from orchestrator.journal.jsonl import export_rows
from orchestrator.journal.port import START, Row, chained
from orchestrator.runtime.steps import Step as Written
from orchestrator.runtime.steps import draft_of
from orchestrator.simulation.dice import Dice
from orchestrator.simulation.faults import Character, draw_plan
from orchestrator.simulation.runs import start_run

GOLDEN = Path(__file__).parents[1] / "golden"
SEEDS = range(2, 6)
MINUTES = 90


def golden_path(rules: int) -> Path:
    return GOLDEN / f"journal.rules-{rules}.jsonl.gz"


def _specs(dice: Dice) -> tuple[ContainerSpec, ...]:
    policies = [
        RestartPolicy(when=when, crash=CrashLimit(on_loop=loop))
        for when in When
        for loop in (None, OnLoop.HOLD)
    ]
    return tuple(
        ContainerSpec(
            name=character.value.replace("_", "-"),
            command=("run",),
            restart=policies[dice.between(0, len(policies) - 1)],
        )
        for character in Character
    )


def rows(seed: int) -> tuple[Row, ...]:
    """Simulate a fleet with faults and requests; return its journal."""
    steps: list[Step] = []
    dice = Dice(seed)
    specs = _specs(dice)
    characters = dict(zip([s.name for s in specs], Character, strict=True))
    plan = draw_plan(seed, until=30 * 60_000)
    run = start_run(seed, plan, characters, on_step=steps.append)
    settings = FleetSettings(max_concurrent_starts=3, max_starts_per_minute=20)
    run.ask(Apply(spec=FleetSpec(name="golden", settings=settings, containers=specs)))
    extra = ContainerSpec(name="extra", command=("run",))
    for minute in range(1, MINUTES):
        run.run_until(minute * 60_000)
        name = specs[dice.between(0, len(specs) - 1)].name
        requests = (
            Start(name=name, force=True),
            Stop(name=name),
            Restart(name=name),
            ClearCrashHistory(name=name),
            Start(name="extra", spec=extra),
            Stop(name="extra"),
            Remove(name="extra"),
            Apply(spec=FleetSpec(name="golden", containers=specs[1:])),
            Apply(spec=FleetSpec(name="golden", containers=specs)),
        )
        run.ask(requests[dice.between(0, len(requests) - 1)])
    drafts = [
        draft_of(
            Written(
                event=step.event,
                transition=Transition(
                    fleet=step.after, commands=step.commands, touched=step.touched
                ),
            )
        )
        for step in steps
    ]
    return chained(START, drafts)


def main() -> None:
    for seed in SEEDS:
        path = golden_path(RULES)
        path = path.with_name(f"{path.name.removesuffix('.jsonl.gz')}.{seed}.jsonl.gz")
        export_rows(path, rows(seed))


if __name__ == "__main__":
    main()
