"""What a new file means for a service that has several revisions, or gets them."""

from __future__ import annotations

import attrs

from orchestrator.core.dependencies import Condition
from orchestrator.core.drift import DriftKind, drift
from orchestrator.core.events import Booted
from orchestrator.core.exits import Stopped as AtRest
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.lineages import RolloutStatus
from orchestrator.core.origins import Origin, Prune
from orchestrator.core.planning import Masks, Plan, PlanAction, plan
from orchestrator.core.requests import Apply, Start, Stop
from orchestrator.core.rollout_policies import OnFailure, Share
from orchestrator.core.table import Table

from .examples import spec
from .rolling import Rolling, policy, served, told

SURGE = policy(max_unavailable=Share(0), max_surge=Share(1))
PLAIN = Masks(spec=lambda it: it, settings=lambda it: it)
NEEDS = Table.of([("db", Condition.STARTED)])


def mid_way(rollout: object = None) -> Rolling:
    """Return a rollout of three of which one is new and ready."""
    bounds = policy() if rollout is None else rollout
    story = told(3, bounds)  # type: ignore[arg-type]
    story.told(served(3, "two", bounds))  # type: ignore[arg-type]
    return story.goes_on(lambda it: len(it.rollout.roster.counted) == 1)


def planned(story: Rolling, fleet: FleetSpec) -> Plan:
    request = Apply(spec=fleet)
    return plan(story.fleet, request, story.fleet.at, masks=PLAIN).unwrap()


def test_the_same_file_again_changes_nothing_in_the_middle() -> None:
    story = mid_way()
    before = story.fleet
    story.told(served(3, "two", policy()))
    assert story.fleet == before


def test_a_boot_in_the_middle_goes_on_with_the_rollout() -> None:
    story = mid_way(SURGE)
    at = story.fleet.at
    story.happens(Booted(at=at + 1_000_000, epoch=2, rules=3, fences=True))
    story.told(served(3, "two", SURGE), keep_scale=True)
    story.look()
    assert story.rollout.progress_at == at + 1_000_000
    story.goes_on()
    assert story.status() is RolloutStatus.DONE
    assert len(story.images()) == 3


def test_a_newer_file_takes_the_place_of_a_rollout() -> None:
    story = mid_way().told(served(3, "three", policy())).goes_on()
    assert [each.status for each in story.lineage.past] == [
        RolloutStatus.SUPERSEDED,
        RolloutStatus.DONE,
    ]
    assert {image for _, image in story.images()} == {"three"}
    assert story.lineage.past[0].reason == "a newer rollout has taken its place"


def test_a_newer_file_lets_one_of_two_of_an_index_go() -> None:
    story = told(3, SURGE).told(served(3, "two", SURGE))
    assert len(story.images()) == 4
    story.told(served(3, "three", SURGE))
    assert list(story.rollout.roster.kept) in ([(0, "web-0")], [])
    story.goes_on()
    assert (story.status(), story.least, story.most) == (RolloutStatus.DONE, 3, 4)
    assert [image for _, image in story.images()] == ["three"] * 3


def test_a_service_without_replicas_needs_no_rollout() -> None:
    story = told(0, policy()).told(served(0, "two", policy()))
    assert not story.fleet.lineages
    story.scaled(1)
    assert story.images() == [("web-0", "two")]


def test_the_file_of_before_brings_the_new_ones_back() -> None:
    story = mid_way().told(served(3, "one", policy())).goes_on()
    assert (story.status(), story.lineage.serving) == (RolloutStatus.DONE, 1)
    assert {image for _, image in story.images()} == {"one"}
    assert story.container("web-2").run == 1


def test_without_a_policy_all_change_at_once() -> None:
    story = mid_way(SURGE).told(served(3, "three"))
    assert story.status() is RolloutStatus.SUPERSEDED
    assert story.rollout.reason == "all replicas were changed at once"
    story.goes_on()
    assert {image for _, image in story.images()} == {"three"}
    assert [each.generation for each in story.fleet.containers.values()] == [3] * 3
    assert story.lineage.serving == 3


def test_a_policy_that_goes_leaves_the_rollout_under_way() -> None:
    story = mid_way().told(served(3, "two")).goes_on()
    assert (story.status(), story.rollout.policy) == (RolloutStatus.DONE, policy())


def test_a_service_that_was_never_rolled_out_has_no_revisions() -> None:
    story = told(3).told(served(3, "two")).goes_on()
    assert not story.fleet.lineages
    story.told(served(3, "two", policy())).goes_on()
    assert not story.fleet.lineages


def test_how_runs_are_handled_changes_in_place_for_all() -> None:
    story = mid_way().told(served(3, "two", policy(), stop_grace_ms=7_000))
    graces = {each.spec.stop_grace_ms for each in story.fleet.containers.values()}
    assert graces == {7_000}
    assert story.container("web-2").spec.image == "one"
    assert story.goes_on().status() is RolloutStatus.DONE
    assert [each.template.stop_grace_ms for each in story.lineage.revisions] == [
        7_000,
        7_000,
    ]


def test_dependencies_are_those_of_the_service_also_of_its_old_replicas() -> None:
    db = spec("db")
    story = told(3, policy())
    story.told(served(3, "two", policy(), others=(db,), depends_on=NEEDS))
    assert all(story.container(f"web-{i}").spec.depends_on for i in range(3))
    assert story.goes_on().status() is RolloutStatus.DONE
    story.told(served(3, "three", policy())).goes_on()
    assert story.status() is RolloutStatus.DONE
    assert story.roll("undo").goes_on().status() is RolloutStatus.DONE
    assert not any(each.spec.depends_on for each in story.fleet.containers.values())


def test_a_service_that_goes_takes_its_rollout_along() -> None:
    story = mid_way(SURGE).told(FleetSpec(name="demo")).goes_on()
    assert not story.fleet.lineages
    assert not story.fleet.rolling
    assert not story.fleet.containers
    story.told(served(2, "one", SURGE)).goes_on()
    assert not story.fleet.lineages


def test_replicas_that_are_kept_when_their_service_goes_are_on_their_own() -> None:
    story = mid_way().told(FleetSpec(name="demo"), prune=Prune.KEEP)
    assert len(story.fleet.containers) == 3
    story.told(served(3, "two", policy())).goes_on()
    assert {each.generation for each in story.fleet.containers.values()} == {1}


def test_a_service_that_is_scaled_up_in_the_middle_gets_old_ones_that_follow() -> None:
    story = mid_way().roll("pause").scaled(5)
    assert story.container("web-4").spec.image == "one"
    assert story.container("web-4").generation == 1
    story.roll("resume").goes_on()
    assert (story.status(), len(story.images())) == (RolloutStatus.DONE, 5)
    assert {image for _, image in story.images()} == {"two"}
    story.scaled(6)
    assert (story.container("web-5").spec.image, story.lineage.serving) == ("two", 2)


def test_scaled_down_both_of_an_index_go() -> None:
    story = told(3, SURGE).told(served(3, "two", SURGE))
    assert len(story.images()) == 4
    story.scaled(0)
    assert story.images() == []
    story.goes_on()
    assert story.rollout.reason == "it has no replicas"
    assert (story.status(), story.lineage.serving) == (RolloutStatus.DONE, 2)


def test_a_file_finds_replicas_under_their_other_names() -> None:
    story = told(3, SURGE).told(served(3, "two", SURGE)).goes_on()
    before = story.fleet
    story.told(served(3, "two", SURGE))
    assert story.fleet == before
    story.told(served(4, "two", SURGE)).goes_on()
    assert [name for name, _ in story.images()] == [
        *(f"web-{i}.r2" for i in range(3)),
        "web-3",
    ]
    story.told(served(2, "two", SURGE)).goes_on()
    assert [name for name, _ in story.images()] == ["web-0.r2", "web-1.r2"]
    story.scaled(1).scaled(3)
    assert [name for name, _ in story.images()] == ["web-0.r2", "web-1", "web-2"]


def test_one_that_its_owner_stopped_is_moved_last_and_not_started() -> None:
    story = told(3, policy()).asked(Stop(name="web-0"))
    assert isinstance(story, Rolling)
    story.goes_on().watched()
    story.told(served(3, "two", policy())).goes_on()
    assert (story.status(), story.least) == (RolloutStatus.DONE, 1)
    stopped = story.container("web-0")
    assert (stopped.desired.running, stopped.spec.image) == (False, "two")
    assert (stopped.generation, stopped.run) == (2, 1)


def test_new_replicas_of_a_service_that_went_back_are_of_the_good_revision() -> None:
    rollout = policy(failure_budget=Share(0))
    story = told(2, rollout)
    story.is_broken = lambda each: each.spec.image == "two"
    story.told(served(2, "two", rollout)).goes_on()
    assert story.status() is RolloutStatus.REVERTED
    story.scaled(3)
    assert story.container("web-2").spec.image == "one"
    story.told(served(4, "two", rollout)).goes_on()
    assert {image for _, image in story.images()} == {"one"}
    story.told(served(4, "one", rollout))
    assert story.lineage.rollout is None


def test_old_revisions_and_rollouts_are_forgotten_but_the_good_one() -> None:
    story = told(1, policy())
    for number in range(15):
        story.told(served(1, f"image-{number}", policy())).goes_on()
    assert len(story.lineage.past) == 10
    assert [each.number for each in story.lineage.revisions] == list(range(7, 17))


def test_a_plan_names_who_is_rolled_and_what_is_made_beside() -> None:
    story = told(3, SURGE)
    found = planned(story, served(3, "two", SURGE))
    rolled = [each for each in found.changes if each.action is PlanAction.ROLL]
    assert [each.name for each in rolled] == ["web-0", "web-1", "web-2"]
    assert rolled[0].why == (
        "its service is rolled out, from revision 1 to 2, by the strategy rolling"
    )
    assert [each.path for each in rolled[2].fields] == ["image"]
    (made,) = [each for each in found.changes if each.action is PlanAction.CREATE]
    assert (made.name, made.why) == (
        "web-0.r2",
        "it is made beside the one that it replaces",
    )
    in_place = planned(told(3, policy()), served(3, "two", policy()))
    assert {each.action for each in in_place.changes} == {PlanAction.ROLL}


def test_a_plan_in_the_middle_tells_only_what_it_changes() -> None:
    story = mid_way(SURGE)
    assert planned(story, served(3, "two", SURGE)).is_empty
    more = planned(story, served(4, "two", SURGE))
    assert [each.name for each in more.changes] == ["web-3"]
    fewer = planned(story, served(2, "three", SURGE))
    assert {each.name: each.action for each in fewer.changes}["web-2"] is (
        PlanAction.STOP
    )
    back = planned(story, served(3, "one", SURGE))
    assert "web-2" not in {each.name for each in back.changes}


def test_replicas_of_another_revision_than_the_serving_one_are_told() -> None:
    story = mid_way()
    story.roll("pause").asked(Start(name="db", spec=spec("db")))
    found = [
        each
        for each in drift(story.fleet, story.fleet.at)
        if each.kind is DriftKind.OTHER_GENERATION
    ]
    assert [(each.name, each.asked, each.found) for each in found][:1] == [
        ("web-0", "revision 1 of web", "revision 2")
    ]
    assert found[0].why == "the rollout of its service is paused: it was paused by ann"
    held = policy(on_failure=OnFailure.HOLD, failure_budget=Share(0))
    story = told(2, held)
    story.is_broken = lambda each: each.spec.image == "two"
    story.told(served(2, "two", held)).goes_on(
        lambda it: it.status() is RolloutStatus.HELD
    )
    (only,) = [
        each
        for each in drift(story.fleet, story.fleet.at)
        if each.kind is DriftKind.OTHER_GENERATION
    ]
    assert "is held: 1 failure of new replicas" in only.why
    at_once = attrs.evolve(story.lineage, past=())
    bare = attrs.evolve(story.fleet, lineages=story.fleet.lineages.put("web", at_once))
    whys = {each.why for each in drift(bare, 0)}
    assert "it was made before its service changed" in whys


def test_handling_that_changes_on_the_way_back_reaches_those_that_need_no_move() -> (
    None
):
    story = told(4, policy()).told(served(4, "two", policy()))
    story.asked(Stop(name="web-3")).ended(AtRest(), name="web-3")
    story.told(served(4, "one", policy(), stop_grace_ms=7_000))
    for index in (1, 2, 3):
        spec_of = story.container(f"web-{index}").spec
        assert (spec_of.image, spec_of.stop_grace_ms) == ("one", 7_000)
    assert story.container("web-2").run == 1
    assert story.phase("web-3") == "Stopped"
    assert story.goes_on().status() is RolloutStatus.DONE
    assert {image for _, image in story.images()} == {"one"}


def test_replicas_that_a_file_lets_go_on_are_none_any_more() -> None:
    story = mid_way().told(served(2, "two", policy()), prune=Prune.KEEP)
    assert story.container("web-2").origin is Origin.AD_HOC
    story.ended(name="web-2")
    assert story.goes_on().status() is RolloutStatus.DONE
    assert story.container("web-2").spec.image == "one"


def test_drained_ones_that_a_file_lets_go_are_not_started_again() -> None:
    rollout = policy(strategy="recreate")
    for is_at_rest in (False, True):
        story = told(3, rollout).told(served(3, "two", rollout))
        if is_at_rest:
            story.ended(AtRest(), name="web-2")
        story.told(served(2, "three", rollout)).goes_on()
        assert story.images() == [("web-0", "three"), ("web-1", "three")]
        assert "web-2" not in story.fleet.containers


def test_an_abort_with_replicas_beside_sends_the_new_ones_away() -> None:
    for rollout in (SURGE, policy(strategy="blue_green")):
        story = told(3, rollout).told(served(3, "two", rollout))
        story.goes_on(lambda it: len(it.rollout.roster.moved) > 0)
        story.roll("abort").goes_on()
        assert story.status() is RolloutStatus.REVERTED
        assert story.images() == [(f"web-{i}", "one") for i in range(3)]
        assert story.container("web-0").run == 1


def test_one_that_waits_for_its_restart_is_moved_at_once() -> None:
    story = told(3, policy()).told(served(3, "two", policy())).roll("pause")
    story.ended(name="web-2")
    assert story.phase("web-2") == "BackingOff"
    story.roll("resume")
    assert story.container("web-2").spec.image == "two"
    assert story.phase("web-2") == "Starting"
