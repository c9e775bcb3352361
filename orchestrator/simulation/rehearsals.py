"""A fleet file's fleet, rehearsed: break, heal, and what came of it, as one value.

For three quarters of the span (or less, so that there is time to converge) the drawn
faults are in force and containers behave as drawn. Then all heals but the doomed, and
the fleet must settle within its bound (``simulation.settling``) and stay there. What is
done to the fleet meanwhile (``simulation.changes``) is done before all heals.
"""

from __future__ import annotations

from typing import Final

import attrs
from returns.pipeline import is_successful

from orchestrator.core.admit import admit
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.dependencies import Condition
from orchestrator.core.errors import RequestError
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.reduce import reduce
from orchestrator.core.requests import Apply
from orchestrator.core.state import Container, Fleet, empty_fleet
from orchestrator.simulation.changes import Change, Changed, ask, made, releases_of
from orchestrator.simulation.characters import Character, draw_characters, released
from orchestrator.simulation.chronicle import Chronicle, Lane, Noted, Violated
from orchestrator.simulation.dice import Dice
from orchestrator.simulation.moments_of import Telling
from orchestrator.simulation.owners import Owner, let_him_change_it
from orchestrator.simulation.plans import Doom, FaultPlan
from orchestrator.simulation.profiles import PROFILES, Profile, draw_of
from orchestrator.simulation.rollout_settling import rollouts_bound
from orchestrator.simulation.rollout_tales import RolloutTale
from orchestrator.simulation.runs import Run, start_run
from orchestrator.simulation.settling import bound_of, spoilt_by

__all__ = ("Rehearsal", "Wish", "rehearse")

DOOMED: Final = 30
"""Of a thousand containers, how many stay as they are when all heals."""


@attrs.frozen(kw_only=True)
class Wish:
    """What to rehearse; *keeps* is how many moments the timeline has at most."""

    fleet: FleetSpec
    seed: int
    profile: str
    span_ms: Millis
    keeps: int = 20
    policies: CustomPolicies = NO_POLICIES
    changes: tuple[Change, ...] = ()


@attrs.frozen(kw_only=True)
class Rehearsal:
    """What was drawn, and what came of it.

    ``healed_at`` is when the faults ended; ``bound_ms`` within how long the fleet had
    to settle then; ``settled_ms`` after how long it did, for good (None: it did not);
    ``converged`` whether that was in time (None: the span was too short to tell).
    ``changed`` is what was done meanwhile, ``rollouts`` what became of each.
    """

    wish: Wish
    plan: FaultPlan
    characters: dict[str, Character]
    doomed: dict[str, Doom]
    healed_at: Moment
    bound_ms: Millis
    settled_ms: Millis | None
    converged: bool | None
    boots: int
    stale_orders: int
    steps: int
    events: dict[str, int]
    commands: dict[str, int]
    lanes: tuple[Lane, ...]
    column_ms: Millis
    timeline: tuple[Noted, ...]
    left_out: int
    troubles: tuple[tuple[Moment, str], ...]
    held: tuple[str, ...]
    violated: tuple[Violated, ...]
    changed: tuple[Changed, ...] = ()
    rollouts: tuple[RolloutTale, ...] = ()


TROUBLES_MAX: Final = 2_000
"""Marks of a drawing."""


@attrs.define(kw_only=True, eq=False)
class _Stagehand:
    """Writes down what befalls the run itself, and what is done to it."""

    chronicle: Chronicle
    changed: list[Changed] = attrs.field(factory=list[Changed])
    troubles: list[tuple[Moment, str]] = attrs.field(factory=list[tuple[Moment, str]])

    def note(self, what: str, about: str) -> None:
        at = self.chronicle.now()
        self.chronicle.note(at, Telling(about=about, what=what, weight=58))
        if len(self.troubles) < TROUBLES_MAX:
            self.troubles.append((at, what))

    def change(self, changed: Changed) -> None:
        refused = f": refused, {changed.refused}" if changed.refused else ""
        what = f"asked: {changed.words}{refused}"
        self.chronicle.note(changed.at, Telling(about="", what=what, weight=500))
        if len(self.changed) < TROUBLES_MAX:
            self.changed.append(changed)


def rehearse(wish: Wish) -> Rehearsal | RequestError:
    """Run a fleet through its span; refused where its spec is."""
    profile, names = PROFILES[wish.profile], _names(wish)
    fleet = _declared(wish)
    if not isinstance(fleet, Fleet):
        return fleet
    characters = _characters(wish, profile, names)
    calm_ms = max(wish.span_ms // 4, min(bound_of(fleet), wish.span_ms // 2))
    last = max((change.at for change in wish.changes), default=0)
    healed_at = max(wish.span_ms - calm_ms, last)
    plan = draw_of(profile, wish.seed, healed_at)
    chronicle = Chronicle(now=lambda: 0, span_ms=wish.span_ms, keeps=wish.keeps)
    hand = _Stagehand(chronicle=chronicle)
    run = start_run(
        wish.seed,
        plan,
        characters,
        on_step=chronicle.take,
        policies=wish.policies,
        keeps_journal=False,
    )
    chronicle.now = lambda: run.now
    run.on_trouble = hand.note
    _play(run, wish, hand)
    run.run_until(healed_at)
    doomed = _doomed(wish, profile, names)
    run.heal(doomed)
    chronicle.note(run.now, Telling(about="", what="all faults end", weight=1_000))
    chronicle.ignored = dict.fromkeys(spoilt_by(doomed, wish.fleet.containers))
    chronicle.is_excused = lambda one: _is_bad(run, one)
    chronicle.forget_settling()
    bound_ms = bound_of(run.fleet) + rollouts_bound(run.fleet)
    run.run_until(wish.span_ms)
    chronicle.close(run.now)
    drawn = (plan, characters, doomed)
    return _told(wish, run, hand, drawn=drawn, bound_ms=bound_ms)


def _declared(wish: Wish) -> Fleet | RequestError:
    """Return the fleet right after it was declared, or why it cannot be."""
    empty = empty_fleet(wish.fleet.name)
    declared = admit(empty, Apply(spec=wish.fleet), 0, wish.policies)
    if not is_successful(declared):
        return declared.failure()
    return reduce(empty, declared.unwrap(), wish.policies).fleet


def _play(run: Run, wish: Wish, hand: _Stagehand) -> None:
    """Declare the fleet, as soon as somebody can write it down, and change it then."""
    run.stage.releases += releases_of(wish.fleet, wish.changes)
    _ = ask(run, Apply(spec=wish.fleet, by="fleet file"))
    every_ms = run.plan.change_every_ms
    if every_ms:
        dice, releases = Dice(wish.seed ^ 0x0FFE), run.stage.releases
        owner = Owner(spec=wish.fleet, dice=dice, releases=releases)
        let_him_change_it(run, owner, every_ms, hand.change)
    for change in sorted(wish.changes, key=lambda each: each.at):
        hand.change(made(run, change))


def _is_bad(run: Run, container: Container) -> bool:
    """Say whether what a container is made of keeps it from settling."""
    kind = released(run.stage.releases, container.spec)
    return kind is not None and kind is not Character.STEADY


def _told(
    wish: Wish,
    run: Run,
    hand: _Stagehand,
    *,
    drawn: tuple[FaultPlan, dict[str, Character], dict[str, Doom]],
    bound_ms: Millis,
) -> Rehearsal:
    """Sum up a run that is over."""
    chronicle = hand.chronicle
    (plan, characters, doomed), healed_at = drawn, drawn[0].until
    settled_ms = None
    if chronicle.settled_at is not None:
        settled_ms = chronicle.settled_at - healed_at
    in_time = settled_ms is not None and settled_ms <= bound_ms
    is_told = in_time or wish.span_ms - healed_at >= bound_ms
    return Rehearsal(
        wish=wish,
        plan=plan,
        characters=characters,
        doomed=doomed,
        healed_at=healed_at,
        bound_ms=bound_ms,
        settled_ms=settled_ms,
        converged=in_time if is_told else None,
        boots=run.boots,
        stale_orders=run.world.stale_orders,
        steps=chronicle.steps,
        events=dict(sorted(chronicle.events.items())),
        commands=dict(sorted(chronicle.commands.items())),
        lanes=tuple(chronicle.lanes[name] for name in sorted(chronicle.lanes)),
        column_ms=chronicle.column_ms,
        timeline=chronicle.timeline(),
        left_out=chronicle.left_out,
        troubles=tuple(hand.troubles),
        held=chronicle.held(),
        violated=tuple(chronicle.violated.values()),
        changed=tuple(hand.changed),
        rollouts=chronicle.rollouts.told(),
    )


def _names(wish: Wish) -> tuple[str, ...]:
    """Return the containers that are declared: first those of the fleet file."""
    applied = (each.wanted for each in wish.changes if isinstance(each.wanted, Apply))
    specs = (wish.fleet, *(apply.spec for apply in applied))
    names = (one.name for spec in specs for one in spec.containers)
    return tuple(dict.fromkeys(names))


def _characters(
    wish: Wish, profile: Profile, names: tuple[str, ...]
) -> dict[str, Character]:
    drawn = draw_characters(wish.seed, names)
    if profile.is_steady:
        drawn = dict.fromkeys(names, Character.STEADY)
    return drawn | dict.fromkeys(_jobs(wish.fleet), Character.JOB)


def _jobs(fleet: FleetSpec) -> list[str]:
    """Return those for whose end others wait: they do end."""
    awaited = {
        service
        for spec in fleet.containers
        for service, condition in spec.depends_on.items()
        if condition is Condition.COMPLETED
    }
    return [spec.name for spec in fleet.containers if spec.service in awaited]


def _doomed(wish: Wish, profile: Profile, names: tuple[str, ...]) -> dict[str, Doom]:
    """Draw who stays dead, cut off or without room; nobody where nothing fails."""
    if not profile.faults:
        return {}
    dice = Dice(wish.seed ^ 0x5EED)
    return {name: dice.pick(tuple(Doom)) for name in names if dice.happens(DOOMED)}
