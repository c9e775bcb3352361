"""What a platform was ordered and has told: which news it could produce now.

The rules, for news that arrive once and in order (``late`` lifts those marked *):

* no news of a run that was never commanded, nor seen;
* nothing of a run after its end*; no second start, no second ready*;
* an end is told as the platform sees it: never as one that we decide about;
* an outcome belongs to a command that waits for one*;
* a check changes its verdict while it is asked*, and only where the spec has it;
* a look ends that somebody asked for; an operator's epoch is higher than the last.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs

from orchestrator.core.commands import (
    Command,
    ContainerCommand,
    ObserveFleet,
    RollService,
    SendNotice,
    StartContainer,
)
from orchestrator.core.errors import TimedOut, Unreachable
from orchestrator.core.events import (
    COMMAND_KINDS,
    Booted,
    CommandAccepted,
    CommandFailed,
    CommandKind,
    ContainerEnded,
    ContainerErrored,
    ContainerObserved,
    ContainerReady,
    ContainerStarted,
    Event,
    FleetObserved,
    HealthChanged,
    LifecycleEvent,
)
from orchestrator.core.exits import GroupEnded, Stopped, Unhealthy
from orchestrator.core.observations import SeenAbsent, SeenEnded, SeenRunning
from orchestrator.core.phases import live_run
from orchestrator.core.state import Fleet
from orchestrator.core.table import Table
from orchestrator.core.tallies import due_checks

__all__ = ("Ledger", "RunFacts", "problem", "recorded")

Key: TypeAlias = tuple[str, int]


@attrs.frozen(kw_only=True)
class RunFacts:
    """What is true of one run at the platform."""

    started: bool = False
    ready: bool = False
    ended: bool = False
    stopping: bool = False


@attrs.frozen(kw_only=True)
class Ledger:
    """The runs by (name, run), the commands without an outcome, the looks under way."""

    runs: Table[Key, RunFacts] = Table[Key, RunFacts]()
    pending: tuple[ContainerCommand, ...] = ()
    given: Table[tuple[str, int, str], None] = Table[tuple[str, int, str], None]()
    looks: int = 0

    def waits_for(
        self, name: str, run: int | None = None, kind: CommandKind | None = None
    ) -> ContainerCommand | None:
        """Return the oldest command of a container that waits for its outcome."""
        for command in self.pending:
            fits = command.name == name and run in (None, command.run)
            if fits and kind in (None, COMMAND_KINDS[type(command)]):
                return command
        return None


def problem(
    ledger: Ledger, fleet: Fleet, event: Event, *, late: bool = False
) -> str | None:
    """Say why no platform could produce an event now; None: it could."""
    match event:
        case (
            ContainerStarted()
            | ContainerReady()
            | ContainerEnded()
            | ContainerErrored()
        ):
            return _of_news(ledger, event, late=late)
        case CommandAccepted() | CommandFailed():
            return _of_outcome(ledger, event, late=late)
        case HealthChanged():
            return _of_health(ledger, fleet, event, late=late)
        case ContainerObserved(sight=SeenRunning()):
            facts = ledger.runs.get((event.name, event.run))
            if facts is not None and facts.ended and not late:
                return f"run {event.run} of {event.name!r} has ended already"
        case FleetObserved() if not ledger.looks:
            return "nobody asked for a look"
        case Booted() if event.epoch <= fleet.epoch:
            return f"epoch {event.epoch} is not higher than {fleet.epoch}"
        case _:
            pass
    return None


def _of_news(ledger: Ledger, event: LifecycleEvent, *, late: bool) -> str | None:
    run = f"run {event.run} of {event.name!r}"
    facts = ledger.runs.get((event.name, event.run))
    if facts is None:
        return f"{run} was never commanded"
    if isinstance(event, ContainerEnded):
        if isinstance(event.exit, Unhealthy | GroupEnded):
            return f"{run}: only the operator ends a run as {event.exit}"
        if isinstance(event.exit, Stopped) and not facts.stopping:
            return f"{run}: nobody asked for a stop"
    if late:
        return None
    if facts.ended:
        return f"{run} has ended already"
    if isinstance(event, ContainerStarted) and facts.started:
        return f"{run} has started already"
    if isinstance(event, ContainerReady) and facts.ready:
        return f"{run} is ready already"
    return None


def _of_outcome(
    ledger: Ledger, event: CommandAccepted | CommandFailed, *, late: bool
) -> str | None:
    about = f"a {event.kind} of run {event.run} of {event.name!r}"
    if (event.name, event.run, str(event.kind)) not in ledger.given:
        return f"{about} was never commanded"
    if late or ledger.waits_for(event.name, event.run, event.kind) is not None:
        return None
    return f"{about} has its outcome already"


def _of_health(
    ledger: Ledger, fleet: Fleet, event: HealthChanged, *, late: bool
) -> str | None:
    container = fleet.containers.get(event.name)
    facts = ledger.runs.get((event.name, event.run))
    if container is None or container.spec.health.get(event.check) is None:
        return f"{event.name!r} has no {event.check} check"
    if facts is None:
        return f"run {event.run} of {event.name!r} was never commanded"
    if late:
        return None
    is_live = live_run(container.phase) == event.run and not facts.ended
    if not is_live or event.check not in due_checks(container):
        return f"the {event.check} check of {event.name!r} is not asked now"
    return None


def recorded(ledger: Ledger, event: Event, commands: tuple[Command, ...]) -> Ledger:
    """Return the ledger after an event and the commands that it caused."""
    ledger = _heard(ledger, event)
    for command in commands:
        if isinstance(command, SendNotice | RollService):
            continue
        if isinstance(command, ObserveFleet):
            ledger = attrs.evolve(ledger, looks=ledger.looks + 1)
            continue
        key = (command.name, command.run)
        facts = ledger.runs.get(key) or RunFacts()
        if not isinstance(command, StartContainer):
            facts = attrs.evolve(facts, stopping=True)
        given = (*key, str(COMMAND_KINDS[type(command)]))
        ledger = attrs.evolve(
            ledger,
            runs=ledger.runs.put(key, facts),
            pending=(*ledger.pending, command),
            given=ledger.given.put(given, None),
        )
    return ledger


def _heard(ledger: Ledger, event: Event) -> Ledger:
    match event:
        case Booted():  # what the last operator had under way died with it
            return attrs.evolve(ledger, pending=(), looks=0)
        case FleetObserved():
            return attrs.evolve(ledger, looks=max(0, ledger.looks - 1))
        case CommandAccepted(name=name, run=run, kind=kind):
            return _answered(ledger, name, run, kind)
        case CommandFailed(name=name, run=run, kind=kind, error=error):
            answered = _answered(ledger, name, run, kind)
            is_sure = not isinstance(error, TimedOut | Unreachable)
            if kind is CommandKind.START and is_sure:
                return _noted(answered, (name, run), ended=True)
            return answered
        case ContainerStarted():
            return _noted(ledger, (event.name, event.run), started=True)
        case ContainerReady():
            return _noted(ledger, (event.name, event.run), started=True, ready=True)
        case ContainerEnded():
            return _noted(ledger, (event.name, event.run), ended=True)
        case ContainerObserved(sight=SeenRunning(ready=ready)):
            key = (event.name, event.run)
            return _noted(ledger, key, started=True, ready=ready)
        case ContainerObserved(sight=SeenEnded() | SeenAbsent()):
            return _noted(ledger, (event.name, event.run), ended=True)
        case _:
            return ledger


def _noted(ledger: Ledger, key: Key, **facts: bool) -> Ledger:
    known = ledger.runs.get(key) or RunFacts()
    new = {name: True for name, is_true in facts.items() if is_true}
    return attrs.evolve(ledger, runs=ledger.runs.put(key, attrs.evolve(known, **new)))


def _answered(ledger: Ledger, name: str, run: int, kind: CommandKind) -> Ledger:
    command = ledger.waits_for(name, run, kind)
    if command is None:
        return ledger
    rest = list(ledger.pending)
    rest.remove(command)
    return attrs.evolve(ledger, pending=tuple(rest))
