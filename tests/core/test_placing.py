"""Where a run is, whether that is where it may be, and how replicas are spread."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core.drift import DriftKind, drift
from orchestrator.core.errors import InvalidSpec
from orchestrator.core.events import ContainerObserved, FleetObserved, PlaceObserved
from orchestrator.core.explain import container_info, explain
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.hosting import (
    LOCATION_HINTS,
    REGION_OF_HINT,
    REGIONS,
    REGIONS_OF,
    Placement,
)
from orchestrator.core.observations import Observation, SeenRunning, Sighting
from orchestrator.core.placing import Misplaced, misplaced, region_of
from orchestrator.core.requests import Apply, Restart, Scale, Start
from orchestrator.core.services import Service, is_alike, replica_of
from orchestrator.core.sights import differences
from orchestrator.core.spec_advice import spec_advice
from tests.core.examples import Story, spec

SPREAD = Placement(spread=("weur", "enam"))


def placed_at(place: str, **asked: object) -> Story:
    placement = attrs.evolve(Placement(), **asked)  # type: ignore[arg-type]
    story = Story(spec(placement=placement)).accepted().ready(at=10)
    return story.happens(PlaceObserved(at=20, name="web", run=1, place=place))


def served(replicas: int, placement: Placement = SPREAD) -> FleetSpec:
    service = Service(template=spec(placement=placement), replicas=replicas)
    own = tuple(replica_of(service, index) for index in range(replicas))
    return FleetSpec(name="demo", containers=own, services=(service,))


def hints(story: Story) -> dict[str, str | None]:
    containers = story.fleet.containers.values()
    return {one.name: one.spec.placement.location_hint for one in containers}


# The spread of a service


def test_replicas_are_given_the_hints_in_turn() -> None:
    story = Story().asked(Apply(spec=served(3)))
    assert hints(story) == {"web-0": "weur", "web-1": "enam", "web-2": "weur"}
    assert not any(one.spec.placement.spread for one in story.fleet.containers.values())


def test_one_that_comes_by_a_scale_has_the_hint_of_its_index() -> None:
    story = Story().asked(Apply(spec=served(1)))
    story.asked(Scale(service="web", replicas=4, by="ann"))
    assert hints(story)["web-3"] == "enam"
    kept = story.asked(Apply(spec=served(1), keep_scale=True))
    assert hints(kept)["web-3"] == "enam"


def test_a_replica_with_the_hint_of_another_is_not_spelt_out() -> None:
    template = spec(placement=SPREAD)
    one = replica_of(Service(template=template, replicas=2), 1)
    assert is_alike(one, template)
    wrong = attrs.evolve(one, placement=Placement(location_hint="weur"))
    assert not is_alike(wrong, template)
    fleet = served(2)
    with pytest.raises(ValueError, match="not spelt out"):
        _ = attrs.evolve(fleet, containers=(fleet.containers[0], wrong))


def test_a_spread_beside_one_hint_for_all_is_refused() -> None:
    with pytest.raises(ValueError, match="location_hint: expected none beside"):
        _ = Placement(spread=("weur",), location_hint="enam")


@pytest.mark.parametrize("value", [("moon",), ["weur"], "weur"])
def test_a_spread_is_of_location_hints(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        _ = Placement(spread=value)  # type: ignore[arg-type]


def test_one_container_cannot_be_spread() -> None:
    one = spec(placement=SPREAD)
    with pytest.raises(ValueError, match="a service with replicas, found 'web'"):
        _ = FleetSpec(name="demo", containers=(one,))
    with pytest.raises(ValueError, match="a service with replicas, found 'web'"):
        _ = FleetSpec(name="demo", settings=FleetSettings(ad_hoc=one))
    refused = Story().refused(Start(name="web", spec=one))
    assert isinstance(refused, InvalidSpec)
    assert refused.problems[0].place == "web.placement.spread"


def test_a_hint_outside_of_the_bounds_is_advised_against() -> None:
    eu = spec(placement=Placement(jurisdiction="eu", spread=("weur", "enam", "enam")))
    near = spec(placement=Placement(regions=("APAC",), location_hint="sam"))
    fine = spec(placement=Placement(regions=("APAC",), location_hint="apac-ne"))
    assert [one.text for one in spec_advice(eu, FleetSettings())] == [
        "location hint enam lies outside of jurisdiction eu"
    ]
    assert [one.text for one in spec_advice(near, FleetSettings())] == [
        "location hint sam lies outside of its regions, APAC"
    ]
    assert not list(spec_advice(fine, FleetSettings()))


def test_every_hint_and_every_jurisdiction_has_regions() -> None:
    assert set(REGION_OF_HINT) == set(LOCATION_HINTS)
    every = {*REGION_OF_HINT.values(), *(r for of in REGIONS_OF.values() for r in of)}
    assert every == set(REGIONS)


# Where a run is


def test_the_place_of_the_live_run_is_known() -> None:
    story = placed_at("WEUR/fra01")
    assert story.container().place == "WEUR/fra01"
    assert container_info(story.fleet, story.container(), 30).place == "WEUR/fra01"
    ignored = story.fleet.ignored
    again = story.happens(PlaceObserved(at=40, name="web", run=1, place="WEUR/fra01"))
    assert again.fleet.ignored == ignored + 1


def test_the_place_of_another_run_is_not_news() -> None:
    story = placed_at("WEUR/fra01")
    story.happens(PlaceObserved(at=40, name="web", run=2, place="ENAM"))
    story.happens(PlaceObserved(at=40, name="other", run=1, place="ENAM"))
    assert story.container().place == "WEUR/fra01"


def test_a_run_that_ends_takes_its_place_along() -> None:
    story = placed_at("WEUR/fra01").ended(at=50)
    assert story.container().place == ""
    late = story.happens(PlaceObserved(at=60, name="web", run=1, place="ENAM"))
    assert late.container().place == ""


def test_a_run_on_its_way_out_keeps_its_place_until_it_has_ended() -> None:
    story = placed_at("WEUR/fra01").asked(Restart(name="web"))
    assert (story.phase(), story.container().place) == ("Stopping", "WEUR/fra01")
    assert story.ended(at=60).container().place == ""


def look(story: Story, **seen: object) -> tuple[object, ...]:
    one = Sighting(name="web", run=1, sight=SeenRunning(ready=True))
    sighting = attrs.evolve(one, **seen)  # type: ignore[arg-type]
    began = story.fleet.at + 1
    view = Observation(began=began, complete=True, sightings=(sighting,))
    return differences(story.fleet, view, at=began)


def test_a_look_tells_of_a_place_only_what_is_new() -> None:
    story = placed_at("WEUR/fra01")
    over = FleetObserved(at=21, complete=True)
    assert look(story) == (over,)
    assert look(story, place="WEUR/fra01") == (over,)
    told = PlaceObserved(at=21, name="web", run=1, place="ENAM/iad02")
    assert look(story, place="ENAM/iad02") == (told, over)
    assert PlaceObserved not in map(type, look(story, name="other", place="ENAM"))


def test_a_run_that_is_taken_over_has_no_place_until_it_is_told() -> None:
    story = placed_at("WEUR/fra01").ended(at=50)
    sight = SeenRunning(ready=True)
    story.happens(ContainerObserved(at=60, name="web", run=7, sight=sight))
    assert (story.phase(), story.container().place) == ("Running", "")
    story.happens(PlaceObserved(at=70, name="web", run=7, place="ENAM"))
    assert story.container().place == "ENAM"


# Whether it may be there


@pytest.mark.parametrize(
    ("asked", "place", "expected"),
    [
        ({}, "ENAM/iad01", None),
        ({"regions": ("WEUR", "EEUR")}, "WEUR/fra01", None),
        ({"regions": ("WEUR", "EEUR")}, "ENAM/iad01", "in WEUR or EEUR"),
        ({"regions": ("WEUR",)}, "iad01", "in WEUR"),
        ({"regions": ("WEUR",)}, "moon7", None),
        ({"regions": ("WEUR",)}, "", None),
        ({"jurisdiction": "eu"}, "EEUR", None),
        ({"jurisdiction": "eu"}, "WNAM/sea01", "in jurisdiction eu: EEUR or WEUR"),
        ({"location_hint": "apac-se"}, "APAC/sin01", None),
        ({"location_hint": "weur"}, "eeur/waw01", "near weur, which is a wish"),
    ],
)
def test_misplaced_is_what_runs_outside_of_what_is_asked_for(
    asked: dict[str, object], place: str, expected: str | None
) -> None:
    wrong = misplaced(placed_at(place, **asked).container())
    if expected is None:
        assert wrong is None
    else:
        assert wrong == Misplaced(name="web", expected=expected, found=place)


@pytest.mark.parametrize(
    ("place", "region"),
    [("FRA", "WEUR"), ("syd03", "OC"), ("XX/jnb01", "AFR"), ("x", None), ("", None)],
)
def test_a_place_lies_in_a_region_where_that_is_known(
    place: str, region: str | None
) -> None:
    assert region_of(place) == region


def test_one_that_is_misplaced_is_told_wherever_one_looks() -> None:
    story = placed_at("ENAM/iad01", regions=("WEUR",))
    wrong = Misplaced(name="web", expected="in WEUR", found="ENAM/iad01")
    container = story.container()
    assert container_info(story.fleet, container, 30).misplaced == wrong
    told = explain(container, fences=True, now=30)
    assert (told.place, told.misplaced) == ("ENAM/iad01", wrong)
    (found,) = drift(story.fleet, 30)
    assert (found.kind, found.asked, found.found) == (
        DriftKind.MISPLACED,
        "in WEUR",
        "ENAM/iad01",
    )
    assert "reconcile does not move it" in found.why
    assert drift(placed_at("WEUR/fra01", regions=("WEUR",)).fleet, 30) == ()
