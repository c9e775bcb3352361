"""The fleet and the world, driven together through virtual time.

``Run`` is the runtime made of values: the operator's loop, the interpreter and the
clock in one agenda. Nothing waits; a simulated day takes what its events take. Every
step goes through ``core.reduce`` and is handed to ``on_step`` (invariants, timelines).

What the plan breaks: commands are refused, unanswered (with and without effect) or
find no capacity; news are lost, repeated or late; containers vanish; looks are
incomplete; the operator is killed at any point and recovers from its journal alone.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import Final, TypeAlias

import attrs
from returns.pipeline import is_successful

from orchestrator.core.admit import admit
from orchestrator.core.commands import (
    Command,
    ContainerCommand,
    ObserveFleet,
    StartContainer,
)
from orchestrator.core.errors import (
    ContainerStartFailed,
    NoCapacity,
    PlatformError,
    RequestError,
    SecretMissing,
    StartError,
    TimedOut,
    Unreachable,
)
from orchestrator.core.events import (
    COMMAND_KINDS,
    Booted,
    CommandAccepted,
    CommandFailed,
    Event,
    TimeReached,
)
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.observations import Observation
from orchestrator.core.reduce import fold, reduce
from orchestrator.core.requests import Request
from orchestrator.core.sights import differences
from orchestrator.core.specs import fingerprint
from orchestrator.core.state import RULES, Fleet, empty_fleet
from orchestrator.core.steps import Step
from orchestrator.core.wake import wake_at, wake_at_fleet
from orchestrator.simulation.dice import Dice
from orchestrator.simulation.faults import Character, FaultPlan
from orchestrator.simulation.world import World

__all__ = ("Run", "start_run")

ANSWER_MS: Final[Millis] = 10_000
"""How long the simulated interpreter waits for an answer."""

Due: TypeAlias = tuple[Moment, int, int, Callable[[], None]]
"""When, in which order, under which operator (0: any), what."""


@attrs.define(kw_only=True)
class Run:
    """One simulated fleet: its state, its journal, its world and what is to come."""

    fleet: Fleet
    world: World
    plan: FaultPlan
    dice: Dice
    now: Moment
    on_step: Callable[[Step], None]
    journal: list[Event] = attrs.field(factory=list[Event])
    boots: int = 0
    _agenda: list[Due] = attrs.field(factory=list[Due])
    _numbers: count[int] = attrs.field(factory=count)
    _busy: dict[str, Moment] = attrs.field(factory=dict[str, Moment])
    _news_at: Moment | None = None

    def ask(self, request: Request) -> RequestError | None:
        """Make a request now; the answer is why it was refused, or None."""
        answer = admit(self.fleet, request, self.now)
        if not is_successful(answer):
            return answer.failure()
        self._deliver(answer.unwrap())
        return None

    def boot(self) -> None:
        """Let an operator take over, with what the journal holds and nothing else."""
        self.boots += 1
        self.fleet = fold(empty_fleet(self.fleet.name), self.journal)
        self._busy = {}
        self._deliver(Booted(at=self.now, epoch=self.boots, rules=RULES, fences=True))
        for name in self.fleet.containers:
            self._set_timer(name)
        if self.plan.kill_operator_every_ms and self.now < self.plan.until:
            wait = self.dice.between(1, 2 * self.plan.kill_operator_every_ms)
            self._later(self.now + wait, self._kill)

    def _kill(self) -> None:
        if self.now < self.plan.until:
            self.boot()

    def run_until(self, moment: Moment) -> None:
        """Let time pass up to *moment*, and everything in it happen."""
        while self._agenda and self._agenda[0][0] <= moment:
            at, _, epoch, happen = heapq.heappop(self._agenda)
            self.now = max(self.now, at)
            if epoch in (0, self.boots):
                happen()
            self._listen()
        self.now = max(self.now, moment)

    def _later(
        self, at: Moment, happen: Callable[[], None], *, of_the_world: bool = False
    ) -> None:
        """Put something on the agenda; what belongs to an operator dies with it."""
        epoch = 0 if of_the_world else self.boots
        heapq.heappush(self._agenda, (at, next(self._numbers), epoch, happen))

    # The operator's loop

    def _deliver(self, event: Event) -> None:
        event = attrs.evolve(event, at=self.now)
        before = self.fleet
        transition = reduce(before, event)
        self.journal.append(event)
        self.fleet = transition.fleet
        self.on_step(
            Step(
                before=before,
                event=event,
                after=transition.fleet,
                commands=transition.commands,
                touched=transition.touched,
            )
        )
        for command in transition.commands:
            self._carry_out(command)
        for name in transition.touched:
            self._set_timer(name)
        due = wake_at_fleet(self.fleet)
        if due is not None:
            self._later(max(due, self.now), self._fleet_timer)

    def _set_timer(self, name: str) -> None:
        container = self.fleet.containers.get(name)
        due = None if container is None else wake_at(container, fences=True)
        if due is not None:
            self._later(max(due, self.now), lambda: self._timer(name))

    def _timer(self, name: str) -> None:
        container = self.fleet.containers.get(name)
        due = None if container is None else wake_at(container, fences=True)
        if due is not None and due <= self.now:
            self._deliver(TimeReached(at=self.now, name=name))

    def _fleet_timer(self) -> None:
        due = wake_at_fleet(self.fleet)
        if due is not None and due <= self.now:
            self._deliver(TimeReached(at=self.now))

    # The interpreter

    def _carry_out(self, command: Command) -> None:
        if isinstance(command, ObserveFleet):
            began = self.now
            self._later(self.now + self.dice.between(1, 200), lambda: self._look(began))
            return
        at = max(self._busy.get(command.name, 0), self.now) + self.dice.between(1, 50)
        self._busy[command.name] = at
        self._later(at, lambda: self._perform(command))

    def _look(self, began: Moment) -> None:
        complete = not self._fails(self.plan.incomplete_look)
        seen = self.world.observe(self.now, complete=complete)
        look = attrs.evolve(seen, began=began)
        self._later(self.now + self.dice.between(0, 100), lambda: self._compare(look))

    def _compare(self, look: Observation) -> None:
        for event in differences(self.fleet, look, self.now):
            self._deliver(event)

    def _perform(self, command: ContainerCommand) -> None:
        error, has_effect = self._obstacle(command)
        if has_effect:
            container = self.fleet.containers.get(command.name)
            mark = "" if container is None else fingerprint(container.spec)
            done = self.world.perform(command, mark, self.now)
            error = error if is_successful(done) else done.failure()
            self._listen()
        wait = self.dice.between(0, 100)
        if isinstance(error, TimedOut):
            wait = ANSWER_MS
        kind = COMMAND_KINDS[type(command)]
        outcome: Event = CommandAccepted(
            at=self.now, name=command.name, run=command.run, kind=kind
        )
        if error is not None:
            outcome = CommandFailed(
                at=self.now,
                name=command.name,
                run=command.run,
                kind=kind,
                error=error,
            )
        self._busy[command.name] = self.now + wait
        self._later(self.now + wait, lambda: self._deliver(outcome))

    def _fails(self, permille: int) -> bool:
        return self.now < self.plan.until and self.dice.happens(permille)

    def _obstacle(
        self, command: ContainerCommand
    ) -> tuple[PlatformError | StartError | None, bool]:
        """Draw what goes wrong with a command, and whether it takes effect."""
        plan = self.plan
        if isinstance(command, StartContainer):
            if self._fails(plan.missing_secret):
                return SecretMissing(name=command.name, key="KEY"), False
            if self._fails(plan.start_refused):
                return ContainerStartFailed(name=command.name, cause="refused"), False
            if self._fails(plan.no_capacity):
                return NoCapacity(), False
        if self._fails(plan.unreachable):
            return Unreachable(cause="cut off"), False
        if self._fails(plan.unanswered):
            return TimedOut(after_ms=ANSWER_MS), self.dice.happens(500)
        return None, True

    # The platform's news

    def _listen(self) -> None:
        """Have the world speak up when it next has something to say."""
        due = self.world.next_news_at()
        if due is None or (self._news_at is not None and self._news_at <= due):
            return
        self._news_at = due
        self._later(max(due, self.now), self._hear, of_the_world=True)

    def _hear(self) -> None:
        self._news_at = None
        for event in self.world.news(self.now):
            if self._fails(self.plan.event_lost):
                continue
            self._pass_on(event)
            if self._fails(self.plan.event_repeated):
                self._pass_on(event)
        for name in sorted(self.world.lives):
            if self._fails(self.plan.vanished):
                self.world.vanish(name, self.now)
        self._listen()

    def _pass_on(self, event: Event) -> None:
        late = self.dice.between(1, 30_000) if self._fails(self.plan.event_late) else 0
        at = self.now + late + self.dice.between(0, 20)
        self._later(at, lambda: self._deliver(event))


def start_run(
    seed: int,
    plan: FaultPlan,
    characters: dict[str, Character],
    *,
    on_step: Callable[[Step], None],
) -> Run:
    """Boot an operator of an empty fleet in a world drawn from *seed*."""
    dice = Dice(seed)
    run = Run(
        fleet=empty_fleet("simulated"),
        world=World(dice=dice.fork(), characters=characters),
        plan=plan,
        dice=dice,
        now=0,
        on_step=on_step,
    )
    run.boot()
    return run
