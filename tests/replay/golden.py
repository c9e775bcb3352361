"""The golden journal: what today's rules decided, kept for ever.

``python -m tests.replay.golden`` writes the one of the present ``RULES``. It is written
when rules are raised, and never again: a change of a decision must raise them.
"""

from __future__ import annotations

from pathlib import Path

from orchestrator.core.backoff import Backoff
from orchestrator.core.custom import CustomPolicy, registered
from orchestrator.core.decisions import Hold, RestartAt
from orchestrator.core.exit_rules import (
    Codes,
    ExitAction,
    ExitKind,
    ExitRule,
    Kinds,
    Signals,
)
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.groups import GroupStrategy, Membership
from orchestrator.core.health import HealthCheck, HealthChecks, TcpProbe
from orchestrator.core.policies import (
    CrashLimit,
    CustomPolicyRef,
    OnLoop,
    RestartPolicy,
    When,
)
from orchestrator.core.requests import (
    Apply,
    ClearCrashHistory,
    Remove,
    Restart,
    Start,
    Stop,
)
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import RULES
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.journal.jsonl import export_rows
from orchestrator.journal.port import START, Row, chained
from orchestrator.runtime.steps import draft_of
from orchestrator.simulation.dice import Dice
from orchestrator.simulation.faults import Character, draw_plan
from orchestrator.simulation.runs import start_run

GOLDEN = Path(__file__).parents[1] / "golden"
SEEDS = (2, 4, 5)
MINUTES = 90


def golden_path(rules: int) -> Path:
    return GOLDEN / f"journal.rules-{rules}.jsonl.gz"


STRIKES = CustomPolicy(
    name="strikes",
    version=1,
    decide=lambda now: (
        Hold() if now.attempts > 4 else RestartAt(at=now.ended_at + now.wait_ms)
    ),
)
POLICIES = registered([STRIKES])
"""What a golden journal may name; it is replayed with these, for ever."""

RULED = RestartPolicy(
    max_restarts=6,
    start_budget=2,
    success_codes=(2,),
    backoff=Backoff(delays_ms=(500, 5_000, 60_000)),
    exit_rules=(
        ExitRule(match=Codes(values=(1,)), action=ExitAction.RESTART),
        ExitRule(match=Signals(values=(11,)), action=ExitAction.IGNORE),
        ExitRule(match=Kinds(values=(ExitKind.LOST,)), action=ExitAction.FAIL),
    ),
)
CUSTOM = RestartPolicy(custom=CustomPolicyRef(name="strikes", version=1))
CHECK = HealthCheck(probe=TcpProbe(port="http"), period_ms=5_000)
CHECKS = HealthChecks(startup=CHECK, readiness=CHECK, liveness=CHECK)
STRATEGIES = tuple(GroupStrategy)


def _specs(dice: Dice) -> tuple[ContainerSpec, ...]:
    policies = [
        RestartPolicy(when=when, crash=CrashLimit(on_loop=loop))
        for when in When
        for loop in (None, OnLoop.HOLD)
    ]
    policies += [RULED, CUSTOM]

    def membership(place: int) -> Membership | None:
        group = dice.between(0, 2)
        if group == len(STRATEGIES):
            return None
        strategy = STRATEGIES[group]
        return Membership(group=strategy.value, strategy=strategy, position=place)

    return tuple(
        ContainerSpec(
            name=character.value.replace("_", "-"),
            command=("run",),
            ports=Table.of([("http", 80)]),
            restart=policies[dice.between(0, len(policies) - 1)],
            health=CHECKS if dice.between(0, 1) else HealthChecks(),
            group=membership(place),
        )
        for place, character in enumerate(Character)
    )


def steps_of(seed: int, minutes: int = MINUTES) -> tuple[Step, ...]:
    """Simulate a fleet with faults and requests; return all of its steps."""
    steps: list[Step] = []
    dice = Dice(seed)
    specs = _specs(dice)
    characters = dict(zip([s.name for s in specs], Character, strict=True))
    plan = draw_plan(seed, until=30 * 60_000)
    run = start_run(seed, plan, characters, on_step=steps.append, policies=POLICIES)
    settings = FleetSettings(max_concurrent_starts=3, max_starts_per_minute=20)
    run.ask(Apply(spec=FleetSpec(name="golden", settings=settings, containers=specs)))
    extra = ContainerSpec(name="extra", command=("run",))
    for minute in range(1, minutes):
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
    return tuple(steps)


def rows(seed: int, minutes: int = MINUTES) -> tuple[Row, ...]:
    """Return the journal of what is simulated."""
    return chained(START, map(draft_of, steps_of(seed, minutes)))


def main() -> None:
    for seed in SEEDS:
        path = golden_path(RULES)
        path = path.with_name(f"{path.name.removesuffix('.jsonl.gz')}.{seed}.jsonl.gz")
        export_rows(path, rows(seed))


if __name__ == "__main__":
    main()
