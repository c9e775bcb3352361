"""Services and strangers in what a journal tells, and under another policy."""

from __future__ import annotations

import attrs

from orchestrator.core.events import Event, FleetObserved
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.policies import RestartPolicy, never_restart_policy
from orchestrator.core.requests import Adopt, Apply, Scale, StopOrphan
from orchestrator.core.services import Service
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.replay.imagined.hypotheses import FOR_ALL, Hypothesis, rewritten
from orchestrator.replay.imagined.imagining import what_if
from orchestrator.replay.timelines.happenings import Wish
from tests.replay.test_timelines import WEB, Story

TEMPLATE = attrs.evolve(WEB, name="shop", service="shop")
SETTINGS = FleetSettings(ad_hoc=attrs.evolve(WEB, name="ad-hoc", service="ad-hoc"))
CAREFUL = Hypothesis(policies=Table.of([(FOR_ALL, never_restart_policy())]))


def shop(replicas: int) -> FleetSpec:
    specs = tuple(
        attrs.evolve(TEMPLATE, name=f"shop-{index}", replica=index)
        for index in range(replicas)
    )
    return FleetSpec(
        name="demo",
        settings=SETTINGS,
        containers=specs,
        services=(Service(template=TEMPLATE, replicas=replicas),),
    )


def story() -> Story:
    """Scale a fleet that meets two strangers: one is adopted, the other ended."""
    told = Story()
    told.asks(Apply(spec=shop(1)))
    told.gets_ready("shop-0")
    told.asks(Scale(service="shop", replicas=2))
    strangers = Table.of([("lost", 4), ("old", 2)])
    told.happens(FleetObserved(at=0, complete=True, strangers=strangers))
    told.asks(Adopt(name="lost"))
    told.asks(StopOrphan(name="old"))
    return told


def policies_of(event: Event) -> list[RestartPolicy]:
    """Return the policies of all specs that an event declares."""
    declarations = list(getattr(event, "declarations", ()))
    declarations += [one for one in [getattr(event, "declaration", None)] if one]
    specs: list[ContainerSpec] = [one.spec for one in declarations]
    specs += [service.template for service in getattr(event, "services", ())]
    return [spec.restart for spec in specs]


def test_a_scale_and_the_end_of_a_stranger_are_told_with_what_they_are_about() -> None:
    told = story().told()
    assert [(one.wish, one.about) for one in told.requests][-2:] == [
        (Wish.SCALE, "shop to 2"),
        (Wish.STOP_ORPHAN, "old"),
    ]
    (lost,) = [course for course in told.courses if course.name == "lost"]
    assert [(one.wish, one.about) for one in lost.requests] == [(Wish.ADOPT, "")]


def test_another_policy_holds_for_what_a_scale_or_an_adoption_brings() -> None:
    events = [entry.event for entry in story().entries]
    specs = [policies_of(event) for event in events]
    supposed = [policies_of(rewritten(event, CAREFUL)) for event in events]
    assert [len(each) for each in supposed] == [len(each) for each in specs]
    assert {one for each in supposed for one in each} == {never_restart_policy()}
    assert {one for each in specs for one in each} == {WEB.restart}


def test_a_policy_by_the_name_of_a_service_or_a_stranger_is_for_somebody() -> None:
    for name in ("shop", "shop-1", "lost"):
        policies = Table.of([(name, never_restart_policy())])
        answer = what_if(story().entries, Hypothesis(policies=policies)).unwrap()
        assert {one.name for one in answer.containers} >= {"shop-0", "shop-1", "lost"}
