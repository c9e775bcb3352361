"""Two replicas of one index: which one stays, what they are called, when one goes."""

from __future__ import annotations

import attrs

from orchestrator.core.events import ContainerObserved
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.lineages import RolloutStatus
from orchestrator.core.names import NAME_LENGTH_MAX
from orchestrator.core.observations import SeenRunning, SeenUnreachable
from orchestrator.core.origins import Prune
from orchestrator.core.owner_events import SpecApplied
from orchestrator.core.requests import Start
from orchestrator.core.rollout_policies import OnFailure, RolloutPolicy, Share

from .examples import spec
from .rolling import Rolling, policy, served, told

SURGE = policy(max_unavailable=Share(0), max_surge=Share(1))
BLUE_GREEN = policy(strategy="blue_green", keep_old_ms=600_000)


def soaking() -> Rolling:
    """Return a service of two whose old replicas are kept beside the new ones."""
    story = told(2, BLUE_GREEN).told(served(2, "two", BLUE_GREEN))
    story.goes_on(lambda it: it.status() is RolloutStatus.SOAKING)
    assert len(story.images()) == 4
    return story


def test_an_undo_of_a_restart_half_way_leaves_one_of_each_index() -> None:
    story = told(2, SURGE).roll("start").goes_on(limit=3)
    assert len(story.images()) == 3
    story.roll("undo").goes_on()
    assert story.status() is RolloutStatus.DONE
    assert len(story.images()) == 2
    assert {each.generation for each in story.fleet.containers.values()} == {3}


def test_an_undo_of_a_restart_keeps_of_two_the_one_that_is_up() -> None:
    story = told(1, SURGE)
    story.is_slow = lambda each: each.generation == 2
    story.roll("start").goes_on(limit=3)
    assert [name for name, _ in story.images()] == ["web-0", "web-0.r2"]
    story.roll("undo").goes_on()
    assert [name for name, _ in story.images()] == ["web-0"]
    assert (story.container("web-0").run, story.least) == (1, 1)


def test_a_file_that_changes_all_at_once_leaves_one_of_each_index() -> None:
    story = soaking().told(served(2, "three")).goes_on()
    assert story.images() == [("web-0", "three"), ("web-1", "three")]
    assert story.status() is RolloutStatus.SUPERSEDED
    assert not story.fleet.rolling


def test_the_twin_that_goes_is_told_why() -> None:
    story = soaking().told(served(2, "three"))
    twin = story.container("web-0.r2")
    assert (twin.leaving, twin.desired.running) == (True, False)
    assert twin.desired.why == "its service needs one of its index alone"
    assert twin.desired.by == "ann"


def test_twins_of_an_index_that_leaves_the_file_go_with_it() -> None:
    story = soaking().told(served(1, "three")).goes_on()
    assert story.images() == [("web-0", "three")]
    kept = soaking()
    kept.told(served(1, "three"), prune=Prune.KEEP).goes_on()
    assert kept.images() == [("web-0", "three")]
    assert kept.container("web-1.r2").desired.running


def test_twins_that_a_held_rollout_has_left_go_when_a_file_changes_all() -> None:
    held = attrs.evolve(SURGE, on_failure=OnFailure.HOLD, failure_budget=Share(0))
    story = told(2, held)
    story.is_broken = lambda each: each.spec.image == "two"
    story.told(served(2, "two", held)).goes_on(
        lambda it: it.status() is RolloutStatus.HELD
    )
    assert len(story.images()) == 3
    story.told(served(2, "three")).goes_on()
    assert story.images() == [("web-0", "three"), ("web-1", "three")]


def test_a_surplus_replica_that_is_out_of_sight_is_not_stopped() -> None:
    story = told(2, SURGE)
    story.is_slow = lambda each: each.spec.image == "two"
    story.told(served(2, "two", SURGE)).goes_on(limit=3)
    story.happens(unseen(story, "web-0"))
    story.told(served(2, "three", SURGE))
    assert list(story.rollout.roster.surplus) == [(0, "web-0")]
    assert story.goes_on(limit=3).phase("web-0") == "Unknown"
    assert not story.container("web-0").leaving
    story.happens(seen(story, "web-0"))
    assert story.goes_on().status() is RolloutStatus.DONE
    assert {image for _, image in story.images()} == {"three"}
    assert (len(story.images()), story.most) == (2, 3)


def test_a_kept_replica_that_is_out_of_sight_goes_once_it_is_not_missed() -> None:
    rollout = attrs.evolve(BLUE_GREEN, max_unavailable=Share(0), max_surge=Share(1))
    story = told(2, rollout).told(served(2, "two", rollout))
    story.goes_on(lambda it: it.status() is RolloutStatus.SOAKING)
    story.happens(unseen(story, "web-0"))
    story.ended(name="web-1").ended(name="web-1.r2")
    story.roll("promote")
    assert list(story.rollout.roster.spent) == [(0, "web-0")]
    assert not story.container("web-0").leaving
    story.goes_on(lambda it: it.container("web-0").leaving)
    assert story.rollout.roster.available == 2
    assert story.goes_on().status() is RolloutStatus.DONE
    assert story.images() == [("web-0.r2", "two"), ("web-1.r2", "two")]


def test_an_old_replica_that_is_out_of_sight_is_moved_once_it_is_seen() -> None:
    story = told(3, policy())
    story.happens(unseen(story, "web-0"))
    story.ended(name="web-1")
    story.told(served(3, "two", policy()))
    assert story.images() == [("web-0", "one"), ("web-1", "two"), ("web-2", "one")]
    story.happens(seen(story, "web-0"))
    assert story.goes_on().status() is RolloutStatus.DONE
    assert {image for _, image in story.images()} == {"two"}


def unseen(story: Rolling, name: str) -> ContainerObserved:
    run = story.container(name).run
    return ContainerObserved(
        at=story.fleet.at, name=name, run=run, sight=SeenUnreachable()
    )


def seen(story: Rolling, name: str) -> ContainerObserved:
    run, sight = story.container(name).run, SeenRunning(ready=True)
    return ContainerObserved(at=story.fleet.at, name=name, run=run, sight=sight)


def test_a_name_that_is_taken_is_counted_on() -> None:
    for rollout in (SURGE, policy(strategy="blue_green")):
        story = told(1, rollout)
        for name in ("web-0.r2", "web-0.r2.1"):
            story.asked(Start(name=name, spec=spec(name)))
        story.told(served(1, "two", rollout)).goes_on()
        assert story.status() is RolloutStatus.DONE
        assert story.images() == [("web-0.r2.2", "two")]


def crafted(story: Rolling, fleet: FleetSpec, rollout: RolloutPolicy) -> Rolling:
    """Have a file be applied that is refused: its names leave no room."""
    event = story.admitted(Rolling.applied(fleet))
    assert isinstance(event, SpecApplied)
    services = (attrs.evolve(event.services[0], rollout=rollout),)
    return story.happens(attrs.evolve(event, services=services))


def test_where_no_name_is_short_enough_it_waits_or_moves_in_place() -> None:
    name = "w" * (NAME_LENGTH_MAX - 2)
    for rollout, status in (
        (policy(max_unavailable=Share(1), max_surge=Share(1)), RolloutStatus.DONE),
        (policy(strategy="blue_green"), RolloutStatus.HELD),
    ):
        bounds = attrs.evolve(rollout, on_failure=OnFailure.HOLD)
        story = Rolling().told(served(1, "one", policy(), name=name)).goes_on()
        crafted(story, served(1, "two", policy(), name=name), bounds)
        story.goes_on()
        assert [each.name for each in story.fleet.containers.values()] == [f"{name}-0"]
        assert story.fleet.lineages[name].past[-1].status is status
