"""A rollout in a simulated world that breaks and heals: whatever its strategy says.

The machine holds the bounds of a policy, and ends every rollout with a reason. A trial
is drawn from a seed: how many replicas there are, how the new revision behaves, what
fails, when its owner pauses, promotes, aborts or scales.
"""

from __future__ import annotations

from typing import Final

import attrs

from orchestrator.core.custom import CustomPolicies
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.invariants import violations
from orchestrator.core.lineages import RolloutAction, RolloutStatus
from orchestrator.core.moments import Millis
from orchestrator.core.reduce import fold
from orchestrator.core.requests import Apply, Request, Roll, Scale
from orchestrator.core.rollout_policies import OnFailure, RolloutPolicy
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Fleet, empty_fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.simulation.changes import ask, with_template
from orchestrator.simulation.characters import Character, Release
from orchestrator.simulation.dice import Dice
from orchestrator.simulation.profiles import PROFILES, draw_of
from orchestrator.simulation.rollout_settling import (
    astray,
    rollouts_bound,
    under_way,
    waits_for_its_owner,
)
from orchestrator.simulation.runs import Run, start_run
from orchestrator.simulation.settling import bound_of

__all__ = ("ENDS", "HELD", "REPLAYS", "Trial", "tried")

MINUTE: Final[Millis] = 60_000
BREAK: Final[Millis] = 8 * MINUTE
"""How long things go wrong."""

PIECE: Final[Millis] = 5 * MINUTE
"""How often one looks whether a rollout is over."""

REPLICAS_MAX: Final = 6

HELD: Final = "the bounds hold in any history"
ENDS: Final = "a rollout ends with a reason in any history"
REPLAYS: Final = "the journal replays to the live fleet"

_PROFILES: Final = ("calm", "restless", "all", "intermediate_state", "storm")
_BAD: Final = (Character.DEAD, Character.NEVER_READY, Character.FLAKY)
_ACTIONS: Final = (
    RolloutAction.PAUSE,
    RolloutAction.RESUME,
    RolloutAction.PROMOTE,
    RolloutAction.PROMOTE,
    RolloutAction.ABORT,
    RolloutAction.UNDO,
    RolloutAction.START,
)


@attrs.define(kw_only=True)
class Trial:
    """What a seed has shown: which laws were broken, and by what."""

    seed: int
    broken: list[tuple[str, str]] = attrs.field(factory=list[tuple[str, str]])
    statuses: dict[str, int] = attrs.field(factory=dict[str, int])

    def check(self, step: Step) -> None:
        """Hold a step to the core's invariants."""
        for violation in violations(step):
            about = f"{violation.name}: {violation.about}, at {step.event}"
            self.broken.append((HELD, about))


def tried(seed: int, policy: RolloutPolicy, policies: CustomPolicies) -> Trial:
    """Roll a service out under a policy, in a world drawn from a seed."""
    trial, dice = Trial(seed=seed), Dice(seed)
    spec = _fleet(policy, dice.between(1, REPLICAS_MAX))
    plan = draw_of(PROFILES[dice.pick(_PROFILES)], seed, BREAK)
    run = start_run(seed, plan, {}, on_step=trial.check, policies=policies)
    run.on_stale_step = trial.check
    _ = ask(run, Apply(spec=spec))
    for number in range(1, dice.between(2, 4)):
        run.run_until(run.now + dice.between(0, 2 * MINUTE))
        spec = _released(run, spec, number, dice)
        _ = ask(run, Apply(spec=spec))
        for _n in range(dice.between(0, 3)):
            run.run_until(run.now + dice.between(0, MINUTE))
            _ = run.ask(_request(dice))
    run.run_until(max(BREAK, run.now))
    run.heal({})
    run.run_until(run.now + 1)
    _end(run, trial)
    replayed = fold(empty_fleet(run.fleet.name), run.journal, policies)
    if replayed != run.fleet:
        trial.broken.append((REPLAYS, "folding it gives another fleet"))
    return trial


def _fleet(policy: RolloutPolicy, replicas: int) -> FleetSpec:
    template = ContainerSpec(
        name="web",
        command=("serve",),
        ports=Table.of([("http", 8080)]),
        start_timeout_ms=30_000,
        stop_grace_ms=5_000,
    )
    web = Service(template=template, replicas=replicas, rollout=policy)
    members = tuple(replica_of(web, index) for index in range(replicas))
    return FleetSpec(name="simulated", containers=members, services=(web,))


def _released(run: Run, spec: FleetSpec, number: int, dice: Dice) -> FleetSpec:
    """Return the fleet with another template, which may be a bad one."""
    template = attrs.evolve(spec.services[0].template, command=("serve", str(number)))
    if dice.happens(400):
        bad = Release(template=template, character=dice.pick(_BAD))
        run.stage.releases.append(bad)
    return with_template(spec, template)


def _request(dice: Dice) -> Request:
    if dice.happens(200):
        return Scale(service="web", replicas=dice.between(0, REPLICAS_MAX))
    return Roll(service="web", action=dice.pick(_ACTIONS))


def _end(run: Run, trial: Trial) -> None:
    """Promote and resume whatever waits, until nothing does; then it must be over."""
    until = run.now + bound_of(run.fleet) + rollouts_bound(run.fleet)
    while run.now < until:
        is_said = _say_the_word(run)
        if not (is_said or under_way(run.fleet) or astray(run.fleet)):
            break
        run.run_until(run.now + PIECE)
    for service in under_way(run.fleet):
        trial.broken.append((ENDS, f"{service} rolls on: {_where(run.fleet)}"))
    for name in astray(run.fleet):
        trial.broken.append((ENDS, f"{name} is not of the revision that serves"))
    lineage = run.fleet.lineages.get("web")
    for over in () if lineage is None else lineage.past:
        status = str(over.status)
        trial.statuses[status] = trial.statuses.get(status, 0) + 1
        if not over.reason:
            trial.broken.append((ENDS, f"it is {status} without a reason"))
        if "its strategy" in over.reason:
            trial.broken.append((ENDS, f"it is {status}: {over.reason}"))


def _say_the_word(run: Run) -> bool:
    """Resume what its owner has paused, and promote what waits for that."""
    lineage = run.fleet.lineages.get("web")
    rollout = None if lineage is None else lineage.rollout
    if rollout is None or not waits_for_its_owner(rollout):
        return False
    is_paused = rollout.status is RolloutStatus.PAUSED
    if is_paused and rollout.policy.on_failure is OnFailure.PAUSE:
        return False  # it has failed, and would again
    action = RolloutAction.RESUME if is_paused else RolloutAction.PROMOTE
    return run.ask(Roll(service="web", action=action)) is None


def _where(fleet: Fleet) -> str:
    lineage = fleet.lineages.get("web")
    rollout = None if lineage is None else lineage.rollout
    if rollout is None:
        return "it has none"
    return f"{rollout.status}, step {rollout.step}, {rollout.doing}"
