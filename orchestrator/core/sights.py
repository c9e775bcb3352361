"""What an observation does to a container, and which observations say anything new.

``differences`` keeps the journal quiet: what the fleet believes already makes no
event. What changed after the look began is not compared at all: the look is older.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Final, assert_never

import attrs

from orchestrator.core.commands import StopContainer
from orchestrator.core.endings import conclude
from orchestrator.core.events import (
    ContainerObserved,
    Event,
    FleetObserved,
    PlaceObserved,
)
from orchestrator.core.exits import Lost, Stopped
from orchestrator.core.fingerprints import fingerprint
from orchestrator.core.lifecycle import lose_sight
from orchestrator.core.moments import Moment
from orchestrator.core.moves import Moved, order_stop, seen_running
from orchestrator.core.observations import (
    Observation,
    SeenAbsent,
    SeenEnded,
    SeenRunning,
    SeenUnreachable,
    Sight,
    Sighting,
)
from orchestrator.core.phases import (
    BackingOff,
    CrashLooping,
    Pending,
    Running,
    Starting,
    Unknown,
    live_run,
)
from orchestrator.core.placing import is_news
from orchestrator.core.state import Container, Fleet
from orchestrator.core.table import Table
from orchestrator.core.terms import Terms

__all__ = ("differences", "see")


def see(container: Container, event: ContainerObserved, terms: Terms) -> Moved:
    """Bring a container in line with what was seen of it."""
    run = live_run(container.phase)
    match event.sight:
        case SeenRunning() as sight if run == event.run and not container.is_claimed:
            return _still_running(container, event.at, sight), ()
        case SeenRunning() if _may_adopt(container, event.run):
            return _adopt(container, event, event.sight)
        case SeenRunning():
            return container, ()
        case SeenEnded(exit=exit_) if run == event.run:
            return conclude(container, exit_, event.at, terms), ()
        case SeenEnded() if run is not None:
            return container, ()
        case SeenEnded():
            higher = max(container.run, event.run)
            return attrs.evolve(container, run=higher), ()
        case SeenUnreachable():
            return lose_sight(container, event.at), ()
        case SeenAbsent() if run == event.run and _was_there(container):
            return conclude(container, Lost(), event.at, terms), ()
        case SeenAbsent():
            return container, ()
        case _:
            assert_never(event.sight)


def _may_adopt(container: Container, run: int) -> bool:
    """Say whether a run that is seen may be one that nobody here has begun."""
    is_free = live_run(container.phase) is None or container.is_claimed
    return is_free and run >= container.run


def _still_running(container: Container, at: Moment, sight: SeenRunning) -> Container:
    return seen_running(container, at, ready=sight.ready, addresses=sight.addresses)


def _was_there(container: Container) -> bool:
    """Say whether absence means an end; a start not yet accepted was never there."""
    phase = container.phase
    return not isinstance(phase, Starting) or phase.accepted


def _adopt(container: Container, event: ContainerObserved, sight: SeenRunning) -> Moved:
    """Take over a run that the record does not hold alive.

    The journal may have been lost, or a run that was given up came back. It is kept
    where it is what the owner wants now, and replaced where its spec is another one.
    Where nothing is to run it is only ended: the record already says why it rests.
    """
    spec = container.spec
    raised = attrs.evolve(container, run=event.run)
    may_go_on = container.is_claimed or isinstance(
        container.phase, Pending | BackingOff | CrashLooping
    )
    if not (container.desired.running and may_go_on):
        stop = StopContainer(
            name=container.name,
            run=event.run,
            signal=spec.stop_signal,
            grace_ms=spec.stop_grace_ms,
        )
        return raised, (stop,)
    deadline = event.at + spec.start_timeout_ms
    running = Running(since=event.at, run=event.run, deadline=deadline)
    alive = attrs.evolve(raised, phase=running)
    if not _is_current(container, event):
        return order_stop(alive, event.at, Stopped())
    adopted = attrs.evolve(alive, started_revision=container.revision)
    return _still_running(adopted, event.at, sight), ()


def _is_current(container: Container, event: ContainerObserved) -> bool:
    return event.fingerprint in ("", fingerprint(container.spec))


def differences(
    fleet: Fleet, observation: Observation, at: Moment
) -> tuple[Event, ...]:
    """Return the events in which an observation differs from what is believed.

    The last one says that the look is over, and lists the strangers. A settled fleet
    that is seen as it is believed to be yields just that one.
    """
    seen = {sighting.name: sighting for sighting in observation.sightings}
    began, known, moved = observation.began, 0, False
    differing, lost = list[Sighting](), list[Event]()
    for name, container in fleet.containers.items():
        sighting = seen.get(name)
        if sighting is None:
            if observation.complete:
                lost += _lost(container, began, at)
            continue
        known += 1
        moved = moved or container.place != sighting.place
        if container.changed_at < began and not _is_as_believed(container, sighting):
            differing.append(sighting)
    over, strange = ((), ()) if known == len(seen) else _others(fleet, seen)
    if over:
        differing += over
        differing.sort(key=_name)
    events: list[Event] = [
        ContainerObserved(
            at=at,
            name=sighting.name,
            run=sighting.run,
            sight=sighting.sight,
            fingerprint=sighting.fingerprint,
        )
        for sighting in differing
    ]
    events += lost
    if moved:
        events += _places(fleet, seen.values(), at)
    strangers = Table.of((each.name, each.run) for each in strange)
    events.append(
        FleetObserved(at=at, complete=observation.complete, strangers=strangers)
    )
    return tuple(events)


_name: Final = attrgetter("name")


def _lost(container: Container, began: Moment, at: Moment) -> Iterator[Event]:
    """Yield that a run is not seen which was there when the look began."""
    if container.changed_at < began and _was_there(container):
        run = live_run(container.phase)
        if run is not None:
            name = container.name
            yield ContainerObserved(at=at, name=name, run=run, sight=SeenAbsent())


def _others(
    fleet: Fleet, seen: Mapping[str, Sighting]
) -> tuple[tuple[Sighting, ...], tuple[Sighting, ...]]:
    """Return what is seen of others than the fleet has: news, and the strangers.

    Whoever was to end, and has, is let go of by these news, and no stranger any more.
    """
    others = [each for name, each in seen.items() if name not in fleet.containers]
    over = tuple(each for each in others if _ends_eviction(fleet, each))
    gone = {*fleet.forgetting, *(each.name for each in over)}
    return over, tuple(each for each in others if each.name not in gone)


def _places(
    fleet: Fleet, sightings: Iterable[Sighting], at: Moment
) -> Iterator[PlaceObserved]:
    """Yield where live runs are, of those that are elsewhere or were nowhere."""
    for seen in sightings:
        if seen.place and isinstance(seen.sight, SeenRunning):
            container = fleet.containers.get(seen.name)
            if container is None or container.place == seen.place:
                continue
            told = PlaceObserved(at=at, name=seen.name, run=seen.run, place=seen.place)
            if is_news(container, told):
                yield told


def _ends_eviction(fleet: Fleet, sighting: Sighting) -> bool:
    """Say whether a stranger that was to end has."""
    is_over = isinstance(sighting.sight, SeenEnded)
    return is_over and fleet.evicting.get(sighting.name) == sighting.run


def _is_as_believed(container: Container, sighting: Sighting) -> bool:
    """Say whether a sighting says nothing new of a container.

    What runs and is seen to run comes first: it is nearly all of a fleet that is well,
    and each look compares it.
    """
    phase, sight = container.phase, sighting.sight
    if (
        isinstance(phase, Running)
        and isinstance(sight, SeenRunning)
        and phase.run == sighting.run
        and container.started_revision
    ):
        return phase.is_listening or not sight.ready
    run = live_run(phase)
    if run != sighting.run:
        return not _surprises(container, sighting, run)
    return not (container.is_claimed or _contradicts(container, sight))


def _surprises(container: Container, sighting: Sighting, run: int | None) -> bool:
    """Say whether a sighting of another run than the live one is news."""
    match sighting.sight:
        case SeenRunning():
            return _may_adopt(container, sighting.run)
        case SeenEnded():
            return run is None and sighting.run > container.run
        case SeenUnreachable() | SeenAbsent():
            return False
        case _:
            assert_never(sighting.sight)


def _contradicts(container: Container, sight: Sight) -> bool:
    """Say whether a sighting of the live run is not what is believed of it."""
    match sight:
        case SeenRunning():
            return isinstance(container.phase, Starting | Unknown)
        case SeenEnded() | SeenAbsent():
            return True
        case SeenUnreachable():
            return isinstance(container.phase, Running | Starting)
        case _:
            assert_never(sight)
