"""A trial: a fleet, its owner and a world, all drawn from one seed; break, heal, stay.

Everything follows from the seed and the profile, so that a failing one is found again
by its number. ``tried`` runs it and says what was wrong; nothing, if the core is right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import attrs

from orchestrator.core.backoff import Backoff
from orchestrator.core.custom import CustomPolicies, CustomPolicy, Situation, registered
from orchestrator.core.decisions import (
    Complete,
    CoolDown,
    Decision,
    GiveUp,
    Hold,
    RestartAt,
)
from orchestrator.core.dependencies import Condition
from orchestrator.core.exit_rules import (
    Codes,
    ExitAction,
    ExitKind,
    ExitMatch,
    ExitRule,
    Kinds,
    Signals,
)
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.groups import GroupStrategy, Membership
from orchestrator.core.health import (
    CommandProbe,
    HealthCheck,
    HealthChecks,
    HttpProbe,
    Probe,
    TcpProbe,
)
from orchestrator.core.invariants import violations
from orchestrator.core.moments import Moment
from orchestrator.core.origins import Prune
from orchestrator.core.policies import (
    CrashLimit,
    CustomPolicyRef,
    OnLoop,
    OnLost,
    RestartPolicy,
    When,
)
from orchestrator.core.reduce import fold
from orchestrator.core.requests import (
    Apply,
    ClearCrashHistory,
    Reconcile,
    Remove,
    Request,
    Restart,
    Start,
    Stop,
)
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import empty_fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.simulation.characters import Character
from orchestrator.simulation.dice import Dice
from orchestrator.simulation.faults import Doom
from orchestrator.simulation.profiles import PROFILES, draw_of
from orchestrator.simulation.runs import Run, start_run
from orchestrator.simulation.settling import bound_of, spoilt_by, unsettled

__all__ = ("POLICIES", "Trial", "Verdict", "draw_trial", "tried")

MINUTE = 60_000
BREAK = 10 * MINUTE
STAY = 5 * MINUTE
CUSTOM_MS = 2 * MINUTE
"""Longer than the custom policies of this file ever wait."""

NAMES = tuple("abcdef")
GROUPS = (("one", GroupStrategy.ONE_FOR_ALL), ("two", GroupStrategy.REST_FOR_ONE))


def _odd(situation: Situation) -> Decision:
    """Answer everything that a policy may, as the number of failures says."""
    soon = situation.ended_at + situation.wait_ms
    answers: tuple[Decision, ...] = (
        RestartAt(at=soon),
        RestartAt(at=soon),
        CoolDown(until=soon + MINUTE),
        RestartAt(at=soon),
        Complete(),
        GiveUp(),
        Hold(),
    )
    return answers[situation.attempts % len(answers)]


def _broken(situation: Situation) -> Decision:
    raise ValueError(situation.name)


POLICIES: CustomPolicies = registered(
    [
        CustomPolicy(name="odd", version=1, decide=_odd),  # type: ignore[arg-type]
        CustomPolicy(name="broken", version=1, decide=_broken),  # type: ignore[arg-type]
    ]
)


@attrs.frozen(kw_only=True)
class Trial:
    """What a seed has drawn."""

    seed: int
    profile: str
    fleet: FleetSpec
    characters: dict[str, Character]
    requests: tuple[tuple[Moment, Request], ...]
    doomed: dict[str, Doom]


@attrs.define(kw_only=True)
class Verdict:
    """What a trial has shown: what was wrong, and what it came by."""

    wrong: list[str] = attrs.field(factory=list[str])
    steps: int = 0
    first_wrong_step: int | None = None
    reached: Counter[str] = attrs.field(factory=Counter[str])
    run: Run | None = None


def _policy(dice: Dice) -> RestartPolicy:
    custom = None
    if dice.happens(120):
        custom = CustomPolicyRef(name=dice.pick(("odd", "odd", "broken")), version=1)
    return RestartPolicy(
        when=dice.pick(tuple(When)),
        crash=CrashLimit(
            window_ms=dice.pick((30_000, 120_000, 600_000)),
            allowed_crashes=dice.between(0, 4),
            on_loop=dice.pick((None, *OnLoop)),
        ),
        backoff=Backoff(
            initial_ms=dice.pick((0, 100, 1_000, 5_000)),
            factor=dice.pick((1.0, 2.0, 3.5)),
            max_ms=dice.pick((5_000, 60_000)),
            jitter=dice.pick((0.0, 0.1, 1.0)),
            reset_after_ms=dice.pick((30_000, 600_000)),
            delays_ms=dice.pick(((), (), (0, 500, 9_000))),
        ),
        min_interval_ms=dice.pick((0, 1_000, 20_000)),
        lost_after_ms=dice.pick((5_000, 60_000)),
        on_lost=dice.pick((None, None, *OnLost)),
        max_restarts=dice.pick((None, None, 2, 6)),
        start_budget=dice.pick((0, 1, 5)),
        success_codes=dice.pick(((), (2,))),
        exit_rules=_exit_rules(dice),
        custom=custom,
    )


def _exit_rules(dice: Dice) -> tuple[ExitRule, ...]:
    if not dice.happens(300):
        return ()
    matches: tuple[ExitMatch, ...] = (
        Codes(values=(1,)),
        Codes(values=(0,), negated=True),
        Signals(values=(11,)),
        Kinds(values=(ExitKind.LOST, ExitKind.OUT_OF_MEMORY)),
        Kinds(values=(ExitKind.UNHEALTHY,)),
    )
    return tuple(
        ExitRule(match=dice.pick(matches), action=dice.pick(tuple(ExitAction)))
        for _ in range(dice.between(1, 2))
    )


def _check(dice: Dice) -> HealthCheck | None:
    if dice.happens(500):
        return None
    probes: tuple[Probe, ...] = (
        HttpProbe(port="http"),
        HttpProbe(port="http"),
        TcpProbe(port="http"),
        CommandProbe(command=("ok",)),
    )
    return HealthCheck(
        probe=dice.pick(probes),
        initial_delay_ms=dice.pick((0, 3_000)),
        period_ms=dice.pick((1_000, 10_000)),
        failure_threshold=dice.between(1, 3),
    )


def _spec(name: str, dice: Dice) -> ContainerSpec:
    group = None
    if dice.happens(400):
        name_of_group, strategy = dice.pick(GROUPS)
        group = Membership(
            group=name_of_group, strategy=strategy, position=dice.between(0, 2)
        )
    return ContainerSpec(
        name=name,
        command=("run", dice.pick(("1", "1", "2"))),
        ports=Table.of([("http", 8080)]),
        restart=_policy(dice) if dice.happens(800) else RestartPolicy(),
        stop_grace_ms=dice.pick((0, 3_000, 10_000)),
        start_timeout_ms=dice.pick((15_000, 30_000)),
        keep_alive=dice.happens(500),
        health=HealthChecks(
            startup=_check(dice), readiness=_check(dice), liveness=_check(dice)
        ),
        group=group,
    )


def _fleet(dice: Dice) -> FleetSpec:
    names = NAMES[: dice.between(3, len(NAMES))]
    settings = FleetSettings(
        reconcile_interval_ms=dice.pick((10_000, 60_000)),
        min_restart_delay_ms=dice.pick((0, 100)),
        max_concurrent_starts=dice.pick((1, 2, 8)),
        max_starts_per_minute=dice.pick((None, None, 10, 60)),
        prune=dice.pick(tuple(Prune)),
        ad_hoc=_spec("any", dice) if dice.happens(500) else None,
        allow_ad_hoc_containers=dice.happens(800),
    )
    specs = tuple(_spec(name, dice) for name in names)
    return FleetSpec(name="simulated", settings=settings, containers=specs)


def _request(fleet: FleetSpec, dice: Dice) -> Request:
    names = tuple(spec.name for spec in fleet.containers)
    name = dice.pick((*names, *names[:1] * len(names), "ad-hoc"))
    others = fleet.containers[: dice.between(1, len(fleet.containers))]
    changed = tuple(
        attrs.evolve(spec, command=("run", "3")) if dice.happens(200) else spec
        for spec in others
    )
    requests: tuple[Request, ...] = (
        Start(name=name, force=dice.happens(500)),
        Start(name="ad-hoc", spec=_spec("ad-hoc", dice)),
        Start(name=name),
        Stop(name=name),
        Stop(name=name),
        Stop(name="ad-hoc"),
        Restart(name=name),
        Remove(name="ad-hoc"),
        ClearCrashHistory(name=name),
        Reconcile(),
        Apply(spec=attrs.evolve(fleet, containers=others)),
        Apply(spec=attrs.evolve(fleet, containers=changed)),
        Apply(spec=_fleet(dice)),
    )
    return dice.pick(requests)


def _depending(fleet: FleetSpec, dice: Dice) -> FleetSpec:
    """Have containers depend on some of those before them."""
    specs = tuple(
        attrs.evolve(
            spec,
            depends_on=Table.of(
                (other.name, dice.pick((*Condition, Condition.READY)))
                for other in fleet.containers[:index]
                if dice.happens(350)
            ),
        )
        for index, spec in enumerate(fleet.containers)
    )
    return attrs.evolve(fleet, containers=specs)


def draw_trial(seed: int, profile: str, *, depends: bool = False) -> Trial:
    """Draw all of a trial from its seed; *depends*: with dependencies."""
    dice = Dice(seed)
    fleet = _fleet(dice)
    if depends:
        fleet = _depending(fleet, Dice(seed ^ 0xD0))
    moments = sorted(dice.between(0, BREAK) for _ in range(dice.between(0, 12)))
    names = (*NAMES, "ad-hoc")
    doomed = {name: dice.pick(tuple(Doom)) for name in names if dice.happens(150)}
    return Trial(
        seed=seed,
        profile=profile,
        fleet=fleet,
        characters={name: dice.pick(tuple(Character)) for name in names},
        requests=tuple((at, _request(fleet, dice)) for at in moments),
        doomed=doomed,
    )


def tried(trial: Trial, *, on_step: Callable[[Step], None] = lambda _: None) -> Verdict:
    """Run a trial through its three parts, and say what was wrong."""
    verdict = Verdict()

    def check(step: Step) -> None:
        verdict.steps += 1
        on_step(step)
        for violation in violations(step):
            if verdict.first_wrong_step is None:
                verdict.first_wrong_step = verdict.steps
            verdict.wrong.append(f"{violation.name}: {violation.about}")

    plan = draw_of(PROFILES[trial.profile], trial.seed, BREAK)
    run = start_run(
        trial.seed, plan, trial.characters, on_step=check, policies=POLICIES
    )
    run.on_stale_step = check
    verdict.run = run
    _asked(run, Apply(spec=trial.fleet))
    for at, request in trial.requests:
        run.run_until(at)
        _ = run.ask(request)
    run.run_until(BREAK)
    run.heal(trial.doomed)
    run.run_until(run.now + 1)
    _healed(run, trial, verdict)
    if fold(empty_fleet("simulated"), run.journal, POLICIES) != run.fleet:
        verdict.wrong.append("the fold of the journal is not the live fleet")
    return verdict


def _asked(run: Run, request: Request) -> None:
    """Ask until there is an operator that can write the answer down."""
    for _ in range(1_000):
        if run.ask(request) is None:
            return
        run.run_until(run.now + 1_000)
    msg = "nobody takes requests"
    raise AssertionError(msg)


def _healed(run: Run, trial: Trial, verdict: Verdict) -> None:
    """Demand that the fleet converges within its bound, and stays."""
    doomed: dict[str, object] = dict(trial.doomed)
    run.run_until(run.now + bound_of(run.fleet, custom_ms=CUSTOM_MS))
    late = unsettled(run.fleet, doomed)
    if late:
        phases = {name: run.fleet.containers[name].phase for name in late}
        verdict.wrong.append(f"not settled within the bound: {phases}")
        return
    specs = (container.spec for container in run.fleet.containers.values())
    doomed |= dict.fromkeys(spoilt_by(doomed, specs))
    settled = _settled(run, doomed)
    run.run_until(run.now + STAY)
    if _settled(run, doomed) != settled:
        verdict.wrong.append("settled, and did not stay there")


def _settled(run: Run, doomed: dict[str, object]) -> dict[str, object]:
    """Return the phase of each container that no doom concerns."""
    fleet = run.fleet
    ours = {name for name, _ in fleet.containers.items() if name not in doomed}
    spoilt = {
        one.spec.group.group
        for name in doomed
        if (one := fleet.containers.get(name)) is not None and one.spec.group
    }
    return {
        name: (one.phase, one.run)
        for name in sorted(ours)
        if (one := fleet.containers[name]).spec.group is None
        or one.spec.group.group not in spoilt
    }
