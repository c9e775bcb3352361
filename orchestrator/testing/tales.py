"""A fleet driven through virtual time, step by step, as a value.

A ``Tale`` is what scenarios, drawn histories, the state machine and the laws share:
the fleet as it is, every step on the way, and what the platform was ordered and told.
Each of its methods returns the tale with what has happened added to it.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from returns.pipeline import is_successful

from orchestrator.core.admit import admit, is_repeated
from orchestrator.core.commands import (
    Command,
    ContainerCommand,
    FleetCommand,
    ObserveFleet,
    SendNotice,
)
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import RequestError
from orchestrator.core.events import Booted, Event, FleetObserved, TimeReached
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.notices import NoticeDelivered
from orchestrator.core.reduce import step_of
from orchestrator.core.requests import Apply, Request
from orchestrator.core.state import RULES, Container, Fleet, empty_fleet
from orchestrator.core.steps import Step
from orchestrator.core.wake import wake_at, wake_at_fleet
from orchestrator.testing.clock import VirtualClock
from orchestrator.testing.ledger import Ledger, problem, recorded

__all__ = ("Impossible", "Tale", "begin")


class Impossible(Exception):
    """No platform could produce an event now; the text says why."""


@attrs.frozen(kw_only=True)
class Tale:
    """What has happened to a fleet, and what it has become.

    ``answers_looks``: a look at the platform ends at once, and shows what is believed.
    A notice of trouble arrives at once.
    ``refusal`` is why the newest request was refused.
    """

    spec: FleetSpec
    fleet: Fleet
    policies: CustomPolicies = NO_POLICIES
    answers_looks: bool = True
    steps: tuple[Step, ...] = ()
    ledger: Ledger = Ledger()
    now: Moment = 0
    refusal: RequestError | None = None

    @property
    def events(self) -> tuple[Event, ...]:
        """Return what has happened, as a journal holds it."""
        return tuple(step.event for step in self.steps)

    def container(self, name: str) -> Container:
        """Return a container that the fleet has; ``LookupError`` where it has not."""
        found = self.fleet.containers.get(name)
        if found is None:
            known = ", ".join(self.fleet.containers) or "nothing"
            raise LookupError(f"there is no container {name!r}, but {known}")
        return found

    def commands_since(self, place: int) -> tuple[ContainerCommand, ...]:
        """Return the commands about containers after so many steps."""
        return tuple(
            command
            for step in self.steps[place:]
            for command in step.commands
            if not isinstance(command, FleetCommand)
        )

    def happens(self, event: Event, *, late: bool = False) -> Tale:
        """Take an event in; ``Impossible`` where no platform could produce it now.

        *late*: it was delayed or is told again, so it may be older than what is known.
        """
        why = problem(self.ledger, self.fleet, event, late=late)
        if event.at < self.now:
            why = f"time runs backwards, from {self.now} to {event.at}"
        if why is not None:
            raise Impossible(why)
        step = step_of(self.fleet, event, self.policies)
        after = attrs.evolve(
            self,
            fleet=step.after,
            steps=(*self.steps, step),
            ledger=recorded(self.ledger, event, step.commands),
            now=max(self.now, event.at),
        )
        for command in step.commands:
            if isinstance(command, SendNotice):
                arrived = NoticeDelivered(at=after.now, number=command.number)
                after = after.happens(arrived)
        if self.answers_looks and _looks(step.commands):
            return after.happens(FleetObserved(at=after.now, complete=True))
        return after

    def asked(self, request: Request) -> Tale:
        """Make a request; ``refusal`` is the reason where it is not admitted.

        One that was made before, with the same ticket, does nothing.
        """
        if is_repeated(self.fleet, request, self.now):
            return attrs.evolve(self, refusal=None)
        answer = admit(self.fleet, request, self.now, self.policies)
        if not is_successful(answer):
            return attrs.evolve(self, refusal=answer.failure())
        return attrs.evolve(self, refusal=None).happens(answer.unwrap())

    def passed(self, by: Millis) -> Tale:
        """Let time pass; what is due in it happens when it is due."""
        tale = self
        clock = VirtualClock(self.now)
        until = self.now + by
        fired: set[tuple[Moment, str]] = set()
        while (due := _next_timer(tale, until, fired)) is not None:
            fired.add(due)
            at = clock.move_to(max(due[0], clock.now()))
            tale = tale.happens(TimeReached(at=at, name=due[1] or None))
        return attrs.evolve(tale, now=clock.move_to(until))


def begin(
    spec: FleetSpec,
    policies: CustomPolicies = NO_POLICIES,
    *,
    answers_looks: bool = True,
) -> Tale:
    """Boot an operator at moment 0, apply its fleet, and let it see the platform.

    ``ValueError`` where the fleet is refused, for a policy that is not registered.
    """
    tale = Tale(
        spec=spec,
        fleet=empty_fleet(spec.name),
        policies=policies,
        answers_looks=False,
    )
    tale = tale.happens(Booted(at=0, epoch=1, rules=RULES, fences=True))
    tale = tale.asked(Apply(spec=spec))
    if tale.refusal is not None:
        raise ValueError(tale.refusal.message)
    tale = tale.happens(FleetObserved(at=0, complete=True))
    return attrs.evolve(tale, answers_looks=answers_looks)


def _looks(commands: Iterable[Command]) -> bool:
    return any(isinstance(command, ObserveFleet) for command in commands)


def _next_timer(
    tale: Tale, until: Moment, fired: set[tuple[Moment, str]]
) -> tuple[Moment, str] | None:
    """Return the earliest timer that is due by then; "" is the fleet's own."""
    fleet = tale.fleet
    timers = [
        (due, container.name)
        for container in fleet.containers.values()
        if (due := wake_at(container, fences=fleet.fences)) is not None
    ]
    if (due := wake_at_fleet(fleet)) is not None:
        timers.append((due, ""))
    waiting = [timer for timer in timers if timer[0] <= until and timer not in fired]
    return min(waiting, default=None)
