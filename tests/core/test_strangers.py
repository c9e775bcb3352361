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
from orchestrator.core.dependencies import Condition
from orchestrator.core.errors import (
    AdHocContainerNotAllowed,
    ContainerNotFound,
    InvalidSpec,
    ServiceNotFound,
    Unreachable,
)
from orchestrator.core.events import (
    CommandAccepted,
    CommandFailed,
    CommandKind,
    ContainerEnded,
    ContainerObserved,
    ContainerReady,
    FleetObserved,
    OwnerEvent,
)
from orchestrator.core.exits import Exited, Lost
from orchestrator.core.explain import why
from orchestrator.core.fingerprints import fingerprint
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.groups import GroupStrategy, Membership
from orchestrator.core.observations import (
    Observation,
    SeenAbsent,
    SeenEnded,
    SeenRunning,
    SeenUnreachable,
    Sighting,
)
from orchestrator.core.origins import Origin
from orchestrator.core.outstanding import outstanding
from orchestrator.core.reduce import reduce
from orchestrator.core.requests import (
    Adopt,
    Apply,
    Reconcile,
    Scale,
    Stop,
    StopOrphan,
)
from orchestrator.core.service_events import OrphanStopRequested
from orchestrator.core.services import REPLICAS_MAX
from orchestrator.core.sights import differences
from orchestrator.core.specs import named
from orchestrator.core.table import Table
from orchestrator.core.wake import wake_at, wake_at_fleet

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


def seen(began: int) -> Observation:
    """Show both of the strangers that were adopted, as what the template starts."""
    return Observation(
        began=began,
        complete=True,
        sightings=tuple(
            running(name, run, fingerprint(named(TEMPLATE, name)))
            for name, run in (("old", 3), ("new", 4))
        ),
    )


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

    def test_a_number_that_nobody_counts_to_is_no_index_of_a_replica(self) -> None:
        name = f"web-{'9' * 20}"
        story = met(told(served(1)), **{name: 2, "web_999999999": 2})
        assert isinstance(story.refused(Adopt(name=name, service="web")), InvalidSpec)
        story.asked(Adopt(name=name)).asked(Adopt(name="web-999999999"))
        assert story.container(name).origin is Origin.AD_HOC
        assert story.container("web-999999999").spec.replica == 999_999_999

    def test_a_name_that_no_container_may_have_is_refused(self) -> None:
        story = met(told(served(1)), Web=2)
        for service in (None, "", "web"):
            refused = story.refused(Adopt(name="Web", service=service))
            assert isinstance(refused, InvalidSpec)
            assert "at most 63 long" in refused.message

    def test_a_service_has_no_more_replicas_than_there_may_be(self) -> None:
        story = met(told(served(1)), web_7=2)
        event = adopting(story, "web-7")
        full = attrs.evolve(story.fleet.services["web"], replicas=REPLICAS_MAX)
        services = story.fleet.services.put("web", full)
        story.fleet = attrs.evolve(story.fleet, services=services)
        refused = story.refused(Adopt(name="web-7"))
        assert isinstance(refused, InvalidSpec)
        assert f"fewer than {REPLICAS_MAX} replicas of 'web'" in refused.message
        moved = reduce(story.fleet, event).fleet  # a journal may say it all the same
        assert moved.services["web"].replicas == REPLICAS_MAX
        story.asked(Adopt(name="web-7", service=""))
        assert story.container("web-7").origin is Origin.AD_HOC

    def test_a_group_keeps_its_one_strategy(self) -> None:
        one = Membership(group="g", strategy=GroupStrategy.ONE_FOR_ALL, position=0)
        rest = Membership(group="g", strategy=GroupStrategy.REST_FOR_ONE, position=1)
        for group, fits in ((rest, False), (one, True)):
            settings = FleetSettings(ad_hoc=spec("any", group=group))
            story = Story(spec("web", group=one), settings=settings)
            met(story, old=3)
            if fits:
                story.asked(Adopt(name="old"))
                assert len(story.fleet.groups["g"]) == 2
            else:
                refused = story.refused(Adopt(name="old"))
                assert isinstance(refused, InvalidSpec)
                assert "old.group.strategy" in refused.message

    def test_nobody_comes_to_depend_on_himself(self) -> None:
        needs = Table.of([("web", Condition.STARTED)])
        settings = FleetSettings(ad_hoc=spec("any", depends_on=needs))
        story = met(told(served(1, settings=settings)), old=3, web=3)
        story.asked(Adopt(name="old"))
        assert story.container("old").spec.depends_on == needs
        refused = story.refused(Adopt(name="web"))
        assert isinstance(refused, InvalidSpec)
        assert "web.depends_on" in refused.message

    def test_one_whose_look_never_comes_is_never_taken_for_lost(self) -> None:
        story = orphaned().asked(Adopt(name="old"))
        adopted = story.container("old")
        assert wake_at(adopted, fences=True) is None
        long_after = story.fleet.at + 10 * adopted.spec.restart.lost_after_ms
        story.time(long_after, "old")
        assert (story.orders(), story.container("old")) == ((), adopted)
        assert look(story, running("old", 3, MARK)).phase("old") == "Running"

    def test_one_that_is_out_of_sight_after_its_look_may_be_lost(self) -> None:
        story = orphaned().asked(Adopt(name="old"))
        look(story, running("old", 3, MARK))
        look(story, Sighting(name="old", run=3, sight=SeenUnreachable()))
        assert story.phase("old") == "Unknown"
        due = wake_at(story.container("old"), fences=True)
        assert due == story.fleet.at + story.container("old").spec.restart.lost_after_ms

    def test_a_look_that_began_before_an_adoption_is_followed_by_another(self) -> None:
        story = met(orphaned(), old=3, new=4).asked(Adopt(name="old"))
        began = story.fleet.at + 1
        at = began + 5
        story.asked(Adopt(name="new"), at=at)
        assert story.orders() == ()
        news = differences(story.fleet, seen(began), at + 1)
        for event in news:
            story.happens(event)
        assert (story.phase("old"), story.phase("new")) == ("Running", "Unknown")
        assert story.orders() == (ObserveFleet(),)
        for event in differences(story.fleet, seen(at + 2), at + 3):
            story.happens(event)
        assert (story.phase("new"), story.orders()) == ("Running", ())

    def test_news_during_the_look_have_it_looked_at_again(self) -> None:
        story = orphaned().asked(Adopt(name="old"))
        began = story.fleet.at + 1
        story.happens(ContainerReady(at=began, name="old", run=3))
        for event in differences(story.fleet, seen(began), began + 1):
            story.happens(event)
        assert story.container("old").is_claimed
        assert story.orders() == (ObserveFleet(),)
        look(story, running("old", 3, MARK))
        assert (story.container("old").is_claimed, story.orders()) == (False, ())
        assert len(story.fleet.diverged) == 0

    def test_a_look_that_shows_nothing_of_it_is_not_repeated_at_once(self) -> None:
        story = orphaned().asked(Adopt(name="old"))
        hidden = Sighting(name="old", run=3, sight=SeenUnreachable())
        for _ in range(2):
            look(story, hidden)
            assert story.container("old").is_claimed
            assert story.orders() == ()
            story.asked(Reconcile())

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
        # The same look lists it no more: it would be back until the next one.
        assert len(story.fleet.strangers) == 0

    def test_a_look_that_began_before_its_end_shows_no_stranger_anew(self) -> None:
        story = orphaned().asked(StopOrphan(name="old"))
        at = story.fleet.at
        story.happens(ContainerEnded(at=at, name="old", run=3, exit=Exited(code=0)))
        gone = CommandAccepted(at=at, name="old", run=3, kind=CommandKind.FORGET)
        story.happens(gone)  # and the look that the stop asked for is still under way
        look(story, running("old", 3, MARK))
        assert len(story.fleet.strangers) == 0
        assert story.orders() == (ForgetContainer(name="old", run=3),)
        story.happens(attrs.evolve(gone, at=story.fleet.at))
        assert len(story.fleet.forgetting) == 0
        assert story.fleet.ignored == 0

    def test_one_that_does_not_heed_is_asked_again_at_each_look(self) -> None:
        story = orphaned().asked(StopOrphan(name="old"))
        assert met(story, old=3).orders() == (EVICT,)
        assert met(story, old=3).orders() == (EVICT,)

    @pytest.mark.parametrize("interval_ms", [0, 600_000])
    def test_a_stop_that_was_lost_is_given_again_within_a_minute(
        self, interval_ms: int
    ) -> None:
        seldom = attrs.evolve(SETTINGS, reconcile_interval_ms=interval_ms)
        story = Story().asked(Apply(spec=FleetSpec(name="demo", settings=seldom)))
        met(story, old=3).asked(StopOrphan(name="old"))
        asked_at = story.fleet.at
        lost = CommandFailed(
            at=asked_at,
            name="old",
            run=3,
            kind=CommandKind.STOP,
            error=Unreachable(cause="cut off"),
        )
        story.happens(lost)
        assert story.fleet.evicting.get("old") == 3
        met(story, old=3)
        assert wake_at_fleet(story.fleet) == asked_at + 60_000
        story.time(asked_at + 60_000, None)
        assert story.orders() == (ObserveFleet(),)
        assert met(story, old=3).orders() == (EVICT,)
        due = wake_at_fleet(met(story).fleet)
        assert due == (asked_at + 60_000 + interval_ms if interval_ms else None)

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
