"""Replicas are spread evenly by any path; a place is of a run that lives, told once."""

from __future__ import annotations

from collections import Counter

import attrs
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.admit import admit
from orchestrator.core.events import Event, PlaceObserved
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.hosting import LOCATION_HINTS, REGIONS, REGIONS_OF, Placement
from orchestrator.core.observations import Observation, SeenRunning, Sighting
from orchestrator.core.phases import live_run
from orchestrator.core.placing import misplaced, region_of
from orchestrator.core.reduce import fold, reduce
from orchestrator.core.requests import Apply, Scale
from orchestrator.core.services import Service, is_alike, replica_of
from orchestrator.core.sights import differences
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Fleet, empty_fleet
from orchestrator.testing.strategies import histories

SPREADS = st.lists(st.sampled_from(LOCATION_HINTS), min_size=1, max_size=4).map(tuple)
NUMBERS = st.integers(0, 9)
PLACES = st.sampled_from(("WEUR/fra01", "ENAM/iad02", "sin03", "moon", "APAC", ""))


def served(spread: tuple[str, ...], replicas: int) -> FleetSpec:
    place = Placement(spread=spread)
    template = ContainerSpec(name="web", command=("run",), placement=place)
    service = Service(template=template, replicas=replicas)
    own = tuple(replica_of(service, index) for index in range(replicas))
    return FleetSpec(name="demo", containers=own, services=(service,))


@given(SPREADS, st.lists(NUMBERS, min_size=1, max_size=4))
def test_replicas_are_spread_evenly_whatever_was_scaled(
    spread: tuple[str, ...], path: list[int]
) -> None:
    """Nothing is down here, so those that stay are those with the lowest indexes."""
    fleet, spec = empty_fleet("demo"), served(spread, path[0])
    event = admit(fleet, Apply(spec=spec), 0).unwrap()
    fleet = reduce(fleet, event).fleet
    for number in path[1:]:
        event = admit(fleet, Scale(service="web", replicas=number), 0).unwrap()
        fleet = reduce(fleet, event).fleet
    present = [one for one in fleet.containers.values() if not one.leaving]
    template = spec.services[0].template
    assert all(is_alike(one.spec, template) for one in present)
    got = Counter(one.spec.placement.location_hint for one in present)
    rounds, rest = divmod(path[-1], len(spread))
    asked = Counter({hint: rounds * spread.count(hint) for hint in spread})
    asked.update(spread[:rest])
    assert +got == +asked


def looked(fleet: Fleet, places: list[str]) -> tuple[Event, ...]:
    sightings = tuple(
        Sighting(name=one.name, run=one.run, sight=SeenRunning(), place=place)
        for one, place in zip(fleet.containers.values(), places, strict=False)
    )
    began = fleet.at + 1
    look = Observation(began=began, complete=False, sightings=sightings)
    return differences(fleet, look, began)


@given(histories(max_size=25), st.lists(PLACES, max_size=6))
def test_a_place_is_told_once_and_is_that_of_a_run_that_lives(
    events: tuple[Event, ...], places: list[str]
) -> None:
    fleet = fold(empty_fleet("demo"), events)
    for _ in range(2):  # a run that is taken over has its place told the next time
        fleet = fold(fleet, looked(fleet, places))
    again = looked(fleet, places)
    assert not [event for event in again if isinstance(event, PlaceObserved)]
    for one in fleet.containers.values():
        assert not one.place or live_run(one.phase) is not None


@given(
    st.lists(st.sampled_from(REGIONS), unique=True, max_size=3).map(tuple),
    st.none() | st.sampled_from(tuple(REGIONS_OF)),
    PLACES,
)
def test_misplaced_is_outside_of_a_bound_and_never_inside_of_all(
    regions: tuple[str, ...], law: str | None, place: str
) -> None:
    bounds = Placement(regions=regions, jurisdiction=law)
    spec = ContainerSpec(name="web", command=("run",), placement=bounds)
    fleet = empty_fleet("demo")
    declared = FleetSpec(name="demo", containers=(spec,))
    fleet = reduce(fleet, admit(fleet, Apply(spec=declared), 0).unwrap()).fleet
    container = fleet.containers["web"]
    region = region_of(place)
    within = (not regions or region in regions) and (
        law is None or region in REGIONS_OF[law]
    )
    moved = attrs.evolve(container, place=place)
    assert (misplaced(moved) is None) is (region is None or within)
