"""Strangers: taken over without a restart, ended for good, or left alone."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core.admit import admit
from orchestrator.core.commands import (
    ForgetContainer,
    ObserveFleet,
    StartContainer,
    StopContainer,
)
from orchestrator.core.errors import (
    AdHocContainerNotAllowed,
    ContainerNotFound,
    InvalidSpec,
    ServiceNotFound,
)
from orchestrator.core.events import (
    ContainerEnded,
    ContainerObserved,
    ContainerReady,
    FleetObserved,
    OwnerEvent,
)
from orchestrator.core.exits import Exited, Lost
from orchestrator.core.explain import why
from orchestrator.core.fingerprints import fingerprint
from orchestrator.core.observations import (
    Observation,
    SeenAbsent,
    SeenEnded,
    SeenRunning,
    SeenUnreachable,
    Sighting,
)
from orchestrator.core.outstanding import outstanding
from orchestrator.core.requests import Adopt, Apply, Scale, Stop, StopOrphan
from orchestrator.core.service_events import OrphanStopRequested
from orchestrator.core.sights import differences
from orchestrator.core.specs import FleetSettings, FleetSpec, Origin, named
from orchestrator.core.table import Table

from .examples import Story, spec
from .test_scaling import served, told

TEMPLATE = spec("any")
SETTINGS = FleetSettings(ad_hoc=TEMPLATE)
EVICT = StopContainer(name="old", run=3, signal="TERM", grace_ms=10_000)


def met(story: Story, **strangers: int) -> Story:
    seen = Table.of((name.replace("_", "-"), run) for name, run in strangers.items())
    return story.happens(
        FleetObserved(at=story.fleet.at + 1, complete=True, strangers=seen)
    )


def orphaned() -> Story:
    story = Story().asked(Apply(spec=FleetSpec(name="demo", settings=SETTINGS)))
    return met(story, old=3)


def look(story: Story, *seen: Sighting) -> Story:
    at = story.fleet.at + 10
    observation = Observation(began=at - 1, complete=True, sightings=seen)
    for event in differences(story.fleet, observation, at):
        story.happens(event)
    return story


def running(name: str, run: int, mark: str, *, ready: bool = True) -> Sighting:
    return Sighting(
        name=name, run=run, fingerprint=mark, sight=SeenRunning(ready=ready)
    )


def adopting(story: Story, name: str = "old") -> OwnerEvent:
    return admit(story.fleet, Adopt(name=name), story.fleet.at).unwrap()


MARK = fingerprint(named(TEMPLATE, "old"))


class TestAdoption:
    def test_nothing_is_started_before_the_look(self) -> None:
        story = orphaned().asked(Adopt(name="old", by="ann", why="mine"))
        assert story.orders() == (ObserveFleet(),)
        adopted = story.container("old")
        assert (adopted.run, adopted.origin) == (3, Origin.AD_HOC)
        assert (adopted.desired.by, adopted.desired.why) == ("ann", "mine")
        assert adopted.is_claimed
        assert len(story.fleet.strangers) == 0
        assert why(adopted, 0).startswith("was adopted")
        assert outstanding(story.fleet) == ()

    def test_a_run_of_the_same_spec_goes_on(self) -> None:
        story = orphaned().asked(Adopt(name="old"))
        look(story, running("old", 3, MARK))
        adopted = story.container("old")
        assert (story.phase("old"), adopted.run) == ("Running", 3)
        assert (adopted.is_claimed, adopted.started_revision) == (False, 1)
        assert story.orders() == ()

    def test_a_run_of_another_spec_is_replaced(self) -> None:
        story = orphaned().asked(Adopt(name="old"))
        look(story, running("old", 3, "other"))
        assert story.phase("old") == "Stopping"
        story.ended(Exited(code=0), "old")
        assert StartContainer(name="old", run=4, revision=1) in story.orders()

    def test_a_run_that_has_ended_meanwhile_is_judged_by_the_policy(self) -> None:
        story = orphaned().asked(Adopt(name="old"))
        ended = Sighting(name="old", run=3, sight=SeenEnded(exit=Exited(code=0)))
        assert look(story, ended).phase("old") == "Completed"

    def test_a_run_that_is_gone_is_lost(self) -> None:
        story = look(orphaned().asked(Adopt(name="old")))
        last = story.container("old").last
        assert last is not None
        assert last.exit == Lost()

    def test_a_run_that_cannot_be_seen_waits_for_another_look(self) -> None:
        story = orphaned().asked(Adopt(name="old"))
        hidden = Sighting(name="old", run=3, sight=SeenUnreachable())
        assert look(story, hidden).container("old").is_claimed
        assert look(story, running("old", 3, MARK)).phase("old") == "Running"

    def test_a_newer_run_than_the_one_that_was_met_is_taken_over(self) -> None:
        story = orphaned().asked(Adopt(name="old"))
        look(story, running("old", 5, MARK))
        assert (story.phase("old"), story.container("old").run) == ("Running", 5)

    def test_news_before_the_look_do_not_spare_the_comparison(self) -> None:
        story = orphaned().asked(Adopt(name="old"))
        story.happens(ContainerReady(at=story.fleet.at, name="old", run=3))
        assert story.container("old").is_claimed
        assert story.phase("old") == "Running"
        assert look(story, running("old", 3, "other")).phase("old") == "Stopping"

    def test_a_new_spec_before_the_look_is_what_is_compared(self) -> None:
        story = told(served(1))
        met(story, web_4=2).asked(Adopt(name="web-4"))
        story.asked(Apply(spec=served(1, stop_grace_ms=7), keep_scale=True))
        assert story.container("web-4").revision == 2
        assert story.container("web-4").is_claimed
        mark = fingerprint(story.container("web-4").spec)
        look(story, running("web-4", 2, mark))
        assert (story.phase("web-4"), story.container("web-4").run) == ("Running", 2)

    def test_a_stop_before_the_look_is_kept(self) -> None:
        story = orphaned().asked(Adopt(name="old")).asked(Stop(name="old"))
        assert story.phase("old") == "Stopping"
        look(story, running("old", 3, MARK))
        assert story.phase("old") == "Stopping"

    def test_it_becomes_a_replica_of_the_service_that_its_name_speaks_of(self) -> None:
        story = met(told(served(1)), web_7=2).asked(Adopt(name="web-7"))
        adopted = story.container("web-7")
        assert (adopted.origin, adopted.spec.replica) == (Origin.MIN_REPLICA_SET, 7)
        assert story.fleet.services["web"].replicas == 2
        assert story.asked(Scale(service="web", replicas=2)).orders() == ()

    def test_it_becomes_ad_hoc_where_that_is_asked_for(self) -> None:
        story = met(told(served(1)), web_7=2)
        story.asked(Adopt(name="web-7", service=""))
        assert story.container("web-7").origin is Origin.AD_HOC
        assert story.fleet.services["web"].replicas == 1

    def test_a_name_that_is_none_of_a_replica_is_refused(self) -> None:
        story = met(told(served(1)), web_x=2, web_07=2)
        for name in ("web-x", "web-07"):
            refused = story.refused(Adopt(name=name, service="web"))
            assert isinstance(refused, InvalidSpec)
            assert "such as web-0" in refused.message
            story.asked(Adopt(name=name))
            assert story.container(name).origin is Origin.AD_HOC

    def test_who_is_no_stranger_is_not_adopted(self) -> None:
        story = told(served(1))
        missing = ContainerNotFound(name="ghost")
        assert story.refused(Adopt(name="ghost")) == missing
        assert story.refused(StopOrphan(name="ghost")) == missing
        for request in (Adopt(name="web-0"), StopOrphan(name="web-0")):
            refused = story.refused(request)
            assert isinstance(refused, InvalidSpec)
            assert "belongs to the fleet" in refused.message

    def test_a_service_that_is_not_there_is_not_found(self) -> None:
        refused = orphaned().refused(Adopt(name="old", service="nobody"))
        assert refused == ServiceNotFound(name="nobody")

    def test_a_fleet_without_a_place_for_it_refuses(self) -> None:
        closed = attrs.evolve(SETTINGS, allow_ad_hoc_containers=False)
        for settings, kind in (
            (closed, AdHocContainerNotAllowed),
            (FleetSettings(), InvalidSpec),
        ):
            story = Story().asked(Apply(spec=FleetSpec(name="demo", settings=settings)))
            assert isinstance(met(story, old=3).refused(Adopt(name="old")), kind)

    def test_what_is_gone_when_it_is_taken_in_is_ignored(self) -> None:
        story = orphaned()
        event = adopting(story)
        ignored = met(story).fleet.ignored
        story.happens(attrs.evolve(event, at=story.fleet.at))
        assert story.fleet.ignored == ignored + 1
        assert "old" not in story.fleet.containers

    def test_a_service_that_is_gone_when_it_is_taken_in_counts_nobody(self) -> None:
        story = met(told(served(1)), web_7=2)
        event = adopting(story, "web-7")
        story.asked(Apply(spec=FleetSpec(name="demo")))
        story.happens(event)
        assert len(story.fleet.services) == 0


class TestEviction:
    def test_a_stranger_is_stopped_and_looked_at(self) -> None:
        story = orphaned().asked(StopOrphan(name="old"))
        assert story.orders() == (EVICT, ObserveFleet())
        assert story.fleet.evicting.get("old") == 3
        assert outstanding(story.fleet) == (EVICT,)

    def test_one_that_has_ended_is_forgotten(self) -> None:
        story = orphaned().asked(StopOrphan(name="old"))
        end = ContainerEnded(at=story.fleet.at, name="old", run=3, exit=Exited(code=0))
        story.happens(end)
        assert story.orders() == (ForgetContainer(name="old", run=3),)
        assert (len(story.fleet.evicting), len(story.fleet.strangers)) == (0, 0)
        assert story.fleet.forgetting.get("old") == 3
        assert story.fleet.run_floor == 3

    def test_one_that_had_ended_before_is_found_by_the_look(self) -> None:
        story = orphaned().asked(StopOrphan(name="old"))
        ended = Sighting(name="old", run=3, sight=SeenEnded(exit=Lost()))
        look(story, ended)
        assert story.fleet.forgetting.get("old") == 3

    def test_one_that_does_not_heed_is_asked_again_at_each_look(self) -> None:
        story = orphaned().asked(StopOrphan(name="old"))
        assert met(story, old=3).orders() == (EVICT,)
        assert met(story, old=3).orders() == (EVICT,)

    def test_one_that_is_gone_is_asked_no_more(self) -> None:
        story = met(orphaned().asked(StopOrphan(name="old")))
        assert (story.orders(), len(story.fleet.evicting)) == ((), 0)

    def test_another_run_of_the_name_is_left_alone(self) -> None:
        story = orphaned().asked(StopOrphan(name="old"))
        assert met(story, old=4).orders() == ()
        assert len(story.fleet.evicting) == 0

    def test_one_that_is_declared_meanwhile_is_not_evicted(self) -> None:
        story = orphaned().asked(StopOrphan(name="old"))
        story.asked(Story.apply(spec("old"), settings=SETTINGS))
        assert len(story.fleet.evicting) == 0
        assert story.container("old").run >= 3

    def test_news_of_strangers_that_nobody_ends_are_ignored(self) -> None:
        story = orphaned()
        for event in (
            ContainerEnded(at=9, name="old", run=3, exit=Lost()),
            ContainerObserved(at=9, name="old", run=3, sight=SeenAbsent()),
            ContainerReady(at=9, name="old", run=3),
        ):
            ignored = story.fleet.ignored
            story.happens(event)
            assert story.fleet.ignored == ignored + 1
        assert story.fleet.strangers.get("old") == 3

    @pytest.mark.parametrize("run", [2, 4])
    def test_a_request_about_another_run_is_ignored(self, run: int) -> None:
        story = orphaned()
        event = OrphanStopRequested(at=story.fleet.at, name="old", run=run)
        story.happens(event)
        assert (story.orders(), len(story.fleet.evicting)) == ((), 0)
