"""The fleet and the world, driven together through virtual time.

``Run`` is the runtime made of values: operators with their loop, interpreter and clock
in one agenda. Nothing waits; a simulated day takes what its events take. Every step
goes through ``core.reduce`` and is handed to ``on_step`` (invariants, timelines).

What befalls the operators is drawn here: they are killed and others begin, their clock
is set, a second one takes over while the old goes on. What befalls their commands,
looks and news is drawn where these pass (``interpreting``, ``telling``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import OperatorClosed
from orchestrator.core.events import Event, LifecycleEvent
from orchestrator.core.health import TcpProbe
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.reduce import fold
from orchestrator.core.requests import Request
from orchestrator.core.state import Fleet, empty_fleet
from orchestrator.core.steps import Step
from orchestrator.simulation.characters import Character
from orchestrator.simulation.dice import Dice
from orchestrator.simulation.operators import Operator, Refusal
from orchestrator.simulation.plans import Doom, FaultPlan
from orchestrator.simulation.stage import Stage
from orchestrator.simulation.telling import Teller
from orchestrator.simulation.world import World

__all__ = ("Run", "start_run")

DOWN_MS: Final[tuple[Millis, Millis]] = (0, 30_000)
"""How long no operator is there after one was killed."""

LEAP_MS: Final[Millis] = 3_600_000
"""How far a clock is set, at most."""

ROLLED_OUT: Final = 333
"""Of a thousand containers, how many a rollout replaces."""


def _nothing(what: str, name: str) -> None:
    """Take no note of what befalls the run."""


@attrs.define(kw_only=True, eq=False)
class Run:
    """One simulated fleet: its operator, its journal, its world and what is to come.

    ``on_step`` gets every durable step, ``on_stale_step`` those of operators that were
    replaced and do not know it yet: they write to a journal of their own.
    ``on_trouble`` is told what befalls the run, and whom. ``keeps_journal`` False: only
    the newest fleet is durable, which by law is the fold of the journal.
    """

    stage: Stage
    on_step: Callable[[Step], None]
    on_stale_step: Callable[[Step], None] = lambda _: None
    on_trouble: Callable[[str, str], None] = _nothing
    keeps_journal: bool = True
    journal: list[Event] = attrs.field(factory=list[Event])
    boots: int = 0
    replaced: int = 0
    operator: Operator | None = None
    teller: Teller = attrs.field(init=False)
    _durable: Fleet = attrs.field(factory=lambda: empty_fleet("simulated"))
    _old: list[Operator] = attrs.field(factory=list[Operator])

    def __attrs_post_init__(self) -> None:
        """Have somebody tell the platform's news."""
        self.teller = Teller(stage=self.stage, told=self._told)

    @property
    def fleet(self) -> Fleet:
        """The fleet as the newest operator believes it to be."""
        return self._durable

    @property
    def world(self) -> World:
        """The platform."""
        return self.stage.world

    @property
    def plan(self) -> FaultPlan:
        """What goes wrong."""
        return self.stage.plan

    @plan.setter
    def plan(self, plan: FaultPlan) -> None:
        self.stage.plan = plan

    @property
    def now(self) -> Moment:
        """The moment of the world; an operator's clock may say another."""
        return self.stage.now

    def ask(self, request: Request) -> Refusal | None:
        """Make a request now; the answer is why it was refused, or None."""
        if self.operator is None:
            return OperatorClosed()
        return self.operator.ask(request)

    def run_until(self, moment: Moment) -> None:
        """Let time pass up to *moment*, and everything in it happen."""
        self._attend()
        while (happen := self.stage.next_before(moment)) is not None:
            happen()
            self._attend()
        self.stage.now = max(self.stage.now, moment)

    def _attend(self) -> None:
        """Have heard and asked what the world may now say."""
        self.teller.listen()
        changed = self.stage.world.changed
        if changed:
            for operator in self._all():
                for name in changed:
                    operator.asker.wake(name)
            changed.clear()

    # Operators

    def _all(self) -> tuple[Operator, ...]:
        newest = () if self.operator is None else (self.operator,)
        return (*self._old, *newest)

    def boot(self) -> None:
        """Let an operator take over, with what is durable and nothing else."""
        if self.operator is not None:
            self.operator.die()
        self._begin()

    def _begin(self) -> None:
        self.boots += 1
        if self.keeps_journal:
            policies = self.stage.policies
            self._durable = fold(empty_fleet(self.fleet.name), self.journal, policies)
        operator = Operator(
            stage=self.stage,
            fleet=self._durable,
            epoch=self.world.attach(self._durable.epoch),
            write=self._write,
            ended=self._ended,
        )
        self.operator = operator
        operator.boot()
        self.teller.tell_what_waits()
        wait = self._drawn(self.plan.kill_operator_every_ms)
        if wait is not None:
            operator.later(self.now + wait, lambda: self._kill(operator))

    def _write(self, step: Step) -> None:
        self._durable = step.after
        if self.keeps_journal:
            self.journal.append(step.event)
        self.on_step(step)

    def _kill(self, operator: Operator) -> None:
        if self.stage.is_broken:
            operator.die()

    def _ended(self, news: list[LifecycleEvent]) -> None:
        """Go on without an operator, until the next one begins."""
        self.operator = None
        self.teller.keep(news)
        self.on_trouble("operator killed", "")
        down = self.stage.dice.between(*DOWN_MS)
        self.stage.later(self.now + down, self._begin_if_none)

    def _begin_if_none(self) -> None:
        if self.operator is None:
            self._begin()

    def _drawn(self, every_ms: Millis) -> Millis | None:
        """Draw when something happens next that happens every so often."""
        if not every_ms or not self.stage.is_broken:
            return None
        return self.stage.dice.between(1, 2 * every_ms)

    # What befalls them

    def begin_troubles(self) -> None:
        """Have befall the run what its plan says, over and over."""
        self._repeat(self.plan.clock_jumps_every_ms, self._set_the_clock)
        self._repeat(self.plan.second_operator_every_ms, self._take_over)
        self._repeat(self.plan.rollout_every_ms, self._roll_out)

    def _repeat(self, every_ms: Millis, happen: Callable[[], None]) -> None:
        wait = self._drawn(every_ms)
        if wait is None:
            return

        def happen_and_go_on() -> None:
            if self.stage.is_broken:
                happen()
                self._repeat(every_ms, happen)

        self.stage.later(self.now + wait, happen_and_go_on)

    def _set_the_clock(self) -> None:
        self._set_skew(self.stage.dice.between(-LEAP_MS, LEAP_MS))

    def _set_skew(self, skew_ms: int) -> None:
        if skew_ms == self.stage.skew_ms:
            return
        self.stage.skew_ms = skew_ms
        self.on_trouble("clock set", "")
        for operator in self._all():
            operator.follow_the_clock()

    def _take_over(self) -> None:
        """Let another operator begin while the old one goes on, and does not know."""
        old = self.operator
        if old is None:
            return
        self.replaced += 1
        self.on_trouble("second operator", "")
        old.write = self.on_stale_step
        old.ended = lambda _: self._old.remove(old)
        self._old.append(old)
        self._begin()

    def _roll_out(self) -> None:
        self.on_trouble("rollout", "")
        for name in sorted(self.world.lives):
            if self.stage.dice.happens(ROLLED_OUT):
                self.world.roll_out(name, self.now)

    def heal(self, doomed: dict[str, Doom]) -> None:
        """End all trouble now, but for the doomed: what is dead stays dead.

        A process that hangs recovers, unless a liveness check is there to notice.
        """
        stage = self.stage
        stage.plan = attrs.evolve(stage.plan, until=stage.now, journal_down=())
        stage.doomed = dict(doomed)
        self.world.heal(stage.now, doomed=set(doomed), hanging=self._noticed())
        for name, doom in doomed.items():
            if doom is Doom.DEAD:
                self.world.kill(name, self.now)
        self._set_skew(0)
        self._begin_if_none()

    def _noticed(self) -> set[str]:
        """Return who has a liveness check that notices when it hangs."""
        return {
            name
            for name, container in self.fleet.containers.items()
            if (check := container.spec.health.liveness) is not None
            and not isinstance(check.probe, TcpProbe)
        }

    def _told(self, event: LifecycleEvent) -> bool:
        """Pass an event on to who listens; nobody: it is told again later."""
        for operator in self._all():
            operator.tell(event)
        return self.operator is not None


def start_run(
    seed: int,
    plan: FaultPlan,
    characters: dict[str, Character],
    *,
    on_step: Callable[[Step], None],
    policies: CustomPolicies = NO_POLICIES,
    keeps_journal: bool = True,
) -> Run:
    """Boot an operator of an empty fleet in a world drawn from *seed*."""
    dice = Dice(seed)
    world = World(dice=dice.fork(), characters=dict(characters))
    stage = Stage(world=world, plan=plan, dice=dice, policies=policies)
    run = Run(
        stage=stage,
        on_step=on_step,
        keeps_journal=keeps_journal,
    )
    run.boot()
    run.begin_troubles()
    return run
