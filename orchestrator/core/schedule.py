"""What a restart policy would do of a container that always ends in the same way.

The first restarts are not computed here: the rule book itself is asked. An imagined
container is launched, ends, and is moved by ``core.advance``, as a real one would be,
and what its record then says is written down. Nothing else is taken to happen: no
owner asks for anything, its health checks pass, and no other container wants a start
at the same moment.
"""

from __future__ import annotations

import attrs
from attrs.validators import ge, instance_of

from orchestrator.core.advance import advance
from orchestrator.core.backoff import Backoff, base_wait, longest_wait
from orchestrator.core.events import (
    ContainerEnded,
    ContainerEvent,
    ContainerReady,
    ContainerStarted,
    TimeReached,
)
from orchestrator.core.exits import Exit, Exited, Obstacle, StartFailed
from orchestrator.core.explain import because
from orchestrator.core.health import HealthChecks
from orchestrator.core.histories import counted_failures
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.moves import launch
from orchestrator.core.origins import Origin
from orchestrator.core.phases import (
    BackingOff,
    CrashLooping,
    Pending,
    Rule,
    phase_name,
)
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container, Desired
from orchestrator.core.terms import Terms
from orchestrator.core.wake import wake_at

__all__ = ("Fate", "Restart", "Schedule", "schedule")


@attrs.frozen(kw_only=True)
class Fate:
    """How each run ends, and how long it was up and ready before.

    Of a start that fails, ``lives_ms`` is how long it took. ``restarts`` is how many
    are asked for.
    """

    exit: Exit = Exited(code=1)
    lives_ms: Millis = attrs.field(default=0, validator=[instance_of(int), ge(0)])
    restarts: int = attrs.field(default=12, validator=[instance_of(int), ge(1)])


@attrs.frozen(kw_only=True)
class Restart:
    """What followed one end; moments count from the first start, which is at 0.

    ``attempt`` counts the failures since the last reset, ``counted`` those within the
    window, both with this one. ``wait_ms`` is without the spread of the jitter, from
    ``least_ms`` to ``most_ms`` with it; all None where it is not started again by
    itself, and ``start_at``, when it is, too.
    """

    number: int
    began_at: Moment
    ended_at: Moment
    phase: str
    rule: Rule
    why: str
    attempt: int
    counted: int
    wait_ms: Millis | None = None
    least_ms: Millis | None = None
    most_ms: Millis | None = None
    start_at: Moment | None = None


@attrs.frozen(kw_only=True)
class Schedule:
    """The first restarts; the last entry may say that there is no other."""

    restarts: tuple[Restart, ...]

    @property
    def stopped(self) -> Restart | None:
        """Return what ended it for good, or until somebody helps; None if nothing."""
        last = self.restarts[-1]
        return last if last.start_at is None else None

    @property
    def loops(self) -> tuple[Restart, ...]:
        """Return what was found to be a crash loop."""
        return tuple(each for each in self.restarts if each.phase == "crash_looping")


def schedule(
    spec: ContainerSpec,
    terms: Terms,
    fate: Fate,
    *,
    origin: Origin = Origin.MIN_REPLICA_SET,
    salt: int | None = None,
) -> Schedule:
    """Return the first restarts of a container that always meets the same fate.

    With the *salt* of a container they are its own; without one no wait is spread.

    >>> from orchestrator.core.terms import FixedTerms
    >>> spec = ContainerSpec(name="web", command=("run",))
    >>> found = schedule(spec, FixedTerms(), Fate(restarts=4))
    >>> [(each.start_at, str(each.rule)) for each in found.restarts]
    [(1000, 'failure_backoff'), (3000, 'failure_backoff'), (7000, 'failure_backoff'), \
(600000, 'crash_loop_cooldown')]

    """
    backoff = spec.restart.backoff
    used = attrs.evolve(backoff, jitter=0) if salt is None else backoff
    container = _imagined(spec, used, origin, salt or 0)
    at, found = 0, list[Restart]()
    while len(found) < fate.restarts:
        alive, ends = _run(container, fate, at, terms)
        event = ContainerEnded(at=ends, name=alive.name, run=alive.run, exit=fate.exit)
        container, _ = advance(alive, event, terms)
        restart = _told(container, len(found) + 1, at, ends)
        if restart.start_at is not None:
            least, most = _spread(alive, container, event, terms, backoff=backoff)
            restart = attrs.evolve(restart, least_ms=least, most_ms=most)
        found.append(restart)
        if restart.start_at is None:
            break
        at = restart.start_at
        container, _ = advance(container, TimeReached(at=at, name=spec.name), terms)
    return Schedule(restarts=tuple(found))


def _imagined(
    spec: ContainerSpec, backoff: Backoff, origin: Origin, salt: int
) -> Container:
    """Return a container that is about to be started for the first time."""
    policy = attrs.evolve(spec.restart, backoff=backoff)
    return Container(
        name=spec.name,
        spec=attrs.evolve(spec, restart=policy, health=HealthChecks(), group=None),
        salt=salt,
        revision=1,
        origin=origin,
        desired=Desired(running=True, by="owner", why="", at=0),
        phase=Pending(since=0, rule=Rule.DECLARED),
    )


def _run(
    container: Container, fate: Fate, at: Moment, terms: Terms
) -> tuple[Container, Moment]:
    """Start it and let it live; return it just before its end, and when that is."""
    alive, _ = launch(container, at, run_floor=0)
    ends = at + fate.lives_ms
    if isinstance(fate.exit, StartFailed | Obstacle):
        return alive, ends
    name, run = alive.name, alive.run
    events: list[ContainerEvent | TimeReached] = [
        ContainerStarted(at=at, name=name, run=run),
        ContainerReady(at=at, name=name, run=run),
    ]
    for event in events:
        alive, _ = advance(alive, event, terms)
    due = wake_at(alive, fences=terms.fences)
    if due is not None and due <= ends:
        alive, _ = advance(alive, TimeReached(at=due, name=name), terms)
    return alive, ends


def _told(container: Container, number: int, began: Moment, at: Moment) -> Restart:
    """Write down what the record of a container says after its end."""
    phase = container.phase
    start_at = _start_at(container, at)
    rule: Rule = getattr(phase, "rule", Rule.CLEAN_EXIT)
    counted = counted_failures(container.history, container.spec.restart, at)
    return Restart(
        number=number,
        began_at=began,
        ended_at=at,
        phase=phase_name(phase),
        rule=rule,
        why=because(rule),
        attempt=container.history.attempts,
        counted=len(counted),
        wait_ms=None if start_at is None else start_at - at,
        start_at=start_at,
    )


def _start_at(container: Container, at: Moment) -> Moment | None:
    match container.phase:
        case Pending():
            return at
        case BackingOff(until=until) | CrashLooping(until=until):
            return until
        case _:
            return None


def _spread(
    alive: Container,
    ended: Container,
    event: ContainerEnded,
    terms: Terms,
    *,
    backoff: Backoff,
) -> tuple[Millis | None, Millis | None]:
    """Return the least and the most that the rule book makes of the same end.

    It is asked again, with the shortest and the longest of the spread waits listed.
    A custom policy is not: what it makes of a wait is its own affair.
    """
    told = _told(ended, 1, event.at, event.at).wait_ms
    if alive.spec.restart.custom is not None:
        return told, told
    history = ended.history
    base = base_wait(backoff, history.obstacles or history.attempts)
    spread = int(base * backoff.jitter)
    bounds = (base - spread, min(longest_wait(backoff), base + spread))
    waits: list[Millis | None] = []
    for wait in bounds:
        listed = attrs.evolve(backoff, jitter=0, delays_ms=(wait,))
        policy = attrs.evolve(alive.spec.restart, backoff=listed)
        other = attrs.evolve(alive, spec=attrs.evolve(alive.spec, restart=policy))
        moved, _ = advance(other, event, terms)
        waits.append(_told(moved, 1, event.at, event.at).wait_ms)
    least, most = waits
    return least, most
