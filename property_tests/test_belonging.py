"""Who belongs to a service is what a search through all containers says, at any time.

The index that is carried along is compared with a search after each event: in stories
with scales, files and rollouts, and in histories of any events, likely or not. Who is
asked with it, and who is asked without it, decides the same.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.admit import admit
from orchestrator.core.belonging import belonging_to
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.events import Event, SpecApplied
from orchestrator.core.reduce import fold, reduce
from orchestrator.core.requests import Scale
from orchestrator.core.state import Container, Fleet, empty_fleet
from orchestrator.testing import strategies as drawn
from property_tests.test_rollouts import Recorded, stories
from property_tests.test_totality import HISTORIES, in_order

BESIDE = "_belonging"
CREWS = st.sampled_from(["", "crew", "web", "a"])


def searched(fleet: Fleet, service: str) -> tuple[Container, ...]:
    return tuple(
        container
        for name, container in fleet.containers.items()
        if container.spec.service == service != name
    )


def expect(fleet: Fleet) -> None:
    """Compare the index that a fleet has with a search."""
    assert BESIDE in vars(fleet)
    services = {each.spec.service for each in fleet.containers.values()}
    for service in {*services, *fleet.services, "nobody"}:
        assert belonging_to(fleet, service) == searched(fleet, service)


def told(events: Iterable[Event], policies: CustomPolicies = NO_POLICIES) -> Fleet:
    """Tell a fleet, of which somebody has asked, what happens; look each time."""
    begun, events = empty_fleet("demo"), tuple(events)
    assert belonging_to(begun, "nobody") == ()
    fleet = begun
    for event in events:
        plain = attrs.evolve(fleet)
        assert BESIDE not in vars(plain)
        moved = reduce(fleet, event, policies)
        assert moved == reduce(plain, event, policies)
        expect(fleet)  # it stays what it was
        fleet = moved.fleet
        expect(fleet)
    folded = fold(begun, events, policies)
    expect(folded)
    assert folded == fleet
    return fleet


def crewed(event: Event, crews: list[str]) -> Event:
    """Have some of what a file declares be replicas, whatever they are called."""
    if not isinstance(event, SpecApplied):
        return event
    rows = [
        attrs.evolve(each, spec=attrs.evolve(each.spec, service=crew or each.spec.name))
        for each, crew in zip(event.declarations, crews, strict=False)
    ]
    rest = event.declarations[len(rows) :]
    return attrs.evolve(event, declarations=(*rows, *rest))


@given(story=stories())
@settings(max_examples=40)
def test_the_index_is_a_search_in_any_story_of_scales_and_rollouts(
    story: Recorded,
) -> None:
    assert told(story.events, story.policies) == story.fleet


@given(events=drawn.rolled_histories())
@settings(max_examples=40)
def test_the_index_is_a_search_in_a_history_with_a_rollout(
    events: tuple[Event, ...],
) -> None:
    _ = told(events)


@given(history=HISTORIES, crews=st.lists(st.lists(CREWS, min_size=3, max_size=3)))
def test_the_index_is_a_search_in_any_history(
    history: list[Event], crews: list[list[str]]
) -> None:
    rows = [*crews, *[["", "crew", "web"]] * len(history)]
    events = map(crewed, in_order(history), rows)
    _ = told(events)


@given(story=stories(), replicas=st.integers(0, 6))
def test_a_scale_is_admitted_alike_with_an_index_and_without(
    story: Recorded, replicas: int
) -> None:
    fleet, wish = story.fleet, Scale(service="web", replicas=replicas)
    _ = belonging_to(fleet, "web")
    plain = attrs.evolve(fleet)
    assert admit(fleet, wish, fleet.at) == admit(plain, wish, fleet.at)
