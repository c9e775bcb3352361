"""Laws of what is found without looking at everybody: it is what looking finds."""

from __future__ import annotations

from itertools import cycle
from random import Random
from typing import Final

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.codec.wire import PIECE, decode_fleet, encode_fleet
from orchestrator.core.events import (
    ContainerObserved,
    Event,
    FleetObserved,
    PlaceObserved,
)
from orchestrator.core.moments import Moment
from orchestrator.core.observations import (
    Observation,
    SeenAbsent,
    SeenEnded,
    SeenRunning,
    SeenUnreachable,
    Sighting,
)
from orchestrator.core.phases import Running, Starting, Unknown, live_run
from orchestrator.core.reduce import step_of
from orchestrator.core.service_events import OrphanStopRequested
from orchestrator.core.sights import differences
from orchestrator.core.state import Container, Fleet, empty_fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.runtime.laggards import Laggards, restless
from orchestrator.runtime.members import Members, searched
from orchestrator.runtime.reports import has_settled
from orchestrator.testing.strategies import histories, rolled_histories, sights
from property_tests.trials import draw_trial, tried
from tests.benchmarks.reconcile import settled_fleet

DECLARED: Final = settled_fleet(1).containers["c-000000"]
PROFILES: Final = ("calm", "all", "intermediate_state", "unobserved_state", "storm")


def are_settled(fleet: Fleet) -> bool:
    return all(has_settled(fleet, each) for each in fleet.containers.values())


@given(seed=st.integers(0, 2**32), profile=st.sampled_from(PROFILES))
@settings(max_examples=8)
def test_who_is_waited_for_is_found_as_by_looking_at_all(
    seed: int, profile: str
) -> None:
    """Whoever has not settled has diverged, or waits for somebody."""
    left = Laggards(restless, has_settled)

    def check(step: Step) -> None:
        assert left.are_left(step.after) is not are_settled(step.after)

    assert tried(draw_trial(seed, profile, depends=True), on_step=check).wrong == []


@given(st.one_of(histories(max_size=25), rolled_histories(max_size=25)), st.randoms())
@settings(max_examples=60)
def test_who_belongs_to_a_service_is_found_as_by_searching_all(
    events: tuple[Event, ...], dice: Random
) -> None:
    """Whenever somebody asks, and however much has happened since."""
    fleet = empty_fleet("demo")
    members = Members(fleet)
    services = {""}
    for event in events:
        step = step_of(fleet, event)
        services |= {each.spec.service for each in step.after.containers.values()}
        members.see(step)
        fleet, before = step.after, fleet
        if dice.random() < 0.5:
            continue
        for service in sorted(services):
            assert members.of(fleet, service) == searched(fleet, service)
            assert members.of(before, service) == searched(before, service)


# A look


@st.composite
def looks(draw: st.DrawFn) -> tuple[Fleet, Observation]:
    """Draw a fleet with a past, and what may be seen of it and of others."""
    fleet = empty_fleet("demo")
    for event in draw(histories(max_size=25)):
        fleet = step_of(fleet, event).after
    if draw(st.booleans()):
        met = Table.of([("other", 1)])
        for event in (
            FleetObserved(at=fleet.at, complete=True, strangers=met),
            OrphanStopRequested(at=fleet.at, name="other", run=1),
        ):
            fleet = step_of(fleet, event).after
    names = st.sampled_from((*fleet.containers, *fleet.strangers, "other", "a-other"))
    seen = draw(st.lists(names, max_size=8))
    return fleet, Observation(
        began=draw(st.integers(max(0, fleet.at - 2), fleet.at + 2)),
        complete=draw(st.booleans()),
        sightings=tuple(_sighting(draw, fleet, name) for name in seen),
    )


def _sighting(draw: st.DrawFn, fleet: Fleet, name: str) -> Sighting:
    known = fleet.containers.get(name)
    run = (fleet.strangers.get(name) or 1) if known is None else known.run
    return Sighting(
        name=name,
        run=max(0, run + draw(st.sampled_from((0, 0, 0, -1, 1)))),
        sight=draw(st.one_of(st.just(SeenRunning(ready=True)), sights())),
        fingerprint=draw(st.sampled_from(("", "other"))),
        place=draw(st.sampled_from(("", "WEUR/fra01"))),
    )


@given(looks())
def test_a_look_finds_what_comparing_each_with_each_finds(
    look: tuple[Fleet, Observation],
) -> None:
    fleet, seen = look
    at = max(fleet.at, seen.began)
    assert differences(fleet, seen, at) == compared(fleet, seen, at)


@given(looks())
def test_nobody_is_a_stranger_whom_the_same_look_lets_go_of(
    look: tuple[Fleet, Observation],
) -> None:
    fleet, seen = look
    for event in differences(fleet, seen, max(fleet.at, seen.began)):
        fleet = step_of(fleet, event).after
    assert set(fleet.strangers) & set(fleet.forgetting) == set()


def compared(fleet: Fleet, seen: Observation, at: Moment) -> tuple[Event, ...]:
    """Say the same in another way: each question anew, for each container."""
    newest = {each.name: each for each in seen.sightings}
    told: list[Event] = []
    for name, each in sorted(newest.items()):
        known = fleet.containers.get(name)
        is_over = isinstance(each.sight, SeenEnded)
        ends = is_over and fleet.evicting.get(name) == each.run
        if ends or (known is not None and is_news(known, each, seen.began)):
            told.append(
                ContainerObserved(
                    at=at,
                    name=name,
                    run=each.run,
                    sight=each.sight,
                    fingerprint=each.fingerprint,
                )
            )
    for name, known in fleet.containers.items():
        run, phase = live_run(known.phase), known.phase
        was_there = not isinstance(phase, Starting) or phase.accepted
        is_older = seen.complete and known.changed_at < seen.began
        if is_older and name not in newest and run is not None and was_there:
            told.append(
                ContainerObserved(at=at, name=name, run=run, sight=SeenAbsent())
            )
    for name, each in newest.items():
        known = fleet.containers.get(name)
        runs = each.place and isinstance(each.sight, SeenRunning)
        lives = known is not None and live_run(known.phase) == each.run
        if runs and lives and known is not None and known.place != each.place:
            told.append(PlaceObserved(at=at, name=name, run=each.run, place=each.place))
    strangers = {
        name: each.run
        for name, each in newest.items()
        if name not in fleet.containers
        and name not in fleet.forgetting
        and not (
            isinstance(each.sight, SeenEnded) and fleet.evicting.get(name) == each.run
        )
    }
    over = FleetObserved(
        at=at, complete=seen.complete, strangers=Table.of(strangers.items())
    )
    return (*told, over)


def is_news(known: Container, seen: Sighting, began: Moment) -> bool:
    """Say whether a sighting is not what is believed of a container."""
    run, sight, phase = live_run(known.phase), seen.sight, known.phase
    if known.changed_at >= began:
        return False
    if run != seen.run:
        if isinstance(sight, SeenRunning):
            return (run is None or known.is_claimed) and seen.run >= known.run
        return isinstance(sight, SeenEnded) and run is None and seen.run > known.run
    if known.is_claimed or isinstance(sight, SeenEnded | SeenAbsent):
        return True
    if isinstance(sight, SeenUnreachable):
        return isinstance(phase, Running | Starting)
    if isinstance(phase, Running):
        return sight.ready and not phase.is_listening
    return isinstance(phase, Starting | Unknown)


# Written some at a time


@given(histories(max_size=10), st.integers(PIECE - 2, PIECE + 2))
@settings(max_examples=10)
def test_a_fleet_that_is_written_in_pieces_is_read_as_it_was(
    events: tuple[Event, ...], size: int
) -> None:
    fleet = empty_fleet("demo")
    for event in events:
        fleet = step_of(fleet, event).after
    each = cycle(tuple(fleet.containers.values()) or (DECLARED,))
    many = {f"c-{number}": next(each) for number in range(size)}
    whole = attrs.evolve(fleet, containers=Table.of(many.items()))
    assert decode_fleet(encode_fleet(whole)).unwrap() == whole
