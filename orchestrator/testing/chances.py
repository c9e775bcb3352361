"""What could happen next to a fleet: the acts from which histories are drawn.

``Move`` says which of them, and how much time passes before, in small numbers: a list
of moves is a history for any fleet, shrinks well, and never says what is impossible.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from orchestrator.core.errors import NoCapacity, RateLimited, TimedOut, Unreachable
from orchestrator.core.events import CommandKind
from orchestrator.core.exits import Exited, OutOfMemory, RolledOut, Slept, Stopped
from orchestrator.core.lineages import RolloutAction
from orchestrator.core.moments import Millis, earliest, format_duration
from orchestrator.core.observations import SeenEnded, SeenRunning, SeenUnreachable
from orchestrator.core.phases import Running, Starting, Stopping
from orchestrator.core.requests import (
    ClearCrashHistory,
    Reconcile,
    Restart,
    Roll,
    Scale,
    Start,
    Stop,
)
from orchestrator.core.state import Container
from orchestrator.core.tallies import due_checks
from orchestrator.core.wake import wake_at, wake_at_fleet
from orchestrator.testing.acts import (
    Act,
    accepts,
    becomes_ready,
    crashes,
    dies,
    ends,
    fails_check,
    fails_to_start,
    is_seen,
    loses_sight,
    passes_check,
    refuses,
    starts,
    succeeds,
    vanishes,
)
from orchestrator.testing.clock import millis_of
from orchestrator.testing.scenarios import Scenario
from orchestrator.testing.tales import Tale
from orchestrator.testing.turns import (
    asks,
    comes_down,
    comes_up,
    late,
    looks,
    restarts_operator,
)

__all__ = (
    "BRANCHES",
    "CHECKS",
    "NEWS",
    "OUTCOMES",
    "REPEATS",
    "WISHES",
    "Move",
    "checkups",
    "news",
    "outcomes",
    "played",
    "repeats",
    "sightings",
    "until_due",
    "wishes",
)

NEWS: Final = 0
OUTCOMES: Final = 6
CHECKS: Final = 7
REPEATS: Final = 8
WISHES: Final = 9
BRANCHES: Final = 10
"""Of ten moves: six news, one outcome, one look or check, one repeat, one wish."""


@attrs.frozen(kw_only=True)
class Move:
    """One step of a drawn history; ``wait`` -1 is until something is due."""

    branch: int
    pick: int
    wait: Millis


def outcomes(tale: Tale, name: str) -> tuple[Act, ...]:
    """Return how the platform may answer the command of a container that waits."""
    waits = tale.ledger.waits_for(name)
    if waits is None:
        return ()
    if tale.ledger.waits_for(name, waits.run, CommandKind.START) is waits:
        return (
            accepts(name),
            fails_to_start(name),
            refuses(name, NoCapacity()),
            refuses(name, RateLimited(retry_after_ms=5_000)),
            refuses(name, TimedOut(after_ms=10_000)),
        )
    return accepts(name), refuses(name, Unreachable(cause="cut off"))


def news(tale: Tale, name: str) -> tuple[Act, ...]:
    """Return what the platform may tell of the newest run of a container."""
    container = tale.fleet.containers.get(name)
    facts = None
    if container is not None:
        facts = tale.ledger.runs.get((name, container.run))
    if facts is None or facts.ended:
        return ()
    if facts.stopping:
        down = (comes_down(name),) * 4
        return *down, ends(name, Stopped()), crashes(name, 7)
    if not facts.ready:
        begun = () if facts.started else (starts(name),)
        up = (comes_up(name),) * 8  # most runs do
        return *up, *begun, becomes_ready(name), *_ends(name)
    return (*_ends(name), loses_sight(name))


def _ends(name: str) -> tuple[Act, ...]:
    return (
        crashes(name),
        crashes(name, 7),
        dies(name),
        succeeds(name),
        ends(name, OutOfMemory()),
        ends(name, RolledOut()),
        ends(name, Slept()),
    )


def checkups(tale: Tale, name: str) -> tuple[Act, ...]:
    """Return the verdicts that the health checks asked now may come to."""
    container = tale.fleet.containers.get(name)
    if container is None:
        return ()
    facts = tale.ledger.runs.get((name, container.run))
    if facts is None or facts.ended:
        return ()
    return tuple(
        act
        for kind in due_checks(container)
        for act in (fails_check(name, str(kind)), passes_check(name, str(kind)))
    )


def sightings(tale: Tale, name: str) -> tuple[Act, ...]:
    """Return what a look may show of a container."""
    container = tale.fleet.containers.get(name)
    over = (looks(), looks(complete=False)) if tale.ledger.looks else ()
    facts = None
    if container is not None:
        facts = tale.ledger.runs.get((name, container.run))
    if facts is None or facts.ended:
        return over
    return (
        *over,
        is_seen(name, SeenRunning(ready=True)),
        is_seen(name, SeenUnreachable()),
        is_seen(name, SeenEnded(exit=Exited(code=1))),
        vanishes(name),
    )


def repeats(tale: Tale, name: str) -> tuple[Act, ...]:
    """Return news of runs that have ended, told again or late."""
    container = tale.fleet.containers.get(name)
    newest = 0 if container is None else container.run
    known = [run for run in range(1, newest + 1) if (name, run) in tale.ledger.runs]
    over = [run for run in known if tale.ledger.runs[name, run].ended]
    return tuple(
        late(act)
        for run in over[-2:]
        for act in (
            crashes(name, run=run),
            starts(name, run=run),
            becomes_ready(name, run=run),
            succeeds(name, run=run),
        )
    )


def wishes(tale: Tale, name: str) -> tuple[Act, ...]:
    """Return what the owner may ask for, of a container and of services."""
    scales = (
        asks(Scale(service=service.name, replicas=replicas))
        for service in tale.fleet.services.values()
        for replicas in (0, max(0, service.replicas - 1), service.replicas + 1)
    )
    rolls = (
        asks(Roll(service=service, action=action))
        for service in tale.fleet.services
        for action in RolloutAction
    )
    return (
        asks(Start(name=name)),
        asks(Stop(name=name)),
        asks(Restart(name=name)),
        asks(Start(name=name, force=True)),
        asks(ClearCrashHistory(name=name)),
        asks(Reconcile()),
        restarts_operator(),
        *scales,
        *rolls,
    )


def until_due(tale: Tale) -> Millis:
    """Return how long until a wait is over or time proves a run; 0: never.

    Deadlines of starts and stops are left out: most of them are met.
    """
    fleet = tale.fleet
    moments = [
        wake_at(container, fences=fleet.fences)
        for container in fleet.containers.values()
        if not _has_a_deadline(container)
    ]
    due = earliest(*moments, wake_at_fleet(fleet))
    return 0 if due is None else max(0, due - tale.now)


def _has_a_deadline(container: Container) -> bool:
    match container.phase:
        case Starting() | Stopping() | Running(ready_at=None):
            return True
        case _:
            return False


def played(scenario: Scenario, moves: Iterable[Move]) -> Scenario:
    """Play moves, each as the scenario then is; one that finds nothing is left out."""
    for move in moves:
        wait = until_due(scenario.tale) if move.wait < 0 else move.wait
        if scenario.tale.ledger.pending:  # what waits for an answer wakes again soon
            wait = min(wait, 60_000)
        tale = scenario.tale.passed(wait)
        names = list(tale.fleet.containers) or list(tale.fleet.services)
        if not names:
            return scenario
        options = _options(tale, names[move.pick % len(names)], move.branch)
        if not options and not wait:
            continue
        pick = move.pick // len(names) % max(1, len(options))
        scenario = scenario.when(*options[pick : pick + 1], after=_readable(wait))
    return scenario


def _readable(wait: Millis) -> str | Millis:
    """Write a wait as people do, where that is exact."""
    text = format_duration(wait)
    return text if wait and millis_of(text) == wait else wait


def _options(tale: Tale, name: str, branch: int) -> tuple[Act, ...]:
    if branch == CHECKS:
        return checkups(tale, name) + sightings(tale, name)
    if branch == REPEATS:
        return repeats(tale, name)
    if branch == WISHES:
        return wishes(tale, name)
    if branch == OUTCOMES:
        return outcomes(tale, name)
    return news(tale, name)
