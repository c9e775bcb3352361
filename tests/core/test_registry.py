"""Which custom policies are needed, and which of them are missing."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core.custom import NO_POLICIES, CustomPolicy, registered
from orchestrator.core.decisions import Hold
from orchestrator.core.errors import PolicyNotRegistered
from orchestrator.core.events import (
    Declaration,
    Event,
    SpecApplied,
    StartRequested,
    StopRequested,
    TimeReached,
)
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.policies import CustomPolicyRef
from orchestrator.core.registry import not_registered, not_registered_of_fleet
from orchestrator.core.requests import Start
from orchestrator.core.specs import ContainerSpec

from .examples import NO_JITTER, SETTINGS, Story, spec

FIRST = CustomPolicyRef(name="first", version=1)
SECOND = CustomPolicyRef(name="second", version=3)
BOTH = registered(
    CustomPolicy(name=ref.name, version=ref.version, decide=lambda _: Hold())
    for ref in (FIRST, SECOND)
)


def ruled(name: str, ref: CustomPolicyRef) -> ContainerSpec:
    return spec(name, attrs.evolve(NO_JITTER, custom=ref))


def applied(*specs: ContainerSpec, settings: FleetSettings = SETTINGS) -> SpecApplied:
    declared = tuple(Declaration(spec=one, salt=1) for one in specs)
    return SpecApplied(at=0, fleet="demo", settings=settings, declarations=declared)


def missing(name: str, ref: CustomPolicyRef) -> PolicyNotRegistered:
    return PolicyNotRegistered(name=name, policy=ref.name, version=ref.version)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (applied(spec()), None),
        (applied(spec(), ruled("a", SECOND), ruled("b", FIRST)), missing("a", SECOND)),
        (
            applied(spec(), settings=FleetSettings(ad_hoc=ruled("any", FIRST))),
            missing("any", FIRST),
        ),
        (
            StartRequested(
                at=0, name="a", declaration=Declaration(spec=ruled("a", FIRST), salt=1)
            ),
            missing("a", FIRST),
        ),
        (
            StartRequested(
                at=0, name="a", declaration=Declaration(spec=spec(), salt=1)
            ),
            None,
        ),
        (StartRequested(at=0, name="a"), None),
        (StopRequested(at=0, name="a"), None),
        (TimeReached(at=0), None),
    ],
)
def test_an_event_needs_the_policies_that_it_declares(
    event: Event, expected: PolicyNotRegistered | None
) -> None:
    assert not_registered(event, NO_POLICIES) == expected
    assert not_registered(event, BOTH) is None


def test_another_version_is_another_policy() -> None:
    newer = attrs.evolve(FIRST, version=2)
    event = applied(ruled("a", newer))
    assert not_registered(event, BOTH) == missing("a", newer)


def test_a_fleet_needs_the_policies_of_its_containers_and_of_its_template() -> None:
    settings = FleetSettings(ad_hoc=ruled("any", SECOND))
    story = Story(ruled("a", FIRST), settings=settings, policies=BOTH)
    fleet = story.fleet
    assert not_registered_of_fleet(fleet, BOTH) is None
    assert not_registered_of_fleet(fleet, NO_POLICIES) == missing("a", FIRST)
    first = registered([BOTH["first", 1]])
    assert not_registered_of_fleet(fleet, first) == missing("any", SECOND)
    assert not_registered_of_fleet(Story(spec()).fleet, NO_POLICIES) is None


def test_what_names_a_policy_that_is_not_there_is_refused_at_the_door() -> None:
    story = Story(spec())
    assert story.refused(story.apply(ruled("a", FIRST))) == missing("a", FIRST)
    assert story.refused(Start(name="a", spec=ruled("a", FIRST))) == missing("a", FIRST)
    story.policies = BOTH
    story.asked(Start(name="a", spec=ruled("a", FIRST)))
    assert story.phase("a") == "Starting"
