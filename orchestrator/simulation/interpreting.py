"""The interpreter made of values: commands to the world, looks at it, what fails there.

Commands of one container go one after the other; each ends in exactly one event. What
the plan breaks is drawn here: whether a command takes effect, and whether that is
known; what a look shows, and how old it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
from returns.pipeline import is_successful

from orchestrator.core.commands import (
    ContainerCommand,
    RollService,
    StartContainer,
)
from orchestrator.core.errors import (
    ContainerStartFailed,
    ContainerStopFailed,
    EnvVarsFailed,
    NoCapacity,
    PlatformError,
    QuotaExceeded,
    RateLimited,
    Refused,
    SecretMissing,
    StaleOperator,
    StartError,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from orchestrator.core.events import (
    COMMAND_KINDS,
    CommandAccepted,
    CommandFailed,
    Event,
    FleetObserved,
)
from orchestrator.core.fingerprints import Fingerprints
from orchestrator.core.loads import RollOutcome, ServiceRolled
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.observations import Observation, SeenUnreachable, Sighting
from orchestrator.core.state import Container
from orchestrator.simulation.characters import Character, released
from orchestrator.simulation.plans import Doom, during
from orchestrator.simulation.stage import Stage

__all__ = ("Interpreter",)

ANSWER_MS: Final[Millis] = 10_000
"""How long it waits for an answer."""

RETRY_AFTER_MS: Final[tuple[Millis, Millis]] = (1_000, 60_000)
"""When a platform that limits rates asks to come back, at least and at most."""

SLOW_START: Final[tuple[Millis, Millis]] = (1_000, 90_000)
"""How much longer a slow start takes, at least and at most."""

ROLL_MS: Final[tuple[Millis, Millis]] = (1_000, 120_000)
"""How long the platform takes to bring an image to a service."""

_Error = PlatformError | StartError


@attrs.define(kw_only=True, eq=False)
class Interpreter:
    """Carries out the commands of one operator, and tells it what came of them."""

    stage: Stage
    epoch: int
    tell: Callable[[Event | Observation], None]
    later: Callable[[Moment, Callable[[], None]], None]
    stand_down: Callable[[], None]
    _busy: dict[str, Moment] = attrs.field(factory=dict[str, Moment])
    _looked: tuple[Sighting, ...] | None = None
    _marks: Fingerprints = attrs.field(factory=Fingerprints)

    # Commands

    def carry_out(self, command: ContainerCommand, container: Container | None) -> None:
        """Carry out a command, after those of the same container before it."""
        stage = self.stage
        mark, kind = "", None
        if isinstance(command, StartContainer) and container is not None:
            mark = self._marks.of(container.spec)
            kind = released(stage.releases, container.spec)
        at = max(self._busy.get(command.name, 0), stage.now) + stage.dice.between(1, 50)
        self._busy[command.name] = at
        self.later(at, lambda: self._perform(command, mark, kind))

    def _perform(
        self, command: ContainerCommand, mark: str, kind: Character | None
    ) -> None:
        stage = self.stage
        error, has_effect = self._obstacle(command)
        if has_effect:
            slow_ms = 0
            if stage.fails(stage.plan.slow_start):
                slow_ms = stage.dice.between(*SLOW_START)
            done = stage.world.perform(
                command,
                mark,
                stage.now,
                epoch=self.epoch,
                slow_ms=slow_ms,
                character=kind,
            )
            if not is_successful(done) and error is None:
                error = done.failure()
        wait = stage.dice.between(0, 100)
        if isinstance(error, TimedOut):
            wait = ANSWER_MS
        self._busy[command.name] = stage.now + wait
        outcome = _outcome(command, error)
        self.later(stage.now + wait, lambda: self.tell(outcome))

    def _obstacle(self, command: ContainerCommand) -> tuple[_Error | None, bool]:
        """Draw what goes wrong with a command, and whether it takes effect."""
        stage, plan = self.stage, self.stage.plan
        if stage.doomed.get(command.name) is Doom.UNREACHABLE:
            return Unreachable(cause="cut off for good"), False
        if isinstance(command, StartContainer):
            prevented = self._start_prevented(command.name)
            if prevented is not None:
                return prevented, False
        elif stage.fails(plan.stop_fails):
            failed = ContainerStopFailed(name=command.name, cause="the platform erred")
            return failed, False
        if stage.fails(plan.unreachable):
            return Unreachable(cause="cut off"), False
        if stage.fails(plan.unanswered):
            return TimedOut(after_ms=ANSWER_MS), False
        if stage.fails(plan.acknowledgement_lost):
            return TimedOut(after_ms=ANSWER_MS), True
        return None, True

    def _start_prevented(self, name: str) -> _Error | None:
        stage, plan = self.stage, self.stage.plan
        if stage.doomed.get(name) is Doom.NO_CAPACITY:
            return NoCapacity()
        if not stage.is_broken:
            return None
        if during(plan.capacity_storms, stage.now):
            return NoCapacity()
        if stage.fails(plan.rate_limited):
            return RateLimited(retry_after_ms=stage.dice.between(*RETRY_AFTER_MS))
        errors: tuple[tuple[int, _Error], ...] = (
            (plan.missing_secret, SecretMissing(name=name, key="KEY")),
            (plan.env_vars_failed, EnvVarsFailed(name=name, cause_type="KeyError")),
            (plan.start_refused, ContainerStartFailed(name=name, cause="no image")),
            (plan.refused, Refused(cause="not allowed")),
            (plan.no_capacity, NoCapacity()),
            (plan.quota_exceeded, QuotaExceeded()),
            (plan.unauthorized, Unauthorized()),
        )
        return next((error for rate, error in errors if stage.fails(rate)), None)

    def roll(self, command: RollService) -> None:
        """Have the platform bring an image to a service; it may fail to."""
        stage = self.stage
        fails = stage.fails(stage.plan.refused + stage.plan.unanswered)
        outcome = RollOutcome.FAILED if fails else RollOutcome.DONE
        rolled = ServiceRolled(
            at=0,
            service=command.service,
            revision=command.revision,
            outcome=outcome,
            cause="the platform erred" if fails else "",
        )
        at = stage.now + stage.dice.between(*ROLL_MS)
        self.later(at, lambda: self.tell(rolled))

    # Looks

    def look(self, began: Moment) -> None:
        """Look at everything; *began* is the operator's moment before it looked."""
        at = self.stage.now + self.stage.dice.between(1, 200)
        self.later(at, lambda: self._look(began))

    def _look(self, began: Moment) -> None:
        stage, plan = self.stage, self.stage.plan
        at = stage.now + stage.dice.between(0, 100)
        if self.epoch < stage.world.epoch:
            stale = StaleOperator(epoch=self.epoch, highest=stage.world.epoch)
            self.later(at, lambda: self.tell(_unseen(stale.message)))
            self.later(at, self.stand_down)
            return
        if stage.fails(plan.look_fails):
            self.later(at, lambda: self.tell(_unseen("timed out")))
            return
        complete = not stage.fails(plan.incomplete_look)
        seen = stage.world.observe(stage.now, complete=complete)
        sightings = seen.sightings
        if stage.doomed or stage.is_broken:
            sightings = tuple(map(self._dimmed, sightings))
        if self._looked is not None and stage.fails(plan.stale_look):
            sightings = self._looked
        elif complete:
            self._looked = sightings
        look = Observation(began=began, complete=complete, sightings=sightings)
        self.later(at, lambda: self.tell(look))

    def _dimmed(self, sighting: Sighting) -> Sighting:
        """Have the platform unable to tell about some."""
        stage = self.stage
        lost = stage.doomed.get(sighting.name) is Doom.UNREACHABLE
        if lost or stage.fails(stage.plan.unreachable_look):
            return attrs.evolve(sighting, sight=SeenUnreachable())
        return sighting


def _unseen(cause: str) -> Event:
    return FleetObserved(at=0, complete=False, cause=cause)


def _outcome(command: ContainerCommand, error: _Error | None) -> Event:
    """Return the one event that a command ends in."""
    kind, name, run = COMMAND_KINDS[type(command)], command.name, command.run
    if error is None:
        return CommandAccepted(at=0, name=name, run=run, kind=kind)
    return CommandFailed(at=0, name=name, run=run, kind=kind, error=error)
